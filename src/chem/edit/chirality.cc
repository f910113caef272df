// What the product keeps of the parent's chirality and double bond stereo.
#include "molsieve/src/chem/edit/edit.h"

#include <algorithm>

namespace molsieve::edit {

namespace {

// Chirality refers to the order of the atom's bonds, which may be another in the product.
bool reorder_chirality(const Edit::Making &m, std::uint16_t index) {
  auto &atom = m.product.atoms[index];
  const auto &original = m.parent.atoms[m.work.parent_of[index]];
  std::array<std::uint8_t, NEIGHBOURS_MAX> places;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    places[i] = atom.place_of(m.work.product_of[original.neighbours[i]]);
    if (places[i] == atom.degree) {
      return false;
    }
  }
  if (is_odd_permutation(atom.degree, [&](unsigned int i) { return places[i]; })) {
    atom.chirality = inverted(atom.chirality);
  }
  return true;
}

}  // namespace

// The chirality of an atom that has one in the parent.
bool Edit::carry_chirality(const Making &m, std::uint16_t index) const {
  auto &atom = m.product.atoms[index];
  if (index < atoms_.size()) {
    atom.chirality = mapped_chirality(m, index);
  } else if (atom.degree != m.parent.atoms[m.work.parent_of[index]].degree) {
    atom.chirality = NO_CHIRALITY;
  } else if (!reorder_chirality(m, index)) {
    return false;
  }
  m.product.has_chirality |= atom.chirality != NO_CHIRALITY;
  return true;
}

// RDKit keeps the chirality of a mapped atom if at most one of its neighbours is replaced; the new neighbour takes the
// position of the old one.
Chirality Edit::mapped_chirality(const Making &m, std::uint16_t index) const {
  const auto &before = m.parent.atoms[m.work.parent_of[index]];
  const auto &after = m.product.atoms[index];
  const auto rule = atoms_[index].chirality_rule;
  if (rule > 2) {
    return NO_CHIRALITY;
  }
  const auto fallback = rule == 0 ? NO_CHIRALITY : rule == 1 ? inverted(before.chirality) : before.chirality;
  if (before.degree < 3 || after.degree < 3 || std::abs(before.degree - after.degree) > 1) {
    return fallback;
  }
  // Where the neighbours of the product atom are among those of the parent atom.
  constexpr std::uint8_t UNKNOWN = 0xff;
  std::array<std::uint8_t, NEIGHBOURS_MAX> places;
  unsigned int count = 0, unknown = 0, seen = 0;
  for (unsigned int i = 0; i < after.degree; ++i) {
    const auto origin = m.work.parent_of[after.neighbours[i]];
    const auto place = origin == NO_INDEX ? before.degree : before.place_of(origin);
    const bool is_known = place != before.degree;
    unknown += !is_known;
    places[count++] = is_known ? place : UNKNOWN;
    seen |= is_known ? 1u << place : 0;
  }
  if (unknown > 1 || (unknown == 1 && after.degree < before.degree)) {
    return fallback;
  }
  if (unknown == 1 && after.degree == before.degree) {
    std::uint8_t missing = 0;
    while (seen >> missing & 1) {
      ++missing;
    }
    std::replace(places.begin(), places.begin() + count, UNKNOWN, missing);
  }
  bool odd = rule == 1;
  for (unsigned int i = 0; i < count; ++i) {
    for (unsigned int j = i + 1; j < count; ++j) {
      odd ^= places[i] != UNKNOWN && places[j] != UNKNOWN && places[i] > places[j];
    }
  }
  return odd ? inverted(before.chirality) : before.chirality;
}

// Stereo of double bonds that the edit does not change.
bool Edit::carry_stereo(const Making &m) const {
  if (!m.parent.has_stereo) {
    return true;
  }
  for (const auto &bond : m.parent.bonds) {
    const auto begin = m.work.product_of[bond.begin], end = m.work.product_of[bond.end];
    if (bond.stereo == NO_STEREO || begin == NO_INDEX || end == NO_INDEX) {
      continue;
    }
    const auto index = m.product.bond_between(begin, end);
    if (index == NO_INDEX || m.product.bonds[index].type != DOUBLE) {
      continue;
    }
    auto &copy = m.product.bonds[index];
    if (begin < atoms_.size() || end < atoms_.size() || copy.begin != begin ||
        m.product.atoms[begin].degree != m.parent.atoms[bond.begin].degree ||
        m.product.atoms[end].degree != m.parent.atoms[bond.end].degree) {
      return false;
    }
    copy.stereo = bond.stereo;
    copy.stereo_atoms = {m.work.product_of[bond.stereo_atoms[0]],
                         m.work.product_of[bond.stereo_atoms[1]]};
    m.product.has_stereo = true;
  }
  return true;
}

}  // namespace molsieve::edit
