// Conjugation and hybridization, by RDKit's rules.
#include "molsieve/src/chem/parse/flat.h"

namespace molsieve::flat {

namespace {

using Hybridization = RDKit::Atom::HybridizationType;

bool can_conjugate(const Atom &atom) {
  const auto &own = element(atom.number);
  if (atom.charge == 0 && own.default_valence() >= 0 &&
      atom.total_valence() > own.default_valence()) {
    return false;
  }
  const int outer = own.outer_electrons;
  return (atom.number <= 10 || (outer != 5 && outer != 6) ||
          (outer == 6 && atom.total_degree() < 2)) &&
         pi_electrons(atom) > 0;
}

bool has_conjugated_bond(const Molecule &mol, const Atom &atom) {
  for (unsigned int i = 0; i < atom.degree; ++i) {
    if (mol.bonds[atom.bonds[i]].conjugated) {
      return true;
    }
  }
  return false;
}

Hybridization by_orbitals(const Molecule &mol, const Atom &atom) {
  const int free = element(atom.number).outer_electrons - atom.total_valence() - atom.charge;
  switch (atom.total_degree() + free / 2) {
    case 0: case 1:
      return Hybridization::S;
    case 2:
      return Hybridization::SP;
    case 3:
      return Hybridization::SP2;
    case 4:
      return atom.total_degree() > 3 || !has_conjugated_bond(mol, atom) ? Hybridization::SP3
                                                                       : Hybridization::SP2;
    case 5:
      return Hybridization::SP3D;
    case 6:
      return Hybridization::SP3D2;
    default:
      return Hybridization::UNSPECIFIED;
  }
}

}  // namespace

void set_conjugation(Molecule &mol) {
  for (unsigned int i = 0; i < mol.bond_count; ++i) {
    mol.bonds[i].conjugated = mol.bonds[i].aromatic;
  }
  AtomSet able;
  for (unsigned int i = 0; i < mol.atom_count; ++i) {
    able[i] = can_conjugate(mol.atoms[i]);
  }
  for_each_bit(able, [&](unsigned int index) {
    const auto &atom = mol.atoms[index];
    if (atom.total_degree() < 2 || atom.total_degree() > 3) {
      return;
    }
    for (unsigned int i = 0; i < atom.degree; ++i) {
      if (halves(mol.bonds[atom.bonds[i]].order) < 3 || !able[atom.neighbors[i]]) {
        continue;
      }
      for (unsigned int j = 0; j < atom.degree; ++j) {
        const auto other = atom.neighbors[j];
        if (j != i && able[other] && mol.atoms[other].total_degree() <= 3) {
          mol.bonds[atom.bonds[i]].conjugated = true;
          mol.bonds[atom.bonds[j]].conjugated = true;
        }
      }
    }
  });
}

// Takes the marks off centers that turn out not to be tetrahedral, too.
void set_hybridization(Molecule &mol) {
  for (unsigned int i = 0; i < mol.atom_count; ++i) {
    auto &atom = mol.atoms[i];
    const bool marked = atom.chirality != RDKit::Atom::ChiralType::CHI_UNSPECIFIED;
    const auto hybridization =
        marked && atom.total_degree() == 4 ? Hybridization::SP3 : by_orbitals(mol, atom);
    atom.hybridization = static_cast<std::uint8_t>(hybridization);
    if (hybridization != Hybridization::SP3) {
      atom.chirality = RDKit::Atom::ChiralType::CHI_UNSPECIFIED;
    }
  }
}

}  // namespace molsieve::flat
