// Reads SMILES: the organic subset, bracket atoms of the commoner elements, branches, ring closures, fragments,
// and the symbols @ @@ / \.
#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "molsieve/src/chem/model/valence.h"
#include "molsieve/src/chem/parse/draft.h"

namespace molsieve::parse {

namespace {

// The bond symbol between two atoms or before a ring closure.
struct Link {
  BondType type = UNSPECIFIED;
  Direction direction = Direction::None;
};

struct Closure {
  std::uint16_t number;
  std::uint16_t first, second;
  Link first_link, second_link;
  std::uint16_t bond;
};

// An atom and a ring closure digit written after it.
struct Digit {
  std::uint16_t atom, closure;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

// Reuses its memory for the next text.
class Reader {
 public:
  bool read(std::string_view text, Draft &mol) {
    text_ = text;
    molecule_ = &mol;
    at_ = 0;
    open_rings_ = 0;
    ring_numbers_.fill(NO_INDEX);
    branches_.clear();
    closures_.clear();
    digits_.clear();
    return read_all();
  }

 private:
  bool read_all() {
    molecule_->clear();
    molecule_->has_direction = false;
    begins_fragment_.reset();
    if (!read_atom()) {
      return false;
    }
    begins_fragment_.set(0);
    while (at_ < text_.size()) {
      if (!read_item()) {
        return false;
      }
    }
    return branches_.empty() && open_rings_ == 0 && close_rings() && orient_centres();
  }

  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  // An atom with its bond symbol, a ring closure, or the end of a branch.
  bool read_item() {
    switch (peek()) {
      case ')':
        ++at_;
        if (branches_.empty()) {
          return false;
        }
        active_ = branches_.back();
        branches_.pop_back();
        return true;
      case '(':
        ++at_;
        branches_.push_back(active_);
        return read_linked_atom(read_link());
      case '.':
        ++at_;
        if (!read_atom()) {
          return false;
        }
        begins_fragment_.set(active_);
        return true;
      default:
        break;
    }
    const auto link = read_link();
    if (is_digit(peek()) || peek() == '%') {
      return read_ring_number(link);
    }
    return read_linked_atom(link);
  }

  Link read_link() {
    Link link;
    switch (peek()) {
      case '-': link.type = SINGLE; break;
      case '=': link.type = DOUBLE; break;
      case '#': link.type = TRIPLE; break;
      case '/': link.direction = Direction::Up; break;
      case '\\': link.direction = Direction::Down; break;
      default: return link;
    }
    ++at_;
    molecule_->has_direction |= link.direction != Direction::None;
    return link;
  }

  bool read_linked_atom(const Link &link) {
    const auto from = active_;
    return read_atom() && add_bond(from, active_, link.type, link.direction);
  }

  bool read_ring_number(const Link &link) {
    unsigned int number = peek() - '0';
    if (peek() == '%') {
      if (peek(1) < '1' || peek(1) > '9' || !is_digit(peek(2))) {
        return false;
      }
      number = 10 * (peek(1) - '0') + (peek(2) - '0');
      at_ += 2;
    }
    ++at_;
    // A ring closure after a branch of a stereo centre is left to RDKit.
    if (molecule_->atoms[active_].chirality != NO_CHIRALITY &&
        active_ + 1u != molecule_->atoms.size()) {
      return false;
    }
    auto &open = ring_numbers_[number];
    if (open == NO_INDEX) {
      open = static_cast<std::uint16_t>(closures_.size());
      closures_.push_back({static_cast<std::uint16_t>(number), active_, 0, link, {}, 0});
      digits_.push_back({active_, open});
      ++open_rings_;
    } else {
      closures_[open].second = active_;
      closures_[open].second_link = link;
      digits_.push_back({active_, std::exchange(open, NO_INDEX)});
      --open_rings_;
    }
    return true;
  }

