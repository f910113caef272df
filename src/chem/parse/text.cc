// SMILES text to a flat molecule. Takes the organic subset, bracket atoms of the commoner elements,
// branches, ring closures, parts, and the marks @ @@ / \.
#include <algorithm>
#include <optional>

#include "molsieve/src/chem/parse/flat.h"

namespace molsieve::flat {

namespace {

using Chirality = RDKit::Atom::ChiralType;

// Keeps the element with as many electrons within the periodic table.
constexpr int CHARGE_MAX = 4;

// What stands between two atoms or before a ring closure.
struct Link {
  Order order = Order::UNSPECIFIED;
  Direction direction = Direction::NONE;
};

// A ring closure digit that waits for its second.
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

// A ring closure digit stands at an atom.
struct Digit {
  std::uint16_t atom, closure;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

// Keeps its memory from one text to the next.
class Reader {
 public:
  bool read(std::string_view text, Molecule &mol) {
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
    molecule_->atom_count = molecule_->bond_count = molecule_->ring_count = molecule_->ring_members = 0;
    molecule_->any_chirality = molecule_->any_direction = false;
    if (!read_atom()) {
      return false;
    }
    molecule_->atoms[0].first = true;
    while (at_ < text_.size()) {
      if (!read_item()) {
        return false;
      }
    }
    return branches_.empty() && open_rings_ == 0 && close_rings() && orient_centers();
  }

  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  // An atom with what links it, a ring closure, or the end of a branch.
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
        molecule_->atoms[active_].first = true;
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
        link.order = Order::SINGLE;
        break;
      case '=':
        link.order = Order::DOUBLE;
        break;
      case '#':
        link.order = Order::TRIPLE;
        break;
      case '/':
        link.direction = Direction::ENDUPRIGHT;
        break;
      case '\\':
        link.direction = Direction::ENDDOWNRIGHT;
        break;
      default:
        return link;
    }
    ++at_;
    molecule_->any_direction |= link.direction != Direction::NONE;
    return link;
  }

