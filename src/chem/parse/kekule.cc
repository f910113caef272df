// Assigns single and double bonds in place of aromatic ones, in the order in which RDKit tries them and with the same
// second choices: the outcome matters, since some of the bonds do not become aromatic again.
#include <algorithm>
#include <vector>

#include "molsieve/src/chem/model/valence.h"
#include "molsieve/src/chem/parse/draft.h"

namespace molsieve::parse {

namespace {

// RDKit's limit on second choices.
constexpr unsigned int RETURNS_MAX = 100;

// An atom with more than one possible double bond: the indices of those not yet tried in its list of bonds.
struct Choice {
  std::uint16_t atom;
  std::uint8_t count;
  std::array<std::uint8_t, NEIGHBOURS_MAX> places;  // the next comes first
};

// Reuses its memory for the next molecule.
class Kekulizer {
 public:
  bool run(Draft &mol) {
    molecule_ = &mol;
    seen_rings_.reset();
    for (unsigned int i = 0; i < molecule_->rings.size(); ++i) {
      if (!seen_rings_[i]) {
        system_.clear();
        system_set_.reset();
        collect_system(i);
        std::ranges::sort(system_);
        mark_candidates();
        if (!assign_double_bonds()) {
          return false;
        }
      }
    }
    return clear_aromaticity();
  }

 private:
  // The atoms of the rings that share bonds with this one, each once. Recursion is at most
  // RINGS_MAX deep.
  void collect_system(unsigned int ring) {
    seen_rings_.set(ring);
    for (unsigned int i = 0; i < molecule_->rings[ring].size; ++i) {
      const auto atom = molecule_->ring_atoms[molecule_->rings[ring].start + i];
      if (!system_set_[atom]) {
        system_set_.set(atom);
        system_.push_back(atom);
      }
    }
    for (unsigned int other = 0; other < molecule_->rings.size(); ++other) {
      if (!seen_rings_[other] &&
          (molecule_->ring_bond_sets[ring] & molecule_->ring_bond_sets[other]).any()) {
        collect_system(other);
      }
    }
  }

  // Finds the atoms that need a double bond and makes their aromatic bonds single.
  void mark_candidates() {
    needs_.reset();
    done_.reset();
    if (std::ranges::none_of(system_, [this](auto index) {
          return is_aromatic(*molecule_, molecule_->atoms[index]);
        })) {
      return;
    }
    single_.reset();
    for (const auto index : system_) {
      const auto &atom = molecule_->atoms[index];
      if (!is_aromatic(*molecule_, atom)) {
        done_.set(index);
      } else {
        needs_[index] = needs_double_bond(atom);
      }
    }
    for_each_bit(single_, [this](unsigned int bond) { molecule_->bonds[bond].type = SINGLE; });
  }

  bool needs_double_bond(const Atom &atom) {
    int orders = atom.hydrogens();
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto &bond = molecule_->bonds[atom.bonds[i]];
      if (bond.aromatic && bond.type != TRIPLE) {
        ++orders;
        single_.set(atom.bonds[i]);
      } else {
        orders += halves(bond.type) / 2;
      }
    }
    const auto &own = valences_of(atom.number);
    int charge = atom.charge;
    // With a positive charge, boron and carbon have one bond less and later elements one more.
    if (atom.number == 5 || (atom.number == 6 && charge > 0)) {
      charge = -charge;
    }
    int valence = own.default_valence() + charge;
    for (int i = 1; atom.valence() > valence && i < own.valence_count && own.valences[i] > 0;
         ++i) {
      valence = own.valences[i] + charge;
    }
    if (atom.degree + atom.implicit_hydrogens >= valence) {
      return false;
    }
    return valence == orders + 1 || (atom.no_implicit && valence == orders + 2);
  }

  bool assign_double_bonds() {
    queue_.clear();
    order_.clear();
    choices_.clear();
    queued_.reset();
    assigned_.reset();
    head_ = next_ = returns_ = 0;
    for (;;) {
      std::uint16_t current;
      if (head_ < queue_.size()) {
        current = queue_[head_++];
        queued_.reset(current);
      } else {
        while (next_ < system_.size() && done_[system_[next_]]) {
          ++next_;
        }
        if (next_ == system_.size()) {
          return true;
        }
        current = system_[next_];
      }
      done_.set(current);
      order_.push_back(current);
      if (!visit(current)) {
        return false;
      }
    }
  }

