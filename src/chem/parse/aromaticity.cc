// Hückel's rule over single rings and combinations of fused ones: RDKit's default model.
#include <algorithm>
#include <vector>

#include "molsieve/src/chem/model/valence.h"
#include "molsieve/src/chem/parse/draft.h"

namespace molsieve::parse {

namespace {

// RDKit's bounds.
constexpr unsigned int FUSED_RING_SIZE_MAX = 24;
constexpr unsigned int COMBINED_RINGS_MAX = 6;
constexpr unsigned int LARGE_RING_MIN = 9;

using RingSet = std::bitset<RINGS_MAX>;

// How many electrons an atom gives to the ring. With NONE the ring is not aromatic.
enum class Gives : std::uint8_t { NONE, VACANT, ONE, TWO };

// Reuses its memory for the next molecule.
class Perceiver {
 public:
  void run(Draft &mol) {
    molecule_ = &mol;
    able_.reset();
    candidates_.clear();
    find_able_atoms();
    for (unsigned int ring = 0; ring < molecule_->rings.size(); ++ring) {
      if ((molecule_->ring_atom_sets[ring] & ~able_).none()) {
        candidates_.push_back(ring);
      }
    }
    link_rings();
    molecule_->aromatic_rings = 0;
    RingSet seen;
    for (unsigned int i = 0; i < candidates_.size(); ++i) {
      if (!seen[i]) {
        system_.clear();
        collect_system(i, seen);
        try_combinations();
      }
    }
  }

 private:
  void find_able_atoms() {
    for (unsigned int i = 0; i < molecule_->atoms.size(); ++i) {
      const auto &atom = molecule_->atoms[i];
      if (atom.in_ring) {
        gives_[i] = is_bridge(atom, i) ? Gives::NONE : contribution(atom, i);
        able_[i] = gives_[i] != Gives::NONE && is_able(atom);
      }
    }
  }

  Gives contribution(const Atom &atom, unsigned int index) const {
    int electrons = pi_electrons(atom);
    const int outside = outside_multiple_bond(atom, index);
    if (electrons < 0) {
      return Gives::NONE;
    }
    if (electrons == 0) {
      if (outside >= 0) {
        return Gives::VACANT;
      }
      return has_ring_multiple_bond(atom) ? Gives::ONE : Gives::NONE;
    }
    if (electrons == 1) {
      if (outside >= 0) {
        return attracts_more(molecule_->atoms[outside], atom) ? Gives::VACANT : Gives::ONE;
      }
      if (atom.explicit_valence != atom.degree + atom.explicit_hydrogens) {
        return Gives::ONE;
      }
      return atom.charge == 1 ? Gives::VACANT : Gives::NONE;
    }
    if (outside >= 0 && attracts_more(molecule_->atoms[outside], atom)) {
      --electrons;
    }
    return electrons % 2 == 1 ? Gives::ONE : Gives::TWO;
  }

  // An ether or thioether, all rings of which are large.
  bool is_bridge(const Atom &atom, unsigned int index) const {
    if ((atom.number != OXYGEN && atom.number != SULFUR) || atom.degree != 2 || atom.charge != 0 ||
        any_bond(*molecule_, atom, [](const Bond &bond) { return bond.type != SINGLE; })) {
      return false;
    }
    for (unsigned int ring = 0; ring < molecule_->rings.size(); ++ring) {
      if (molecule_->rings[ring].size < LARGE_RING_MIN &&
          molecule_->ring_atom_sets[ring][index]) {
        return false;
      }
    }
    return true;
  }

  // The atom at the far end of a double or triple bond that is in no ring, or -1.
  int outside_multiple_bond(const Atom &atom, unsigned int index) const {
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto &bond = molecule_->bonds[atom.bonds[i]];
      if (!bond.in_ring && halves(bond.type) >= 4) {
        return static_cast<int>(bond.other(index));
      }
    }
    return -1;
  }

  bool has_ring_multiple_bond(const Atom &atom) const {
    return any_bond(*molecule_, atom,
                    [](const Bond &bond) { return bond.in_ring && halves(bond.type) >= 4; });
  }

  // Whether `a` is more electronegative than `b`, by RDKit's measure.
  static bool attracts_more(const Atom &a, const Atom &b) {
    const int outer_a = valences_of(a.number).outer_electrons;
    const int outer_b = valences_of(b.number).outer_electrons;
    return outer_a > outer_b || (outer_a == outer_b && a.number < b.number);
  }

  bool is_able(const Atom &atom) const {
    if (atom.number > 18 && atom.number != 34) {
      return false;
    }
    if (valences_of(atom.number).default_valence() > 0 &&
        atom.valence() > valences_of(atom.number - atom.charge).default_valence()) {
      return false;
    }
    if (atom.explicit_valence - atom.degree > 1) {
      int multiple = 0;
      for (unsigned int i = 0; i < atom.degree; ++i) {
        multiple += halves(molecule_->bonds[atom.bonds[i]].type) >= 4;
      }
      return multiple <= 1;
    }
    return true;
  }