  bool read_atom() {
    if (molecule_->atoms.size() == DRAFT_ATOMS_MAX) {
      return false;
    }
    active_ = static_cast<std::uint16_t>(molecule_->atoms.size());
    molecule_->atoms.push_back({});
    auto &atom = molecule_->atoms.back();
    return peek() == '[' ? read_bracket(atom) : read_symbol(atom, false);
  }

  bool read_symbol(Atom &atom, bool bracket) {
    const char c = peek();
    const char next = peek(1);
    ++at_;
    atom.aromatic = is_lower(c);
    switch (c) {
      case 'B': case 'b': atom.number = BORON; break;
      case 'C': case 'c': atom.number = CARBON; break;
      case 'N': case 'n': atom.number = NITROGEN; break;
      case 'O': case 'o': atom.number = OXYGEN; break;
      case 'F': atom.number = FLUORINE; break;
      case 'P': case 'p': atom.number = PHOSPHORUS; break;
      case 'S': case 's': atom.number = SULFUR; break;
      case 'I': atom.number = IODINE; break;
      default: return false;
    }
    const auto number_before = atom.number;
    if (c == 'B' && next == 'r') {
      atom.number = BROMINE;
    } else if (c == 'C' && next == 'l') {
      atom.number = CHLORINE;
    } else if (bracket && c == 'S' && next == 'i') {
      atom.number = SILICON;
    } else if (bracket && atom.number == SULFUR && next == 'e') {
      atom.number = SELENIUM;
    }
    at_ += atom.number != number_before;
    // Another letter would make it another element.
    return !bracket || !is_lower(peek());
  }

  bool read_bracket(Atom &atom) {
    ++at_;
    if (is_digit(peek())) {
      if (peek() == '0') {
        return false;
      }
      for (int digits = 0; is_digit(peek()); ++digits, ++at_) {
        if (digits == 3) {
          return false;
        }
        atom.isotope = static_cast<std::uint16_t>(10 * atom.isotope + (peek() - '0'));
      }
    }
    if (!read_symbol(atom, true) || !read_chirality(atom)) {
      return false;
    }
    if (peek() == 'H') {
      ++at_;
      atom.explicit_hydrogens = 1;
      if (is_digit(peek())) {
        atom.explicit_hydrogens = static_cast<std::uint8_t>(peek() - '0');
        ++at_;
      }
    }
    read_charge(atom);
    atom.no_implicit = true;
    if (atom.charge > CHARGE_MAX || atom.charge < -CHARGE_MAX) {
      return false;
    }
    return text_.size() > at_ && text_[at_++] == ']';
  }

  bool read_chirality(Atom &atom) {
    if (peek() != '@') {
      return true;
    }
    atom.chirality = COUNTERCLOCKWISE;
    ++at_;
    if (peek() == '@') {
      atom.chirality = CLOCKWISE;
      ++at_;
    }
    molecule_->has_chirality = true;
    return peek() == 'H' || peek() == ']' || peek() == '+' || peek() == '-';
  }

  void read_charge(Atom &atom) {
    const char sign = peek();
    if (sign != '+' && sign != '-') {
      return;
    }
    ++at_;
    int size = 1;
    if (is_digit(peek())) {
      size = peek() - '0';
      ++at_;
    } else if (peek() == sign) {
      size = 2;
      ++at_;
    }
    atom.charge = static_cast<std::int8_t>(sign == '+' ? size : -size);
  }

  bool add_bond(std::uint16_t begin, std::uint16_t end, BondType type, Direction direction) {
    if (molecule_->bonds.size() == DRAFT_BONDS_MAX || begin == end ||
        molecule_->bond_between(begin, end) != NO_INDEX) {
      return false;
    }
    if (type == UNSPECIFIED) {
      type = molecule_->atoms[begin].aromatic && molecule_->atoms[end].aromatic ? AROMATIC : SINGLE;
    }
    if (!molecule_->add_bond(begin, end, type)) {
      return false;
    }
    auto &bond = molecule_->bonds.back();
    bond.direction = direction;
    bond.aromatic = type == AROMATIC;
    return true;
  }

