// Compiles rules.
#pragma once

#include <GraphMol/ChemReactions/Reaction.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "molsieve/src/chem/edit/edit.h"
#include "molsieve/src/chem/rules/sites.h"

namespace molsieve {

// At most so many reactants of a rule: its parent and the reagents.
constexpr std::size_t REACTANTS_MAX = 4;

struct RuleText {
  std::string smirks;
  std::vector<std::string> exclude;
  std::string require;  // empty: nothing is required
  bool add_hydrogens = false;
  // Which reactants the parent can be, in this order.
  std::vector<std::uint8_t> parent{0};
};

// Finders of sites in parents, or in reagents.
struct SiteFinders {
  SiteFinders(unsigned int sites_max, bool own_search)
      : plain(sites_max, own_search), with_hydrogens(sites_max, own_search) {}
  SiteFinder &of(bool add_hydrogens) { return add_hydrogens ? with_hydrogens : plain; }

  SiteFinder plain;
  // Those in molecules with their hydrogens as atoms.
  SiteFinder with_hydrogens;
};

// A reactant template of a rule.
struct Reactant {
  unsigned int atoms = 0;
  SiteQuery in_parent;   // for the finders of parents; set if the parent can be this reactant
  SiteQuery in_reagent;  // for the finders of reagents; set if there are several reactants
};

// What a rule needs at run time. Compiled once per thread.
struct CompiledRule {
  bool combines() const { return reactants.size() > 1; }

  std::unique_ptr<RDKit::ChemicalReaction> reaction;
  std::vector<Reactant> reactants;
  // Which of them the parent can be, in this order.
  std::vector<std::uint8_t> parent;
  // Whether it is applied to molecules with their hydrogens as atoms; its sites are then for the finders of these.
  bool add_hydrogens = false;
  // Per product template: the edit on the flat molecule, where the template allows it.
  std::vector<std::optional<edit::Edit>> edits;
  // It needs hydrogens as atoms but is not applied to parents that have them.
  bool matches_nothing = false;
};

// Compiles a rule and adds its patterns to the finders. `with_edits`: products may be made on flat molecules. Throws
// std::runtime_error with RDKit's text.
CompiledRule compile_rule(const RuleText &text, SiteFinders &in_parents, SiteFinders &in_reagents, bool with_edits);

}  // namespace molsieve