  bool read_linked_atom(const Link &link) {
    const auto from = active_;
    return read_atom() && add_bond(from, active_, link.order, link.direction);
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
    // A closure after a branch of a stereo center is a tale of its own.
    if (molecule_->atoms[active_].chirality != Chirality::CHI_UNSPECIFIED &&
        active_ + 1u != molecule_->atom_count) {
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
    if (molecule_->atom_count == ATOMS_MAX) {
      return false;
    }
    auto &atom = molecule_->atoms[molecule_->atom_count];
    atom = Atom{};
    if (peek() == '[' ? !read_bracket(atom) : !read_symbol(atom, false)) {
      return false;
    }
    active_ = static_cast<std::uint16_t>(molecule_->atom_count++);
    return true;
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
      atom.explicit_hs = 1;
      if (is_digit(peek())) {
        atom.explicit_hs = static_cast<std::uint8_t>(peek() - '0');
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
    atom.chirality = Chirality::CHI_TETRAHEDRAL_CCW;
    ++at_;
    if (peek() == '@') {
      atom.chirality = Chirality::CHI_TETRAHEDRAL_CW;
      ++at_;
    }
    molecule_->any_chirality = true;
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

  bool add_bond(std::uint16_t begin, std::uint16_t end, Order order, Direction direction) {
    auto &a = molecule_->atoms[begin];
    auto &b = molecule_->atoms[end];
    if (molecule_->bond_count == BONDS_MAX || begin == end || a.degree == NEIGHBORS_MAX ||
        b.degree == NEIGHBORS_MAX ||
        std::find(a.neighbors.begin(), a.neighbors.begin() + a.degree, end) !=
            a.neighbors.begin() + a.degree) {
      return false;
    }
    const auto index = static_cast<std::uint16_t>(molecule_->bond_count++);
    if (order == Order::UNSPECIFIED) {
      order = a.aromatic && b.aromatic ? Order::AROMATIC : Order::SINGLE;
    }
    molecule_->bonds[index] = {begin, end, order, direction, order == Order::AROMATIC, false, 0,
                         Stereo::STEREONONE, {}};
    a.neighbors[a.degree] = end;
    a.bonds[a.degree++] = index;
    b.neighbors[b.degree] = begin;
    b.bonds[b.degree++] = index;
    return true;
  }

  // RDKit makes the bonds of ring closures last, by number and then by place. A bond runs from the
  // digit whose order is written; if the first has none, from the second.
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
      c.bond = static_cast<std::uint16_t>(molecule_->bond_count);
      const bool first = c.first_link.order != Order::UNSPECIFIED;
      const auto &kept = first ? c.first_link : c.second_link;
      const auto &other = first ? c.second_link : c.first_link;
      const auto direction =
          kept.direction != Direction::NONE ? kept.direction : flipped(other.direction);
      if (first && kept.order != Order::SINGLE && direction != Direction::NONE) {
        return false;
      }
      if (!(first ? add_bond(c.first, c.second, kept.order, direction)
                  : add_bond(c.second, c.first, kept.order, direction))) {
        return false;
      }
    }
    return true;
  }

  // From the order of neighbors in the text to the order of bonds in the molecule.
  bool orient_centers() {
    if (!molecule_->any_chirality) {
      return true;
    }
    for (unsigned int i = 0; i < molecule_->atom_count; ++i) {
      auto &atom = molecule_->atoms[i];
      if (atom.chirality == Chirality::CHI_UNSPECIFIED) {
        continue;
      }
      if (atom.degree > 4 || atom.degree < 3 || (atom.degree == 3 && atom.explicit_hs != 1)) {
        return false;
      }
      bool odd = atom.degree == 3 && atom.first;
      const auto written = bonds_as_written(i, atom);
      if (!written) {
        return false;
      }
      for (unsigned int j = 0; j < atom.degree; ++j) {
        for (unsigned int k = j + 1; k < atom.degree; ++k) {
          odd ^= (*written)[j] > (*written)[k];
        }
      }
      if (odd) {
        atom.chirality = atom.chirality == Chirality::CHI_TETRAHEDRAL_CW
                             ? Chirality::CHI_TETRAHEDRAL_CCW
                             : Chirality::CHI_TETRAHEDRAL_CW;
      }
    }
    return true;
  }

  // The bonds of an atom in the order of the text, as places in the atom's own list: the atom
  // before, ring closures, atoms after.
  std::optional<std::array<std::uint8_t, NEIGHBORS_MAX>> bonds_as_written(unsigned int index,
                                                                           const Atom &atom) const {
    std::array<std::uint8_t, NEIGHBORS_MAX> written{};
    unsigned int count = 0;
    const auto place = [&](unsigned int bond) {
      return static_cast<std::uint8_t>(
          std::find(atom.bonds.begin(), atom.bonds.begin() + atom.degree, bond) -
          atom.bonds.begin());
    };
    const auto first_closure_bond = molecule_->bond_count - closures_.size();
    // Bonds that are no ring closures were made in the order of the text.
    unsigned int plain = 0;
    while (plain < atom.degree && atom.bonds[plain] < first_closure_bond) {
      ++plain;
    }
    unsigned int j = 0;
    for (; j < plain && atom.neighbors[j] < index; ++j) {
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
  Molecule *molecule_ = nullptr;
  std::size_t at_ = 0;
  std::uint16_t active_ = 0;
  unsigned int open_rings_ = 0;
  std::array<OpenRing, 100> ring_numbers_{};
  std::vector<std::uint16_t> branches_;
  std::vector<Closure> closures_;
  std::vector<Digit> digits_;
  std::vector<std::uint16_t> by_number_;
};

}  // namespace

bool read_text(std::string_view smiles, Molecule &mol) {
  thread_local Reader reader;
  return reader.read(smiles, mol);
}

}  // namespace molsieve::flat
