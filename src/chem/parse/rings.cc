// The rings that RDKit lists: the relevant cycles, which are no sums of shorter ones, so that they depend on the molecule
// alone (Vismara, Electron. J. Comb. 1997, 4, R9; RDKit uses RingDecomposerLib). RDKit lists them in another order, on
// which nothing depends.
#include <algorithm>
#include <span>
#include <vector>

#include "molsieve/src/chem/parse/draft.h"

namespace molsieve::parse {

namespace {

constexpr std::uint16_t UNREACHED = 0xffff;
// More need not be counted, since so many rings are left to RDKit.
constexpr std::uint32_t PATHS_MAX = RINGS_MAX + 1;

// Bounds the working memory. Molecules have some dozens; what has more is left to RDKit.
constexpr std::size_t FAMILIES_MAX = 4096;

// Cycles of the same length that differ in the shortest paths from the atom of the highest place, `root`, to two atoms: `one`
// and `two` are neighbours, or both are neighbours of `top`.
struct Family {
  std::uint16_t size;
  std::uint16_t root, one, two;
  std::uint16_t top;  // UNREACHED: none
  std::uint32_t cycles;
  BondSet first;  // one of the cycles
};

// Reuses its memory for the next molecule.
class RingFinder {
 public:
  bool find(Draft &mol) {
    molecule_ = &mol;
    mol.rings.clear();
    mol.ring_members = 0;
    molsieve::find_rings(mol);
    AtomSet seen;
    for (unsigned int i = 0; i < mol.atoms.size(); ++i) {
      if (mol.atoms[i].in_ring && !seen[i]) {
        collect_system(static_cast<std::uint16_t>(i), seen);
        if (!find_in_system()) {
          return false;
        }
      }
    }
    return true;
  }

 private:
  // Calls `f` with each neighbour in a ring and the bond to it.
  template <typename F>
  void each_neighbour(std::uint16_t index, F f) const {
    const auto &atom = molecule_->atoms[index];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      if (molecule_->bonds[atom.bonds[i]].in_ring) {
        f(atom.neighbours[i], atom.bonds[i]);
      }
    }
  }

  // The atoms that ring bonds connect.
  void collect_system(std::uint16_t from, AtomSet &seen) {
    seen.set(from);
    system_.assign(1, from);
    system_bonds_ = 0;
    for (std::size_t head = 0; head < system_.size(); ++head) {
      each_neighbour(system_[head], [&](auto other, auto) {
        ++system_bonds_;
        if (!seen[other]) {
          seen.set(other);
          system_.push_back(other);
        }
      });
    }
    system_bonds_ /= 2;
  }

  bool find_in_system() {
    if (system_bonds_ == system_.size()) {
      return keep_closed(system_[0], ~BondSet());
    }
    families_.clear();
    reach_ = longest_needed() / 2;
    for (const auto root : order_system()) {
      search(root);
      find_families(root);
      if (families_.size() > FAMILIES_MAX) {
        return false;
      }
    }
    std::ranges::stable_sort(families_, {}, &Family::size);
    return keep_relevant(system_bonds_ + 1 - system_.size());
  }

  // Numbers the atoms, those at which bonds branch last, and returns these. Each cycle of a system of several rings has one of
  // them, so that its atom of the highest place is one.
  std::span<const std::uint16_t> order_system() {
    const auto branches = std::partition(system_.begin(), system_.end(), [this](auto atom) {
      unsigned int bonds = 0;
      each_neighbour(atom, [&](auto, auto) { ++bonds; });
      return bonds < 3;
    });
    for (std::size_t i = 0; i < system_.size(); ++i) {
      place_[system_[i]] = static_cast<std::uint16_t>(i);
    }
    return {branches, system_.end()};
  }

  // The length of the longest cycle that one bond closes with a tree of shortest paths. These cycles make all others, so
  // that no relevant one is longer.
  unsigned int longest_needed() {
    for (const auto atom : system_) {
      distance_[atom] = UNREACHED;
    }
    queue_.assign(1, system_[0]);
    distance_[system_[0]] = 0;
    nearest_[system_[0]] = UNREACHED;
    unsigned int longest = 0;
    for (std::size_t head = 0; head < queue_.size(); ++head) {
      const auto from = queue_[head];
      each_neighbour(from, [&](auto to, auto) {
        if (distance_[to] == UNREACHED) {
          distance_[to] = distance_[from] + 1;
          nearest_[to] = from;
          queue_.push_back(to);
        } else if (to != nearest_[from]) {
          longest = std::max(longest, length_closed(from, to));
        }
      });
    }
    return longest;
  }

