#include "molsieve/src/chem/parse/ring_choice.h"

#include <algorithm>
#include <numeric>

namespace molsieve::parse {

void RingChoice::start(Draft &mol) {
  molecule_ = &mol;
  chosen_.clear();
  extra_.clear();
}

void RingChoice::finish() {
  if (!extra_.empty()) {
    add_replacements();
    keep_chosen();
  }
}

bool RingChoice::choose(unsigned int first, unsigned int expected) {
  const auto &rings = molecule_->rings;
  const auto count = rings.size() - first;
  if (count <= expected) {
    for (unsigned int i = first; i < rings.size(); ++i) {
      chosen_.push_back(i);
    }
    return count == expected;
  }
  std::array<unsigned int, RINGS_MAX> by_size;
  std::iota(by_size.begin(), by_size.begin() + count, first);
  std::sort(by_size.begin(), by_size.begin() + count,
            [&](unsigned int a, unsigned int b) { return rings[a].size < rings[b].size; });
  std::bitset<RINGS_MAX> kept;
  BondSet covered;
  for (unsigned int begin = 0; begin < count;) {
    auto end = begin;
    while (end < count && rings[by_size[end]].size == rings[by_size[begin]].size) {
      ++end;
    }
    choose_among_equals(&by_size[begin], end - begin, covered, kept);
    begin = end;
  }
  for (unsigned int i = 0; i < count; ++i) {
    (kept[by_size[i]] ? chosen_ : extra_).push_back(by_size[i]);
  }
  return true;
}

// First the first ring that adds a bond, then always the one with most bonds in rings that are kept.
void RingChoice::choose_among_equals(const unsigned int *rings, unsigned int count,
                                     BondSet &covered, std::bitset<RINGS_MAX> &kept) const {
  const auto &bond_sets = molecule_->ring_bond_sets;
  std::bitset<RINGS_MAX> left;
  for (unsigned int i = 0; i < count; ++i) {
    left[i] = (bond_sets[rings[i]] & ~covered).any();
  }
  bool first = true;
  while (left.any()) {
    auto best = left._Find_first();
    if (!first) {
      std::size_t overlap_max = 0;
      for_each_bit(left, [&](unsigned int i) {
        const auto overlap = (bond_sets[rings[i]] & covered).count();
        if (overlap > overlap_max) {
          overlap_max = overlap;
          best = i;
        }
      });
    }
    left.reset(best);
    const auto &bonds = bond_sets[rings[best]];
    if ((bonds & ~covered).any()) {
      covered |= bonds;
      kept.set(rings[best]);
      first = false;
    }
  }
}

void RingChoice::add_replacements() {
  const auto &rings = molecule_->rings;
  const auto &bond_sets = molecule_->ring_bond_sets;
  BondSet once, twice;
  for (const auto ring : chosen_) {
    twice |= once & bond_sets[ring];
    once |= bond_sets[ring];
  }
  const auto unique = once & ~twice;
  const auto chosen_count = chosen_.size();
  for (const auto extra : extra_) {
    const auto &bonds = bond_sets[extra];
    for (std::size_t i = 0; i < chosen_count; ++i) {
      const auto &other = bond_sets[chosen_[i]];
      if (rings[chosen_[i]].size == rings[extra].size && (bonds & other).any() &&
          (other & unique & ~bonds).none()) {
        chosen_.push_back(extra);
        break;
      }
    }
  }
}

// In the order in which they were chosen.
void RingChoice::keep_chosen() {
  const auto rings = molecule_->rings;
  const auto atom_sets = molecule_->ring_atom_sets;
  const auto bond_sets = molecule_->ring_bond_sets;
  molecule_->rings.clear();
  for (const auto ring : chosen_) {
    const auto place = molecule_->rings.size();
    molecule_->ring_atom_sets[place] = atom_sets[ring];
    molecule_->ring_bond_sets[place] = bond_sets[ring];
    molecule_->rings.push_back(rings[ring]);
  }
}

}  // namespace molsieve::parse
