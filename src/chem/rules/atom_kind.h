// Kinds of pattern atoms, and the atoms of a parent that they match. Patterns have many kinds in common, so each is
// compared with a parent once. Recursive SMARTS are patterns of such kinds too.
#pragma once

#include <GraphMol/QueryAtom.h>
#include <GraphMol/RDKitBase.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "molsieve/src/chem/rules/atom_query.h"

namespace molsieve {

// The molecule that patterns are compared with.
struct Target {
  const RDKit::ROMol &mol;
  std::uint64_t number;  // distinguishes targets
};

// Whether a pattern or a part of one matches a target somewhere. UNKNOWN: a search has reached its limit, where RDKit's
// answer depends on the order of the search.
enum class Found : std::uint8_t { NONE, SOME, UNKNOWN };

// An answer that is kept for one target.
class Remembered {
 public:
  template <class Evaluate>
  Found get(const Target &target, const Evaluate &evaluate) {
    if (number_ != target.number) {
      found_ = evaluate();
      number_ = target.number;
    }
    return found_;
  }

 private:
  std::uint64_t number_ = 0;
  Found found_ = Found::NONE;
};

class AtomKinds;
class RecursiveSmarts;

// A kind of pattern atom.
class AtomKind {
 public:
  // `text`: that of the atom.
  AtomKind(const std::string &text, const RDKit::QueryAtom &atom, AtomKinds &all);

  bool is_recursive() const { return recursive_; }
  Found evaluate(const Target &target);
  // By index in the target, once that is evaluated.
  const std::vector<char> &matches() const { return matches_; }

 private:
  // A recursive SMARTS where it stands in the query.
  struct Leaf {
    const RDKit::Atom::QUERYATOM_QUERY *query;
    RecursiveSmarts *smarts;
  };

  bool find_leaves(const std::string &text, AtomKinds &all);
  Found compare(const Target &target);
  Found search(const Target &target);
  Found match(const RDKit::Atom::QUERYATOM_QUERY &query, const RDKit::Atom &atom,
              const Target &target);

  std::unique_ptr<RDKit::RWMol> alone_;  // a pattern of this atom
  RDKit::SubstructMatchParameters settings_;
  std::optional<QueriedElement> element_;  // that all matches have
  bool recursive_;
  bool understood_;  // the leaves are all recursive SMARTS of the query
  std::vector<Leaf> leaves_;
  Remembered found_;
  std::vector<char> matches_;
};

// A recursive SMARTS: it matches the atoms at which a match of its pattern begins.
class RecursiveSmarts {
 public:
  // Nothing if RDKit cannot read the text, or the search would need more than kinds of atoms and bonds.
  static std::unique_ptr<RecursiveSmarts> compile(const std::string &smarts, AtomKinds &all);

  Found evaluate(const Target &target);
  const std::vector<char> &matches() const { return matches_; }

 private:
  struct Closing {
    std::size_t atom;  // as a step
    const RDKit::Bond *bond;
  };
  // The next atom of the pattern, which is a neighbour of the one of an earlier step.
  struct Step {
    AtomKind *kind;
    std::size_t from;
    const RDKit::Bond *bond;
    std::vector<Closing> closings;
  };

  RecursiveSmarts(std::unique_ptr<RDKit::ROMol> pattern, unsigned int matches_max)
      : pattern_(std::move(pattern)), matches_max_(matches_max) {}
  bool plan(const std::string &smarts, AtomKinds &all);
  Found find_all(const Target &target);
  bool extend(const Target &target, std::size_t step);

  std::unique_ptr<RDKit::ROMol> pattern_;
  unsigned int matches_max_;
  std::vector<Step> steps_;  // the first has no bond
  Remembered found_;
  std::vector<char> matches_;
  std::vector<unsigned int> at_;  // the target's atom of each step
  unsigned int count_ = 0;
};

// All kinds of the patterns that are searched for with the same settings. Belongs to one thread.
class AtomKinds {
 public:
  explicit AtomKinds(const RDKit::SubstructMatchParameters &settings) : settings_(settings) {}

  // The kinds of a pattern's atoms that RDKit has read from `smarts`; nothing if the text does not distinguish them.
  std::optional<std::vector<AtomKind *>> of_pattern(const std::string &smarts,
                                                    const RDKit::ROMol &pattern);
  // The same for a pattern of unknown text; nothing if it has recursive SMARTS.
  std::optional<std::vector<AtomKind *>> of_simple_pattern(const RDKit::ROMol &pattern);
  // Nothing where RecursiveSmarts::compile returns nothing.
  RecursiveSmarts *recursive(const std::string &smarts);

  const RDKit::SubstructMatchParameters &settings() const { return settings_; }
  // Matches after which RDKit ends the search for a recursive SMARTS.
  unsigned int matches_max() const {
    return std::max(settings_.maxMatches, settings_.maxRecursiveMatches);
  }

 private:
  AtomKind &kind_of(const std::string &text, const RDKit::QueryAtom &atom);

  RDKit::SubstructMatchParameters settings_;
  std::unordered_map<std::string, std::unique_ptr<AtomKind>> kinds_;
  std::unordered_map<std::string, std::unique_ptr<RecursiveSmarts>> recursive_;  // by text
};

}  // namespace molsieve
