// RDKit's query of a pattern atom or bond, compiled to conditions on a target.
#pragma once

#include <GraphMol/QueryAtom.h>
#include <GraphMol/QueryBond.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "molsieve/src/chem/match/target.h"

namespace molsieve::match {

enum class Truth : std::uint8_t { NO, YES, OPEN };

inline Truth truth_of(bool value) { return value ? Truth::YES : Truth::NO; }
inline Truth negated_if(bool negated, Truth truth) {
  return truth == Truth::OPEN || !negated ? truth : truth_of(truth == Truth::NO);
}

// A condition on an atom: a tree in one list.
class Condition {
 public:
  // Gives the number of the next recursive SMARTS of the query, in its order.
  using NextRecursive = std::function<std::uint32_t()>;

  // Nothing if the query asks for something that is not covered.
  static std::optional<Condition> compile(const RDKit::Atom::QUERYATOM_QUERY &query, const NextRecursive &next);

  // Whether an atom fulfils the condition. `recursive(number)` answers for a recursive SMARTS.
  template <typename Recursive>
  Truth evaluate(const Target &target, unsigned int atom, const Recursive &recursive) const {
    return evaluate_node(0, target, atom, recursive);
  }

  // What the class of an atom alone decides.
  Truth of_class(unsigned int element, bool aromatic) const;
  // Whether there are recursive SMARTS in it.
  bool is_recursive() const;

  bool operator==(const Condition &) const = default;

 private:
  enum class Kind : std::uint8_t { ALL, ANY, ONE, ALWAYS, EQUAL, RANGE, RING_SIZE, RECURSIVE };

  struct Node {
    Kind kind = Kind::ALWAYS;
    bool negated = false;
    bool rare = false;         // of EQUAL and RANGE: which word
    std::uint8_t shift = 0;    // of RANGE
    std::uint32_t size = 1;    // nodes, with its descendants
    std::uint64_t mask = 0;    // of EQUAL; of RANGE, before the shift is undone; the sizes of RING_SIZE
    std::uint64_t value = 0;   // of EQUAL; the lowest of RANGE; the number of RECURSIVE
    std::uint64_t highest = 0; // of RANGE

    bool operator==(const Node &) const = default;
  };

  bool add(const RDKit::Atom::QUERYATOM_QUERY &query, const NextRecursive &next);
  bool add_children(const RDKit::Atom::QUERYATOM_QUERY &query, const NextRecursive &next);
  void arrange_children(std::uint32_t parent);
  bool join_equal(std::uint32_t one, const Node &other);
  Truth of_class_at(std::uint32_t index, std::uint64_t type) const;
  static std::optional<Node> leaf_of(const RDKit::Atom::QUERYATOM_QUERY &query);

  template <typename Recursive>
  Truth evaluate_node(std::uint32_t index, const Target &target, unsigned int atom,
                      const Recursive &recursive) const {
    const auto &node = nodes_[index];
    switch (node.kind) {
      case Kind::ALWAYS:
        return truth_of(!node.negated);
      case Kind::EQUAL:
        return truth_of(((target.word(atom, node.rare) & node.mask) == node.value) != node.negated);
      case Kind::RANGE: {
        const auto value = (target.word(atom, node.rare) & node.mask) >> node.shift;
        return truth_of((value >= node.value && value <= node.highest) != node.negated);
      }
      case Kind::RING_SIZE:
        return truth_of(((target.ring_sizes(atom) & node.mask) != 0) != node.negated);
      case Kind::RECURSIVE:
        return negated_if(node.negated, recursive(static_cast<std::uint32_t>(node.value)));
      case Kind::ONE:
      case Kind::ALL:
      case Kind::ANY:
        break;
    }
    return combine(index, [&](std::uint32_t child) { return evaluate_node(child, target, atom, recursive); });
  }

  // The truth of a node by those of its children. An answer that decides stands even where others are open.
  template <typename Evaluate>
  Truth combine(std::uint32_t index, const Evaluate &evaluate) const {
    const auto &node = nodes_[index];
    const auto decides = node.kind == Kind::ALL ? Truth::NO : Truth::YES;
    unsigned int yes = 0, open = 0;
    for (auto child = index + 1; child < index + node.size; child += nodes_[child].size) {
      const auto truth = evaluate(child);
      if (node.kind != Kind::ONE && truth == decides) {
        return negated_if(node.negated, decides);
      }
      yes += truth == Truth::YES;
      open += truth == Truth::OPEN;
    }
    if (open != 0) {
      return Truth::OPEN;
    }
    // RDKit's exclusive or is true if exactly one of its queries is.
    return negated_if(node.negated, truth_of(node.kind == Kind::ALL || (node.kind == Kind::ONE && yes == 1)));
  }

  std::vector<Node> nodes_;
};

// The states of a bond that a query matches, as bits. Nothing if it asks for something that is not covered.
std::optional<std::uint8_t> compile_bond(const RDKit::Bond &bond);

}  // namespace molsieve::match
