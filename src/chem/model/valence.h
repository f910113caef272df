// Valences, hydrogens and radicals, as RDKit counts them.
#pragma once

#include "molsieve/src/chem/model/molecule.h"

namespace molsieve {

// With more, the element with as many electrons could lie outside the periodic table.
constexpr int CHARGE_MAX = 4;

// What RDKit's periodic table says of an element, without a call.
struct ElementValences {
  std::array<std::int8_t, 6> valences;  // ascending
  std::uint8_t valence_count;
  std::int8_t outer_electrons;

  int default_valence() const { return valences[0]; }
  int last_valence() const { return valences[valence_count - 1]; }
};

const ElementValences &valences_of(int number);

// Twice what a bond adds to the valence of its atoms.
inline int halves(BondType type) {
  switch (type) {
    case DOUBLE: return 4;
    case TRIPLE: return 6;
    case AROMATIC: return 3;
    default: return 2;
  }
}

// Whether the atom or one of its bonds is marked as aromatic.
bool is_aromatic(const Molecule &mol, const Atom &atom);

// Completes an atom's valence: sets its explicit valence and its implicit hydrogens. False: the element has no
// such state.
bool complete_valence(const Molecule &mol, Atom &atom);

// Whether RDKit gives the atom unpaired electrons. The bonds are not aromatic ones (Kekulé form).
bool is_radical(const Molecule &mol, const Atom &atom);

// Whether RDKit's clean-up may write the group of an atom as it stands in another way, such as N(=O)=O with
// charges.
bool needs_cleanup(const Molecule &mol, const Atom &atom);

// Whether it may do so once the atom has other neighbours: nitro groups and the like, halogen oxides,
// phosphoranes.
bool may_need_cleanup(const Atom &atom);

}  // namespace molsieve
