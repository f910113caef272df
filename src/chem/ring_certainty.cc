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

// Looks for rings that can stand for each other in a smallest set of rings: a ring, and the sum of it and one
// or two others of at most its size, if the sum is no larger. One of the two must be a ring that may be
// aromatic.
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
    const auto count = rings_.size();
    for (std::size_t i = 0; i < count; ++i) {
      const auto size = rings_[i].count();
      for (std::size_t j = 0; j < count; ++j) {
        if (j == i || rings_[j].count() > size || (rings_[i] & rings_[j]).none()) {
          continue;
        }
        const auto two = rings_[i] ^ rings_[j];
        if (replaces(rings_[i], two, size)) {
          return true;
        }
        for (std::size_t k = 0; k < j; ++k) {
          if (k != i && rings_[k].count() <= size && replaces(rings_[i], two ^ rings_[k], size)) {
            return true;
          }
        }
      }
    }
    return false;
  }

 private:
  bool replaces(const Bonds &ring, const Bonds &other, std::size_t size) const {
    return other.any() && other.count() <= size &&
           ((ring & ~may_be_aromatic_).none() || (other & ~may_be_aromatic_).none());
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
  return distance[bond.end] != NO_INDEX && 2 * aromatic[bond.end] < distance[bond.end] + 1;
}

}  // namespace molsieve
