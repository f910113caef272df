#include "molsieve/src/chem/write/smiles.h"

#include <algorithm>
#include <charconv>

namespace molsieve::write {

namespace {

enum Colour : std::uint8_t { WHITE, GREY, BLACK };

// RDKit's own weights: bonds in rings come after others, and ring closures first.
constexpr std::int64_t ATOMS = 5000;
constexpr std::int64_t BOND_TYPES = 32;
// More rings open at once are left to RDKit.
constexpr std::size_t CLOSURES_MAX = 99;

// At most five digits.
char *print_number(unsigned int number, char *to) { return std::to_chars(to, to + 5, number).ptr; }

}  // namespace

SmilesWriter::SmilesWriter() { steps_.reserve(4 * ATOMS_MAX); }

bool SmilesWriter::write(const Molecule &mol, std::string &text) {
  mol_ = &mol;
  is_direct_ = false;
  if (!ranks_.rank(mol)) {
    return false;
  }
  std::uint16_t first = 0;
  while (ranks_[first] != 0) {
    ++first;
  }
  return write_from(first, text);
}

bool SmilesWriter::write_directly(const Molecule &mol, std::string &text) {
  mol_ = &mol;
  is_direct_ = true;
  return write_from(0, text);
}

bool SmilesWriter::write_from(std::uint16_t first, std::string &text) {
  const auto &mol = *mol_;
  text.clear();
  prepare();
  find_closures(first, NO_INDEX);
  if (!walk(first, NO_INDEX)) {
    return false;
  }
  if (mol.has_chirality) {
    orient_centres();
  }
  if (mol.has_stereo && !slashes_.place(mol, visits_)) {
    return false;
  }
  print(text);
  return true;
}

void SmilesWriter::prepare() {
  const auto atoms = mol_->atoms.size();
  const auto bonds = mol_->bonds.size();
  steps_.clear();
  colour_.assign(atoms, WHITE);
  nexts_.assign(atoms, {});
  closures_.assign(atoms, {});
  visits_.closure.assign(bonds, 0);
  number_in_use_.assign(CLOSURES_MAX, false);
  bond_order_.assign(atoms, {});
  visits_.atom.assign(atoms, 0);
  visits_.bond.assign(bonds, 0);
  visits_.followed.clear();
  slashes_.clear(*mol_);
}

// A first walk in canonical order finds the bonds that close rings.
void SmilesWriter::find_closures(std::uint16_t index, std::uint16_t by) {
  const auto &atom = mol_->atoms[index];
  colour_[index] = GREY;
  Neighbours nexts;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    if (atom.bonds[i] == by) {
      continue;
    }
    const auto &bond = mol_->bonds[atom.bonds[i]];
    std::int64_t priority = rank(atom.neighbours[i]);
    if (colour_[atom.neighbours[i]] == GREY) {
      priority += (BOND_TYPES - bond.type) * ATOMS - (BOND_TYPES + 1) * ATOMS * ATOMS;
    } else if (bond.in_ring) {
      priority += (BOND_TYPES - bond.type) * ATOMS * ATOMS;
    }
    nexts.push_back({priority, atom.neighbours[i], atom.bonds[i]});
  }
  sort_few(nexts.begin(), nexts.size(),
           [](const auto &a, const auto &b) { return a.priority < b.priority; });
  for (const auto &next : nexts) {
    if (colour_[next.atom] == WHITE) {
      nexts_[index].push_back({next.atom, next.bond});
      find_closures(next.atom, next.bond);
    } else if (colour_[next.atom] == GREY) {
      closures_[next.atom].push_back(next.bond);
      closures_[index].push_back(next.bond);
    }
  }
  colour_[index] = BLACK;
}

