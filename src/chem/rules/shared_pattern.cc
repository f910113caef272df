#include "molsieve/src/chem/rules/shared_pattern.h"

#include <algorithm>

namespace molsieve {

namespace {

class LookedUpAtom final : public RDKit::QueryAtom {
 public:
  LookedUpAtom(const RDKit::QueryAtom &atom, const std::vector<char> &matches)
      : QueryAtom(atom), matches_(&matches) {
    setQuery(nullptr);  // takes much memory and is no longer looked at
  }
  RDKit::Atom *copy() const override { return new LookedUpAtom(*this); }
  bool Match(const RDKit::Atom *atom) const override { return (*matches_)[atom->getIdx()]; }

 private:
  const std::vector<char> *matches_;
};

}  // namespace

std::optional<SharedPattern> SharedPattern::of(const std::string &smarts,
                                               const RDKit::ROMol &pattern, AtomKinds &kinds) {
  const auto of_atoms = smarts.empty() ? kinds.of_simple_pattern(pattern) : kinds.of_pattern(smarts, pattern);
  if (!of_atoms) {
    return {};
  }
  SharedPattern shared;
  shared.settings_ = kinds.settings();
  shared.settings_.recursionPossible = false;
  shared.mol_ = std::make_unique<RDKit::RWMol>(pattern);
  for (const auto *atom : pattern.atoms()) {
    LookedUpAtom looked_up(dynamic_cast<const RDKit::QueryAtom &>(*atom),
                           (*of_atoms)[atom->getIdx()]->matches());
    shared.mol_->replaceAtom(atom->getIdx(), &looked_up);
  }
  for (auto *kind : *of_atoms) {
    if (std::ranges::find(shared.kinds_, kind) == shared.kinds_.end()) {
      shared.kinds_.push_back(kind);
    }
  }
  std::ranges::stable_partition(shared.kinds_,
                                [](const auto *kind) { return !kind->is_recursive(); });
  return shared;
}

Found SharedPattern::evaluate(const Target &target) {
  for (auto *kind : kinds_) {
    const auto found = kind->evaluate(target);
    if (found != Found::SOME) {
      return found;
    }
  }
  return Found::SOME;
}

std::vector<RDKit::MatchVectType> SharedPattern::search(const Target &target) const {
  return RDKit::SubstructMatch(target.mol, *mol_, settings_);
}

}  // namespace molsieve
