#include "molsieve/src/chem/rules/sites.h"

#include <GraphMol/SmilesParse/SmilesParse.h>

#include <algorithm>

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

SiteFinder::SiteFinder(unsigned int sites_max, bool share_atoms)
    : sites_max_(sites_max),
      share_atoms_(share_atoms),
      reactant_atoms_(search_settings(sites_max + 1)),
      query_atoms_(query_settings(sites_max)) {}

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
  reactant.pattern = pattern_of(smarts, std::move(pattern), reactant_atoms_);
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
  query.pattern = pattern_of(smarts, mol, query_atoms_);
  queries_.push_back(std::move(query));
  return queries_.size() - 1;
}

SiteFinder::Pattern SiteFinder::pattern_of(const std::string &smarts, RDKit::ROMOL_SPTR mol,
                                           AtomKinds &kinds) {
  auto shared = share_atoms_ ? SharedPattern::of(smarts, *mol, kinds) : std::nullopt;
  auto elements = Elements::of_query(*mol);
  return {std::move(mol), kinds.settings(), elements, std::move(shared)};
}

void SiteFinder::begin(const RDKit::ROMol &parent) {
  parent_ = &parent;
  ++parents_;
  elements_ = Elements::of_molecule(parent);
  for (auto &reactant : reactants_) {
    reactant.evaluated = false;
  }
  for (auto &query : queries_) {
    query.evaluated = false;
  }
}

bool SiteFinder::find(const SiteQuery &query, std::vector<MatchVectType> &matches) {
  matches.clear();
  if (!elements_.has(reactants_[query.reactant].pattern.elements)) {
    return false;
  }
  bool capped = false;
  if (query.require) {
    const auto &required = covered(*query.require);
    capped |= required.capped;
    if (required.atoms.empty()) {
      return capped;
    }
  }
  auto &reactant = evaluated(query.reactant);
  capped |= reactant.capped;
  if (reactant.matches.size() > MATCHES_KEPT_MAX) {
    matches = std::move(reactant.matches);
    reactant.matches = {};
    reactant.evaluated = false;
  } else {
    matches = reactant.matches;
  }
  for (const auto index : query.exclude) {
    if (matches.empty()) {
      break;
    }
    const auto &excluded = covered(index);
    capped |= excluded.capped;  // atoms of further matches are not protected
    std::erase_if(matches, [&](const MatchVectType &match) {
      return std::ranges::any_of(match, [&](const auto &pair) {
        return std::ranges::binary_search(excluded.atoms, static_cast<unsigned int>(pair.second));
      });
    });
  }
  return capped;
}

std::vector<MatchVectType> SiteFinder::search(Pattern &pattern) {
  if (pattern.shared) {
    const Target target{*parent_, parents_};
    switch (pattern.shared->evaluate(target)) {
      case Found::NONE:
        return {};
      case Found::SOME:
        return pattern.shared->search(target);
      case Found::UNKNOWN:
        break;
    }
  }
  return RDKit::SubstructMatch(*parent_, *pattern.mol, pattern.settings);
}

SiteFinder::Reactant &SiteFinder::evaluated(std::size_t index) {
  auto &reactant = reactants_[index];
  if (!reactant.evaluated) {
    reactant.matches = search(reactant.pattern);
    reactant.capped = reactant.matches.size() > sites_max_;
    if (reactant.capped) {
      reactant.matches.resize(sites_max_);
    }
    reactant.evaluated = true;
  }
  return reactant;
}

const SiteFinder::Query &SiteFinder::covered(std::size_t index) {
  auto &query = queries_[index];
  if (query.evaluated) {
    return query;
  }
  query.evaluated = true;
  query.capped = false;
  query.atoms.clear();
  if (!elements_.has(query.pattern.elements)) {
    return query;
  }
  const auto matches = search(query.pattern);
  query.capped = matches.size() == sites_max_;
  for (const auto &match : matches) {
    for (const auto &pair : match) {
      query.atoms.push_back(pair.second);
    }
  }
  std::ranges::sort(query.atoms);
  query.atoms.erase(std::unique(query.atoms.begin(), query.atoms.end()), query.atoms.end());
  return query;
}

}  // namespace molsieve
