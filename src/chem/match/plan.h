// The search for a pattern in a target: an order of the pattern's atoms that is known before, and at each atom what its
// place in the target must fulfil. Matches come in RDKit's order.
#pragma once

#include <GraphMol/RDKitBase.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "molsieve/src/chem/match/target.h"

namespace molsieve::match {

class Kind;

// Whether something matches. UNKNOWN: a search has reached its limit, where RDKit's answer depends on the order of the
// search.
enum class Found : std::uint8_t { NONE, SOME, UNKNOWN };

class Plan {
 public:
  // `kinds`: those of the pattern's atoms. Nothing if a bond of the pattern asks for something that is not covered.
  static std::optional<Plan> of(const RDKit::ROMol &pattern, const std::vector<Kind *> &kinds);

  // Finds the first `matches_max` matches, in RDKit's order.
  Found find(const Target &target, std::size_t matches_max, std::vector<RDKit::MatchVectType> &matches);

  // Whether there is a match.
  Found exists(const Target &target);
  // Marks the atoms of the first `matches_max` matches, and counts these.
  Found cover(const Target &target, std::size_t matches_max, std::vector<char> &atoms, std::size_t &matches);

  // Whether each kind matches some atom, as far as recursive SMARTS don't decide; has to be asked before the following.
  bool may_match(const Target &target);
  // Whether a match begins at an atom.
  Found begins_at(const Target &target, unsigned int atom);
  // Counts the matches that begin at an atom, up to a number.
  Found count_at(const Target &target, unsigned int atom, std::size_t matches_max, std::size_t &count);
  // Where matches may begin.
  const AtomSet &beginnings() const;
  // Most matches that can begin at an atom, if no atom of the target has more neighbours than `degree_max`.
  std::size_t count_max(unsigned int degree_max) const;

 private:
  struct Closing {
    std::uint16_t step;
    std::uint8_t states;
  };
  struct Step {
    Kind *kind;
    std::uint16_t atom;    // of the pattern
    std::uint16_t from;    // the step of the neighbour whose neighbours are tried; NO_INDEX: all atoms are tried
    std::uint8_t states;   // of the bond to it
    std::uint8_t degree;   // of the pattern's atom
    // Of the bonds to neighbours of other steps before.
    std::uint16_t first_closing, closings;
  };
  enum class Next : std::uint8_t { GO_ON, STOP, UNKNOWN };

  bool add_step(const RDKit::ROMol &pattern, unsigned int atom, Kind *kind, std::vector<std::uint16_t> &step_of);
  bool closes(const Target &target, const Step &step, unsigned int atom) const;
  template <typename Take>
  Next extend(const Target &target, std::size_t step, const Take &take);
  template <typename Take>
  Next try_atom(const Target &target, std::size_t step, unsigned int atom, const Take &take);
  template <typename Take>
  Next visit(const Target &target, const Take &take);
  template <typename Take>
  Next begin_at(const Target &target, unsigned int atom, const Take &take);

  std::vector<Step> steps_;
  std::vector<Closing> closings_;
  std::vector<Kind *> kinds_;        // each once, those with recursive SMARTS behind the others
  std::vector<std::uint16_t> at_;    // the target's atom of each step
  AtomSet used_;
};

}  // namespace molsieve::match
