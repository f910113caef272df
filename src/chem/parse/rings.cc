// The smallest rings, found from the atoms of degree two as RDKit's own search does (Figueras, J.
// Chem. Inf. Comput. Sci. 1996, 36, 986), so that rings come in the same order and begin at the same
// atom. Cages in which every atom has three ring bonds are left to RDKit.
#include <algorithm>
#include <numeric>

#include "molsieve/src/chem/parse/flat.h"

namespace molsieve::flat {

namespace {

// Neither an atom, a bond nor a depth.
constexpr std::uint16_t UNREACHED = 0xffff;

// A ring that more than one start has led to, and those starts.
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

// Keeps its memory from one molecule to the next.
class RingFinder {
 public:
  bool find(Molecule &mol) {
    molecule_ = &mol;
    active_.reset();
    in_ring_.reset();
    chosen_.clear();
    extra_.clear();
    molecule_->ring_count = molecule_->ring_members = 0;
    for (unsigned int i = 0; i < molecule_->atom_count; ++i) {
      degree_[i] = molecule_->atoms[i].degree;
    }
    for (unsigned int i = 0; i < molecule_->bond_count; ++i) {
      active_.set(i);
    }
    std::fill_n(depth_.begin(), molecule_->atom_count, UNREACHED);
    for (unsigned int i = 0; i < molecule_->atom_count; ++i) {
      if (depth_[i] == UNREACHED) {
        descend(static_cast<std::uint16_t>(i), 0, UNREACHED);
      }
    }
    AtomSet seen;
    for (unsigned int i = 0; i < molecule_->atom_count; ++i) {
      if (!seen[i] && !find_in_part(collect_part(i, seen))) {
        return false;
      }
    }
    if (!extra_.empty()) {
      add_equal_rings();
      arrange_rings();
    }
    count_rings();
    return true;
  }

 private:
  // Finds the bonds that are in any ring, so that searches keep to them. Gives the least depth that
  // is reached from here on another way; calls itself at most ATOMS_MAX deep.
  std::uint16_t descend(std::uint16_t index, std::uint16_t depth, std::uint16_t from_bond) {
    depth_[index] = depth;
    auto least = depth;
    const auto &atom = molecule_->atoms[index];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto other = atom.neighbors[i];
      const auto bond = atom.bonds[i];
      if (bond == from_bond) {
        continue;
      }
      auto reached = depth_[other];
      if (reached == UNREACHED) {
        reached = descend(other, static_cast<std::uint16_t>(depth + 1), bond);
      }
      if (reached <= depth) {
        in_ring_.set(bond);
      }
      least = std::min(least, reached);
    }
    return least;
  }

  AtomSet collect_part(unsigned int from, AtomSet &seen) {
    AtomSet part;
    part.set(from);
    queue_.assign(1, static_cast<std::uint16_t>(from));
    for (std::size_t head = 0; head < queue_.size(); ++head) {
      const auto &atom = molecule_->atoms[queue_[head]];
      for (unsigned int i = 0; i < atom.degree; ++i) {
        if (!part[atom.neighbors[i]]) {
          part.set(atom.neighbors[i]);
          queue_.push_back(atom.neighbors[i]);
        }
      }
    }
    seen |= part;
    return part;
  }