  // RDKit makes the bonds of ring closures last, by number and then by position. A bond begins at the digit whose
  // bond symbol is written; if the first has none, at the second.
  bool close_rings() {
    by_number_.resize(closures_.size());
    std::iota(by_number_.begin(), by_number_.end(), std::uint16_t{0});
    std::ranges::stable_sort(by_number_, [this](auto a, auto b) {
      return closures_[a].number < closures_[b].number;
    });
    for (const auto index : by_number_) {
      auto &c = closures_[index];
      c.bond = static_cast<std::uint16_t>(molecule_->bonds.size());
      const bool first = c.first_link.type != UNSPECIFIED;
      const auto &kept = first ? c.first_link : c.second_link;
      const auto &other = first ? c.second_link : c.first_link;
      const auto direction =
          kept.direction != Direction::None ? kept.direction : flipped(other.direction);
      if (first && kept.type != SINGLE && direction != Direction::None) {
        return false;
      }
      if (!(first ? add_bond(c.first, c.second, kept.type, direction)
                  : add_bond(c.second, c.first, kept.type, direction))) {
        return false;
      }
    }
    return true;
  }

  // Converts chirality from the order of neighbours in the text to the order of bonds in the molecule.
  bool orient_centres() {
    if (!molecule_->has_chirality) {
      return true;
    }
    for (unsigned int i = 0; i < molecule_->atoms.size(); ++i) {
      auto &atom = molecule_->atoms[i];
      if (atom.chirality == NO_CHIRALITY) {
        continue;
      }
      if (atom.degree > 4 || atom.degree < 3 || (atom.degree == 3 && atom.explicit_hydrogens != 1)) {
        return false;
      }
      bool odd = atom.degree == 3 && begins_fragment_[i];
      const auto written = bonds_as_written(i, atom);
      odd ^= is_odd_permutation(atom.degree, [&](unsigned int j) { return written[j]; });
      if (odd) {
        atom.chirality = inverted(atom.chirality);
      }
    }
    return true;
  }

  // The bonds of an atom in the order of the text, as indices of the atom's own list: that to the atom before (at most
  // one), ring closures (one for each digit), those to atoms after. The list has the same without the ring closures,
  // and then the ring closures.
  std::array<std::uint8_t, NEIGHBOURS_MAX> bonds_as_written(unsigned int index,
                                                            const Atom &atom) const {
    std::array<std::uint8_t, NEIGHBOURS_MAX> written{};
    unsigned int count = 0;
    std::uint8_t plain = 0;
    const auto first_closure_bond = molecule_->bonds.size() - closures_.size();
    if (atom.bonds[0] < first_closure_bond && atom.neighbours[0] < index) {
      written[count++] = plain++;
    }
    for (const auto &digit : digits_) {
      if (digit.atom == index) {
        const auto bond = closures_[digit.closure].bond;
        written[count++] = std::ranges::find(atom.bonds, bond) - atom.bonds.begin();
      }
    }
    while (count < atom.degree) {
      written[count++] = plain++;
    }
    return written;
  }

  std::string_view text_;
  Draft *molecule_ = nullptr;
  std::size_t at_ = 0;
  std::uint16_t active_ = 0;
  AtomSet begins_fragment_;
  unsigned int open_rings_ = 0;
  std::array<std::uint16_t, 100> ring_numbers_;  // the closure that is open, or NO_INDEX
  std::vector<std::uint16_t> branches_;
  std::vector<Closure> closures_;
  std::vector<Digit> digits_;
  std::vector<std::uint16_t> by_number_;
};

}  // namespace

bool read_text(std::string_view smiles, Draft &mol) {
  thread_local Reader reader;
  return reader.read(smiles, mol);
}

}  // namespace molsieve::parse
