#include "molsieve/src/chem/write/rank.h"

#include <algorithm>
#include <functional>

namespace molsieve::write {

namespace {

constexpr std::int16_t NOT_ACTIVE = -2;
constexpr std::int16_t LAST = -1;
// A bond's code: the class of the neighbour, two bits for stereo and four for the type.
constexpr unsigned int CLASS_BITS = 10, BOND_BITS = 6;
static_assert(ATOMS_MAX <= 1 << CLASS_BITS);
// In the number that all atoms are sorted by first.
constexpr unsigned int PLACE_BITS = 9;
static_assert(ATOMS_MAX <= 1 << PLACE_BITS);
// Above this size an insertion sort is slower.
constexpr unsigned int SMALL = 12;
// Below the invariant of an atom in its signature.
constexpr unsigned int CHIRALITY_BITS = 2;

}  // namespace

bool Ranker::rank(const Molecule &mol) {
  mol_ = &mol;
  size_ = mol.atoms.size();
  describe_atoms();
  start();
  if (sort_packed()) {
    renumber(0, size_);
  } else {
    activate(0);
  }
  refine();
  is_settled_ = true;
  if (!has_ties()) {
    return true;
  }
  if (is_special()) {
    return false;
  }
  break_ties();
  return true;
}

// Degree, element, isotope, hydrogens, charge, stereo or not, most significant first. RDKit compares
// charges as unsigned numbers, so negative ones come last.
void Ranker::describe_atoms() {
  for (unsigned int i = 0; i < size_; ++i) {
    const auto &atom = mol_->atoms[i];
    invariant_[i] = std::uint64_t{atom.degree} << 56 | std::uint64_t{atom.number} << 48 |
               std::uint64_t{atom.isotope} << 32 | static_cast<std::uint64_t>(atom.hydrogens()) << 24 |
               std::uint64_t{static_cast<std::uint8_t>(atom.charge)} << 16 |
               std::uint64_t{atom.chirality != NO_CHIRALITY};
    for (unsigned int j = 0; j < atom.degree; ++j) {
      const auto &bond = mol_->bonds[atom.bonds[j]];
      bond_code_[i][j] = bond.type << (CLASS_BITS + 2) | bond.stereo << CLASS_BITS;
    }
  }
}

Ranker::Signature Ranker::signature(std::uint16_t index, std::uint16_t place) const {
  const auto &atom = mol_->atoms[index];
  std::array<std::uint16_t, PRODUCT_DEGREE_MAX> codes;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    codes[i] = bond_code_[index][i] | class_[atom.neighbours[i]];
  }
  sort_few(codes.data(), atom.degree, std::greater<>());
  std::uint64_t around = 0;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    around |= std::uint64_t{codes[i]} << (48 - 16 * i);
  }
  return {invariant_[index] << CHIRALITY_BITS | chirality(index), around, index, place};
}

// 1 or 2 for a stereo centre whose neighbours are all in different classes, by the order of these.
std::uint8_t Ranker::chirality(std::uint16_t index) const {
  const auto &atom = mol_->atoms[index];
  if (atom.chirality == NO_CHIRALITY) {
    return 0;
  }
  bool odd = false;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    for (unsigned int j = i + 1; j < atom.degree; ++j) {
      const auto a = class_[atom.neighbours[i]];
      const auto b = class_[atom.neighbours[j]];
      if (a == b) {
        return 0;
      }
      odd ^= a > b;
    }
  }
  return (atom.chirality == CLOCKWISE) != odd ? 2 : 1;
}

void Ranker::start() {
  for (unsigned int i = 0; i < size_; ++i) {
    class_[i] = 0;
    order_[i] = i;
    count_[i] = 0;
    next_[i] = NOT_ACTIVE;
    changed_[i] = true;
  }
  touched_.reset();
  count_[0] = size_;
  active_ = LAST;
}

// Sorts and splits the class of all atoms, as sort_class() does, by one number for each atom. False: some do not fit.
bool Ranker::sort_packed() {
  for (unsigned int i = 0; i < size_; ++i) {
    const auto &atom = mol_->atoms[i];
    const auto hydrogens = static_cast<unsigned int>(atom.hydrogens());
    // Of two neighbours or more, some are in the same class, so that chirality is not compared yet.
    if (atom.isotope != 0 || hydrogens > 7 || (atom.chirality != NO_CHIRALITY && atom.degree < 2)) {
      return false;
    }
    std::array<std::uint16_t, PRODUCT_DEGREE_MAX> codes;
    std::copy_n(bond_code_[i].begin(), atom.degree, codes.begin());
    sort_few(codes.data(), atom.degree, std::greater<>());
    std::uint64_t around = 0;
    for (unsigned int j = 0; j < atom.degree; ++j) {
      around |= std::uint64_t{codes[j]} >> CLASS_BITS << BOND_BITS * (PRODUCT_DEGREE_MAX - 1 - j);
    }
    const std::uint64_t own = std::uint64_t{atom.degree} << 19 | std::uint64_t{atom.number} << 12 | hydrogens << 9 |
                              std::uint64_t{static_cast<std::uint8_t>(atom.charge)} << 1 | (atom.chirality != NO_CHIRALITY);
    packed_[i] = (own << BOND_BITS * PRODUCT_DEGREE_MAX | around) << PLACE_BITS | i;
  }
  std::sort(packed_.begin(), packed_.begin() + size_);
  unsigned int class_begin = 0;
  for (unsigned int i = 0; i < size_; ++i) {
    order_[i] = packed_[i] & ((1u << PLACE_BITS) - 1);
    count_[order_[i]] = 0;
    if (i > 0 && packed_[i] >> PLACE_BITS != packed_[i - 1] >> PLACE_BITS) {
      class_begin = i;
    }
    ++count_[order_[class_begin]];
  }
  return true;
}

