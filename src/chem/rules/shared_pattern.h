// Patterns that share the matches of their atoms.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "molsieve/src/chem/rules/atom_kind.h"

namespace molsieve {

// A copy of a pattern whose atoms look their matches up. RDKit searches for it as for the pattern itself.
class SharedPattern {
 public:
  // Nothing if the text that RDKit has read the pattern from does not distinguish its atoms; or, if the text is not known
  // (empty), if the pattern has recursive SMARTS.
  static std::optional<SharedPattern> of(const std::string &smarts, const RDKit::ROMol &pattern,
                                         AtomKinds &kinds);

  // NONE: an atom matches nothing. SOME: `search` may be called for the same target. UNKNOWN: only the pattern itself
  // can be searched for.
  Found evaluate(const Target &target);
  // The matches of the pattern, in RDKit's order.
  std::vector<RDKit::MatchVectType> search(const Target &target) const;

 private:
  SharedPattern() = default;

  std::unique_ptr<RDKit::RWMol> mol_;
  RDKit::SubstructMatchParameters settings_;
  std::vector<AtomKind *> kinds_;  // each once, those with recursive SMARTS behind the others
};

}  // namespace molsieve
