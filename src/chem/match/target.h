// A molecule as patterns are compared with it: what SMARTS can ask of each atom, as numbers in two words, and atoms by
// element. It is filled once per molecule, from the flat molecule or from RDKit's.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "molsieve/src/chem/model/molecule.h"
#include "molsieve/src/chem/model/rings.h"

namespace molsieve::match {

// A larger molecule is left to RDKit, and so is one with an atom of more neighbours.
constexpr unsigned int TARGET_ATOMS_MAX = ATOMS_MAX;
constexpr unsigned int TARGET_DEGREE_MAX = 8;
// Ring sizes are bits of a word. The last bit stands for all larger rings.
constexpr unsigned int RING_SIZE_LAST = 63;

// A set of atoms of a target. Only the words that its atoms need are used.
struct AtomSet {
  std::array<std::uint64_t, (TARGET_ATOMS_MAX + 63) / 64> words;

  bool has(unsigned int atom) const { return words[atom / 64] >> (atom % 64) & 1; }
  void add(unsigned int atom) { words[atom / 64] |= std::uint64_t{1} << (atom % 64); }
  void remove(unsigned int atom) { words[atom / 64] &= ~(std::uint64_t{1} << (atom % 64)); }
};

// What is known of an atom. Those before RARE are in the first word.
enum class Fact : std::uint8_t {
  TYPE,  // atomic number, and whether the atom is aromatic
  NUMBER,
  AROMATIC,
  DEGREE,
  HYDROGENS,           // with neighbours that are hydrogen atoms
  IMPLICIT_HYDROGENS,  // without them
  TOTAL_DEGREE,
  VALENCE,
  CHARGE,
  IN_RING,
  RING_BONDS,
  HYBRIDIZATION,
  RINGS,
  SMALLEST_RING,
  RARE,
  ISOTOPE = RARE,
  HETERO_NEIGHBOURS,            // neither carbon nor hydrogen
  ALIPHATIC_HETERO_NEIGHBOURS,
  OTHER_THAN_HYDROGEN,          // neighbours; isotopes of hydrogen count
};

// Where a fact is in its word. `offset` is added to its value.
struct FactPlace {
  std::uint8_t shift, width;
  std::int8_t offset = 0;

  constexpr int value_max() const { return (1 << width) - 1 - offset; }
  constexpr int value_min() const { return -offset; }
  constexpr std::uint64_t mask() const { return ((std::uint64_t{1} << width) - 1) << shift; }
  constexpr std::uint64_t bits(int value) const { return static_cast<std::uint64_t>(value + offset) << shift; }
};

// The type is the number with a bit for aromatic atoms above it.
constexpr unsigned int NUMBER_BITS = 7;

constexpr FactPlace place_of(Fact fact) {
  switch (fact) {
    case Fact::TYPE: return {0, NUMBER_BITS + 1};
    case Fact::NUMBER: return {0, NUMBER_BITS};
    case Fact::AROMATIC: return {NUMBER_BITS, 1};
    case Fact::DEGREE: return {8, 4};
    case Fact::HYDROGENS: return {12, 4};
    case Fact::IMPLICIT_HYDROGENS: return {16, 4};
    case Fact::TOTAL_DEGREE: return {20, 5};
    case Fact::VALENCE: return {25, 5};
    case Fact::CHARGE: return {30, 5, 16};
    case Fact::IN_RING: return {35, 1};
    case Fact::RING_BONDS: return {36, 4};
    case Fact::HYBRIDIZATION: return {40, 4};
    case Fact::RINGS: return {44, 8};
    case Fact::SMALLEST_RING: return {52, 10};
    case Fact::ISOTOPE: return {0, 16};
    case Fact::HETERO_NEIGHBOURS: return {16, 4};
    case Fact::ALIPHATIC_HETERO_NEIGHBOURS: return {20, 4};
    case Fact::OTHER_THAN_HYDROGEN: return {24, 4};
  }
  return {0, 0};
}

// Classes of atoms: an element, and whether it is aromatic. Elements that few molecules have share two classes.
constexpr unsigned int CLASSES = 26;
using ClassMask = std::uint32_t;
constexpr ClassMask ALL_CLASSES = (ClassMask{1} << CLASSES) - 1;
// Index of the element among those with classes of their own, or of the others.
constexpr unsigned int OTHER_ELEMENTS = 12;
unsigned int element_index(unsigned int number);
// The element of an index below OTHER_ELEMENTS.
unsigned int element_at(unsigned int index);
inline unsigned int class_of(unsigned int number, bool aromatic) { return 2 * element_index(number) + aromatic; }

// The states of a bond that queries distinguish, as numbers below BOND_STATES.
constexpr unsigned int BOND_STATES = 8;
constexpr std::array<BondType, 4> BOND_TYPES{SINGLE, DOUBLE, TRIPLE, AROMATIC};
inline unsigned int bond_state(BondType type, bool in_ring) {
  return 2 * (type == AROMATIC ? 3 : type - SINGLE) + in_ring;
}

class Target {
 public:
  struct Link {
    std::uint16_t atom;
    std::uint8_t state;  // of the bond
  };

