#include "molsieve/src/chem/rules/compile.h"

#include <GraphMol/ChemReactions/ReactionParser.h>
#include <GraphMol/SmilesParse/SmilesParse.h>

#include <stdexcept>

#include "molsieve/src/chem/failure.h"
#include "molsieve/src/chem/rdkit/log.h"
#include "molsieve/src/chem/rules/hydrogens.h"

namespace molsieve {

namespace {

// The part of a reaction SMARTS that determines the reactant's pattern. A `>` after `-` belongs to a dative bond and
// separates nothing. An extension behind the reaction (`|…|`) may change the pattern.
std::string reactant_text(const std::string &smirks) {
  if (smirks.find('|') != std::string::npos) {
    return smirks;
  }
  auto arrow = smirks.find('>');
  while (arrow != std::string::npos && arrow > 0 && smirks[arrow - 1] == '-') {
    arrow = smirks.find('>', arrow + 1);
  }
  return smirks.substr(0, arrow);
}

std::unique_ptr<RDKit::ChemicalReaction> read_reaction(const std::string &smirks) {
  std::unique_ptr<RDKit::ChemicalReaction> reaction;
  try {
    reaction.reset(RDKit::RxnSmartsToChemicalReaction(smirks));
  } catch (const std::exception &e) {
    const auto logged = parse_failure("");
    throw std::runtime_error(logged.empty() ? one_line(e.what()) : logged);
  }
  if (!reaction) {
    throw std::runtime_error(parse_failure("RDKit cannot read this reaction"));
  }
  if (reaction->getNumReactantTemplates() != 1) {
    throw std::runtime_error("a rule has one reactant, this one has " +
                             std::to_string(reaction->getNumReactantTemplates()));
  }
  if (reaction->getNumProductTemplates() == 0) {
    throw std::runtime_error("the rule has no product");
  }
  reaction->initReactantMatchers();
  unsigned int warnings = 0, errors = 0;
  reaction->validate(warnings, errors, true);
  if (errors != 0) {
    throw std::runtime_error(parse_failure("RDKit finds the reaction invalid"));
  }
  return reaction;
}

std::size_t query_index(SiteFinder &finder, const std::string &smarts) {
  std::optional<std::size_t> index;
  try {
    index = finder.add_query(smarts);
  } catch (const std::exception &e) {
    throw std::runtime_error("SMARTS '" + smarts + "': " + one_line(e.what()));
  }
  if (!index) {
    throw std::runtime_error("SMARTS '" + smarts + "': " + parse_failure("RDKit cannot read it"));
  }
  return *index;
}

bool needs_hydrogens(const RDKit::ChemicalReaction &reaction, const std::string &require) {
  if (asks_for_hydrogens(*reaction.getReactants()[0])) {
    return true;
  }
  const std::unique_ptr<RDKit::ROMol> pattern(require.empty() ? nullptr
                                                              : RDKit::SmartsToMol(require));
  return pattern && asks_for_hydrogens(*pattern);
}

}  // namespace

CompiledRule compile_rule(const RuleText &text, SiteFinder &finder, bool with_edits) {
  take_logged_errors();
  CompiledRule rule;
  rule.add_hydrogens = text.add_hydrogens;
  rule.reaction = read_reaction(text.smirks);
  rule.sites.reactant = finder.add_reactant(reactant_text(text.smirks), *rule.reaction);
  for (unsigned int i = 0; i < rule.reaction->getNumProductTemplates(); ++i) {
    rule.edits.push_back(with_edits && !text.add_hydrogens
                             ? edit::Edit::compile(*rule.reaction, i)
                             : std::nullopt);
  }
  for (const auto &smarts : text.exclude) {
    rule.sites.exclude.push_back(query_index(finder, smarts));
  }
  if (!text.require.empty()) {
    rule.sites.require = query_index(finder, text.require);
  }
  rule.matches_nothing =
      !text.add_hydrogens && needs_hydrogens(*rule.reaction, text.require);
  return rule;
}

}  // namespace molsieve