// The second walk records the steps. False: more rings are open at once than are covered.
bool SmilesWriter::walk(std::uint16_t index, std::uint16_t by) {
  steps_.push_back({Kind::Atom, index, 0});
  visits_.atom[index] = steps_.size();
  auto &order = bond_order_[index];
  if (by != NO_INDEX) {
    order.push_back(by);
  }
  const auto &closures = closures_[index];
  std::ranges::for_each(closures, [&](auto bond) { order.push_back(bond); });
  if (!write_closures(index)) {
    return false;
  }
  const auto &nexts = nexts_[index];
  for (const auto &next : nexts) {
    const bool branch = &next + 1 != nexts.end();
    order.push_back(next.bond);
    if (branch) {
      steps_.push_back({Kind::Open, 0, 0});
    }
    follow(next.bond, index);
    if (!walk(next.atom, next.bond)) {
      return false;
    }
    if (branch) {
      steps_.push_back({Kind::Close, 0, 0});
    }
  }
  return true;
}

void SmilesWriter::follow(std::uint16_t bond, std::uint16_t from) {
  steps_.push_back({Kind::Bond, bond, from});
  visits_.bond[bond] = steps_.size();
  visits_.followed.push_back({bond, from});
}

// A number that is closed here can be used again only by later atoms.
bool SmilesWriter::write_closures(std::uint16_t index) {
  Indices closed;
  for (const auto bond : closures_[index]) {
    auto &number = visits_.closure[bond];
    if (number != 0) {
      follow(bond, index);
      closed.push_back(number);
    } else {
      const auto free = std::ranges::find(number_in_use_, false);
      if (free == number_in_use_.end()) {
        return false;
      }
      *free = true;
      number = free - number_in_use_.begin() + 1;
    }
    steps_.push_back({Kind::Ring, number, 0});
  }
  for (const auto number : closed) {
    number_in_use_[number - 1] = false;
  }
  return true;
}

// Converts chirality to the order in which bonds are written.
void SmilesWriter::orient_centres() {
  chirality_.assign(mol_->atoms.size(), NO_CHIRALITY);
  for (std::size_t index = 0; index < mol_->atoms.size(); ++index) {
    const auto &atom = mol_->atoms[index];
    if (atom.chirality == NO_CHIRALITY) {
      continue;
    }
    std::array<std::uint8_t, PRODUCT_DEGREE_MAX> place;
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto written = bond_order_[index].begin();
      place[i] = std::find(written, written + atom.degree, atom.bonds[i]) - written;
    }
    bool odd = is_odd_permutation(atom.degree, [&](unsigned int i) { return place[i]; });
    // The hydrogen of a centre that begins the SMILES moves from the last position to the first.
    const bool first = index == steps_.front().index;
    const bool has_hydrogen =
        atom.explicit_hydrogens == 1 || atom.implicit_hydrogens == 1;
    // RDKit overlooks a hydrogen there that is not explicit, as it may be after an edit.
    const bool leads = first && (is_direct_ ? has_hydrogen : atom.explicit_hydrogens == 1);
    if (atom.degree == 3 && (leads ||
                             (!has_hydrogen && closures_[index].size() == 1))) {
      odd = !odd;
    }
    chirality_[index] = odd == (atom.chirality == CLOCKWISE) ? COUNTERCLOCKWISE : CLOCKWISE;
  }
}

void SmilesWriter::print(std::string &text) {
  printed_.resize(STEP_BYTES_MAX * steps_.size() + ATOM_BYTES_MAX * mol_->atoms.size());
  // Ring closure numbers are assigned again while printing: the lowest free one, which is free again one atom after it
  // was closed.
  std::array<std::uint16_t, CLOSURES_MAX + 1> shown{};
  std::array<bool, CLOSURES_MAX + 2> taken{};
  Indices closed;
  auto *to = printed_.data();
  for (const auto &step : steps_) {
    switch (step.kind) {
      case Kind::Atom:
        for (const auto number : closed) {
          taken[shown[number]] = false;
          shown[number] = 0;
        }
        closed.clear();
        to = print_atom(step.index, to);
        break;
      case Kind::Bond:
        to = print_bond(step, to);
        break;
      case Kind::Ring: {
        auto &number = shown[step.index];
        if (number != 0) {
          closed.push_back(step.index);
        } else {
          number = 1;
          while (taken[number]) {
            ++number;
          }
          taken[number] = true;
        }
        if (number > 9) {
          *to++ = '%';
        }
        to = print_number(number, to);
        break;
      }
      case Kind::Open: *to++ = '('; break;
      case Kind::Close: *to++ = ')'; break;
    }
  }
  text.assign(printed_.data(), to);
}

