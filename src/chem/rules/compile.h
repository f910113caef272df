// Compiles rules.
#pragma once

#include <GraphMol/ChemReactions/Reaction.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "molsieve/src/chem/edit/edit.h"
#include "molsieve/src/chem/rules/sites.h"

namespace molsieve {

struct RuleText {
  std::string smirks;
  std::vector<std::string> exclude;
  std::string require;  // empty: nothing is required
  bool add_hydrogens = false;
};

// What a rule needs at run time. Compiled once per thread.
struct CompiledRule {
  std::unique_ptr<RDKit::ChemicalReaction> reaction;
  SiteQuery sites;
  // Whether it is applied to the parent with its hydrogens as atoms; `sites` then refers to the finder for that molecule.
  bool add_hydrogens = false;
  // Per product template: the edit on the flat molecule, where the template allows it.
  std::vector<std::optional<edit::Edit>> edits;
  // It needs hydrogens as atoms but is not applied to parents that have them.
  bool matches_nothing = false;
};

// Compiles a rule and adds its patterns to the finder. `with_edits`: products may be made on flat molecules. Throws
// std::runtime_error with RDKit's text.
CompiledRule compile_rule(const RuleText &text, SiteFinder &finder, bool with_edits);

}  // namespace molsieve
