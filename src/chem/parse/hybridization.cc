// Conjugation and hybridization, by RDKit's rules.
#include <GraphMol/RDKitBase.h>

#include <algorithm>

#include "molsieve/src/chem/model/valence.h"
#include "molsieve/src/chem/parse/draft.h"

namespace molsieve::parse {

namespace {

using Hybridization = RDKit::Atom::HybridizationType;

bool can_conjugate(const Atom &atom) {
  const auto &own = valences_of(atom.number);
  if (atom.charge == 0 && own.default_valence() >= 0 &&
      atom.valence() > own.default_valence()) {
    return false;
  }
  const int outer = own.outer_electrons;
  return (atom.number <= 10 || (outer != 5 && outer != 6) ||
          (outer == 6 && atom.total_degree() < 2)) &&
         pi_electrons(atom) > 0;
}

Hybridization by_orbitals(const Draft &mol, const Atom &atom) {
  const int free = valences_of(atom.number).outer_electrons - atom.valence() - atom.charge;
  switch (atom.total_degree() + free / 2) {
    case 0: case 1: return Hybridization::S;
    case 2: return Hybridization::SP;
    case 3: return Hybridization::SP2;
    case 4:
      return atom.total_degree() <= 3 && is_conjugated(mol, atom) ? Hybridization::SP2
                                                                  : Hybridization::SP3;
    case 5: return Hybridization::SP3D;
    case 6: return Hybridization::SP3D2;
    default: return Hybridization::UNSPECIFIED;
  }
}

}  // namespace

// The electrons an atom can give to a pi system, -1 if it can't be part of one.
int pi_electrons(const Atom &atom) {
  const auto &own = valences_of(atom.number);
  const int normal = own.default_valence();
  const int degree = atom.total_degree();
  if (normal <= 1 || degree > 3) {
    return -1;
  }
  const int lone = std::max(own.outer_electrons - normal - atom.charge, 0);
  const int electrons = normal - degree + lone;
  if (electrons > 1 && atom.explicit_valence - atom.degree > 1) {
    return 1;
  }
  return electrons;
}

void set_conjugation(Draft &mol) {
  for (auto &bond : mol.bonds) {
    bond.conjugated = bond.aromatic;
  }
  AtomSet able;
  for (unsigned int i = 0; i < mol.atoms.size(); ++i) {
    able[i] = can_conjugate(mol.atoms[i]);
  }
  for_each_bit(able, [&](unsigned int index) {
    const auto &atom = mol.atoms[index];
    if (atom.total_degree() < 2 || atom.total_degree() > 3) {
      return;
    }
    for (unsigned int i = 0; i < atom.degree; ++i) {
      if (halves(mol.bonds[atom.bonds[i]].type) < 3 || !able[atom.neighbours[i]]) {
        continue;
      }
      for (unsigned int j = 0; j < atom.degree; ++j) {
        const auto other = atom.neighbours[j];
        if (j != i && able[other] && mol.atoms[other].total_degree() <= 3) {
          mol.bonds[atom.bonds[i]].conjugated = true;
          mol.bonds[atom.bonds[j]].conjugated = true;
        }
      }
    }
  });
}

// Also removes the chirality of atoms that turn out not to be tetrahedral.
void set_hybridization(Draft &mol) {
  for (auto &atom : mol.atoms) {
    const bool chiral = atom.chirality != NO_CHIRALITY;
    const auto hybridization =
        chiral && atom.total_degree() == 4 ? Hybridization::SP3 : by_orbitals(mol, atom);
    atom.hybridization = static_cast<std::uint8_t>(hybridization);
    if (hybridization != Hybridization::SP3) {
      atom.chirality = NO_CHIRALITY;
    }
  }
}

}  // namespace molsieve::parse
