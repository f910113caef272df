#include "molsieve/src/chem/edit/ring_certainty.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <vector>

namespace molsieve::edit {

namespace {

using Bonds = std::bitset<BONDS_MAX>;

// Molecules with more rings are left to RDKit.
constexpr std::size_t RINGS_MAX = 64;
// Where three rings meet in an atom and all are of this size or more, the ring around them is too large to replace
// another ring.
constexpr unsigned int MEETING_RING_MIN = 5;
// A smaller new ring that shares a bond with a ring that may be aromatic can replace it, together with others.
constexpr unsigned int CLOSED_RING_MIN = 5;

// RDKit finds no saturated carbon in an aromatic ring.
bool may_be_aromatic(const Molecule &mol, std::uint16_t atom) {
  return !is_saturated_carbon(mol, mol.atoms[atom]);
}

bool may_be_aromatic(const Molecule &mol, const Bond &bond) {
  return may_be_aromatic(mol, bond.begin) && may_be_aromatic(mol, bond.end);
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
  bool join(const Bond &bond) {
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
  return std::ranges::any_of(
      rings, [](const Bonds &ring) { return ring.count() < MEETING_RING_MIN; });
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

// Repeatedly removes each ring that shares at most one bond with the others. RDKit finds such a ring in any case: as
// long as the ring is complete, it is the only smallest one through each atom that no other ring has, and through an
// end of the shared bond once the substituents of that end are removed.
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

// Removes a ring and all that share bonds with it, directly or through others, from `rings`.
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
unsigned int independent_rings(const Molecule &mol, const Bonds &bonds, bool aromatic) {
  Joined joined(mol.atoms.size());
  unsigned int count = 0;
  for (std::size_t i = 0; i < mol.bonds.size(); ++i) {
    count += bonds[i] && (!aromatic || may_be_aromatic(mol, mol.bonds[i])) &&
             !joined.join(mol.bonds[i]);
  }
  return count;
}

// Rings of which none is the sum of others.
unsigned int independent(std::vector<Bonds> rings) {
  unsigned int count = 0;
  for (std::size_t bond = 0; bond < BONDS_MAX && !rings.empty(); ++bond) {
    const auto found = std::ranges::find_if(rings, [=](const Bonds &ring) { return ring[bond]; });
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
RingCertainty certainty_of(const Molecule &mol, const std::vector<Bonds> &system) {
  if (!are_bridged(system) && !has_small_ring(system)) {
    return RingCertainty::Unique;
  }
  Bonds bonds;
  for (const auto &ring : system) {
    bonds |= ring;
  }
  if (independent_rings(mol, bonds, true) > 0) {
    return RingCertainty::Ambiguous;
  }
  return independent_rings(mol, bonds, false) > 2 ? RingCertainty::Tangled
                                                    : RingCertainty::Certain;
}

}  // namespace

RingCertainty ring_certainty(const Molecule &mol, const RDKit::RingInfo &info) {
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
  for (std::size_t i = 0; i < mol.bonds.size(); ++i) {
    all.set(i);
  }
  if (independent(rings) < independent_rings(mol, all, false)) {
    return RingCertainty::Ambiguous;
  }
  auto certainty = bridged ? RingCertainty::Certain : RingCertainty::Unique;
  peel(rings);
  while (!rings.empty()) {
    certainty = std::min(certainty, certainty_of(mol, take_system(rings)));
  }
  return certainty;
}

// Breadth first from one end of the bond to the other. Of the shortest paths, those count that have most bonds that were
// in a ring, and most of those that may be aromatic.
bool closes_apart(const Molecule &product, const Bond &bond,
                  const std::function<bool(const Bond &)> &was_in_ring) {
  std::array<std::uint16_t, ATOMS_MAX> distance, shared, aromatic;
  std::fill_n(distance.begin(), product.atoms.size(), NO_INDEX);
  std::vector<std::uint16_t> queue{bond.begin};
  distance[bond.begin] = shared[bond.begin] = aromatic[bond.begin] = 0;
  for (std::size_t i = 0; i < queue.size() && distance[bond.end] == NO_INDEX; ) {
    // One layer at a time, so that the best path to an atom is known before the search continues from there.
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

std::vector<bool> skeleton_of(const Molecule &mol) {
  std::vector<bool> left(mol.bonds.size(), true);
  std::vector<unsigned int> degree;
  std::vector<std::uint16_t> ends;
  for (const auto &atom : mol.atoms) {
    if (atom.degree == 1) {
      ends.push_back(degree.size());
    }
    degree.push_back(atom.degree);
  }
  while (!ends.empty()) {
    const auto &atom = mol.atoms[ends.back()];
    ends.pop_back();
    for (unsigned int i = 0; i < atom.degree; ++i) {
      if (left[atom.bonds[i]]) {
        left[atom.bonds[i]] = false;
        if (--degree[atom.neighbours[i]] == 1) {
          ends.push_back(atom.neighbours[i]);
        }
      }
    }
  }
  return left;
}

}  // namespace molsieve::edit
