#include "molsieve/src/chem/describe/pattern.h"

#include <algorithm>
#include <utility>

namespace molsieve::describe {

namespace {

constexpr std::uint8_t HYDROGEN = 1;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

// The elements that the table writes as symbols; 0 for any other text.
std::uint8_t element_of(std::string_view symbol) {
  constexpr std::pair<std::string_view, std::uint8_t> KNOWN[] = {
      {"B", BORON},    {"C", CARBON},      {"N", NITROGEN}, {"O", OXYGEN},    {"F", FLUORINE},
      {"P", PHOSPHORUS}, {"S", SULFUR},    {"Cl", CHLORINE}, {"Br", BROMINE}, {"I", IODINE},
  };
  const auto *found = std::ranges::find(KNOWN, symbol, &std::pair<std::string_view, std::uint8_t>::first);
  return found == std::end(KNOWN) ? 0 : found->second;
}

}  // namespace

// Reads a pattern from left to right; any fault is kept in `good_`.
class Pattern::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<Pattern> run() {
    Pattern pattern;
    std::vector<unsigned int> branches;
    unsigned int last = 0;
    while (good_ && at_ < text_.size()) {
      if (take('(')) {
        good_ &= !pattern.nodes_.empty();
        branches.push_back(last);
      } else if (take(')')) {
        good_ &= !branches.empty();
        if (good_) {
          last = branches.back();
          branches.pop_back();
        }
      } else {
        last = add_node(pattern, last);
      }
    }
    return good_ && branches.empty() && !pattern.nodes_.empty() ? std::optional(pattern)
                                                                : std::nullopt;
  }

 private:
  unsigned int add_node(Pattern &pattern, unsigned int parent) {
    const bool is_first = pattern.nodes_.empty();
    Node node;
    node.bond = is_first ? BondKind::SingleOrAromatic : bond();
    node.parent = parent;
    node.depth = is_first ? 0 : pattern.nodes_[parent].depth + 1;
    node.query = take('[') ? bracket() : Query{Any{All{symbol(false)}}};
    pattern.nodes_.push_back(std::move(node));
    return static_cast<unsigned int>(pattern.nodes_.size() - 1);
  }

  BondKind bond() {
    if (take('-')) return BondKind::Single;
    if (take('=')) return BondKind::Double;
    if (take('#')) return BondKind::Triple;
    if (take(':')) return BondKind::Aromatic;
    return BondKind::SingleOrAromatic;
  }

  Query bracket() {
    Query query{Any{All{}}};
    while (good_ && !take(']')) {
      if (take(';')) {
        query.push_back(Any{All{}});
      } else if (take(',')) {
        query.back().push_back(All{});
      } else if (!take('&')) {
        query.back().back().push_back(primitive());
      }
    }
    for (const auto &any : query) {
      good_ &= std::ranges::none_of(any, &All::empty);
    }
    return query;
  }

  Primitive primitive() {
    const bool negated = take('!');
    if (take('#')) {
      good_ &= is_digit(peek());
      return {Kind::Element, negated, number(0)};
    }
    if (take('H')) return {Kind::Hydrogens, negated, number(1)};
    if (take('X')) return {Kind::Connections, negated, number(1)};
    if (take('+')) return {Kind::Charge, negated, charge('+')};
    if (take('-')) return {Kind::Charge, negated, -charge('-')};
    return symbol(negated);
  }

  // A number, or one; several signs are not covered.
  int charge(char sign) {
    good_ &= peek() != sign;
    return number(1);
  }

  // An element with its aromaticity, `a` or `A`.
  Primitive symbol(bool negated) {
    const char first = peek();
    const auto pair = text_.substr(std::min(at_, text_.size()), 2);
    const bool two = pair.size() == 2 && is_lower(pair[1]) && element_of(pair) != 0;
    const bool aromatic = is_lower(first);
    const char upper = aromatic ? static_cast<char>(first - 'a' + 'A') : first;
    const auto element = element_of(two ? pair : std::string_view(&upper, 1));
    at_ += two ? 2 : 1;
    if (upper == 'A') {
      good_ &= !is_lower(peek());  // As, Al
      return {aromatic ? Kind::Aromatic : Kind::Aliphatic, negated, 0};
    }
    good_ &= element != 0;
    return {aromatic ? Kind::AromaticElement : Kind::AliphaticElement, negated, element};
  }

