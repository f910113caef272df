#include "molsieve/src/chem/edit/ring_certainty.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <vector>

namespace molsieve {

namespace {

using Bonds = std::bitset<GRAPH_BONDS_MAX>;

// Molecules with more rings are RDKit's business.
constexpr std::size_t RINGS_MAX = 64;
// Where three rings meet in an atom and all are of this size or more, the ring around them is so large that
// no other ring is replaced by its sum with it.
constexpr unsigned int MEETING_RING_MIN = 5;
// Smaller rings that are closed on a ring that may be aromatic can replace it together with others.
constexpr unsigned int CLOSED_RING_MIN = 5;

// RDKit takes no saturated carbon into an aromatic ring.
bool may_be_aromatic(const Graph &graph, std::uint16_t atom) {
  return !is_saturated_carbon(graph, graph.atoms[atom]);
}

bool may_be_aromatic(const Graph &graph, const GraphBond &bond) {
  return may_be_aromatic(graph, bond.begin) && may_be_aromatic(graph, bond.end);
}

// Sets of atoms that bonds join.
class Joined {
 public:
  explicit Joined(std::size_t atoms) : of_(atoms) {
    for (std::size_t i = 0; i < atoms; ++i) {
      of_[i] = i;
    }
  }

  // False: they were joined before, so the bond closes a ring.
  bool join(const GraphBond &bond) {
    const auto begin = find(bond.begin), end = find(bond.end);
    of_[begin] = end;
    return begin != end;
  }

 private:
  std::uint16_t find(std::uint16_t atom) {
    while (of_[atom] != atom) {
      atom = of_[atom] = of_[of_[atom]];
    }
    return atom;
  }