void Ranker::activate(std::uint16_t atom) {
  if (count_[atom] > 1 && next_[atom] == NOT_ACTIVE) {
    next_[atom] = active_;
    active_ = static_cast<std::int16_t>(atom);
  }
}

void Ranker::activate_touched() {
  for (auto i = touched_._Find_first(); i < size_; i = touched_._Find_next(i)) {
    activate(order_[i]);
  }
  touched_.reset();
}

void Ranker::refine() {
  while (active_ != LAST) {
    const auto first = static_cast<std::uint16_t>(active_);
    active_ = next_[first];
    next_[first] = NOT_ACTIVE;
    const unsigned int offset = class_[first];
    const unsigned int length = count_[first];
    sort_class(offset, length);
    renumber(offset, length);
  }
}

// Sorts a class stably and splits it where signatures differ.
void Ranker::sort_class(unsigned int offset, unsigned int length) {
  const auto begin = order_.begin() + offset;
  if (std::none_of(begin, begin + length, [&](auto atom) { return changed_[atom]; })) {
    return;
  }
  for (unsigned int i = 0; i < length; ++i) {
    signatures_[i] = signature(begin[i], i);
  }
  sort_signatures(length);
  unsigned int class_begin = 0;
  for (unsigned int i = 0; i < length; ++i) {
    begin[i] = signatures_[i].atom;
    count_[begin[i]] = 0;
    if (i > 0 && !(signatures_[i] == signatures_[i - 1])) {
      class_begin = i;
    }
    ++count_[begin[class_begin]];
  }
}

void Ranker::sort_signatures(unsigned int length) {
  if (length > SMALL) {
    std::sort(signatures_.begin(), signatures_.begin() + length, [](const auto &a, const auto &b) {
      return a < b || (a == b && a.place < b.place);
    });
    return;
  }
  sort_few(signatures_.data(), length, std::less<>());
}

// Sets the class of the atoms behind the first of the new classes, and activates the classes of their neighbours.
void Ranker::renumber(unsigned int offset, unsigned int length) {
  const auto begin = order_.begin() + offset;
  for (unsigned int i = 0; i < length; ++i) {
    changed_[begin[i]] = false;
  }
  const unsigned int moved = count_[begin[0]];
  auto number = class_[begin[0]];
  for (unsigned int i = moved; i < length; ++i) {
    const auto index = begin[i];
    if (count_[index] != 0) {
      number = offset + i;
    }
    class_[index] = number;
    const auto &atom = mol_->atoms[index];
    for (unsigned int j = 0; j < atom.degree; ++j) {
      changed_[atom.neighbours[j]] = true;
    }
  }
  for (unsigned int i = moved; i < length; ++i) {
    const auto &atom = mol_->atoms[begin[i]];
    for (unsigned int j = 0; j < atom.degree; ++j) {
      touched_.set(class_[atom.neighbours[j]]);
    }
  }
  activate_touched();
}

bool Ranker::has_ties() const {
  const auto end = count_.begin() + size_;
  return std::find(count_.begin(), end, 0) != end;
}

// Whether each atom of a class can be exchanged with the last one.
bool Ranker::are_exchangeable(unsigned int offset, unsigned int length) {
  const auto begin = order_.begin() + offset, last = begin + length - 1;
  return std::all_of(begin, last, [&](auto atom) { return exchange_.swaps(*mol_, class_.data(), atom, *last); });
}

// Whether RDKit would make a comparison that is not made here: of the chirality of centres in rings next to tied atoms,
// or of ring systems in which most atoms are equal.
bool Ranker::is_special() const {
  unsigned int ring_atoms = 0, symmetric = 0;
  bool branching = false;
  for (unsigned int i = 0; i < size_; ++i) {
    const auto &atom = mol_->atoms[i];
    if (!atom.in_ring) {
      continue;
    }
    ++ring_atoms;
    const bool tied = count_[order_[class_[i]]] > 1;
    if (count_[i] > 2) {
      symmetric += count_[i];
    }
    unsigned int ring_bonds = 0;
    for (unsigned int j = 0; j < atom.degree; ++j) {
      ring_bonds += mol_->bonds[atom.bonds[j]].in_ring;
      if (tied && mol_->atoms[atom.neighbours[j]].chirality != NO_CHIRALITY) {
        return true;
      }
    }
    branching |= ring_bonds > 2;
  }
  return branching && 2 * symmetric > ring_atoms;
}

void Ranker::break_ties() {
  for (unsigned int i = 0; i < size_; ++i) {
    const auto first = order_[i];
    const auto before = class_[first];
    while (count_[first] > 1) {
      single_out(first);
    }
    if (class_[first] != before) {
      --i;
    }
  }
}

// Makes the last atom of a class a class of its own, and refines the classes.
void Ranker::single_out(std::uint16_t first) {
  const unsigned int length = count_[first];
  is_settled_ = is_settled_ && are_exchangeable(class_[first], length);
  const unsigned int place = class_[first] + length - 1;
  const auto index = order_[place];
  class_[index] = place;
  count_[first] = length - 1;
  count_[index] = 1;
  const auto &atom = mol_->atoms[index];
  for (unsigned int j = 0; j < atom.degree; ++j) {
    touched_.set(class_[atom.neighbours[j]]);
    changed_[atom.neighbours[j]] = true;
  }
  if (atom.degree != 0) {
    activate_touched();
    refine();
  }
}

}  // namespace molsieve::write
