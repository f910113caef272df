// The smallest rings, found from the atoms of degree two as RDKit's own search does (Figueras, J. Chem. Inf. Comput.
// Sci. 1996, 36, 986), so that rings have the same order and begin at the same atom. Cages in which every atom has
// three ring bonds are left to RDKit.
#include <algorithm>
#include <vector>

#include "molsieve/src/chem/parse/draft.h"
#include "molsieve/src/chem/parse/ring_choice.h"

namespace molsieve::parse {

namespace {

// Neither an atom, a bond nor a depth.
constexpr std::uint16_t UNREACHED = 0xffff;

// A ring that was found, and the atoms from which it was found.
struct Sighting {
  AtomSet atoms;
  std::vector<std::uint16_t> starts;
};

// The atoms of a few rings, one after the other.
struct Found {
  std::vector<std::uint16_t> atoms;
  std::vector<std::uint16_t> sizes;

  void clear() {
    atoms.clear();
    sizes.clear();
  }
};

// Reuses its memory for the next molecule.
class RingFinder {
 public:
  bool find(Draft &mol) {
    molecule_ = &mol;
    choice_.start(mol);
    mol.rings.clear();
    mol.ring_members = 0;
    active_.reset();
    molsieve::find_rings(mol);
    in_ring_.reset();
    for (unsigned int i = 0; i < mol.bonds.size(); ++i) {
      active_.set(i);
      in_ring_[i] = mol.bonds[i].in_ring;
    }
    for (unsigned int i = 0; i < mol.atoms.size(); ++i) {
      degree_[i] = mol.atoms[i].degree;
    }
    AtomSet seen;
    for (unsigned int i = 0; i < mol.atoms.size(); ++i) {
      if (!seen[i] && !find_in_fragment(collect_fragment(i, seen))) {
        return false;
      }
    }
    choice_.finish();
    mark_rings();
    return true;
  }

 private:
  AtomSet collect_fragment(unsigned int from, AtomSet &seen) {
    AtomSet fragment;
    fragment.set(from);
    queue_.assign(1, static_cast<std::uint16_t>(from));
    for (std::size_t head = 0; head < queue_.size(); ++head) {
      const auto &atom = molecule_->atoms[queue_[head]];
      for (unsigned int i = 0; i < atom.degree; ++i) {
        if (!fragment[atom.neighbours[i]]) {
          fragment.set(atom.neighbours[i]);
          queue_.push_back(atom.neighbours[i]);
        }
      }
    }
    seen |= fragment;
    return fragment;
  }

  bool find_in_fragment(const AtomSet &fragment) {
    unsigned int bonds = 0;
    AtomSet loose;  // ends of chains
    for_each_bit(fragment, [&](unsigned int i) {
      bonds += molecule_->atoms[i].degree;
      loose[i] = degree_[i] < 2;
    });
    bonds /= 2;
    const auto expected = bonds + 1 - fragment.count();
    if (expected == 0) {
      return true;
    }
    const auto first_ring = molecule_->rings.size();
    AtomSet left = fragment;
    while (left.any()) {
      trim(loose, &left);
      pick_starts(fragment);
      if (starts_.empty()) {
        if (holds_cage(fragment)) {
          return false;
        }
        break;
      }
      if (!find_from_starts()) {
        return false;
      }
      for (const auto start : starts_) {
        left.reset(start);
        cut(start, active_, &loose);
      }
    }
    return choice_.choose(first_ring, static_cast<unsigned int>(expected));
  }

  // From here on, what is not in a listed ring counts as outside rings, as for RDKit.
  void mark_rings() {
    for (auto &atom : molecule_->atoms) {
      atom.in_ring = false;
    }
    for (auto &bond : molecule_->bonds) {
      bond.in_ring = false;
    }
    for (const auto &ring : molecule_->rings) {
      for (unsigned int i = ring.start; i < ring.start + ring.size; ++i) {
        molecule_->atoms[molecule_->ring_atoms[i]].in_ring = true;
        molecule_->bonds[molecule_->ring_bonds[i]].in_ring = true;
      }
    }
  }

  // Whether only atoms of degree three and more are left.
  bool holds_cage(const AtomSet &fragment) const {
    bool cage = false;
    for_each_bit(fragment, [&](unsigned int i) { cage |= degree_[i] == 3; });
    return cage;
  }

  // Removes the bonds of loose atoms until no atom is loose. With `left`: only of those in it, which leave it.
  void trim(AtomSet &loose, AtomSet *left) {
    for (auto i = loose._Find_first(); i < DRAFT_ATOMS_MAX; i = loose._Find_first()) {
      loose.reset(i);
      if (!left || (*left)[i]) {
        if (left) {
          left->reset(i);
        }
        cut(static_cast<unsigned int>(i), active_, &loose);
      }
    }
  }

