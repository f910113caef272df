#include "molsieve/src/chem/combine/reagent.h"

namespace molsieve {

namespace {

// What an atom of RDKit's molecule takes, with its bonds and properties: measured at about 1,000 bytes.
constexpr std::size_t RDKIT_ATOM_BYTES = 1'500;

}  // namespace

void CompactMolecule::take(const edit::Parent &from) {
  atoms.assign(from.mol.atoms.begin(), from.mol.atoms.end());
  bonds.assign(from.mol.bonds.begin(), from.mol.bonds.end());
  rings = from.rings;
  has_chirality = from.mol.has_chirality;
  has_stereo = from.mol.has_stereo;
}

std::size_t CompactMolecule::bytes() const {
  return atoms.capacity() * sizeof(Atom) + bonds.capacity() * sizeof(Bond) + rings.bytes();
}

Extent extent_of(const edit::Parent &molecule) {
  return {molecule.mol.atoms.size(), molecule.mol.bonds.size(), molecule.rings.size()};
}

void cut(edit::Parent &molecule, const Extent &extent) {
  molecule.mol.atoms.truncate(extent.atoms);
  molecule.mol.bonds.truncate(extent.bonds);
  molecule.rings.truncate(extent.rings);
}

bool append(edit::Parent &molecule, const CompactMolecule &other) {
  auto &mol = molecule.mol;
  const auto first_atom = mol.atoms.size(), first_bond = mol.bonds.size();
  if (first_atom + other.atoms.size() > ATOMS_MAX || first_bond + other.bonds.size() > BONDS_MAX) {
    return false;
  }
  for (const auto &from : other.atoms) {
    mol.atoms.push_back(from);
    auto &atom = mol.atoms.back();
    for (unsigned int i = 0; i < atom.degree; ++i) {
      atom.bonds[i] += first_bond;
      atom.neighbours[i] += first_atom;
    }
  }
  for (const auto &from : other.bonds) {
    mol.bonds.push_back(from);
    auto &bond = mol.bonds.back();
    bond.begin += first_atom;
    bond.end += first_atom;
    for (auto &atom : bond.stereo_atoms) {
      atom += atom == NO_INDEX ? 0 : first_atom;
    }
  }
  molecule.rings.append(other.rings, first_atom, first_bond);
  mol.has_chirality |= other.has_chirality;
  mol.has_stereo |= other.has_stereo;
  return true;
}

std::size_t Reagent::bytes() const {
  auto sum = sizeof(Reagent) + flat.bytes() + matches.capacity() * sizeof(RDKit::MatchVectType);
  for (const auto &match : matches) {
    sum += match.capacity() * sizeof(match[0]);
  }
  return sum + (mol ? RDKIT_ATOM_BYTES * mol->getNumAtoms() : 0);
}

}  // namespace molsieve