  // The length of the cycle that a bond between two atoms closes with the paths of the tree.
  unsigned int length_closed(std::uint16_t one, std::uint16_t two) const {
    unsigned int length = 1;
    while (one != two) {
      auto &further = distance_[one] >= distance_[two] ? one : two;
      further = nearest_[further];
      ++length;
    }
    return length;
  }

  // Keeps the ring that bonds close, one of whose atoms is `from`.
  bool keep_closed(std::uint16_t from, const BondSet &bonds) {
    ring_.assign(1, from);
    auto before = UNREACHED;
    do {
      auto next = UNREACHED;
      each_neighbour(ring_.back(), [&](auto other, auto bond) {
        if (bonds[bond] && other != before) {
          next = other;
        }
      });
      before = ring_.back();
      ring_.push_back(next);
    } while (ring_.back() != from);
    ring_.pop_back();
    return keep();
  }

  // Breadth first, as far as half a cycle reaches. Finds the atoms that a shortest path of atoms
  // of lower places leads to, and one such path.
  void search(std::uint16_t root) {
    for (const auto atom : system_) {
      distance_[atom] = UNREACHED;
      paths_[atom] = 0;
    }
    distance_[root] = 0;
    paths_[root] = 1;
    path_atoms_[root].reset();
    path_bonds_[root].reset();
    queue_.assign(1, root);
    for (std::size_t head = 0; head < queue_.size(); ++head) {
      const auto from = queue_[head];
      if (distance_[from] == reach_) {
        break;
      }
      each_neighbour(from, [&](auto to, auto bond) {
        if (distance_[to] == UNREACHED) {
          distance_[to] = distance_[from] + 1;
          queue_.push_back(to);
        }
        if (place_[to] > place_[root] || paths_[from] == 0 || distance_[to] != distance_[from] + 1) {
          return;
        }
        if (paths_[to] == 0) {
          path_atoms_[to] = path_atoms_[from];
          path_atoms_[to].set(to);
          path_bonds_[to] = path_bonds_[from];
          path_bonds_[to].set(bond);
        }
        paths_[to] = std::min(paths_[to] + paths_[from], PATHS_MAX);
      });
    }
  }

  void find_families(std::uint16_t root) {
    for (const auto atom : queue_) {
      if (paths_[atom] == 0 || atom == root) {
        continue;
      }
      nearer_.clear();
      each_neighbour(atom, [&](auto other, auto bond) {
        if (paths_[other] == 0) {
          return;
        }
        if (distance_[other] < distance_[atom]) {
          nearer_.push_back({other, bond});
        } else if (distance_[other] == distance_[atom] && place_[other] < place_[atom]) {
          add_family(root, {atom, bond}, {other, bond}, UNREACHED);
        }
      });
      for (std::size_t i = 0; i < nearer_.size(); ++i) {
        for (std::size_t j = i + 1; j < nearer_.size(); ++j) {
          add_family(root, nearer_[i], nearer_[j], atom);
        }
      }
    }
  }

  // An end of a path, and the bond by which it leads on.
  struct Step {
    std::uint16_t atom, bond;
  };

  void add_family(std::uint16_t root, Step one, Step two, std::uint16_t top) {
    if ((path_atoms_[one.atom] & path_atoms_[two.atom]).any()) {
      return;
    }
    auto bonds = path_bonds_[one.atom] | path_bonds_[two.atom];
    bonds.set(one.bond);
    bonds.set(two.bond);
    const auto size = distance_[one.atom] + distance_[two.atom] + (top == UNREACHED ? 1 : 2);
    families_.push_back({static_cast<std::uint16_t>(size), root, one.atom, two.atom, top,
                         paths_[one.atom] * paths_[two.atom], bonds});
  }

  // Keeps the families that are no sums of shorter cycles, of which `independent` are enough to make all.
  bool keep_relevant(std::size_t independent) {
    basis_.clear();
    for (std::size_t begin = 0; begin < families_.size() && basis_.size() < independent;) {
      auto end = begin;
      relevant_.clear();
      for (; end < families_.size() && families_[end].size == families_[begin].size; ++end) {
        const auto rest = reduced(families_[end].first);
        if (rest.any()) {
          relevant_.push_back(rest);
          if (!keep_family(families_[end])) {
            return false;
          }
        }
      }
      for (const auto &cycle : relevant_) {
        if (const auto rest = reduced(cycle); rest.any()) {
          basis_.push_back(rest);
        }
      }
      begin = end;
    }
    return true;
  }

