// Reads SMILES: the organic subset, bracket atoms of the commoner elements, branches, ring closures, fragments,
// and the symbols @ @@ / \.
#include <algorithm>
#include <optional>
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

// A ring closure digit that is not closed yet.
struct OpenRing {
  bool open = false;
  std::uint16_t atom;
  std::uint16_t closure;
  Link link;
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
    ring_numbers_.fill({});
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
      case '-':
        link.type = SINGLE;
        break;
      case '=':
        link.type = DOUBLE;
        break;
      case '#':
        link.type = TRIPLE;
        break;
      case '/':
        link.direction = Direction::Up;
        break;
      case '\\':
        link.direction = Direction::Down;
        break;
      default:
        return link;
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
    auto &ring = ring_numbers_[number];
    if (!ring.open) {
      ring = {true, active_, static_cast<std::uint16_t>(closures_.size()), link};
      closures_.push_back({static_cast<std::uint16_t>(number), active_, 0, link, {}, 0});
      ++open_rings_;
    } else {
      ring.open = false;
      closures_[ring.closure].second = active_;
      closures_[ring.closure].second_link = link;
      --open_rings_;
    }
    digits_.push_back({active_, ring.closure});
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
    switch (c) {
      case 'B':
        atom.number = next == 'r' ? 35 : 5;
        at_ += next == 'r';
        break;
      case 'C':
        atom.number = next == 'l' ? 17 : 6;
        at_ += next == 'l';
        break;
      case 'N':
        atom.number = 7;
        break;
      case 'O':
        atom.number = 8;
        break;
      case 'F':
        atom.number = 9;
        break;
      case 'P':
        atom.number = 15;
        break;
      case 'S':
        atom.number = 16;
        if (bracket && (next == 'i' || next == 'e')) {
          atom.number = next == 'i' ? 14 : 34;
          ++at_;
        }
        break;
      case 'I':
        atom.number = 53;
        break;
      default:
        return read_aromatic_symbol(atom, c, bracket);
    }
    // Another letter would make it another element.
    return !bracket || !is_lower(peek());
  }

  bool read_aromatic_symbol(Atom &atom, char c, bool bracket) {
    switch (c) {
      case 'b':
        atom.number = 5;
        break;
      case 'c':
        atom.number = 6;
        break;
      case 'n':
        atom.number = 7;
        break;
      case 'o':
        atom.number = 8;
        break;
      case 'p':
        atom.number = 15;
        break;
      case 's':
        atom.number = 16;
        if (bracket && peek() == 'e') {
          atom.number = 34;
          ++at_;
        }
        break;
      default:
        return false;
    }
    atom.aromatic = true;
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
    for (std::size_t i = 0; i < closures_.size(); ++i) {
      by_number_[i] = static_cast<std::uint16_t>(i);
    }
    std::stable_sort(by_number_.begin(), by_number_.end(), [this](auto a, auto b) {
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
      if (!written) {
        return false;
      }
      odd ^= is_odd_permutation(atom.degree, [&](unsigned int j) { return (*written)[j]; });
      if (odd) {
        atom.chirality = inverted(atom.chirality);
      }
    }
    return true;
  }

  // The bonds of an atom in the order of the text, as indices into the atom's own list: the atom
  // before, ring closures, atoms after.
  std::optional<std::array<std::uint8_t, NEIGHBOURS_MAX>> bonds_as_written(unsigned int index,
                                                                           const Atom &atom) const {
    std::array<std::uint8_t, NEIGHBOURS_MAX> written{};
    unsigned int count = 0;
    const auto place = [&](unsigned int bond) {
      return static_cast<std::uint8_t>(
          std::find(atom.bonds.begin(), atom.bonds.begin() + atom.degree, bond) -
          atom.bonds.begin());
    };
    const auto first_closure_bond = molecule_->bonds.size() - closures_.size();
    // Bonds that are no ring closures were made in the order of the text.
    unsigned int plain = 0;
    while (plain < atom.degree && atom.bonds[plain] < first_closure_bond) {
      ++plain;
    }
    unsigned int j = 0;
    for (; j < plain && atom.neighbours[j] < index; ++j) {
      written[count++] = static_cast<std::uint8_t>(j);
    }
    if (j > 1) {
      return std::nullopt;
    }
    for (const auto &digit : digits_) {
      if (digit.atom == index) {
        if (count == atom.degree) {
          return std::nullopt;
        }
        written[count++] = place(closures_[digit.closure].bond);
      }
    }
    for (; j < plain; ++j) {
      if (count == atom.degree) {
        return std::nullopt;
      }
      written[count++] = static_cast<std::uint8_t>(j);
    }
    return written;
  }

  std::string_view text_;
  Draft *molecule_ = nullptr;
  std::size_t at_ = 0;
  std::uint16_t active_ = 0;
  AtomSet begins_fragment_;
  unsigned int open_rings_ = 0;
  std::array<OpenRing, 100> ring_numbers_{};
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
