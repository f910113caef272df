// Kinds of pattern atoms, which patterns share, and the atoms of a target that they match. Recursive SMARTS are
// patterns of such kinds too.
#pragma once

#include <GraphMol/QueryAtom.h>
#include <GraphMol/RDKitBase.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "molsieve/src/chem/match/condition.h"
#include "molsieve/src/chem/match/plan.h"
#include "molsieve/src/chem/match/target.h"

namespace molsieve::match {

class Kinds;

// A kind of pattern atom.
class Kind {
 public:
  Kind(Condition condition, Kinds &all);

  const Condition &condition() const { return condition_; }
  bool is_recursive() const { return recursive_; }
  // Whether the target has atoms of a class that the kind may match.
  bool may_be_in(const Target &target) const { return (classes_ & target.classes()) != 0; }
  // Finds the candidates in a target, once. False: there are none.
  bool evaluate(const Target &target);
  // What the kind matches in the target that was evaluated last, and what recursive SMARTS have yet to decide.
  const AtomSet &candidates() const { return candidates_; }
  // Whether a candidate matches. OPEN: a recursive SMARTS is at its limit.
  Truth matches(const Target &target, unsigned int atom) { return open_.has(atom) ? decide(target, atom) : Truth::YES; }

 private:
  Truth decide(const Target &target, unsigned int atom);
  void add_class(const Target &target, unsigned int index);

  Condition condition_;
  Kinds &all_;
  bool recursive_;
  ClassMask classes_ = 0;         // that it may match
  ClassMask certain_classes_ = 0;  // all of whose atoms it matches
  std::uint64_t number_ = 0;      // of the target
  bool any_ = false;
  AtomSet candidates_;
  AtomSet open_;  // those of the candidates that are not decided
};

// A recursive SMARTS: it matches the atoms at which a match of its pattern begins.
class RecursiveSmarts {
 public:
  RecursiveSmarts(Plan plan, std::size_t matches_max);

  // OPEN: RDKit has to decide, because there may be as many matches as where its search ends.
  Truth matches(const Target &target, unsigned int atom);

 private:
  void begin(const Target &target);
  void find_all(const Target &target);

  Plan plan_;
  std::size_t matches_max_;
  std::size_t count_max_;     // of one atom
  std::uint64_t number_ = 0;  // of the target
  bool unknown_ = false;
  AtomSet known_, matched_;
};

// All kinds of the patterns that are searched for with the same limit, in one target. Belongs to one thread. Kinds
// refer to it, so it is not moved.
class Kinds {
 public:
  // RDKit ends the search for a recursive SMARTS after so many matches.
  explicit Kinds(std::size_t matches_max) : matches_max_(matches_max) {}
  Kinds(const Kinds &) = delete;
  Kinds &operator=(const Kinds &) = delete;

  // The search for a pattern that RDKit has read from a SMARTS; the text may be unknown (empty). Nothing if the pattern
  // is not covered.
  std::optional<Plan> plan(const std::string &smarts, const RDKit::ROMol &pattern);
  RecursiveSmarts &recursive(std::uint32_t number) { return *recursive_[number]; }

 private:
  Kind *kind_of(const RDKit::Atom &atom, const std::string &text);
  std::optional<std::vector<std::uint32_t>> recursive_of(const RDKit::Atom::QUERYATOM_QUERY &query,
                                                         const std::string &text);
  std::optional<std::uint32_t> number_of(const std::string &smarts);

  std::size_t matches_max_;
  std::vector<std::unique_ptr<Kind>> kinds_;
  std::vector<std::unique_ptr<RecursiveSmarts>> recursive_;
  std::unordered_map<std::string, std::optional<std::uint32_t>> number_of_text_;
};

}  // namespace molsieve::match