  // Removes the bonds of an atom; with `loose`, also updates the degrees.
  void cut(unsigned int index, BondSet &active, AtomSet *loose) {
    const auto &atom = molecule_->atoms[index];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto bond = atom.bonds[i];
      if (!active[bond]) {
        continue;
      }
      active.reset(bond);
      if (loose) {
        const auto other = atom.neighbours[i];
        if (degree_[other] <= 2) {
          loose->set(other);
        }
        --degree_[other];
        --degree_[index];
      }
    }
  }

  // One atom out of each chain of atoms of degree two.
  void pick_starts(const AtomSet &fragment) {
    starts_.clear();
    AtomSet taken;
    for_each_bit(fragment, [&](unsigned int i) {
      if (degree_[i] != 2 || taken[i]) {
        return;
      }
      starts_.push_back(static_cast<std::uint16_t>(i));
      taken.set(i);
      queue_.assign(1, static_cast<std::uint16_t>(i));
      while (!queue_.empty()) {
        const auto &atom = molecule_->atoms[queue_.back()];
        queue_.pop_back();
        for (unsigned int j = 0; j < atom.degree; ++j) {
          const auto other = atom.neighbours[j];
          if (active_[atom.bonds[j]] && degree_[other] == 2 && !taken[other]) {
            taken.set(other);
            queue_.push_back(other);
          }
        }
      }
    });
  }

  bool find_from_starts() {
    std::size_t sightings = 0;
    for (const auto start : starts_) {
      found_.clear();
      search(start, active_);
      if (found_.sizes.empty()) {
        AtomSet loose;
        loose.set(start);
        trim(loose, nullptr);
        continue;
      }
      if (!each_found([&](const std::uint16_t *ring, unsigned int size, const AtomSet &atoms) {
            return (is_known(atoms) || keep(ring, size, atoms)) && record(atoms, start, sightings);
          })) {
        return false;
      }
    }
    return resolve_sightings(sightings);
  }

  // Calls `f` with the atoms of each ring that was found, their number, and both as a set, until it returns false.
  template <typename F>
  bool each_found(F f) const {
    std::size_t offset = 0;
    for (const auto size : found_.sizes) {
      const auto *ring = &found_.atoms[offset];
      AtomSet atoms;
      std::for_each(ring, ring + size, [&](auto atom) { atoms.set(atom); });
      if (!f(ring, size, atoms)) {
        return false;
      }
      offset += size;
    }
    return true;
  }

  bool is_known(const AtomSet &atoms) const {
    const auto end = molecule_->ring_atom_sets.begin() + molecule_->rings.size();
    return std::find(molecule_->ring_atom_sets.begin(), end, atoms) != end;
  }

  bool record(const AtomSet &atoms, std::uint16_t start, std::size_t &count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto &sighting = sightings_[i];
      if (sighting.atoms == atoms) {
        const bool anew = sighting.starts.back() != start;
        sighting.starts.push_back(start);
        return anew;
      }
    }
    if (count == sightings_.size()) {
      sightings_.emplace_back();
    }
    sightings_[count].atoms = atoms;
    sightings_[count].starts.assign(1, start);
    ++count;
    return true;
  }

