#include "molsieve/src/chem/rules/compile.h"

#include <GraphMol/ChemReactions/ReactionParser.h>
#include <GraphMol/SmilesParse/SmartsWrite.h>
#include <GraphMol/SmilesParse/SmilesParse.h>

#include <algorithm>
#include <stdexcept>

#include "molsieve/src/chem/failure.h"
#include "molsieve/src/chem/rdkit/log.h"
#include "molsieve/src/chem/rules/atom_query.h"
#include "molsieve/src/chem/rules/smarts_text.h"

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

// Whether every match of the pattern has an ordinary hydrogen: no isotope, no ion and not H2, which RDKit keeps as
// atoms. Such a pattern matches a parent only after MolOps::addHs. Also looks into recursive SMARTS.
bool asks_for_hydrogens(const RDKit::ROMol &pattern);

// What a query atom asks for.
struct Asked {
  bool hydrogen = false;
  bool isotope = false;
  bool charge = false;
  bool recursive = false;     // there is a recursive SMARTS
  bool alternatives = false;  // it asks for one of several things
};

void add_asked(const RDKit::Atom::QUERYATOM_QUERY &query, Asked &asked) {
  if (query.getNegation()) {
    return;
  }
  const auto &kind = query.getDescription();
  if (kind == "AtomAnd") {
    std::for_each(query.beginChildren(), query.endChildren(),
                  [&](const auto &child) { add_asked(*child, asked); });
  } else if (const auto element = queried_element(query)) {
    asked.hydrogen |= element->number == 1;
  } else if (kind == "AtomIsotope") {
    asked.isotope = true;
  } else if (kind == "AtomFormalCharge" || kind == "AtomNegativeFormalCharge") {
    asked.charge = true;
  } else if (kind == "RecursiveStructure") {
    asked.recursive = true;
  } else if (kind == "AtomOr" || kind == "AtomXor") {
    asked.alternatives = true;
  }
}

// Whether a recursive SMARTS in the text of an atom asks for hydrogens and is not negated. Reads RDKit's text of the
// atom, since its headers and its library disagree about where a recursive query stores its molecule.
bool any_within_asks(const std::string &text) {
  return std::ranges::any_of(recursive_texts(text), [](const RecursiveText &recursive) {
    if (recursive.negated) {
      return false;
    }
    const std::unique_ptr<RDKit::ROMol> inner(RDKit::SmartsToMol(recursive.smarts));
    return inner && asks_for_hydrogens(*inner);
  });
}

Asked asked_of(const RDKit::Atom &atom) {
  Asked asked;
  if (atom.hasQuery()) {
    add_asked(*atom.getQuery(), asked);
  }
  return asked;
}

bool asks_for_hydrogens(const RDKit::ROMol &pattern) {
  for (const auto *atom : pattern.atoms()) {
    const auto asked = asked_of(*atom);
    if (asked.recursive && !asked.alternatives &&
        any_within_asks(RDKit::SmartsWrite::GetAtomSmarts(atom))) {
      return true;
    }
    if (!asked.hydrogen || asked.isotope || asked.charge) {
      continue;
    }
    auto neighbours = pattern.atomNeighbors(atom);
    const auto is_h2 = std::any_of(neighbours.begin(), neighbours.end(), [](const auto *neighbour) {
      return asked_of(*neighbour).hydrogen;
    });
    if (!is_h2) {
      return true;
    }
  }
  return false;
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