namespace {

const char *symbol(unsigned int number) {
  switch (number) {
    case BORON: return "B";
    case CARBON: return "C";
    case NITROGEN: return "N";
    case OXYGEN: return "O";
    case FLUORINE: return "F";
    case SILICON: return "Si";
    case PHOSPHORUS: return "P";
    case SULFUR: return "S";
    case CHLORINE: return "Cl";
    case SELENIUM: return "Se";
    case BROMINE: return "Br";
    default: return "I";
  }
}

// The valence at which an atom needs no bracket; 0 for elements that always have one.
int organic_valence(unsigned int number) {
  switch (number) {
    case CARBON: return 4;
    case BORON: case NITROGEN: case PHOSPHORUS: return 3;
    case OXYGEN: case SULFUR: return 2;
    case FLUORINE: case CHLORINE: case BROMINE: case IODINE: return 1;
    default: return 0;
  }
}

bool needs_bracket(const Atom &atom) {
  const auto valence = organic_valence(atom.number);
  if (valence == 0 || atom.charge != 0 || atom.isotope != 0 || atom.chirality != NO_CHIRALITY) {
    return true;
  }
  if ((atom.number == NITROGEN || atom.number == PHOSPHORUS) && atom.aromatic && atom.explicit_hydrogens != 0) {
    return true;
  }
  return atom.valence() != valence && atom.hydrogens() != 0;
}

}  // namespace

char *SmilesWriter::print_atom(std::uint16_t index, char *to) const {
  const auto &atom = mol_->atoms[index];
  const bool bracket = needs_bracket(atom);
  if (bracket) {
    *to++ = '[';
  }
  if (atom.isotope != 0) {
    to = print_number(atom.isotope, to);
  }
  const auto *letters = symbol(atom.number);
  *to++ = atom.aromatic ? static_cast<char>(letters[0] - 'A' + 'a') : letters[0];
  if (letters[1] != '\0') {
    *to++ = letters[1];
  }
  if (!bracket) {
    return to;
  }
  if (atom.chirality != NO_CHIRALITY) {
    *to++ = '@';
    if (chirality_[index] == CLOCKWISE) {
      *to++ = '@';
    }
  }
  if (atom.hydrogens() != 0) {
    *to++ = 'H';
    if (atom.hydrogens() > 1) {
      to = print_number(atom.hydrogens(), to);
    }
  }
  if (atom.charge != 0) {
    *to++ = atom.charge > 0 ? '+' : '-';
    if (std::abs(atom.charge) > 1) {
      to = print_number(std::abs(atom.charge), to);
    }
  }
  *to++ = ']';
  return to;
}

char *SmilesWriter::print_bond(const Step &step, char *to) const {
  const auto &bond = mol_->bonds[step.index];
  const auto direction = slashes_[step.index];
  const auto between_aromatic = [&] { return mol_->atoms[bond.begin].aromatic && mol_->atoms[bond.end].aromatic; };
  switch (bond.type) {
    case SINGLE:
    case AROMATIC:
      if (direction != Direction::None) {
        *to++ = direction == Direction::Up ? '/' : '\\';
      } else if (bond.type == SINGLE && between_aromatic()) {
        *to++ = '-';
      } else if (bond.type == AROMATIC && !between_aromatic()) {
        *to++ = ':';
      }
      break;
    case DOUBLE: *to++ = '='; break;
    case TRIPLE: *to++ = '#'; break;
    case UNSPECIFIED: break;
  }
  return to;
}

}  // namespace molsieve::write