  // If two starts lead to the same ring, larger rings may have been missed: searches again from each start without
  // the bonds of the others.
  bool resolve_sightings(std::size_t count) {
    repeated_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      if (sightings_[i].starts.size() > 1) {
        repeated_.push_back(i);
      }
    }
    std::ranges::sort(repeated_, [this](auto a, auto b) {
      return is_less(sightings_[a].atoms, sightings_[b].atoms);
    });
    for (const auto i : repeated_) {
      found_.clear();
      for (const auto start : sightings_[i].starts) {
        auto active = active_;
        for (std::size_t j = 0; j < count; ++j) {
          const auto &starts = sightings_[j].starts;
          if (std::ranges::find(starts, start) == starts.end()) {
            continue;
          }
          for (const auto other : starts) {
            if (other != start) {
              cut(other, active, nullptr);
            }
          }
        }
        search(start, active);
      }
      if (!keep_smallest()) {
        return false;
      }
    }
    return true;
  }

  // Compares sets as numbers: the highest atom counts most. RDKit resolves repeated rings in this order.
  bool is_less(const AtomSet &a, const AtomSet &b) const {
    const auto differ = a ^ b;
    for (auto i = molecule_->atoms.size(); i-- > 0;) {
      if (differ[i]) {
        return b[i];
      }
    }
    return false;
  }

  bool keep_smallest() {
    if (found_.sizes.empty()) {
      return true;
    }
    const auto smallest = *std::ranges::min_element(found_.sizes);
    return each_found([&](const std::uint16_t *ring, unsigned int size, const AtomSet &atoms) {
      return size != smallest || is_known(atoms) || keep(ring, size, atoms);
    });
  }

  // Adds all smallest rings through an atom to those found, breadth first.
  void search(std::uint16_t root, const BondSet &active_bonds) {
    const auto active = active_bonds & in_ring_;
    enum : std::uint8_t { UNSEEN, WAITING, DONE };
    std::fill_n(state_.begin(), molecule_->atoms.size(), UNSEEN);
    parent_[root] = UNREACHED;
    depth_[root] = 0;
    queue_.assign(1, root);
    unsigned int smallest = ~0u;
    for (std::size_t head = 0; head < queue_.size(); ++head) {
      const auto current = queue_[head];
      state_[current] = DONE;
      const unsigned int depth = depth_[current] + 1u;
      if (depth > smallest) {
        return;
      }
      const auto &atom = molecule_->atoms[current];
      for (unsigned int i = 0; i < atom.degree; ++i) {
        const auto other = atom.neighbours[i];
        if (!active[atom.bonds[i]] || state_[other] == DONE || parent_[current] == other) {
          continue;
        }
        if (state_[other] == UNSEEN) {
          parent_[other] = current;
          state_[other] = WAITING;
          depth_[other] = static_cast<std::uint16_t>(depth);
          queue_.push_back(other);
        } else if (const auto size = join(root, current, other); size > 1) {
          if (size > smallest) {
            found_.atoms.resize(found_.atoms.size() - size);
            return;
          }
          smallest = size;
          found_.sizes.push_back(static_cast<std::uint16_t>(size));
        }
      }
    }
  }

  // Appends the ring from the root to `current`, on to `other` and back, and gives its size; zero if the two paths
  // meet before the root.
  unsigned int join(std::uint16_t root, std::uint16_t current, std::uint16_t other) {
    const auto from = found_.atoms.size();
    for (auto i = current;; i = parent_[i]) {
      found_.atoms.push_back(i);
      if (i == root) {
        break;
      }
    }
    std::reverse(found_.atoms.begin() + static_cast<std::ptrdiff_t>(from), found_.atoms.end());
    const auto middle = found_.atoms.size();
    for (auto i = other; i != root; i = parent_[i]) {
      const auto begin = found_.atoms.begin() + static_cast<std::ptrdiff_t>(from);
      const auto end = found_.atoms.begin() + static_cast<std::ptrdiff_t>(middle);
      if (std::find(begin, end, i) != end) {
        found_.atoms.resize(from);
        return 0;
      }
      found_.atoms.push_back(i);
    }
    return static_cast<unsigned int>(found_.atoms.size() - from);
  }

  bool keep(const std::uint16_t *ring, unsigned int size, const AtomSet &atoms) {
    if (molecule_->rings.full() || molecule_->ring_members + size > RING_MEMBERS_MAX) {
      return false;
    }
    const auto start = molecule_->ring_members;
    BondSet bonds;
    for (unsigned int i = 0; i < size; ++i) {
      const auto &atom = molecule_->atoms[ring[i]];
      const auto next = ring[i + 1 == size ? 0 : i + 1];
      const auto bond = atom.bonds[atom.place_of(next)];
      molecule_->ring_atoms[start + i] = ring[i];
      molecule_->ring_bonds[start + i] = bond;
      bonds.set(bond);
    }
    molecule_->ring_atom_sets[molecule_->rings.size()] = atoms;
    molecule_->ring_bond_sets[molecule_->rings.size()] = bonds;
    molecule_->rings.push_back({static_cast<std::uint16_t>(start), static_cast<std::uint16_t>(size)});
    molecule_->ring_members += size;
    return true;
  }

  Draft *molecule_ = nullptr;
  std::array<std::int16_t, DRAFT_ATOMS_MAX> degree_{};
  BondSet active_, in_ring_;
  std::vector<std::uint16_t> starts_, queue_;
  RingChoice choice_;
  std::vector<Sighting> sightings_;
  std::vector<std::size_t> repeated_;
  Found found_;
  std::array<std::uint8_t, DRAFT_ATOMS_MAX> state_;
  std::array<std::uint16_t, DRAFT_ATOMS_MAX> parent_, depth_;
};

}  // namespace

bool list_rings(Draft &mol) {
  thread_local RingFinder finder;
  return finder.find(mol);
}

}  // namespace molsieve::parse
