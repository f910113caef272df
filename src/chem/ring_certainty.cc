#include "molsieve/src/chem/ring_certainty.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <vector>

namespace molsieve {

namespace {

using Bonds = std::bitset<GRAPH_BONDS_MAX>;

// Molecules with more rings are RDKit's business.
constexpr std::size_t RINGS_MAX = 64;
// Three rings of four around a ring of three, or more of them around a larger one, make a second ring of
// the same size.
constexpr unsigned int FOUR_RINGS_MAX = 2;
// Rings that are added to one to replace it.
constexpr unsigned int RINGS_ADDED_MAX = 2;
// Smaller rings that are closed on a ring that may be aromatic can replace it together with others.
constexpr unsigned int CLOSED_RING_MIN = 5;

// RDKit takes no saturated carbon into an aromatic ring.
bool may_be_aromatic(const Graph &graph, std::uint16_t atom) {
  return !is_saturated_carbon(graph, graph.atoms[atom]);
}

bool may_be_aromatic(const Graph &graph, const GraphBond &bond) {
  return may_be_aromatic(graph, bond.begin) && may_be_aromatic(graph, bond.end);
}

// Where rings share one bond at most, and small rings are few, a ring that is the sum of others is larger
// than each of them.
bool might_be_ambiguous(const RDKit::RingInfo &rings) {
  const auto &all = rings.bondRings();
  unsigned int threes = 0, fours = 0;
  for (const auto &ring : all) {
    threes += ring.size() == 3;
    fours += ring.size() == 4;
  }
  if (threes > 1 || fours > FOUR_RINGS_MAX) {
    return true;
  }
  std::array<std::bitset<RINGS_MAX>, RINGS_MAX> shared;
  for (const auto &ring : all) {
    for (const auto bond : ring) {
      const auto &members = rings.bondMembers(bond);
      for (std::size_t i = 0; i < members.size(); ++i) {
        for (std::size_t j = i + 1; j < members.size(); ++j) {
          const auto one = members[i], two = members[j];
          // Each shared bond is met once from each of the rings it is in; count it from the first.
          if (&all[one] != &ring) {
            continue;
          }
          if (shared[one][two]) {
            return true;
          }
          shared[one].set(two);
        }
      }
    }
  }
  return false;
}

// Looks for rings that RDKit may find in place of others. It takes the smallest ring through an atom with
// two ring neighbours and then takes that atom away; a larger ring through the same atom can no longer be
// found, and the sum of the two is found instead, whether it is larger or not. So the larger of two rings that
// share two bonds or more is uncertain, and so is a ring that the sum of two or three replaces at no greater
// size. Either is of interest only if the ring or its replacement may be aromatic.
class Replacements {
 public:
  Replacements(const Graph &graph, const RDKit::RingInfo &rings) {
    for (std::size_t i = 0; i < graph.bonds.size(); ++i) {
      may_be_aromatic_.set(i, may_be_aromatic(graph, graph.bonds[i]));
    }
    for (const auto &ring : rings.bondRings()) {
      rings_.emplace_back();
      for (const auto bond : ring) {
        rings_.back().set(bond);
      }
    }
  }

  bool exist() const {
    return std::any_of(rings_.begin(), rings_.end(),
                       [&](const Bonds &ring) { return is_replaced(ring, ring, 0, true); });
  }

 private:
  // `other` is the sum of `ring` and `added` rings. `found`: RDKit may find it in place of `ring`.
  bool is_replaced(const Bonds &ring, const Bonds &other, unsigned int added, bool found) const {
    for (const auto &next : rings_) {
      const auto shared = (other & next).count();
      const auto sum = other ^ next;
      if (next == ring || next == other || sum == ring || shared == 0 ||
          next.count() > other.count()) {
        continue;
      }
      const bool may_find = found && shared > 1;
      if ((may_find || sum.count() <= ring.count()) && matters(ring, sum)) {
        return true;
      }
      if (added + 1 < RINGS_ADDED_MAX && is_replaced(ring, sum, added + 1, may_find)) {
        return true;
      }
    }
    return false;
  }

  bool matters(const Bonds &ring, const Bonds &other) const {
    return (ring & ~may_be_aromatic_).none() || (other & ~may_be_aromatic_).none();
  }

  Bonds may_be_aromatic_;
  std::vector<Bonds> rings_;
};

}  // namespace

RingCertainty ring_certainty(const Graph &graph, const RDKit::RingInfo &rings) {
  const auto count = rings.numRings();
  if (count < 2) {
    return RingCertainty::Unique;
  }
  if (count > RINGS_MAX) {
    return RingCertainty::Ambiguous;
  }
  if (!might_be_ambiguous(rings)) {
    return RingCertainty::Unique;
  }
  const auto &all = rings.bondRings();
  const auto fours = std::count_if(all.begin(), all.end(),
                                   [](const auto &ring) { return ring.size() == 4; });
  return fours > FOUR_RINGS_MAX || Replacements(graph, rings).exist() ? RingCertainty::Ambiguous
                                                                      : RingCertainty::Certain;
}

// Breadth first from one end of the bond to the other; of the shortest ways the one with most bonds that
// may be aromatic counts.
bool closes_apart(const Graph &product, const GraphBond &bond,
                  const std::function<bool(const GraphBond &)> &was_in_ring) {
  std::array<std::uint16_t, GRAPH_ATOMS_MAX> distance, aromatic;
  std::fill_n(distance.begin(), product.atoms.size(), NO_INDEX);
  std::vector<std::uint16_t> queue{bond.begin};
  distance[bond.begin] = aromatic[bond.begin] = 0;
  for (std::size_t i = 0; i < queue.size() && distance[bond.end] == NO_INDEX; ) {
    // One layer at a time, so that the best way to an atom is known before it is gone on from.
    const auto layer_end = queue.size();
    for (; i < layer_end; ++i) {
      const auto from = queue[i];
      const auto &atom = product.atoms[from];
      for (unsigned int j = 0; j < atom.degree; ++j) {
        const auto &by = product.bonds[atom.bonds[j]];
        const auto to = atom.neighbours[j];
        if (!by.in_ring || (from == bond.begin && to == bond.end)) {
          continue;
        }
        const std::uint16_t length = distance[from] + 1;
        const std::uint16_t count = aromatic[from] + (may_be_aromatic(product, by) && was_in_ring(by));
        if (distance[to] == NO_INDEX) {
          distance[to] = length;
          aromatic[to] = count;
          queue.push_back(to);
        } else if (distance[to] == length) {
          aromatic[to] = std::max(aromatic[to], count);
        }
      }
    }
  }
  if (distance[bond.end] == NO_INDEX) {
    return false;
  }
  const auto size = distance[bond.end] + 1u;
  return aromatic[bond.end] == 0 || (aromatic[bond.end] == 1 && size >= CLOSED_RING_MIN);
}

}  // namespace molsieve