  // False: something in the molecule is not covered.
  bool read(const Molecule &mol, const Rings &rings);
  bool read(const RDKit::ROMol &mol);

  unsigned int size() const { return size_; }
  unsigned int words() const { return (size_ + 63) / 64; }
  // Distinguishes molecules that were read by this target.
  std::uint64_t number() const { return number_; }
  std::uint64_t word(unsigned int atom, bool rare) const { return rare ? rare_[atom] : common_[atom]; }
  unsigned int atomic_number(unsigned int atom) const { return common_[atom] & place_of(Fact::NUMBER).mask(); }
  bool is_aromatic(unsigned int atom) const { return common_[atom] & place_of(Fact::AROMATIC).mask(); }
  std::uint64_t ring_sizes(unsigned int atom) const { return ring_sizes_[atom]; }
  ClassMask classes() const { return classes_; }
  const AtomSet &of_class(unsigned int index) const { return of_class_[index]; }

  // In the order in which RDKit goes over the atom's bonds.
  const Link *begin(unsigned int atom) const { return &links_[TARGET_DEGREE_MAX * atom]; }
  const Link *end(unsigned int atom) const { return begin(atom) + degrees_[atom]; }
  unsigned int degree(unsigned int atom) const { return degrees_[atom]; }
  unsigned int degree_max() const { return degree_max_; }

 private:
  // What is read of an atom first.
  struct Stated {
    unsigned int number, isotope, hydrogens, valence, hybridization;
    int charge;
    bool aromatic;
  };

  void clear(unsigned int atoms);
  bool add_atom(unsigned int index, const Stated &atom);
  void add_to_class(unsigned int index, unsigned int number, bool aromatic);
  bool add_link(unsigned int from, unsigned int to, unsigned int state);
  void add_ring_member(unsigned int atom, unsigned int size);
  bool complete();
  // False: the value is not one that there is room for.
  template <Fact FACT>
  bool set(unsigned int atom, int value) {
    constexpr auto place = place_of(FACT);
    (FACT >= Fact::RARE ? rare_ : common_)[atom] |= place.bits(value);
    return value >= place.value_min() && value <= place.value_max();
  }
  bool count_neighbours(unsigned int atom);

  unsigned int size_ = 0;
  std::uint64_t number_ = 0;
  std::array<std::uint64_t, TARGET_ATOMS_MAX> common_, rare_, ring_sizes_;
  std::array<std::uint16_t, TARGET_ATOMS_MAX> rings_of_, smallest_ring_;
  std::array<std::uint8_t, TARGET_ATOMS_MAX> degrees_, hydrogens_;
  unsigned int degree_max_ = 0;
  std::array<Link, TARGET_ATOMS_MAX * TARGET_DEGREE_MAX> links_;
  ClassMask classes_ = 0;
  std::array<AtomSet, CLASSES> of_class_;
};

}  // namespace molsieve::match