  std::vector<std::uint16_t> of_;
};

bool are_bridged(const std::vector<Bonds> &rings) {
  for (std::size_t i = 0; i < rings.size(); ++i) {
    for (std::size_t j = i + 1; j < rings.size(); ++j) {
      if ((rings[i] & rings[j]).count() > 1) {
        return true;
      }
    }
  }
  return false;
}

bool has_small_ring(const std::vector<Bonds> &rings) {
  return std::any_of(rings.begin(), rings.end(),
                     [](const Bonds &ring) { return ring.count() < MEETING_RING_MIN; });
}

// Most molecules: no small ring, and no two rings that share two bonds.
bool are_simple(const RDKit::RingInfo &info) {
  std::array<std::bitset<RINGS_MAX>, RINGS_MAX> shared;
  for (const auto &ring : info.bondRings()) {
    if (ring.size() < MEETING_RING_MIN) {
      return false;
    }
    for (const auto bond : ring) {
      const auto &members = info.bondMembers(bond);
      // Each shared bond is met once from each of its rings; it counts from the first.
      if (members.size() < 2 || &info.bondRings()[members[0]] != &ring) {
        continue;
      }
      for (std::size_t i = 0; i < members.size(); ++i) {
        for (std::size_t j = i + 1; j < members.size(); ++j) {
          if (shared[members[i]][members[j]]) {
            return false;
          }
          shared[members[i]].set(members[j]);
        }
      }
    }
  }
  return true;
}

// Takes away, again and again, each ring that shares one bond with the others at most. RDKit finds such a ring
// whatever it did before: as long as the ring is whole, it is the one smallest through each atom that it has
// to itself, and through an end of the shared bond once all that hangs on there is gone.
void peel(std::vector<Bonds> &rings) {
  for (bool peeled = true; peeled;) {
    peeled = false;
    for (std::size_t i = 0; i < rings.size(); ++i) {
      Bonds others;
      for (std::size_t j = 0; j < rings.size(); ++j) {
        if (j != i) {
          others |= rings[j];
        }
      }
      if ((rings[i] & others).count() < 2) {
        rings.erase(rings.begin() + i--);
        peeled = true;
      }
    }
  }
}

// Takes a ring and all that share bonds with it, directly or through others, out of `rings`.
std::vector<Bonds> take_system(std::vector<Bonds> &rings) {
  std::vector<Bonds> system{rings.back()};
  rings.pop_back();
  for (std::size_t i = 0; i < system.size(); ++i) {
    for (std::size_t j = 0; j < rings.size();) {
      if ((system[i] & rings[j]).any()) {
        system.push_back(rings[j]);
        rings.erase(rings.begin() + j);
      } else {
        ++j;
      }
    }
  }
  return system;
}

// How many independent rings the bonds make, all of them or those that may be aromatic.
unsigned int independent_rings(const Graph &graph, const Bonds &bonds, bool aromatic) {
  Joined joined(graph.atoms.size());
  unsigned int count = 0;
  for (std::size_t i = 0; i < graph.bonds.size(); ++i) {
    count += bonds[i] && (!aromatic || may_be_aromatic(graph, graph.bonds[i])) &&
             !joined.join(graph.bonds[i]);
  }
  return count;
}

// Rings of which none is the sum of others.
unsigned int independent(std::vector<Bonds> rings) {
  unsigned int count = 0;
  for (std::size_t bond = 0; bond < GRAPH_BONDS_MAX && !rings.empty(); ++bond) {
    const auto found = std::find_if(rings.begin(), rings.end(),
                                    [=](const Bonds &ring) { return ring[bond]; });
    if (found == rings.end()) {
      continue;
    }
    const auto pivot = *found;
    rings.erase(found);
    ++count;
    for (auto &ring : rings) {
      if (ring[bond]) {
        ring ^= pivot;
      }
    }
  }
  return count;
}

// `system`: rings that each share two bonds or more with the others.
RingCertainty certainty_of(const Graph &graph, const std::vector<Bonds> &system) {
  if (!are_bridged(system) && !has_small_ring(system)) {
    return RingCertainty::Unique;
  }
  Bonds bonds;
  for (const auto &ring : system) {
    bonds |= ring;
  }
  if (independent_rings(graph, bonds, true) > 0) {
    return RingCertainty::Ambiguous;
  }
  return independent_rings(graph, bonds, false) > 2 ? RingCertainty::Tangled
                                                    : RingCertainty::Certain;
}

}  // namespace

RingCertainty ring_certainty(const Graph &graph, const RDKit::RingInfo &info) {
  if (info.numRings() < 2) {
    return RingCertainty::Unique;
  }
  if (info.numRings() > RINGS_MAX) {
    return RingCertainty::Ambiguous;
  }
  if (are_simple(info)) {
    return RingCertainty::Unique;
  }
  std::vector<Bonds> rings;
  for (const auto &ring : info.bondRings()) {
    rings.emplace_back();
    for (const auto bond : ring) {
      rings.back().set(bond);
    }
  }
  const bool bridged = are_bridged(rings);
  Bonds all;
  for (std::size_t i = 0; i < graph.bonds.size(); ++i) {
    all.set(i);
  }
  if (independent(rings) < independent_rings(graph, all, false)) {
    return RingCertainty::Ambiguous;
  }
  auto certainty = bridged ? RingCertainty::Certain : RingCertainty::Unique;
  peel(rings);
  while (!rings.empty()) {
    certainty = std::min(certainty, certainty_of(graph, take_system(rings)));
  }
  return certainty;
}

// Breadth first from one end of the bond to the other; of the shortest ways the ones with most bonds that
// were in a ring, and with most of those that may be aromatic, count.
bool closes_apart(const Graph &product, const GraphBond &bond,
                  const std::function<bool(const GraphBond &)> &was_in_ring) {
  std::array<std::uint16_t, GRAPH_ATOMS_MAX> distance, shared, aromatic;
  std::fill_n(distance.begin(), product.atoms.size(), NO_INDEX);
  std::vector<std::uint16_t> queue{bond.begin};
  distance[bond.begin] = shared[bond.begin] = aromatic[bond.begin] = 0;
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
        const bool in_ring = was_in_ring(by);
        const std::uint16_t shares = shared[from] + in_ring;
        const std::uint16_t pi = aromatic[from] + (in_ring && may_be_aromatic(product, by));
        if (distance[to] == NO_INDEX) {
          distance[to] = distance[from] + 1;
          shared[to] = shares;
          aromatic[to] = pi;
          queue.push_back(to);
        } else if (distance[to] == distance[from] + 1) {
          shared[to] = std::max(shared[to], shares);
          aromatic[to] = std::max(aromatic[to], pi);
        }
      }
    }
  }
  const auto size = distance[bond.end] + 1u;
  return distance[bond.end] != NO_INDEX && shared[bond.end] < 2 &&
         (aromatic[bond.end] == 0 || size >= CLOSED_RING_MIN);
}

}  // namespace molsieve
