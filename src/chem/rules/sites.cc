#include "molsieve/src/chem/rules/sites.h"

#include <GraphMol/SmilesParse/SmilesParse.h>

#include <algorithm>
#include <iterator>

#include "molsieve/src/chem/rules/atom_query.h"

namespace molsieve {

using RDKit::MatchVectType;

namespace {

// Most matches of a reactant that are kept for the next rule with the same reactant. If there are more, the finder
// searches again, so that memory stays within what the plan counts for a rule.
constexpr std::size_t MATCHES_KEPT_MAX = 64;

// RDKit's settings of a reaction from SMIRKS are the default ones too, but for a silent limit of 1,000 matches.
RDKit::SubstructMatchParameters search_settings(unsigned int matches_max) {
  RDKit::SubstructMatchParameters settings;
  settings.uniquify = false;
  settings.maxMatches = matches_max;
  return settings;
}

RDKit::SubstructMatchParameters query_settings(unsigned int matches_max) {
  auto settings = search_settings(matches_max);
  settings.maxRecursiveMatches = matches_max;
  return settings;
}

}  // namespace

// RDKit ends the search for a recursive SMARTS after `sites_max` matches in queries, and after one more in reactants.
// Both are left to it from `sites_max` matches on.
SiteFinder::SiteFinder(unsigned int sites_max, bool own_search)
    : sites_max_(sites_max), own_search_(own_search), kinds_(sites_max) {}

Elements Elements::of_query(const RDKit::ROMol &query) {
  Elements needed;
  for (const auto *atom : query.atoms()) {
    const auto element = atom->hasQuery() ? needed_element(*atom->getQuery()) : std::nullopt;
    if (!element || element->number < 1 || element->number >= 128) {
      continue;
    }
    auto &set = element->form == QueriedElement::ANY         ? needed.any
                : element->form == QueriedElement::ALIPHATIC ? needed.aliphatic
                                                             : needed.aromatic;
    set.set(element->number);
  }
  return needed;
}

Elements Elements::of_molecule(const RDKit::ROMol &mol) {
  Elements elements;
  for (const auto *atom : mol.atoms()) {
    const auto number = atom->getAtomicNum() % 128;
    (atom->getIsAromatic() ? elements.aromatic : elements.aliphatic).set(number);
    elements.any.set(number);
  }
  return elements;
}

Elements Elements::of_target(const match::Target &target) {
  Elements elements;
  for (unsigned int atom = 0; atom < target.size(); ++atom) {
    const auto number = target.atomic_number(atom);
    (target.is_aromatic(atom) ? elements.aromatic : elements.aliphatic).set(number);
    elements.any.set(number);
  }
  return elements;
}

bool Elements::has(const Elements &needed) const {
  return (needed.aliphatic & ~aliphatic).none() && (needed.aromatic & ~aromatic).none() &&
         (needed.any & ~any).none();
}

std::size_t SiteFinder::add_reactant(const std::string &smarts, RDKit::ROMOL_SPTR pattern) {
  const auto found = std::ranges::find(reactants_, smarts, &Reactant::smarts);
  if (found != reactants_.end()) {
    return found - reactants_.begin();
  }
  Reactant reactant;
  reactant.smarts = smarts;
  reactant.pattern = pattern_of(smarts, std::move(pattern), search_settings(sites_max_ + 1));
  reactants_.push_back(std::move(reactant));
  return reactants_.size() - 1;
}

std::optional<std::size_t> SiteFinder::add_query(const std::string &smarts) {
  const auto found = std::ranges::find(queries_, smarts, &Query::smarts);
  if (found != queries_.end()) {
    return found - queries_.begin();
  }
  const RDKit::ROMOL_SPTR mol(RDKit::SmartsToMol(smarts));
  if (!mol || mol->getNumAtoms() == 0) {
    return {};
  }
  Query query;
  query.smarts = smarts;
  query.pattern = pattern_of(smarts, mol, query_settings(sites_max_));
  queries_.push_back(std::move(query));
  return queries_.size() - 1;
}

SiteFinder::Pattern SiteFinder::pattern_of(const std::string &smarts, RDKit::ROMOL_SPTR mol,
                                           const RDKit::SubstructMatchParameters &settings) {
  auto plan = own_search_ ? kinds_.plan(smarts, *mol) : std::nullopt;
  auto elements = Elements::of_query(*mol);
  return {std::move(mol), settings, elements, std::move(plan)};
}

bool SiteFinder::needs_rdkit(const SiteQuery &query) const {
  const auto is_left = [&](std::size_t index) { return !queries_[index].pattern.plan; };
  return !reactants_[query.reactant].pattern.plan || std::ranges::any_of(query.exclude, is_left) ||
         (query.require && is_left(*query.require));
}

void SiteFinder::begin(Searched searched) {
  searched_ = std::move(searched);
  has_target_ = own_search_ && (searched_.flat ? target_.read(searched_.flat->mol, searched_.flat->rings)
                                               : target_.read(searched_.rdkit()));
  elements_ = has_target_ ? Elements::of_target(target_) : Elements::of_molecule(searched_.rdkit());
  for (auto &reactant : reactants_) {
    reactant.evaluated = false;
  }
  for (auto &query : queries_) {
    query.evaluated = false;
  }
}

const std::vector<MatchVectType> &SiteFinder::find(const SiteQuery &query, bool &capped) {
  sites_.clear();
  capped = false;
  if (!elements_.has(reactants_[query.reactant].pattern.elements)) {
    return sites_;
  }
  if (query.require) {
    const auto &required = covered(*query.require);
    capped |= required.capped;
    if (!required.any) {
      return sites_;
    }
  }
  auto &reactant = evaluated(query.reactant);
  capped |= reactant.capped;
  const auto *sites = &reactant.matches;
  if (sites->size() > MATCHES_KEPT_MAX) {
    sites_ = std::move(reactant.matches);
    reactant.matches = {};
    reactant.evaluated = false;
    sites = &sites_;
  }
  for (const auto index : query.exclude) {
    if (sites->empty()) {
      break;
    }
    const auto &excluded = covered(index);
    capped |= excluded.capped;  // atoms of further matches are not protected
    const auto is_excluded = [&](const MatchVectType &match) {
      return std::ranges::any_of(match, [&](const auto &pair) { return excluded.atoms[pair.second]; });
    };
    if (!excluded.any || std::ranges::none_of(*sites, is_excluded)) {
      continue;
    }
    if (sites == &sites_) {
      std::erase_if(sites_, is_excluded);
    } else {
      std::ranges::remove_copy_if(*sites, std::back_inserter(sites_), is_excluded);
      sites = &sites_;
    }
  }
  return *sites;
}

std::vector<MatchVectType> SiteFinder::search_with_rdkit(const Pattern &pattern) {
  ++searches_.by_rdkit;
  return RDKit::SubstructMatch(searched_.rdkit(), *pattern.mol, pattern.settings);
}

SiteFinder::Reactant &SiteFinder::evaluated(std::size_t index) {
  auto &reactant = reactants_[index];
  if (reactant.evaluated) {
    return reactant;
  }
  auto &pattern = reactant.pattern;
  if (has_target_ && pattern.plan &&
      pattern.plan->find(target_, pattern.settings.maxMatches, reactant.matches) != match::Found::UNKNOWN) {
    ++searches_.own;
  } else {
    reactant.matches = search_with_rdkit(pattern);
  }
  reactant.capped = reactant.matches.size() > sites_max_;
  if (reactant.capped) {
    reactant.matches.resize(sites_max_);
  }
  reactant.evaluated = true;
  return reactant;
}

const SiteFinder::Query &SiteFinder::covered(std::size_t index) {
  auto &query = queries_[index];
  if (!query.evaluated) {
    query.evaluated = true;
    query.capped = query.any = false;
    if (elements_.has(query.pattern.elements)) {
      cover(query);
    }
  }
  return query;
}

// Finds the atoms of all matches.
void SiteFinder::cover(Query &query) {
  auto &plan = query.pattern.plan;
  if (has_target_ && plan) {
    std::size_t matches = 0;
    query.atoms.assign(target_.size(), false);
    if (plan->cover(target_, sites_max_, query.atoms, matches) != match::Found::UNKNOWN) {
      ++searches_.own;
      query.any = matches != 0;
      query.capped = matches == sites_max_;
      return;
    }
  }
  const auto matches = search_with_rdkit(query.pattern);
  query.any = !matches.empty();
  query.capped = matches.size() == sites_max_;
  query.atoms.assign(searched_.rdkit().getNumAtoms(), false);
  for (const auto &match : matches) {
    for (const auto &pair : match) {
      query.atoms[pair.second] = true;
    }
  }
}

}  // namespace molsieve