  void link_rings() {
    linked_.fill({});
    for (unsigned int i = 0; i < candidates_.size(); ++i) {
      for (unsigned int j = i + 1; j < candidates_.size(); ++j) {
        const auto a = candidates_[i], b = candidates_[j];
        if (molecule_->rings[a].size <= FUSED_RING_SIZE_MAX && molecule_->rings[b].size <= FUSED_RING_SIZE_MAX &&
            (molecule_->ring_bond_sets[a] & molecule_->ring_bond_sets[b]).count() == 1) {
          linked_[i].set(j);
          linked_[j].set(i);
        }
      }
    }
  }

  void collect_system(unsigned int ring, RingSet &seen) {
    seen.set(ring);
    system_.push_back(ring);
    for_each_bit(linked_[ring], [&](unsigned int other) {
      if (!seen[other]) {
        collect_system(other, seen);
      }
    });
  }

  // Tries every ring, then every two fused rings, then every three, until all bonds are aromatic.
  void try_combinations() {
    BondSet bonds;
    for (const auto ring : system_) {
      bonds |= molecule_->ring_bond_sets[candidates_[ring]];
    }
    const auto bonds_wanted = bonds.count();
    const auto total = static_cast<unsigned int>(system_.size());
    BondSet done;
    RingSet aromatic;
    for (unsigned int size = 1; size <= std::min(total, COMBINED_RINGS_MAX); ++size) {
      if (done.count() >= bonds_wanted) {
        break;
      }
      std::array<unsigned int, COMBINED_RINGS_MAX> chosen;
      for (unsigned int i = 0; i < size; ++i) {
        chosen[i] = i;
      }
      do {
        try_rings(chosen.data(), size, done, aromatic);
      } while (advance(chosen.data(), size, total));
    }
    molecule_->aromatic_rings += static_cast<unsigned int>(aromatic.count());
  }

  static bool advance(unsigned int *chosen, unsigned int size, unsigned int total) {
    for (unsigned int i = size; i-- > 0;) {
      if (chosen[i] != total - size + i) {
        ++chosen[i];
        for (unsigned int j = i + 1; j < size; ++j) {
          chosen[j] = chosen[j - 1] + 1;
        }
        return true;
      }
    }
    return false;
  }

  void try_rings(const unsigned int *chosen, unsigned int size, BondSet &done, RingSet &aromatic) {
    RingSet rings;
    for (unsigned int i = 0; i < size; ++i) {
      rings.set(system_[chosen[i]]);
    }
    if (size > 1 && !is_fused(rings, system_[chosen[0]])) {
      return;
    }
    // An atom in three of the rings is inside and does not count; a bond in two is not aromatic.
    AtomSet once, twice, more;
    BondSet odd, many;
    for_each_bit(rings, [&](unsigned int ring) {
      const auto &atoms = molecule_->ring_atom_sets[candidates_[ring]];
      const auto &bonds = molecule_->ring_bond_sets[candidates_[ring]];
      more |= twice & atoms;
      twice |= once & atoms;
      once |= atoms;
      many |= odd & bonds;
      odd |= bonds;
    });
    if (!follows_rule(once & ~more)) {
      return;
    }
    const auto outer = odd & ~many;
    for_each_bit(outer, [this](unsigned int index) {
      auto &bond = molecule_->bonds[index];
      bond.aromatic = true;
      if (bond.type == SINGLE || bond.type == DOUBLE) {
        bond.type = AROMATIC;
        molecule_->atoms[bond.begin].aromatic = true;
        molecule_->atoms[bond.end].aromatic = true;
      }
    });
    done |= outer;
    aromatic |= rings;
  }

  bool is_fused(const RingSet &rings, unsigned int from) const {
    RingSet reached, fresh;
    fresh.set(from);
    while (fresh.any()) {
      reached |= fresh;
      RingSet next;
      for_each_bit(fresh, [&](unsigned int ring) { next |= linked_[ring]; });
      fresh = next & rings & ~reached;
    }
    return reached == rings;
  }

  // 4n + 2 electrons.
  bool follows_rule(const AtomSet &atoms) const {
    unsigned int electrons = 0;
    for_each_bit(atoms, [&](unsigned int i) {
      electrons += gives_[i] == Gives::TWO ? 2 : gives_[i] == Gives::ONE ? 1 : 0;
    });
    return electrons == 2 || (electrons >= 6 && electrons % 4 == 2);
  }

  Draft *molecule_ = nullptr;
  std::array<Gives, DRAFT_ATOMS_MAX> gives_;
  AtomSet able_;
  std::vector<unsigned int> candidates_, system_;  // `system_` holds indices into `candidates_`
  std::array<RingSet, RINGS_MAX> linked_;
};

}  // namespace

void set_aromaticity(Draft &mol) {
  thread_local Perceiver perceiver;
  perceiver.run(mol);
}

}  // namespace molsieve::parse
