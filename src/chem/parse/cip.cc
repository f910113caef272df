// RDKit's ranks of atoms by the rules of Cahn, Ingold and Prelog (its legacy code, after Labute, J.
// CCG 1996): classes are split by the ranks their atoms see around them until nothing changes.
#include <GraphMol/PeriodicTable.h>

#include <algorithm>

#include "molsieve/src/chem/parse/flat.h"

namespace molsieve::flat {

namespace {

constexpr unsigned int KEY_BYTES = 16;

// What an atom sees around it: the ranks of its neighbors from the highest down, each as often as
// its bond counts, then its hydrogens. A byte each, so that keys compare as RDKit's lists do.
__extension__ using Key = unsigned __int128;

// How far an isotope is from the commonest, in ten bits; half of their range without an isotope.
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
    stereo += bond.stereo == Stereo::STEREOE ? 1 : bond.stereo == Stereo::STEREOZ ? 2 : 0;
  }
  return atom.rank * 100u + stereo;
}

class Ranker {
 public:
  explicit Ranker(Molecule &mol) : mol_(mol) {}

  template <typename First>
  bool run(First first) {
    rank_by(first);
    unsigned int previous = 0;
    const auto rounds_max = mol_.atom_count / 2 + 1;
    for (unsigned int round = 0;
         round < rounds_max && ranks_ < mol_.atom_count && previous < ranks_; ++round) {
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
    const auto count = mol_.atom_count;
    std::array<std::uint32_t, ATOMS_MAX> sorted;  // what is ranked by, then the atom in eight bits
    for (unsigned int i = 0; i < count; ++i) {
      sorted[i] = first(mol_, mol_.atoms[i]) << 8 | i;
    }
    std::sort(sorted.begin(), sorted.begin() + count);
    for (unsigned int i = 0; i < count; ++i) {
      order_[i] = static_cast<std::uint8_t>(sorted[i]);
      starts_[i] = i == 0 || sorted[i] >> 8 != sorted[i - 1] >> 8;
    }
    number_classes();
  }

  // An atom's rank is the number of classes before its own.
  void number_classes() {
    unsigned int rank = 0;
    for (unsigned int i = 0; i < mol_.atom_count; ++i) {
      rank += i > 0 && starts_[i];
      mol_.atoms[order_[i]].rank = static_cast<std::uint8_t>(rank);
    }
    ranks_ = rank + 1;
  }

  // Splits the classes of more than one atom by what their atoms see.
  bool refine() {
    const auto count = mol_.atom_count;
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

  // False: more to see than the key has room for.
  bool make_key(unsigned int index) {
    const auto &atom = mol_.atoms[index];
    std::array<std::pair<std::uint8_t, std::uint8_t>, NEIGHBORS_MAX> seen;  // rank, times
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto &neighbor = mol_.atoms[atom.neighbors[i]];
      const auto order = mol_.bonds[atom.bonds[i]].order;
      // RDKit counts d orbitals of phosphorus for nothing.
      const bool phosphorus = order == Order::DOUBLE && neighbor.number == 15 &&
                              (neighbor.degree == 3 || neighbor.degree == 4);
      const std::pair entry{neighbor.rank,
                            static_cast<std::uint8_t>(phosphorus ? 1 : halves(order))};
      unsigned int place = i;
      for (; place > 0 && seen[place - 1].first < entry.first; --place) {
        seen[place] = seen[place - 1];
      }
      seen[place] = entry;
    }
    unsigned int length = 0;
    Key key = 0;
    const auto append = [&](std::uint64_t byte, unsigned int times) {
      constexpr std::uint64_t EACH_BYTE = 0x0101010101010101;
      key = key << 8 * times | byte * (EACH_BYTE >> (64 - 8 * times));
      length += times;
    };
    // Zero is the end of the key, one a hydrogen.
    for (unsigned int i = 0; i < atom.degree; ++i) {
      append(seen[i].first + 2u, seen[i].second);
    }
    const auto hydrogens = static_cast<unsigned int>(atom.total_hs());
    if (length + hydrogens > KEY_BYTES || hydrogens > 8) {
      return false;
    }
    if (hydrogens > 0) {
      append(1, hydrogens);
    }
    key = length == 0 ? 0 : key << 8 * (KEY_BYTES - length);
    keys_[index] = key;
    return true;
  }

  Molecule &mol_;
  unsigned int ranks_ = 0;
  std::array<std::uint8_t, ATOMS_MAX> order_;
  std::array<bool, ATOMS_MAX> starts_;  // a class begins at this place of the order
  std::array<Key, ATOMS_MAX> keys_;
};

}  // namespace

bool rank_atoms(Molecule &mol) { return Ranker(mol).run(by_element); }

bool rank_atoms_again(Molecule &mol) { return Ranker(mol).run(by_stereo); }

}  // namespace molsieve::flat