  // Assigns a double bond to the atom, if it needs one, and queues its neighbours.
  bool visit(std::uint16_t current) {
    const bool again = !choices_.empty() && choices_.back().atom == current;
    if (!again) {
      choices_.push_back(look_around(current));
    }
    if (!needs_[current]) {
      if (!again) {
        choices_.pop_back();
      }
      return true;
    }
    auto &choice = choices_.back();
    if (choice.count == 0) {
      choices_.pop_back();
      return go_back();
    }
    const auto &atom = molecule_->atoms[current];
    const auto place = choice.places[0];
    std::copy(choice.places.begin() + 1, choice.places.begin() + choice.count,
              choice.places.begin());
    if (--choice.count == 0) {
      choices_.pop_back();
    }
    molecule_->bonds[atom.bonds[place]].type = DOUBLE;
    molecule_->bonds[atom.bonds[place]].direction = Direction::None;
    assigned_.set(atom.bonds[place]);
    needs_.reset(current);
    needs_.reset(atom.neighbours[place]);
    return true;
  }

  // Queues the neighbours that were not visited, and finds those that could share a double bond.
  Choice look_around(std::uint16_t current) {
    const auto &atom = molecule_->atoms[current];
    Choice choice{current, 0, {}};
    std::array<std::uint8_t, NEIGHBOURS_MAX> places{0, 1, 2, 3, 4, 5};
    sort_few(places.data(), atom.degree,
             [&](auto a, auto b) { return atom.neighbours[a] < atom.neighbours[b]; });
    for (unsigned int k = 0; k < atom.degree; ++k) {
      const auto i = places[k];
      const auto other = atom.neighbours[i];
      if (done_[other] || !system_set_[other]) {
        continue;
      }
      if (!queued_[other]) {
        queued_.set(other);
        queue_.push_back(other);
      }
      if (needs_[current] && needs_[other] && molecule_->bonds[atom.bonds[i]].aromatic) {
        choice.places[choice.count++] = i;
      }
    }
    return choice;
  }

  // Undoes all assignments since the last atom that had a choice; that atom is visited next.
  bool go_back() {
    if (choices_.empty() || returns_++ == RETURNS_MAX) {
      return false;
    }
    const auto from = std::ranges::find(order_, choices_.back().atom);
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(head_));
    queue_.insert(queue_.begin(), from, order_.end());
    head_ = next_ = 0;
    std::for_each(from, order_.end(), [this](auto index) {
      done_.reset(index);
      queued_.set(index);
    });
    order_.erase(from, order_.end());
    for_each_bit(assigned_, [this](unsigned int index) {
      auto &bond = molecule_->bonds[index];
      if (!done_[bond.begin] && !done_[bond.end]) {
        assigned_.reset(index);
        bond.type = SINGLE;
        needs_.set(bond.begin);
        needs_.set(bond.end);
      }
    });
    return true;
  }

  bool clear_aromaticity() {
    for (auto &bond : molecule_->bonds) {
      bond.aromatic = false;
    }
    for (auto &atom : molecule_->atoms) {
      if (!atom.aromatic) {
        continue;
      }
      if (!atom.in_ring) {
        return false;
      }
      atom.aromatic = false;
      // The explicit hydrogen of pyrrole's nitrogen is no longer needed.
      if ((atom.number == 7 || atom.number == 15) && atom.charge == 0 && atom.explicit_hydrogens == 1) {
        const int before = atom.valence();
        atom.no_implicit = false;
        atom.explicit_hydrogens = 0;
        if (!complete_valence(*molecule_, atom) || before != atom.valence()) {
          return false;
        }
      }
    }
    return true;
  }

  Draft *molecule_ = nullptr;
  std::bitset<RINGS_MAX> seen_rings_;
  std::vector<std::uint16_t> system_, queue_, order_;
  std::vector<Choice> choices_;
  std::size_t head_ = 0, next_ = 0;
  unsigned int returns_ = 0;
  BondSet assigned_;
  AtomSet system_set_, needs_, done_, queued_;
  BondSet single_;
};

}  // namespace

bool kekulize(Draft &mol) {
  if (std::ranges::none_of(mol.atoms, [](const Atom &a) { return a.aromatic; }) &&
      std::ranges::none_of(mol.bonds, [](const Bond &b) { return b.aromatic; })) {
    return true;
  }
  thread_local Kekulizer kekulizer;
  return kekulizer.run(mol);
}

}  // namespace molsieve::parse
