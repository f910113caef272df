// The flat molecule of a draft, with what RDKit's molecule would give and nothing else.
#include <algorithm>

#include "molsieve/src/chem/model/read.h"
#include "molsieve/src/chem/parse/draft.h"

namespace molsieve::parse {

namespace {

bool add_atom(const Atom &from, Molecule &mol) {
  mol.atoms.push_back(from);
  auto &atom = mol.atoms.back();
  atom.cip_rank = 0;
  atom.cip_code = '\0';
  atom.may_be_centre = false;
  mol.has_chirality |= atom.chirality != NO_CHIRALITY;
  return atom.degree <= PRODUCT_DEGREE_MAX && is_ordinary(atom.number);
}

bool add_bond(const Bond &from, Molecule &mol) {
  mol.bonds.push_back(from);
  auto &bond = mol.bonds.back();
  bond.aromatic = bond.conjugated = false;
  bond.direction = Direction::None;
  if (bond.stereo == NO_STEREO) {
    bond.stereo_atoms = {NO_INDEX, NO_INDEX};
  }
  mol.has_stereo |= bond.stereo != NO_STEREO;
  return from.aromatic == (bond.type == AROMATIC) && (bond.stereo == NO_STEREO || bond.type == DOUBLE);
}

// Whether single bonds have directions exactly if there is stereo, and then each direction is beside a double bond with
// stereo.
bool directions_are_used(const Draft &from, const Molecule &mol) {
  const auto ends = stereo_ends(mol);
  bool any = false, all_used = true;
  for (const auto &bond : from.bonds) {
    if (bond.direction != Direction::None) {
      any |= bond.type == SINGLE;
      all_used &= ends[bond.begin] || ends[bond.end];
    }
  }
  return any == mol.has_stereo && (!any || all_used);
}

}  // namespace

bool flatten(const Draft &from, Molecule &mol, Rings &rings) {
  mol.clear();
  rings.clear();
  for (const auto &ring : from.rings) {
    rings.add({&from.ring_atoms[ring.start], ring.size}, {&from.ring_bonds[ring.start], ring.size});
  }
  return std::ranges::all_of(from.atoms, [&](const Atom &atom) { return add_atom(atom, mol); }) &&
         std::ranges::all_of(from.bonds, [&](const Bond &bond) { return add_bond(bond, mol); }) &&
         directions_are_used(from, mol);
}

}  // namespace molsieve::parse