  // What is left of a cycle once cycles of the basis are added so that their first bonds are not in it.
  BondSet reduced(BondSet cycle) const {
    for (const auto &other : basis_) {
      if (cycle[other._Find_first()]) {
        cycle ^= other;
      }
    }
    return cycle;
  }

  bool keep_family(const Family &family) {
    if (family.cycles > RINGS_MAX) {
      return false;
    }
    if (family.cycles == 1) {
      return keep_closed(family.root, family.first);
    }
    search(family.root);  // again: what it found was overwritten
    std::vector<std::vector<std::uint16_t>> ones, twos;
    list_paths(family.root, family.one, ones);
    list_paths(family.root, family.two, twos);
    for (const auto &one : ones) {
      for (const auto &two : twos) {
        ring_.assign(one.rbegin(), one.rend());  // from the root
        if (family.top != UNREACHED) {
          ring_.push_back(family.top);
        }
        ring_.insert(ring_.end(), two.begin(), two.end() - 1);
        if (!keep()) {
          return false;
        }
      }
    }
    return true;
  }

  // All shortest paths from an atom down to the root.
  void list_paths(std::uint16_t root, std::uint16_t from,
                  std::vector<std::vector<std::uint16_t>> &paths) {
    std::vector<std::vector<std::uint16_t>> open{{from}};
    while (!open.empty()) {
      const auto path = std::move(open.back());
      open.pop_back();
      const auto end = path.back();
      if (end == root) {
        paths.push_back(path);
        continue;
      }
      each_neighbour(end, [&](auto next, auto) {
        if (paths_[next] != 0 && distance_[next] + 1 == distance_[end]) {
          open.push_back(path);
          open.back().push_back(next);
        }
      });
    }
  }

  // Lists a ring from its lowest atom on, towards the lower of that atom's neighbours.
  bool keep() {
    const auto size = ring_.size();
    if (molecule_->rings.full() || molecule_->ring_members + size > RING_MEMBERS_MAX) {
      return false;
    }
    std::ranges::rotate(ring_, std::ranges::min_element(ring_));
    if (ring_.back() < ring_[1]) {
      std::reverse(ring_.begin() + 1, ring_.end());
    }
    const auto start = molecule_->ring_members;
    AtomSet atoms;
    BondSet bonds;
    for (std::size_t i = 0; i < size; ++i) {
      const auto &atom = molecule_->atoms[ring_[i]];
      const auto bond = atom.bonds[atom.place_of(ring_[i + 1 == size ? 0 : i + 1])];
      molecule_->ring_atoms[start + i] = ring_[i];
      molecule_->ring_bonds[start + i] = bond;
      atoms.set(ring_[i]);
      bonds.set(bond);
    }
    molecule_->ring_atom_sets[molecule_->rings.size()] = atoms;
    molecule_->ring_bond_sets[molecule_->rings.size()] = bonds;
    molecule_->rings.push_back(
        {static_cast<std::uint16_t>(start), static_cast<std::uint16_t>(size)});
    molecule_->ring_members += size;
    return true;
  }

  Draft *molecule_ = nullptr;
  std::vector<std::uint16_t> system_, queue_, ring_;
  unsigned int reach_ = 0;  // of a search
  std::array<std::uint16_t, DRAFT_ATOMS_MAX> nearest_;  // the atom before in a tree of shortest paths
  std::array<std::uint16_t, DRAFT_ATOMS_MAX> place_;    // in the system
  std::size_t system_bonds_ = 0;
  std::vector<Step> nearer_;
  std::vector<Family> families_;
  std::vector<BondSet> basis_, relevant_;
  // Of the last search, per atom: the distance from the root, the number of shortest paths of atoms of lower places, and one
  // such path without the root.
  std::array<std::uint16_t, DRAFT_ATOMS_MAX> distance_;
  std::array<std::uint32_t, DRAFT_ATOMS_MAX> paths_;
  std::array<AtomSet, DRAFT_ATOMS_MAX> path_atoms_;
  std::array<BondSet, DRAFT_ATOMS_MAX> path_bonds_;
};

}  // namespace

bool list_rings(Draft &mol) {
  thread_local RingFinder finder;
  return finder.find(mol);
}

}  // namespace molsieve::parse