  int number(int otherwise) {
    if (!is_digit(peek())) {
      return otherwise;
    }
    int value = 0;
    while (is_digit(peek()) && value < 1000) {
      value = 10 * value + (text_[at_++] - '0');
    }
    return value;
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char c) {
    if (peek() != c || at_ == text_.size()) {
      return false;
    }
    ++at_;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool good_ = true;
};

std::optional<Pattern> Pattern::parse(std::string_view smarts) { return Parser(smarts).run(); }

unsigned int Pattern::depth() const { return std::ranges::max(nodes_, {}, &Node::depth).depth; }

bool Pattern::names(const Primitive &primitive) {
  return primitive.kind == Kind::Element || primitive.kind == Kind::AliphaticElement ||
         primitive.kind == Kind::AromaticElement;
}

bool Pattern::may_begin_with(std::uint8_t number) const {
  const auto may_hold = [number](const Primitive &primitive) {
    return !names(primitive) || primitive.negated || primitive.value == number;
  };
  return std::ranges::all_of(nodes_[0].query, [&](const Any &any) {
    return std::ranges::any_of(any, [&](const All &all) { return std::ranges::all_of(all, may_hold); });
  });
}

bool Pattern::begins_with_chain(unsigned int atoms) const {
  for (unsigned int i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].depth < atoms && nodes_[i].depth != i) {
      return false;
    }
  }
  return true;
}

bool Pattern::continues_with(std::uint8_t number) const {
  const auto says_so = [number](const Primitive &primitive) {
    return names(primitive) && !primitive.negated && primitive.value == number;
  };
  return nodes_.size() > 1 && std::ranges::any_of(nodes_[1].query, [&](const Any &any) {
           return std::ranges::all_of(any, [&](const All &all) { return std::ranges::any_of(all, says_so); });
         });
}

bool Pattern::matches(const Molecule &mol, Place first) const {
  if (!holds(nodes_[0].query, mol, first)) {
    return false;
  }
  std::vector<Place> match{first};
  return extend(mol, match);
}

// Matches the nodes that are left, in order. Recursion is as deep as the pattern has nodes.
bool Pattern::extend(const Molecule &mol, std::vector<Place> &match) const {
  if (match.size() == nodes_.size()) {
    return true;
  }
  const auto from = match[nodes_[match.size()].parent];
  if (from.hydrogen != 0) {
    return try_next(mol, match, {from.atom, 0}, SINGLE);
  }
  const auto &atom = mol.atoms[from.atom];
  for (unsigned int i = 0; i < atom.degree; ++i) {
    if (try_next(mol, match, {atom.neighbours[i], 0}, mol.bonds[atom.bonds[i]].type)) {
      return true;
    }
  }
  for (int i = 1; i <= atom.hydrogens(); ++i) {
    if (try_next(mol, match, {from.atom, static_cast<std::uint8_t>(i)}, SINGLE)) {
      return true;
    }
  }
  return false;
}

bool Pattern::try_next(const Molecule &mol, std::vector<Place> &match, Place place, BondType type) const {
  const auto &node = nodes_[match.size()];
  if (!holds(node.bond, type) || !holds(node.query, mol, place) ||
      std::ranges::find(match, place) != match.end()) {
    return false;
  }
  match.push_back(place);
  if (extend(mol, match)) {
    return true;
  }
  match.pop_back();
  return false;
}

bool Pattern::holds(BondKind bond, BondType type) {
  switch (bond) {
    case BondKind::Single: return type == SINGLE;
    case BondKind::Double: return type == DOUBLE;
    case BondKind::Triple: return type == TRIPLE;
    case BondKind::Aromatic: return type == AROMATIC;
    default: return type == SINGLE || type == AROMATIC;
  }
}

bool Pattern::holds(const Query &query, const Molecule &mol, Place place) {
  return std::ranges::all_of(query, [&](const Any &any) {
    return std::ranges::any_of(any, [&](const All &all) {
      return std::ranges::all_of(all, [&](const Primitive &primitive) { return holds(primitive, mol, place); });
    });
  });
}

bool Pattern::holds(const Primitive &primitive, const Molecule &mol, Place place) {
  const auto &atom = mol.atoms[place.atom];
  const bool is_hydrogen = place.hydrogen != 0;
  const bool aromatic = !is_hydrogen && atom.aromatic;
  const int number = is_hydrogen ? HYDROGEN : atom.number;
  const auto value = [&] {
    switch (primitive.kind) {
      case Kind::Element: return number == primitive.value;
      case Kind::AliphaticElement: return number == primitive.value && !aromatic;
      case Kind::AromaticElement: return number == primitive.value && aromatic;
      case Kind::Aliphatic: return !aromatic;
      case Kind::Aromatic: return aromatic;
      case Kind::Hydrogens: return (is_hydrogen ? 0 : atom.hydrogens()) == primitive.value;
      case Kind::Connections: return (is_hydrogen ? 1 : atom.total_degree()) == primitive.value;
      default: return (is_hydrogen ? 0 : atom.charge) == primitive.value;
    }
  };
  return value() != primitive.negated;
}

}  // namespace molsieve::describe