  bool find_in_part(const AtomSet &part) {
    unsigned int bonds = 0;
    AtomSet loose;  // ends of chains
    for_each_bit(part, [&](unsigned int i) {
      bonds += molecule_->atoms[i].degree;
      loose[i] = degree_[i] < 2;
    });
    bonds /= 2;
    const auto expected = bonds + 1 - part.count();
    if (expected == 0) {
      return true;
    }
    const auto first_ring = molecule_->ring_count;
    AtomSet left = part;
    while (left.any()) {
      trim(loose, left);
      pick_starts(part);
      if (starts_.empty()) {
        if (holds_cage(part)) {
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
    return choose_rings(first_ring, static_cast<unsigned int>(expected));
  }

  // Of more rings than independent ones, the smaller; among equals, those that overlap most with the
  // rings chosen before. False: there are fewer.
  bool choose_rings(unsigned int first, unsigned int expected) {
    const auto count = molecule_->ring_count - first;
    if (count <= expected) {
      for (unsigned int i = first; i < molecule_->ring_count; ++i) {
        chosen_.push_back(i);
      }
      return count == expected;
    }
    std::array<unsigned int, RINGS_MAX> by_size;
    std::iota(by_size.begin(), by_size.begin() + count, first);
    std::sort(by_size.begin(), by_size.begin() + count, [this](unsigned int a, unsigned int b) {
      return molecule_->rings[a].size < molecule_->rings[b].size;
    });
    std::bitset<RINGS_MAX> kept;
    BondSet covered;
    for (unsigned int begin = 0; begin < count;) {
      auto end = begin;
      while (end < count && molecule_->rings[by_size[end]].size == molecule_->rings[by_size[begin]].size) {
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

  // The first that adds a bond, and from then on always the one that overlaps most.
  void choose_among_equals(const unsigned int *rings, unsigned int count, BondSet &covered,
                           std::bitset<RINGS_MAX> &kept) {
    std::bitset<RINGS_MAX> left;
    for (unsigned int i = 0; i < count; ++i) {
      left[i] = (molecule_->ring_bond_sets[rings[i]] & ~covered).any();
    }
    bool first = true;
    while (left.any()) {
      auto best = left._Find_first();
      if (!first) {
        std::size_t overlap_max = 0;
        for_each_bit(left, [&](unsigned int i) {
          const auto overlap = (molecule_->ring_bond_sets[rings[i]] & covered).count();
          if (overlap > overlap_max) {
            overlap_max = overlap;
            best = i;
          }
        });
      }
      left.reset(best);
      const auto &bonds = molecule_->ring_bond_sets[rings[best]];
      if ((bonds & ~covered).any()) {
        covered |= bonds;
        kept.set(rings[best]);
        first = false;
      }
    }
  }

  // Rings that were not chosen but could stand for one that was.
  void add_equal_rings() {
    BondSet once, twice;
    for (const auto ring : chosen_) {
      twice |= once & molecule_->ring_bond_sets[ring];
      once |= molecule_->ring_bond_sets[ring];
    }
    const auto unique = once & ~twice;
    const auto chosen_count = chosen_.size();
    for (const auto extra : extra_) {
      const auto &bonds = molecule_->ring_bond_sets[extra];
      for (std::size_t i = 0; i < chosen_count; ++i) {
        const auto &other = molecule_->ring_bond_sets[chosen_[i]];
        if (molecule_->rings[chosen_[i]].size == molecule_->rings[extra].size && (bonds & other).any() &&
            (other & unique & ~bonds).none()) {
          chosen_.push_back(extra);
          break;
        }
      }
    }
  }

  // Leaves the chosen rings, in the order in which they were chosen.
  void arrange_rings() {
    const auto rings = molecule_->rings;
    const auto atom_sets = molecule_->ring_atom_sets;
    const auto bond_sets = molecule_->ring_bond_sets;
    molecule_->ring_count = 0;
    for (const auto ring : chosen_) {
      molecule_->rings[molecule_->ring_count] = rings[ring];
      molecule_->ring_atom_sets[molecule_->ring_count] = atom_sets[ring];
      molecule_->ring_bond_sets[molecule_->ring_count] = bond_sets[ring];
      ++molecule_->ring_count;
    }
  }

  void count_rings() {
    for (unsigned int i = 0; i < molecule_->ring_count; ++i) {
      const auto &ring = molecule_->rings[i];
      for (unsigned int j = ring.start; j < ring.start + ring.size; ++j) {
        ++molecule_->atoms[molecule_->ring_atoms[j]].rings;
        ++molecule_->bonds[molecule_->ring_bonds[j]].rings;
      }
    }
  }

  // Nothing but atoms of degree three and more is left.
  bool holds_cage(const AtomSet &part) const {
    bool cage = false;
    for_each_bit(part, [&](unsigned int i) { cage |= degree_[i] == 3; });
    return cage;
  }

  // Takes the bonds of loose atoms away until none is loose.
  void trim(AtomSet &loose, AtomSet &left) {
    for (auto i = loose._Find_first(); i < ATOMS_MAX; i = loose._Find_first()) {
      loose.reset(i);
      if (left[i]) {
        left.reset(i);
        cut(static_cast<unsigned int>(i), active_, &loose);
      }
    }
  }

  // Takes the bonds of an atom away; with `loose`, from the degrees too.
  void cut(unsigned int index, BondSet &active, AtomSet *loose) {
    const auto &atom = molecule_->atoms[index];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto bond = atom.bonds[i];
      if (!active[bond]) {
        continue;
      }
      active.reset(bond);
      if (loose) {
        const auto other = atom.neighbors[i];
        if (degree_[other] <= 2) {
          loose->set(other);
        }
        --degree_[other];
        --degree_[index];
      }
    }
  }

  // One atom out of each chain of atoms of degree two.
  void pick_starts(const AtomSet &part) {
    starts_.clear();
    AtomSet taken;
    for_each_bit(part, [&](unsigned int i) {
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
          const auto other = atom.neighbors[j];
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
        for (auto i = loose._Find_first(); i < ATOMS_MAX; i = loose._Find_first()) {
          loose.reset(i);
          cut(static_cast<unsigned int>(i), active_, &loose);
        }
        continue;
      }
      std::size_t offset = 0;
      for (const auto size : found_.sizes) {
        const auto *ring = &found_.atoms[offset];
        const auto atoms = as_set(ring, size);
        if (!is_known(atoms) && !keep(ring, size, atoms)) {
          return false;
        }
        if (!sight(atoms, start, sightings)) {
          return false;
        }
        offset += size;
      }
    }
    return resolve_sightings(sightings);
  }

  static AtomSet as_set(const std::uint16_t *ring, unsigned int size) {
    AtomSet atoms;
    for (unsigned int i = 0; i < size; ++i) {
      atoms.set(ring[i]);
    }
    return atoms;
  }

  bool is_known(const AtomSet &atoms) const {
    const auto end = molecule_->ring_atom_sets.begin() + molecule_->ring_count;
    return std::find(molecule_->ring_atom_sets.begin(), end, atoms) != end;
  }

  bool sight(const AtomSet &atoms, std::uint16_t start, std::size_t &count) {
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

  // Two starts that see the same ring hide larger rings from each other: looks again from each with
  // the others cut off.
  bool resolve_sightings(std::size_t count) {
    repeated_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      if (sightings_[i].starts.size() > 1) {
        repeated_.push_back(i);
      }
    }
    std::sort(repeated_.begin(), repeated_.end(), [this](auto a, auto b) {
      return is_less(sightings_[a].atoms, sightings_[b].atoms);
    });
    for (const auto i : repeated_) {
      again_.clear();
      for (const auto start : sightings_[i].starts) {
        auto active = active_;
        for (std::size_t j = 0; j < count; ++j) {
          const auto &starts = sightings_[j].starts;
          if (std::find(starts.begin(), starts.end(), start) == starts.end()) {
            continue;
          }
          for (const auto other : starts) {
            if (other != start) {
              cut(other, active, nullptr);
            }
          }
        }
        found_.clear();
        search(start, active);
        again_.atoms.insert(again_.atoms.end(), found_.atoms.begin(), found_.atoms.end());
        again_.sizes.insert(again_.sizes.end(), found_.sizes.begin(), found_.sizes.end());
      }
      if (!keep_smallest()) {
        return false;
      }
    }
    return true;
  }

  // As numbers: the highest atom counts most. RDKit resolves repeated rings in this order.
  bool is_less(const AtomSet &a, const AtomSet &b) const {
    const auto differ = a ^ b;
    for (auto i = molecule_->atom_count; i-- > 0;) {
      if (differ[i]) {
        return b[i];
      }
    }
    return false;
  }

  bool keep_smallest() {
    if (again_.sizes.empty()) {
      return true;
    }
    const auto smallest = *std::min_element(again_.sizes.begin(), again_.sizes.end());
    std::size_t offset = 0;
    for (const auto size : again_.sizes) {
      const auto *ring = &again_.atoms[offset];
      offset += size;
      const auto atoms = as_set(ring, size);
      if (size == smallest && !is_known(atoms) && !keep(ring, size, atoms)) {
        return false;
      }
    }
    return true;
  }

  // All smallest rings through an atom, breadth first.
  void search(std::uint16_t root, const BondSet &active_bonds) {
    const auto active = active_bonds & in_ring_;
    enum : std::uint8_t { UNSEEN, WAITING, DONE };
    std::fill_n(state_.begin(), molecule_->atom_count, UNSEEN);
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
        const auto other = atom.neighbors[i];
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

  // Appends the ring from the root to `current`, over to `other` and back, and gives its size; zero
  // if the two ways meet before the root.
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
    if (molecule_->ring_count == RINGS_MAX || molecule_->ring_members + size > RING_MEMBERS_MAX) {
      return false;
    }
    const auto start = molecule_->ring_members;
    BondSet bonds;
    for (unsigned int i = 0; i < size; ++i) {
      const auto &atom = molecule_->atoms[ring[i]];
      const auto next = ring[i + 1 == size ? 0 : i + 1];
      const auto place = std::find(atom.neighbors.begin(), atom.neighbors.end(), next);
      const auto bond = atom.bonds[place - atom.neighbors.begin()];
      molecule_->ring_atoms[start + i] = ring[i];
      molecule_->ring_bonds[start + i] = bond;
      bonds.set(bond);
    }
    molecule_->rings[molecule_->ring_count] = {static_cast<std::uint16_t>(start),
                                   static_cast<std::uint16_t>(size)};
    molecule_->ring_atom_sets[molecule_->ring_count] = atoms;
    molecule_->ring_bond_sets[molecule_->ring_count] = bonds;
    ++molecule_->ring_count;
    molecule_->ring_members += size;
    return true;
  }

  Molecule *molecule_ = nullptr;
  std::array<std::int16_t, ATOMS_MAX> degree_{};
  BondSet active_, in_ring_;
  std::vector<std::uint16_t> starts_, queue_;
  std::vector<unsigned int> chosen_, extra_;
  std::vector<Sighting> sightings_;
  std::vector<std::size_t> repeated_;
  Found found_, again_;
  std::array<std::uint8_t, ATOMS_MAX> state_;
  std::array<std::uint16_t, ATOMS_MAX> parent_, depth_;
};

}  // namespace

bool find_rings(Molecule &mol) {
  thread_local RingFinder finder;
  return finder.find(mol);
}

}  // namespace molsieve::flat
