// The molecule as flat arrays. The parser fills it, an edit makes a product of it, and the writer turns it into
// canonical SMILES. RDKit's own molecules stay at the edges: matching, and whatever is not covered here.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>

namespace molsieve {

// Bounds the working memory of a thread and the depth of recursion over a molecule.
constexpr unsigned int ATOMS_MAX = 500;
constexpr unsigned int BONDS_MAX = 1000;
constexpr unsigned int NEIGHBOURS_MAX = 6;
// A product with an atom of more neighbours is left to RDKit.
constexpr unsigned int PRODUCT_DEGREE_MAX = 4;
// RDKit finds no stereo in double bonds of smaller rings.
constexpr unsigned int STEREO_RING_MIN = 8;
constexpr std::uint16_t NO_INDEX = 0xffff;

enum Element : std::uint8_t {
  BORON = 5, CARBON = 6, NITROGEN = 7, OXYGEN = 8, FLUORINE = 9, SILICON = 14, PHOSPHORUS = 15,
  SULFUR = 16, CHLORINE = 17, SELENIUM = 34, BROMINE = 35, IODINE = 53,
};

// The values are RDKit's, so that comparisons agree with its own.
enum BondType : std::uint8_t { UNSPECIFIED = 0, SINGLE = 1, DOUBLE = 2, TRIPLE = 3, AROMATIC = 12 };
enum BondStereo : std::uint8_t { NO_STEREO = 0, Z = 2, E = 3 };
enum Chirality : std::uint8_t { NO_CHIRALITY = 0, CLOCKWISE = 1, COUNTERCLOCKWISE = 2 };
// `/` and `\` between the begin and the end of a bond.
enum class Direction : std::uint8_t { None = 0, Down = 3, Up = 4 };

// A vector of at most N items, which lie in the object itself. The caller checks that there is room.
template <typename T, std::size_t N>
class FixedVector {
 public:
  void clear() { size_ = 0; }
  void push_back(const T &item) { items_[size_++] = item; }
  // Leaves the first `size` items.
  void truncate(unsigned int size) { size_ = size; }
  bool full() const { return size_ == N; }
  unsigned int size() const { return size_; }
  T &operator[](std::size_t index) { return items_[index]; }
  const T &operator[](std::size_t index) const { return items_[index]; }
  T &back() { return items_[size_ - 1]; }
  T *begin() { return items_.data(); }
  T *end() { return items_.data() + size_; }
  const T *begin() const { return items_.data(); }
  const T *end() const { return items_.data() + size_; }

 private:
  std::array<T, N> items_;
  unsigned int size_ = 0;
};

struct Atom {
  std::uint8_t number = 0;  // atomic number
  std::int8_t charge = 0;
  std::uint16_t isotope = 0;
  std::uint8_t explicit_hydrogens = 0;  // as RDKit counts them: written in a bracket
  std::int8_t implicit_hydrogens = 0;   // none if `no_implicit`
  std::int8_t explicit_valence = 0;     // bonds and explicit hydrogens
  std::uint8_t degree = 0;
  bool no_implicit = false;
  bool aromatic = false;
  bool in_ring = false;
  Chirality chirality = NO_CHIRALITY;  // by the order of `bonds`
  std::uint16_t cip_rank = 0;          // see cip.h
  // Of a molecule that was read, RDKit's number. An edit does not follow it.
  std::uint8_t hybridization = 0;
  // Only the parser sets these two.
  char cip_code = '\0';  // R, S, or none
  bool may_be_centre = false;
  // In the order in which RDKit goes over the atom's bonds.
  std::array<std::uint16_t, NEIGHBOURS_MAX> bonds;
  std::array<std::uint16_t, NEIGHBOURS_MAX> neighbours;

  // Where a neighbour is in the list; the degree if it is none.
  unsigned int place_of(std::uint16_t neighbour) const {
    const auto end = neighbours.begin() + degree;
    return std::find(neighbours.begin(), end, neighbour) - neighbours.begin();
  }
  int hydrogens() const { return explicit_hydrogens + implicit_hydrogens; }
  int total_degree() const { return degree + hydrogens(); }
  int valence() const { return explicit_valence + implicit_hydrogens; }
};

struct Bond {
  std::uint16_t begin = 0, end = 0;
  BondType type = SINGLE;
  bool in_ring = false;
  BondStereo stereo = NO_STEREO;
  // Only the parser sets these three. A bond that is aromatic has another type while it is in Kekulé form.
  bool aromatic = false;
  bool conjugated = false;
  Direction direction = Direction::None;
  // The neighbour of `begin` and that of `end` which `stereo` refers to.
  std::array<std::uint16_t, 2> stereo_atoms{NO_INDEX, NO_INDEX};

  std::uint16_t other(std::uint16_t atom) const { return atom == begin ? end : begin; }
};

struct Molecule {
  FixedVector<Atom, ATOMS_MAX> atoms;
  FixedVector<Bond, BONDS_MAX> bonds;
  bool has_chirality = false;  // of any atom
  bool has_stereo = false;     // of any double bond

  void clear();
  // False: no room for one more bond on one of the atoms.
  bool add_bond(std::uint16_t begin, std::uint16_t end, BondType type);
  // The bond between two atoms, or NO_INDEX.
  std::uint16_t bond_between(std::uint16_t a, std::uint16_t b) const;
};

// How many rings a molecule has, as RDKit lists them.
struct RingCounts {
  unsigned int all = 0;
  unsigned int aromatic = 0;
};

// Whether any bond of an atom has a property.
template <typename Property>
bool any_bond(const Molecule &mol, const Atom &atom, Property has_property) {
  return std::any_of(atom.bonds.begin(), atom.bonds.begin() + atom.degree,
                     [&](auto bond) { return has_property(mol.bonds[bond]); });
}

// Per atom: whether it is an end of a double bond with stereo.
std::bitset<ATOMS_MAX> stereo_ends(const Molecule &mol);

// Whether an atom is a neutral carbon with four single bonds, those to hydrogens included.
bool is_saturated_carbon(const Molecule &mol, const Atom &atom);

// Finds the bonds and atoms in rings: a bond is in a ring if its ends stay connected without it. Gives the
// number of fragments.
unsigned int find_rings(Molecule &mol);

inline Chirality inverted(Chirality chirality) {
  return chirality == CLOCKWISE          ? COUNTERCLOCKWISE
         : chirality == COUNTERCLOCKWISE ? CLOCKWISE
                                         : NO_CHIRALITY;
}

// The direction as seen from the other end of the bond.
inline Direction flipped(Direction direction) {
  return direction == Direction::Up     ? Direction::Down
         : direction == Direction::Down ? Direction::Up
                                        : Direction::None;
}

// Insertion sort, which is stable: for the neighbours of an atom and other short lists.
template <typename T, typename Before>
void sort_few(T *items, unsigned int count, Before before) {
  for (unsigned int i = 1; i < count; ++i) {
    if (!before(items[i], items[i - 1])) {
      continue;
    }
    const T moving = items[i];
    auto j = i;
    for (; j > 0 && before(moving, items[j - 1]); --j) {
      items[j] = items[j - 1];
    }
    items[j] = moving;
  }
}

// Whether an odd number of swaps sorts `value(0)`, `value(1)`, … `value(count - 1)`.
template <typename Value>
bool is_odd_permutation(unsigned int count, Value value) {
  bool odd = false;
  for (unsigned int i = 0; i < count; ++i) {
    for (unsigned int j = i + 1; j < count; ++j) {
      odd ^= value(i) > value(j);
    }
  }
  return odd;
}

}  // namespace molsieve
