#include "molsieve/src/chem/filter/patterns.h"

#include <GraphMol/Substruct/SubstructMatch.h>

#include <algorithm>

namespace molsieve::filter {

namespace {

// Those of HasSubstructMatch.
RDKit::SubstructMatchParameters settings() {
  RDKit::SubstructMatchParameters settings;
  settings.maxMatches = 1;
  return settings;
}

}  // namespace

Patterns::Patterns() : kinds_(std::make_unique<match::Kinds>(settings().maxRecursiveMatches)) {}

std::size_t Patterns::add(const std::string &smarts, RDKit::ROMOL_SPTR mol) {
  const auto known = std::ranges::find(patterns_, smarts, &Pattern::smarts);
  if (!smarts.empty() && known != patterns_.end()) {
    return known - patterns_.begin();
  }
  Pattern pattern;
  pattern.smarts = smarts;
  pattern.elements = Elements::of_query(*mol);
  pattern.plan = kinds_->plan(smarts, *mol);
  pattern.mol = std::move(mol);
  patterns_.push_back(std::move(pattern));
  return patterns_.size() - 1;
}

void Patterns::begin(const RDKit::ROMol &mol) {
  mol_ = &mol;
  ++molecules_;
  has_target_ = target_.read(mol);
  elements_ = has_target_ ? Elements::of_target(target_) : Elements::of_molecule(mol);
}

bool Patterns::matches(std::size_t number) {
  auto &pattern = patterns_[number];
  if (pattern.searched != molecules_) {
    pattern.found = search(pattern);
    pattern.searched = molecules_;
  }
  return pattern.found;
}

bool Patterns::matches_by_rdkit(std::size_t number) const {
  return !RDKit::SubstructMatch(*mol_, *patterns_[number].mol, settings()).empty();
}

bool Patterns::search(Pattern &pattern) {
  if (!elements_.has(pattern.elements)) {
    return false;
  }
  if (has_target_ && pattern.plan) {
    const auto found = pattern.plan->exists(target_);
    if (found != match::Found::UNKNOWN) {
      return found == match::Found::SOME;
    }
  }
  return !RDKit::SubstructMatch(*mol_, *pattern.mol, settings()).empty();
}

}  // namespace molsieve::filter
