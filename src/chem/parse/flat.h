// A molecule in flat arrays: what the fast parser works on before the RDKit molecule is made.
//
// Every step below does what RDKit's step of the same purpose does, in RDKit's order, so that ties
// fall alike. A step that meets anything it was not written for returns false; the parser then gives
// the text to RDKit, which also finds the words for what is wrong with it.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <array>
#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

namespace molsieve::flat {

// A rank plus two must fit a byte (cip.cc), hence not 256.
constexpr unsigned int ATOMS_MAX = 250;
constexpr unsigned int BONDS_MAX = 300;
constexpr unsigned int RINGS_MAX = 40;
constexpr unsigned int NEIGHBORS_MAX = 6;
// The members of all rings together.
constexpr unsigned int RING_MEMBERS_MAX = 1200;

using AtomSet = std::bitset<ATOMS_MAX>;
using BondSet = std::bitset<BONDS_MAX>;
using Order = RDKit::Bond::BondType;
using Direction = RDKit::Bond::BondDir;
using Stereo = RDKit::Bond::BondStereo;

struct Atom {
  std::uint8_t number;
  std::int8_t charge;
  std::uint16_t isotope;
  std::uint8_t explicit_hs;
  bool no_implicit;
  bool aromatic;
  bool first;  // of its part of the SMILES
  std::uint8_t chirality;
  std::uint8_t degree;
  std::int8_t explicit_valence;
  std::int8_t implicit_valence;
  std::uint8_t hybridization;
  bool may_be_center;
  char cip_code;  // R, S, or none
  std::uint8_t rank;
  std::uint8_t rings;
  std::array<std::uint16_t, NEIGHBORS_MAX> neighbors;
  std::array<std::uint16_t, NEIGHBORS_MAX> bonds;

  int implicit() const { return no_implicit ? 0 : implicit_valence; }
  int total_hs() const { return explicit_hs + implicit(); }
  int total_degree() const { return degree + total_hs(); }
  int total_valence() const { return explicit_valence + implicit(); }
};

struct Bond {
  std::uint16_t begin, end;
  Order order;
  Direction direction;
  bool aromatic;
  bool conjugated;
  std::uint8_t rings;
  Stereo stereo;
  std::array<std::uint16_t, 2> stereo_atoms;  // the neighbors that `stereo` speaks of

  unsigned int other(unsigned int atom) const { return atom == begin ? end : begin; }
};

struct Ring {
  std::uint16_t start, size;  // in ring_atoms and ring_bonds
};

struct Molecule {
  unsigned int atom_count, bond_count, ring_count, ring_members;
  unsigned int aromatic_rings;
  bool any_chirality, any_direction;
  std::array<Atom, ATOMS_MAX> atoms;
  std::array<Bond, BONDS_MAX> bonds;
  std::array<Ring, RINGS_MAX> rings;
  std::array<std::uint16_t, RING_MEMBERS_MAX> ring_atoms;
  std::array<std::uint16_t, RING_MEMBERS_MAX> ring_bonds;
  std::array<AtomSet, RINGS_MAX> ring_atom_sets;
  std::array<BondSet, RINGS_MAX> ring_bond_sets;
};

// What RDKit's periodic table says of an element, without a call.
struct Element {
  std::array<std::int8_t, 6> valences;  // ascending
  std::uint8_t valence_count;
  std::int8_t outer_electrons;

  int default_valence() const { return valences[0]; }
  int last_valence() const { return valences[valence_count - 1]; }
};

const Element &element(int number);

// The same mark seen from the bond's other end.
inline constexpr Direction flipped(Direction direction) {
  switch (direction) {
    case Direction::ENDDOWNRIGHT:
      return Direction::ENDUPRIGHT;
    case Direction::ENDUPRIGHT:
      return Direction::ENDDOWNRIGHT;
    default:
      return direction;
  }
}

// Twice what a bond adds to the valence of its atoms.
inline int halves(Order order) {
  switch (order) {
    case Order::DOUBLE:
      return 4;
    case Order::TRIPLE:
      return 6;
    case Order::AROMATIC:
      return 3;
    default:
      return 2;
  }
}

// Numbers the bits that are set from the lowest.
template <std::size_t N, typename F>
void for_each_bit(const std::bitset<N> &set, F f) {
  for (auto i = set._Find_first(); i < N; i = set._Find_next(i)) {
    f(static_cast<unsigned int>(i));
  }
}

// text.cc: the text, for the part of SMILES that libraries are written in.
bool read_text(std::string_view smiles, Molecule &mol);

// valence.cc
bool needs_cleanup(const Molecule &mol);
bool set_valences(Molecule &mol);
bool set_valence(const Molecule &mol, Atom &atom);
bool is_aromatic(const Molecule &mol, const Atom &atom);
bool has_radicals(const Molecule &mol);
int pi_electrons(const Atom &atom);
bool adjust_hydrogens(Molecule &mol);

// rings.cc: RDKit's symmetrized smallest set of smallest rings, in its order.
bool find_rings(Molecule &mol);

// kekule.cc
bool kekulize(Molecule &mol);

// aromaticity.cc
void set_aromaticity(Molecule &mol);

// hybridization.cc
void set_conjugation(Molecule &mol);
void set_hybridization(Molecule &mol);

// cip.cc: RDKit's ranks by the rules of Cahn, Ingold and Prelog.
bool rank_atoms(Molecule &mol);
// Ranks anew, by what is known of stereo.
bool rank_atoms_again(Molecule &mol);

// stereo.cc: ranks, possible centers, R and S, E and Z.
bool set_stereo(Molecule &mol);

}  // namespace molsieve::flat
