#include "molsieve/src/chem/describe/crippen.h"

#include <GraphMol/Descriptors/Crippen.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "molsieve/src/chem/describe/pattern.h"

namespace molsieve::describe {

namespace {

// RDKit finds no more matches of a pattern.
constexpr unsigned int MATCHES_MAX = 1000;
constexpr int HYDROGENS_MAX = 8;  // of an atom
constexpr std::uint8_t HYDROGEN = 1;
constexpr std::size_t TYPES_MAX = 255;
// The elements of a flat molecule but oxygen.
constexpr Element OTHERS[] = {BORON,      CARBON, NITROGEN, FLUORINE, SILICON, PHOSPHORUS,
                              SULFUR, CHLORINE, SELENIUM, BROMINE,  IODINE};

// RDKit's table. Empty if it has anything that is not covered: then RDKit computes each logP.
struct Table {
  std::vector<Pattern> patterns;
  // Per type: what it contributes. The last is of atoms that no pattern matches.
  std::vector<double> log_p;
  // Per element: the patterns that may begin with it.
  std::array<std::vector<std::uint8_t>, IODINE + 1> by_element;

  Table() {
    for (const auto &entry : *RDKit::Descriptors::CrippenParamCollection::getParams()) {
      auto pattern = Pattern::parse(entry.smarts);
      if (!pattern || !is_covered(*pattern) || patterns.size() == TYPES_MAX) {
        patterns.clear();
        return;
      }
      for (unsigned int number = 0; number <= IODINE; ++number) {
        if (pattern->may_begin_with(static_cast<std::uint8_t>(number))) {
          by_element[number].push_back(static_cast<std::uint8_t>(patterns.size()));
        }
      }
      patterns.push_back(std::move(*pattern));
      log_p.push_back(entry.logp);
    }
    log_p.push_back(0);
  }

  // Whether the surroundings that types are kept by have all that the pattern looks at: the neighbours of an atom, and
  // of an oxygen or a hydrogen on it two spheres of them.
  static bool is_covered(const Pattern &pattern) {
    const auto depth = pattern.depth();
    if (pattern.may_begin_with(HYDROGEN)) {
      return depth <= 2 || (depth == 3 && pattern.continues_with(OXYGEN) && pattern.begins_with_chain(3));
    }
    return depth <= 1 || (depth == 2 && pattern.may_begin_with(OXYGEN) && pattern.begins_with_chain(2) &&
                          std::ranges::none_of(OTHERS, [&](auto number) { return pattern.may_begin_with(number); }));
  }

