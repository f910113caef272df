#include "molsieve/src/chem/model/cip.h"

#include <GraphMol/PeriodicTable.h>

#include <algorithm>

#include "molsieve/src/chem/model/valence.h"

namespace molsieve {

namespace {

// The ranks of an atom's neighbours from the highest down, each as often as its bond counts, then its hydrogens.
// A digit each, so that keys compare as RDKit's lists do. Digit zero is the end of the key, one a hydrogen.
__extension__ using Key = unsigned __int128;
constexpr unsigned int DIGIT_BITS = 9;
constexpr unsigned int KEY_DIGITS = 128 / DIGIT_BITS;
constexpr unsigned int FIRST_RANK_DIGIT = 2;
static_assert(ATOMS_MAX + FIRST_RANK_DIGIT <= 1 << DIGIT_BITS);
// RDKit counts every bond by halves, up to three.
constexpr unsigned int TIMES_MAX = 6;

// The difference between an isotope and the commonest one, in ten bits; the middle of the range without an isotope.
std::uint32_t mass(const Atom &atom) {
  constexpr int MASS_MAX = 1 << 10;
  int mass = MASS_MAX / 2;
  if (atom.isotope != 0) {
    const int difference =
        atom.isotope - RDKit::PeriodicTable::getTable()->getMostCommonIsotope(atom.number);
    mass += difference + (difference >= 0);
  }
  return static_cast<std::uint32_t>(mass < 0 ? 0 : mass % MASS_MAX);
}

std::uint32_t by_element(const Molecule &, const Atom &atom) {
  return static_cast<std::uint32_t>(atom.number) << 10 | mass(atom);
}

// R before S before none, then Z before E before none.
std::uint32_t by_stereo(const Molecule &mol, const Atom &atom) {
  std::uint32_t stereo = atom.cip_code == 'R' ? 20 : atom.cip_code == 'S' ? 10 : 0;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto &bond = mol.bonds[atom.bonds[i]];
    stereo += bond.stereo == E ? 1 : bond.stereo == Z ? 2 : 0;
  }
  return atom.cip_rank * 100u + stereo;
}

class CipRanker {
 public:
  explicit CipRanker(Molecule &mol) : mol_(mol) {}

  template <typename First>
  bool run(First first, bool (*decided)(const Molecule &) = nullptr) {
    rank_by(first);
    unsigned int previous = 0;
    const auto rounds_max = mol_.atoms.size() / 2 + 1;
    for (unsigned int round = 0;
         round < rounds_max && ranks_ < mol_.atoms.size() && previous < ranks_; ++round) {
      if (decided && decided(mol_)) {
        return true;
      }
      previous = ranks_;
      if (!refine()) {
        return false;
      }
    }
    return true;
  }

 private:
  template <typename First>
  void rank_by(First first) {
    const auto count = mol_.atoms.size();
    std::array<std::uint32_t, ATOMS_MAX> sorted;  // what atoms are ranked by, then the atom
    for (unsigned int i = 0; i < count; ++i) {
      sorted[i] = first(mol_, mol_.atoms[i]) << DIGIT_BITS | i;
    }
    std::sort(sorted.begin(), sorted.begin() + count);
    for (unsigned int i = 0; i < count; ++i) {
      order_[i] = static_cast<std::uint16_t>(sorted[i] & ((1u << DIGIT_BITS) - 1));
      starts_[i] = i == 0 || sorted[i] >> DIGIT_BITS != sorted[i - 1] >> DIGIT_BITS;
    }
    number_classes();
  }

  // An atom's rank is the number of classes before its own.
  void number_classes() {
    unsigned int rank = 0;
    for (unsigned int i = 0; i < mol_.atoms.size(); ++i) {
      rank += i > 0 && starts_[i];
      mol_.atoms[order_[i]].cip_rank = static_cast<std::uint16_t>(rank);
    }
    ranks_ = rank + 1;
  }

