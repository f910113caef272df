#include "molsieve/src/chem/rules/compile.h"

#include <GraphMol/ChemReactions/ReactionParser.h>
#include <GraphMol/SmilesParse/SmartsWrite.h>
#include <GraphMol/SmilesParse/SmilesParse.h>

#include <algorithm>
#include <stdexcept>

#include "molsieve/src/chem/failure.h"
#include "molsieve/src/chem/rdkit/log.h"
#include "molsieve/src/chem/rules/atom_query.h"
#include "molsieve/src/chem/match/smarts_text.h"

namespace molsieve {

namespace {

// The parts of a reaction SMARTS that determine the patterns of its reactants. A `>` after `-` belongs to a dative bond
// and separates nothing; a `.` separates reactants outside of all brackets. An extension behind the reaction (`|…|`) may
// change the patterns.
std::vector<std::string> reactant_texts(const std::string &smirks, std::size_t reactants) {
  std::vector<std::string> texts(1);
  int depth = 0;
  for (std::size_t i = 0; i < smirks.size() && smirks.find('|') == std::string::npos; ++i) {
    const auto c = smirks[i];
    if (c == '>' && (i == 0 || smirks[i - 1] != '-')) {
      break;
    }
    depth += c == '(' || c == '[' || c == '{';
    depth -= c == ')' || c == ']' || c == '}';
    if (c == '.' && depth == 0) {
      texts.emplace_back();
    } else {
      texts.back() += c;
    }
  }
  if (texts.size() == reactants && !texts[0].empty()) {
    return texts;
  }
  texts.clear();
  for (std::size_t i = 0; i < reactants; ++i) {
    // No text of one pattern: it only tells the patterns apart.
    texts.push_back(i == 0 ? smirks : smirks + " " + std::to_string(i));
  }
  return texts;
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
  const auto reactants = reaction->getNumReactantTemplates();
  if (reactants == 0 || reactants > REACTANTS_MAX) {
    throw std::runtime_error("a rule has 1 to " + std::to_string(REACTANTS_MAX) + " reactants, this one has " +
                             std::to_string(reactants));
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

SiteQuery site_query(SiteFinder &finder, const std::string &smarts, const RDKit::ROMOL_SPTR &pattern,
                     const std::vector<std::string> &exclude) {
  SiteQuery query;
  query.reactant = finder.add_reactant(smarts, pattern);
  for (const auto &excluded : exclude) {
    query.exclude.push_back(query_index(finder, excluded));
  }
  return query;
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
  const auto asks = [](const auto &reactant) { return asks_for_hydrogens(*reactant); };
  if (std::ranges::any_of(reaction.getReactants(), asks)) {
    return true;
  }
  const std::unique_ptr<RDKit::ROMol> pattern(require.empty() ? nullptr
                                                              : RDKit::SmartsToMol(require));
  return pattern && asks_for_hydrogens(*pattern);
}

}  // namespace

CompiledRule compile_rule(const RuleText &text, SiteFinders &in_parents, SiteFinders &in_reagents, bool with_edits) {
  take_logged_errors();
  CompiledRule rule;
  rule.add_hydrogens = text.add_hydrogens;
  rule.parent = text.parent;
  rule.reaction = read_reaction(text.smirks);
  const auto &templates = rule.reaction->getReactants();
  const auto texts = reactant_texts(text.smirks, templates.size());
  auto &finder = in_parents.of(text.add_hydrogens);
  for (std::size_t i = 0; i < templates.size(); ++i) {
    Reactant reactant;
    reactant.atoms = templates[i]->getNumAtoms();
    if (std::ranges::find(text.parent, i) != text.parent.end()) {
      reactant.in_parent = site_query(finder, texts[i], templates[i], text.exclude);
      if (!text.require.empty()) {
        reactant.in_parent.require = query_index(finder, text.require);
      }
    }
    if (templates.size() > 1) {
      reactant.in_reagent = site_query(in_reagents.of(text.add_hydrogens), texts[i], templates[i], text.exclude);
    }
    rule.reactants.push_back(std::move(reactant));
  }
  for (unsigned int i = 0; i < rule.reaction->getNumProductTemplates(); ++i) {
    rule.edits.push_back(with_edits && !text.add_hydrogens
                             ? edit::Edit::compile(*rule.reaction, i)
                             : std::nullopt);
  }
  rule.matches_nothing =
      !text.add_hydrogens && needs_hydrogens(*rule.reaction, text.require);
  return rule;
}

}  // namespace molsieve
