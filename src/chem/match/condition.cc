#include "molsieve/src/chem/match/condition.h"

#include <GraphMol/QueryOps.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

namespace molsieve::match {

namespace {

using AtomQuery = RDKit::Atom::QUERYATOM_QUERY;
using BondQuery = RDKit::Bond::QUERYBOND_QUERY;

// RDKit adds this to the number of an aromatic atom.
constexpr int AROMATIC_TYPE = 1000;

constexpr int NO_BOUND = std::numeric_limits<int>::max();

// The values that a query matches.
struct Bounds {
  int lowest = 0, highest = 0;
};

// RDKit names queries with bounds by what they ask for, behind one of these.
constexpr std::string_view AT_MOST = "greater_", AT_LEAST = "less_", BETWEEN = "range_";

// What a query asks for, whatever its bounds.
std::string_view asked_for(const AtomQuery &query) {
  std::string_view what = query.getDescription();
  for (const auto prefix : {AT_MOST, AT_LEAST, BETWEEN}) {
    if (what.starts_with(prefix)) {
      return what.substr(prefix.size());
    }
  }
  return what;
}

// The values that a query matches which compares a number.
Bounds bounds_of(const AtomQuery &query) {
  const std::string_view what = query.getDescription();
  if (what.starts_with(BETWEEN)) {
    const auto &range = static_cast<const RDKit::ATOM_RANGE_QUERY &>(query);
    const auto [lower_open, upper_open] = range.getEndsOpen();
    return {range.getLower() + lower_open, range.getUpper() - upper_open};
  }
  const auto value = static_cast<const RDKit::ATOM_EQUALS_QUERY &>(query).getVal();
  return {what.starts_with(AT_MOST) ? -NO_BOUND : value, what.starts_with(AT_LEAST) ? NO_BOUND : value};
}

// The fact that a query compares.
std::optional<Fact> fact_of(std::string_view what) {
  constexpr std::pair<std::string_view, Fact> FACTS[] = {
      {"AtomType", Fact::TYPE},
      {"AtomAtomicNum", Fact::NUMBER},
      {"AtomIsAromatic", Fact::AROMATIC},
      {"AtomIsAliphatic", Fact::AROMATIC},
      {"AtomHCount", Fact::HYDROGENS},
      {"AtomImplicitHCount", Fact::IMPLICIT_HYDROGENS},
      {"AtomHasImplicitH", Fact::IMPLICIT_HYDROGENS},
      {"AtomExplicitDegree", Fact::DEGREE},
      {"AtomNonHydrogenDegree", Fact::OTHER_THAN_HYDROGEN},
      {"AtomTotalDegree", Fact::TOTAL_DEGREE},
      {"AtomTotalValence", Fact::VALENCE},
      {"AtomFormalCharge", Fact::CHARGE},
      {"AtomNegativeFormalCharge", Fact::CHARGE},
      {"AtomIsotope", Fact::ISOTOPE},
      {"AtomInRing", Fact::IN_RING},
      {"AtomInNRings", Fact::RINGS},
      {"AtomRingBondCount", Fact::RING_BONDS},
      {"AtomHasRingBond", Fact::RING_BONDS},
      {"AtomMinRingSize", Fact::SMALLEST_RING},
      {"AtomHybridization", Fact::HYBRIDIZATION},
      {"AtomNumHeteroatomNeighbors", Fact::HETERO_NEIGHBOURS},
      {"AtomHasHeteroatomNeighbors", Fact::HETERO_NEIGHBOURS},
      {"AtomNumAliphaticHeteroatomNeighbors", Fact::ALIPHATIC_HETERO_NEIGHBOURS},
      {"AtomHasAliphaticHeteroatomNeighbors", Fact::ALIPHATIC_HETERO_NEIGHBOURS},
  };
  const auto found = std::ranges::find(FACTS, what, &std::pair<std::string_view, Fact>::first);
  return found == std::end(FACTS) ? std::nullopt : std::optional(found->second);
}

// The values of its fact that a query matches, by what it asks for and the bounds that it states. Nothing: not covered.
std::optional<Bounds> values_of(std::string_view what, Bounds stated) {
  const bool is_one = stated.lowest == stated.highest;
  if (what == "AtomType") {
    const int number = stated.lowest % AROMATIC_TYPE;
    if (!is_one || number < 0 || number >= 1 << NUMBER_BITS || stated.lowest >= 2 * AROMATIC_TYPE) {
      return {};
    }
    const int type = number + (stated.lowest > AROMATIC_TYPE ? 1 << NUMBER_BITS : 0);
    return Bounds{type, type};
  }
  if (what == "AtomIsAliphatic") {
    return is_one ? std::optional(Bounds{1 - stated.lowest, 1 - stated.lowest}) : std::nullopt;
  }
  if (what == "AtomNegativeFormalCharge") {
    return Bounds{-stated.highest, -stated.lowest};
  }
  // A negative number is RDKit's way to ask for any rings.
  const bool any_rings = (what == "AtomInNRings" || what == "AtomRingBondCount") && is_one && stated.lowest < 0;
  if (any_rings) {
    return Bounds{1, NO_BOUND};
  }
  if (what.starts_with("AtomHas")) {
    return is_one && stated.lowest == 1 ? std::optional(Bounds{1, NO_BOUND}) : std::nullopt;
  }
  return stated;
}

// The sizes of rings within bounds, as bits; nothing if the bits don't distinguish them.
std::optional<std::uint64_t> sizes_within(const Bounds &bounds) {
  constexpr int LAST = RING_SIZE_LAST;
  if (bounds.lowest > LAST || (bounds.highest >= LAST && bounds.highest != NO_BOUND)) {
    return {};
  }
  std::uint64_t sizes = 0;
  for (int size = std::max(bounds.lowest, 0); size <= std::min(bounds.highest, LAST); ++size) {
    sizes |= std::uint64_t{1} << size;
  }
  return sizes;
}

}  // namespace

std::optional<Condition> Condition::compile(const AtomQuery &query, const NextRecursive &next) {
  Condition condition;
  if (!condition.add(query, next)) {
    return {};
  }
  return condition;
}

bool Condition::add(const AtomQuery &query, const NextRecursive &next) {
  const auto index = static_cast<std::uint32_t>(nodes_.size());
  const auto &what = query.getDescription();
  Node node;
  if (what == "RecursiveStructure") {
    node.kind = Kind::RECURSIVE;
    node.value = next();
  } else if (what == "AtomAnd" || what == "AtomOr" || what == "AtomXor") {
    node.kind = what == "AtomAnd" ? Kind::ALL : what == "AtomOr" ? Kind::ANY : Kind::ONE;
  } else if (const auto leaf = leaf_of(query)) {
    node = *leaf;
  } else {
    return false;
  }
  node.negated ^= query.getNegation();
  nodes_.push_back(node);
  if (!add_children(query, next)) {
    return false;
  }
  nodes_[index].size = nodes_.size() - index;
  if (node.kind == Kind::ALL || node.kind == Kind::ANY) {
    arrange_children(index);
  }
  return true;
}

// An AND within an AND needs no node of its own, and neither does an OR within an OR.
bool Condition::add_children(const AtomQuery &query, const NextRecursive &next) {
  const auto &what = query.getDescription();
  for (auto child = query.beginChildren(); child != query.endChildren(); ++child) {
    const bool same = what != "AtomXor" && (*child)->getDescription() == what && !(*child)->getNegation();
    if (!(same ? add_children(**child, next) : add(**child, next))) {
      return false;
    }
  }
  return true;
}

// Puts the children with recursive SMARTS behind the others, and makes one comparison of those children of an AND that
// compare something with one value each. The node is the last one.
void Condition::arrange_children(std::uint32_t parent) {
  const auto before = std::exchange(nodes_, {nodes_.begin(), nodes_.begin() + parent + 1});
  const bool joins = before[parent].kind == Kind::ALL;
  std::optional<std::uint32_t> joined;
  for (const bool recursive : {false, true}) {
    for (auto child = parent + 1; child < before.size(); child += before[child].size) {
      const auto begin = before.begin() + child, end = begin + before[child].size;
      if (std::any_of(begin, end, [](const Node &node) { return node.kind == Kind::RECURSIVE; }) != recursive) {
        continue;
      }
      const bool is_equal = joins && begin->kind == Kind::EQUAL && !begin->negated && !begin->rare;
      if (is_equal && joined && join_equal(*joined, *begin)) {
        continue;
      }
      if (is_equal && !joined) {
        joined = nodes_.size();
      }
      nodes_.insert(nodes_.end(), begin, end);
    }
  }
  nodes_[parent].size = nodes_.size() - parent;
}

// Has one node compare what another one compares too. False: they contradict each other.
bool Condition::join_equal(std::uint32_t one, const Node &other) {
  auto &node = nodes_[one];
  const auto both = node.mask & other.mask;
  if ((node.value & both) != (other.value & both)) {
    return false;
  }
  node.mask |= other.mask;
  node.value |= other.value;
  return true;
}

// The node of a query that has no children, but for its negation; nothing if it is not covered.
std::optional<Condition::Node> Condition::leaf_of(const AtomQuery &query) {
  if (query.getDescription() == "AtomNull") {
    return Node();
  }
  const auto what = asked_for(query);
  if (what == "AtomRingSize") {
    const auto bounds = bounds_of(query);
    const auto sizes = sizes_within(bounds);
    // RDKit compares a size of zero with the zero that stands for no such ring.
    if (!sizes || (bounds.lowest <= 0 && bounds.highest == bounds.lowest)) {
      return {};
    }
    Node node;
    node.kind = Kind::RING_SIZE;
    node.mask = *sizes;
    return node;
  }
  const auto fact = fact_of(what);
  const auto bounds = fact ? values_of(what, bounds_of(query)) : std::nullopt;
  if (!bounds) {
    return {};
  }
  const auto place = place_of(*fact);
  const auto lowest = std::max(bounds->lowest, place.value_min());
  const auto highest = std::min(bounds->highest, place.value_max());
  Node node;
  node.rare = *fact >= Fact::RARE;
  node.mask = place.mask();
  node.shift = place.shift;
  if (lowest > highest) {  // no atom has such a value
    return Node{Kind::ALWAYS, true};
  }
  if (lowest == highest) {
    node.kind = Kind::EQUAL;
    node.value = place.bits(lowest);
  } else {
    node.kind = Kind::RANGE;
    node.value = lowest + place.offset;
    node.highest = highest + place.offset;
  }
  return node;
}

Truth Condition::of_class(unsigned int element, bool aromatic) const {
  const auto type = element_at(element) + (aromatic ? 1u << NUMBER_BITS : 0);
  return of_class_at(0, type);
}

Truth Condition::of_class_at(std::uint32_t index, std::uint64_t type) const {
  const auto &node = nodes_[index];
  switch (node.kind) {
    case Kind::ALWAYS:
      return truth_of(!node.negated);
    case Kind::EQUAL: {
      const auto known = place_of(Fact::TYPE).mask();
      if (node.rare) {
        return Truth::OPEN;
      }
      if ((type & node.mask) != (node.value & known)) {
        return truth_of(node.negated);
      }
      return (node.mask & ~known) == 0 ? truth_of(!node.negated) : Truth::OPEN;
    }
    case Kind::RANGE:
    case Kind::RING_SIZE:
    case Kind::RECURSIVE:
      return Truth::OPEN;
    case Kind::ALL:
    case Kind::ANY:
    case Kind::ONE:
      break;
  }
  return combine(index, [&](std::uint32_t child) { return of_class_at(child, type); });
}

bool Condition::is_recursive() const {
  return std::ranges::any_of(nodes_, [](const Node &node) { return node.kind == Kind::RECURSIVE; });
}

namespace {

// Whether a query matches a bond of this type, in a ring or not; nothing if it is not covered.
std::optional<bool> matches_bond(const BondQuery &query, BondType type, bool in_ring) {
  const auto &what = query.getDescription();
  bool matches = false;
  if (what == "BondNull") {
    matches = true;
  } else if (what == "BondAnd" || what == "BondOr" || what == "BondXor") {
    std::size_t children = 0, yes = 0;
    for (auto child = query.beginChildren(); child != query.endChildren(); ++child, ++children) {
      const auto answer = matches_bond(**child, type, in_ring);
      if (!answer) {
        return {};
      }
      yes += *answer;
    }
    matches = what == "BondAnd" ? yes == children : what == "BondOr" ? yes != 0 : yes == 1;
  } else if (what == "BondOrder" || what == "SingleOrAromaticBond" || what == "BondInRing") {
    const auto value = static_cast<const RDKit::BOND_EQUALS_QUERY &>(query).getVal();
    if (what == "BondOrder") {
      matches = static_cast<int>(type) == value;
    } else if (what == "SingleOrAromaticBond") {
      matches = (type == SINGLE || type == AROMATIC) == (value != 0);
    } else {
      matches = in_ring == (value != 0);
    }
  } else {
    return {};
  }
  return matches != query.getNegation();
}

}  // namespace

std::optional<std::uint8_t> compile_bond(const RDKit::Bond &bond) {
  if (!bond.hasQuery() || bond.getBondType() == RDKit::Bond::DATIVE) {
    return {};
  }
  std::uint8_t states = 0;
  for (const auto type : BOND_TYPES) {
    for (const bool in_ring : {false, true}) {
      const auto matches = matches_bond(*bond.getQuery(), type, in_ring);
      if (!matches) {
        return {};
      }
      states |= *matches << bond_state(type, in_ring);
    }
  }
  return states;
}

}  // namespace molsieve::match
