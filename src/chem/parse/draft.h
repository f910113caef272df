// A molecule that the parser works on before the RDKit molecule is made.
//
// Every step below does what RDKit's step of the same purpose does, in RDKit's order, so that ties are broken in
// the same way. A step that meets anything that it does not cover returns false; the parser then gives the text to
// RDKit, which also words the error.
#pragma once

#include "molsieve/src/chem/model/molecule.h"
#include "molsieve/src/chem/model/rings.h"

#include <bitset>
#include <string_view>

namespace molsieve::parse {

// The most that is parsed here; what is larger is left to RDKit.
constexpr unsigned int DRAFT_ATOMS_MAX = 250;
constexpr unsigned int DRAFT_BONDS_MAX = 300;
constexpr unsigned int RINGS_MAX = 40;
// The members of all rings together.
constexpr unsigned int RING_MEMBERS_MAX = 1200;

using AtomSet = std::bitset<DRAFT_ATOMS_MAX>;
using BondSet = std::bitset<DRAFT_BONDS_MAX>;

struct Ring {
  std::uint16_t start, size;  // in ring_atoms and ring_bonds
};

struct Draft : Molecule {
  bool has_direction = false;  // of any bond
  bool has_ranks = false;      // set by set_stereo()
  unsigned int aromatic_rings = 0;
  // The rings that RDKit lists.
  FixedVector<Ring, RINGS_MAX> rings;
  unsigned int ring_members = 0;
  std::array<std::uint16_t, RING_MEMBERS_MAX> ring_atoms;
  std::array<std::uint16_t, RING_MEMBERS_MAX> ring_bonds;
  std::array<AtomSet, RINGS_MAX> ring_atom_sets;
  std::array<BondSet, RINGS_MAX> ring_bond_sets;
};

// Calls `f` with each bit that is set, from the lowest.
template <std::size_t N, typename F>
void for_each_bit(const std::bitset<N> &set, F f) {
  for (auto i = set._Find_first(); i < N; i = set._Find_next(i)) {
    f(static_cast<unsigned int>(i));
  }
}

// Whether any bond of the atom is conjugated.
inline bool is_conjugated(const Molecule &mol, const Atom &atom) {
  return any_bond(mol, atom, [](const Bond &bond) { return bond.conjugated; });
}

// text.cc: the part of SMILES that libraries are written in.
bool read_text(std::string_view smiles, Draft &mol);

// rings.cc
bool list_rings(Draft &mol);

// kekule.cc
bool kekulize(Draft &mol);

// aromaticity.cc
void set_aromaticity(Draft &mol);

// hybridization.cc
int pi_electrons(const Atom &atom);
void set_conjugation(Draft &mol);
void set_hybridization(Draft &mol);

// stereo.cc: ranks, possible centres, R and S, E and Z.
bool set_stereo(Draft &mol);
// The same for what the text gives stereo to, without the possible centres and the ranks of RDKit's molecule. False: it is not
// certain without them, or RDKit has to find it.
bool set_stated_stereo(Draft &mol);

// flat.cc: what model/read.h reads from RDKit's molecule of a draft with stereo. False: it reads nothing.
bool flatten(const Draft &from, Molecule &mol, Rings &rings);

}  // namespace molsieve::parse