  // Splits the classes of more than one atom by what their atoms see.
  bool refine() {
    const auto count = mol_.atoms.size();
    for (unsigned int begin = 0; begin < count;) {
      auto end = begin + 1;
      while (end < count && !starts_[end]) {
        ++end;
      }
      if (end - begin > 1) {
        for (unsigned int i = begin; i < end; ++i) {
          if (!make_key(order_[i])) {
            return false;
          }
        }
        std::sort(order_.begin() + begin, order_.begin() + end,
                  [this](auto a, auto b) { return keys_[a] < keys_[b]; });
        for (unsigned int i = begin + 1; i < end; ++i) {
          starts_[i] = keys_[order_[i]] != keys_[order_[i - 1]];
        }
      }
      begin = end;
    }
    number_classes();
    return true;
  }

  // False: the key has no room for all.
  bool make_key(unsigned int index) {
    const auto &atom = mol_.atoms[index];
    std::array<std::pair<std::uint16_t, std::uint8_t>, NEIGHBOURS_MAX> around;  // rank, times
    unsigned int length = static_cast<unsigned int>(atom.hydrogens());
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto &neighbour = mol_.atoms[atom.neighbours[i]];
      const auto type = mol_.bonds[atom.bonds[i]].type;
      // RDKit does not count the d orbitals of phosphorus.
      const bool phosphorus = type == DOUBLE && neighbour.number == PHOSPHORUS &&
                              (neighbour.degree == 3 || neighbour.degree == 4);
      around[i] = {neighbour.cip_rank, phosphorus ? 1 : static_cast<std::uint8_t>(halves(type))};
      length += around[i].second;
    }
    if (length > KEY_DIGITS || atom.hydrogens() > static_cast<int>(TIMES_MAX)) {
      return false;
    }
    sort_few(around.data(), atom.degree,
             [](const auto &a, const auto &b) { return a.first > b.first; });
    Key key = 0;
    const auto append = [&](std::uint64_t digit, unsigned int times) {
      constexpr std::uint64_t EACH_DIGIT = 01001001001001001;  // six ones
      key = key << DIGIT_BITS * times |
            digit * (EACH_DIGIT >> DIGIT_BITS * (TIMES_MAX - times));
    };
    for (unsigned int i = 0; i < atom.degree; ++i) {
      append(around[i].first + FIRST_RANK_DIGIT, around[i].second);
    }
    if (atom.hydrogens() > 0) {
      append(1, static_cast<unsigned int>(atom.hydrogens()));
    }
    keys_[index] = length == 0 ? 0 : key << DIGIT_BITS * (KEY_DIGITS - length);
    return true;
  }

  Molecule &mol_;
  unsigned int ranks_ = 0;
  std::array<std::uint16_t, ATOMS_MAX> order_;
  std::array<bool, ATOMS_MAX> starts_;  // a class begins at this place of the order
  std::array<Key, ATOMS_MAX> keys_;
};

}  // namespace

bool rank_by_cip(Molecule &mol) { return CipRanker(mol).run(by_element); }

bool rank_by_cip_until(Molecule &mol, bool (*decided)(const Molecule &)) {
  return CipRanker(mol).run(by_element, decided);
}

bool rank_by_cip_and_stereo(Molecule &mol) { return CipRanker(mol).run(by_stereo); }

bool neighbours_tie(const Molecule &mol, const Atom &atom) {
  for (unsigned int i = 0; i < atom.degree; ++i) {
    for (unsigned int j = i + 1; j < atom.degree; ++j) {
      if (mol.atoms[atom.neighbours[i]].cip_rank == mol.atoms[atom.neighbours[j]].cip_rank) {
        return true;
      }
    }
  }
  return false;
}

char cip_code(const Molecule &mol, const Atom &atom) {
  bool clockwise = atom.chirality == CLOCKWISE;
  clockwise ^= is_odd_permutation(
      atom.degree, [&](unsigned int i) { return mol.atoms[atom.neighbours[i]].cip_rank; });
  clockwise ^= atom.degree == 3 && atom.hydrogens() == 1;
  return clockwise ? 'R' : 'S';
}

}  // namespace molsieve