  std::uint8_t type_of(const Molecule &mol, Place place) const {
    const auto &candidates = by_element[place.hydrogen != 0 ? HYDROGEN : mol.atoms[place.atom].number];
    const auto found = std::ranges::find_if(
        candidates, [&](auto type) { return patterns[type].matches(mol, place); });
    return found == candidates.end() ? static_cast<std::uint8_t>(patterns.size()) : *found;
  }
};

const Table &table() {
  static const Table table;
  return table;
}

// All of an atom that a pattern can ask for, in 20 bits; never 0.
std::uint32_t code_of(const Atom &atom) {
  const auto charge = static_cast<std::uint32_t>(atom.charge + 16) & 31;
  return atom.number | charge << 7 | static_cast<std::uint32_t>(atom.aromatic) << 12 |
         static_cast<std::uint32_t>(atom.hydrogens()) << 13 | static_cast<std::uint32_t>(atom.degree) << 17;
}

// In two bits.
std::uint32_t code_of(BondType type) { return type == AROMATIC ? 0 : type; }

// Sorts what an atom's neighbours are to a key.
template <typename T>
void sort_four(std::array<T, PRODUCT_DEGREE_MAX> &items, unsigned int count) {
  sort_few(items.data(), count, [](const T &a, const T &b) { return a < b; });
}

// Whether RDKit's search finds all matches of every pattern. A pattern matches in as many ways as an atom's neighbours
// can be arranged.
bool is_within_matches(const Molecule &mol) {
  constexpr unsigned int ARRANGEMENTS[] = {1, 1, 2, 6, 24};
  unsigned int at_atoms = 0, at_hydrogens = 0;
  for (const auto &atom : mol.atoms) {
    at_atoms += ARRANGEMENTS[atom.degree];
    at_hydrogens += static_cast<unsigned int>(atom.hydrogens()) * (atom.number == OXYGEN ? 6 : 1);
  }
  return at_atoms <= MATCHES_MAX && at_hydrogens <= MATCHES_MAX;
}

bool is_covered(const Molecule &mol) {
  return std::ranges::all_of(mol.atoms, [](const Atom &atom) {
    return atom.degree <= PRODUCT_DEGREE_MAX && atom.hydrogens() <= HYDROGENS_MAX;
  }) && is_within_matches(mol);
}

}  // namespace

CrippenTypes::Entry &CrippenTypes::Cache::place_of(const Key &key) {
  if (entries_.empty()) {
    entries_.resize(ENTRIES);
  }
  auto hash = key[0] * 0x9e3779b97f4a7c15u ^ key[1] * 0xc2b2ae3d27d4eb4fu;
  hash ^= hash >> 32;
  return entries_[hash * 0x9e3779b97f4a7c15u >> ENTRIES_SHIFT];
}

bool CrippenTypes::log_p(const Molecule &mol, double &sum) {
  if (table().patterns.empty() || !is_covered(mol)) {
    return false;
  }
  leave_room_for_numbers();
  for (std::uint16_t i = 0; i < mol.atoms.size(); ++i) {
    codes_[i] = code_of(mol.atoms[i]);
  }
  for (std::uint16_t i = 0; i < mol.atoms.size(); ++i) {
    take_surroundings(mol, i);
  }
  // RDKit adds the hydrogens behind all atoms.
  const auto &log_p = table().log_p;
  sum = 0;
  for (std::uint16_t i = 0; i < mol.atoms.size(); ++i) {
    if (mol.atoms[i].number == OXYGEN) {
      types_[i] = of_oxygen(mol, i);
    }
    sum += log_p[types_[i].atom];
  }
  for (std::uint16_t i = 0; i < mol.atoms.size(); ++i) {
    for (int hydrogen = 0; hydrogen < mol.atoms[i].hydrogens(); ++hydrogen) {
      sum += log_p[types_[i].hydrogen];
    }
  }
  return true;
}

// Finds the entry of an atom by its neighbours; for an oxygen, only the entry's number counts.
void CrippenTypes::take_surroundings(const Molecule &mol, std::uint16_t index) {
  const auto &atom = mol.atoms[index];
  std::array<std::uint64_t, PRODUCT_DEGREE_MAX> around{};  // 22 bits each
  for (unsigned int i = 0; i < atom.degree; ++i) {
    around[i] = codes_[atom.neighbours[i]] << 2 | code_of(mol.bonds[atom.bonds[i]].type);
  }
  sort_four(around, atom.degree);
  const Key key{codes_[index] | around[0] << 20 | around[1] << 42, around[2] | around[3] << 22};
  auto &entry = by_neighbours_.place_of(key);
  if (entry.number == 0 || entry.key != key) {
    entry.key = key;
    entry.number = ++last_number_;
    if (atom.number != OXYGEN) {
      entry.types = {table().type_of(mol, {index, 0}), table().type_of(mol, {index, 1})};
    }
  }
  numbers_[index] = entry.number;
  types_[index] = entry.types;
}

CrippenTypes::Types CrippenTypes::of_oxygen(const Molecule &mol, std::uint16_t index) {
  const auto &atom = mol.atoms[index];
  const auto match = [&] { return Types{table().type_of(mol, {index, 0}), table().type_of(mol, {index, 1})}; };
  if (atom.degree > 2) {
    return match();
  }
  std::array<std::uint64_t, PRODUCT_DEGREE_MAX> around{};  // 34 bits each
  for (unsigned int i = 0; i < atom.degree; ++i) {
    around[i] = static_cast<std::uint64_t>(numbers_[atom.neighbours[i]]) << 2 | code_of(mol.bonds[atom.bonds[i]].type);
  }
  sort_four(around, atom.degree);
  const Key key{numbers_[index] | (around[0] & 3) << 32 | (around[1] & 3) << 34,
                around[0] >> 2 | around[1] >> 2 << 32};
  auto &entry = by_two_spheres_.place_of(key);
  if (entry.number == 0 || entry.key != key) {
    entry = {key, ++last_number_, match()};
  }
  return entry.types;
}

// Before numbers would be given twice, forgets all entries.
void CrippenTypes::leave_room_for_numbers() {
  if (last_number_ > std::numeric_limits<std::uint32_t>::max() - 2 * ATOMS_MAX) {
    by_neighbours_.clear();
    by_two_spheres_.clear();
    last_number_ = 0;
  }
}

}  // namespace molsieve::describe
