#include "molsieve/src/chem/rules/atom_kind.h"

#include <GraphMol/SmilesParse/SmartsWrite.h>
#include <GraphMol/SmilesParse/SmilesParse.h>

#include <algorithm>

#include "molsieve/src/chem/rules/smarts_text.h"

namespace molsieve {

namespace {

using AtomQuery = RDKit::Atom::QUERYATOM_QUERY;

bool is_recursive_smarts(const AtomQuery &query) {
  return query.getDescription() == "RecursiveStructure";
}

// The recursive SMARTS of a query, in its order.
void list_recursive(const AtomQuery &query, std::vector<const AtomQuery *> &found) {
  if (is_recursive_smarts(query)) {
    found.push_back(&query);
  }
  std::for_each(query.beginChildren(), query.endChildren(),
                [&](const auto &child) { list_recursive(*child, found); });
}

bool has_recursion(const AtomQuery &query) {
  std::vector<const AtomQuery *> found;
  list_recursive(query, found);
  return !found.empty();
}

// Whether recursive SMARTS stand in nothing but ANDs and ORs.
bool is_simple(const AtomQuery &query) {
  const auto &kind = query.getDescription();
  return is_recursive_smarts(query) || !has_recursion(query) ||
         ((kind == "AtomAnd" || kind == "AtomOr") &&
          std::all_of(query.beginChildren(), query.endChildren(),
                      [](const auto &child) { return is_simple(*child); }));
}

// The query as text, but for what is within recursive SMARTS.
std::string described(const AtomQuery &query) {
  auto text = query.getFullDescription();
  for (auto child = query.beginChildren(); child != query.endChildren(); ++child) {
    text += child == query.beginChildren() ? '(' : ',';
    text += described(**child);
  }
  return query.beginChildren() == query.endChildren() ? text : text + ")";
}

// RDKit's text of a recursive SMARTS that it has read.
std::string written(const AtomQuery &recursive) {
  RDKit::QueryAtom atom;
  atom.setQuery(recursive.copy());
  atom.getQuery()->setNegation(false);
  return RDKit::SmartsWrite::GetAtomSmarts(&atom);
}

// Nothing if RDKit cannot read the text.
std::unique_ptr<RDKit::ROMol> read_smarts(const std::string &smarts) {
  try {
    return std::unique_ptr<RDKit::ROMol>(RDKit::SmartsToMol(smarts));
  } catch (const std::exception &) {
    return nullptr;
  }
}

// RDKit's text of a recursive SMARTS; empty if it cannot read it.
std::string rewritten(const std::string &recursive) {
  const auto mol = read_smarts("[$(" + recursive + ")]");
  return mol && mol->getNumAtoms() == 1
             ? RDKit::SmartsWrite::GetAtomSmarts(mol->getAtomWithIdx(0))
             : std::string();
}

Found found_if(bool found) { return found ? Found::SOME : Found::NONE; }

Found negated_if(bool negated, Found found) {
  return found == Found::UNKNOWN ? found : found_if((found == Found::SOME) != negated);
}

}  // namespace

AtomKind::AtomKind(const std::string &text, const RDKit::QueryAtom &atom, AtomKinds &all)
    : alone_(std::make_unique<RDKit::RWMol>()),
      settings_(all.settings()),
      element_(needed_element(*atom.getQuery())),
      recursive_(has_recursion(*atom.getQuery())) {
  alone_->addAtom(new RDKit::QueryAtom(atom), false, true);
  settings_.maxMatches = all.matches_max();
  settings_.uniquify = false;
  understood_ = find_leaves(text, all);
}

// Pairs the recursive SMARTS of the query with those of the text. False: they don't fit.
bool AtomKind::find_leaves(const std::string &text, AtomKinds &all) {
  const auto &query = *alone_->getAtomWithIdx(0)->getQuery();
  std::vector<const AtomQuery *> queries;
  list_recursive(query, queries);
  const auto texts = recursive_texts(text);
  if (queries.size() != texts.size() || !is_simple(query)) {
    return false;
  }
  for (std::size_t i = 0; i < queries.size(); ++i) {
    auto *smarts = all.recursive(texts[i].smarts);
    if (!smarts || written(*queries[i]) != rewritten(texts[i].smarts)) {
      return false;
    }
    leaves_.push_back({queries[i], smarts});
  }
  return true;
}

Found AtomKind::evaluate(const Target &target) {
  return found_.get(target, [&] { return understood_ ? compare(target) : search(target); });
}

Found AtomKind::compare(const Target &target) {
  const auto &query = *alone_->getAtomWithIdx(0)->getQuery();
  auto any = Found::NONE;
  matches_.assign(target.mol.getNumAtoms(), false);
  for (const auto *atom : target.mol.atoms()) {
    if (element_ && !element_->is_that_of(*atom)) {
      continue;
    }
    const auto found = recursive_ ? match(query, *atom, target) : found_if(query.Match(atom));
    if (found == Found::UNKNOWN) {
      return found;
    }
    if (found == Found::SOME) {
      any = found;
      matches_[atom->getIdx()] = true;
    }
  }
  return any;
}

// Whether an atom matches a query, which may have recursive SMARTS.
Found AtomKind::match(const AtomQuery &query, const RDKit::Atom &atom, const Target &target) {
  const auto leaf = std::ranges::find(leaves_, &query, &Leaf::query);
  if (leaf != leaves_.end()) {
    auto found = leaf->smarts->evaluate(target);
    if (found == Found::SOME) {
      found = found_if(leaf->smarts->matches()[atom.getIdx()]);
    }
    return negated_if(query.getNegation(), found);
  }
  const bool all = query.getDescription() == "AtomAnd";
  if (!all && query.getDescription() != "AtomOr") {
    return found_if(query.Match(&atom));  // has no recursive SMARTS
  }
  const auto decides = all ? Found::NONE : Found::SOME;
  for (auto child = query.beginChildren(); child != query.endChildren(); ++child) {
    const auto found = match(**child, atom, target);
    if (found == Found::UNKNOWN || found == decides) {
      return negated_if(query.getNegation(), found);
    }
  }
  return negated_if(query.getNegation(), found_if(all));
}

// The same by RDKit's search.
Found AtomKind::search(const Target &target) {
  matches_.assign(target.mol.getNumAtoms(), false);
  const auto found = RDKit::SubstructMatch(target.mol, *alone_, settings_);
  for (const auto &match : found) {
    matches_[match[0].second] = true;
  }
  return found.size() < settings_.maxMatches ? found_if(!found.empty()) : Found::UNKNOWN;
}

std::unique_ptr<RecursiveSmarts> RecursiveSmarts::compile(const std::string &smarts,
                                                          AtomKinds &all) {
  auto pattern = read_smarts(smarts);
  if (!pattern || pattern->getNumAtoms() == 0) {
    return nullptr;
  }
  std::unique_ptr<RecursiveSmarts> recursive(
      new RecursiveSmarts(std::move(pattern), all.matches_max()));
  return recursive->plan(smarts, all) ? std::move(recursive) : nullptr;
}

// Orders the atoms so that each is a neighbour of an earlier one. False: the pattern has several components, a dative
// bond, whose direction counts too, or atoms that its text does not distinguish.
bool RecursiveSmarts::plan(const std::string &smarts, AtomKinds &all) {
  const auto kinds = all.of_pattern(smarts, *pattern_);
  const auto is_dative = [](const RDKit::Bond *bond) {
    return bond->getBondType() == RDKit::Bond::DATIVE;
  };
  if (!kinds || std::ranges::any_of(pattern_->bonds(), is_dative)) {
    return false;
  }
  std::vector<unsigned int> order{0};
  steps_.push_back({(*kinds)[0], 0, nullptr, {}});
  for (std::size_t from = 0; from < order.size(); ++from) {
    for (const auto *bond : pattern_->atomBonds(pattern_->getAtomWithIdx(order[from]))) {
      const auto atom = bond->getOtherAtomIdx(order[from]);
      const auto known = std::ranges::find(order, atom);
      if (known == order.end()) {
        order.push_back(atom);
        steps_.push_back({(*kinds)[atom], from, bond, {}});
        continue;
      }
      const std::size_t step = known - order.begin();
      if (step > from && steps_[step].bond != bond) {
        steps_[step].closings.push_back({from, bond});
      }
    }
  }
  at_.resize(order.size());
  return order.size() == pattern_->getNumAtoms();
}

Found RecursiveSmarts::evaluate(const Target &target) {
  return found_.get(target, [&] { return find_all(target); });
}

Found RecursiveSmarts::find_all(const Target &target) {
  for (const auto &step : steps_) {
    const auto found = step.kind->evaluate(target);
    if (found != Found::SOME) {
      return found;
    }
  }
  matches_.assign(target.mol.getNumAtoms(), false);
  count_ = 0;
  const auto &first = steps_[0].kind->matches();
  for (unsigned int atom = 0; atom < first.size(); ++atom) {
    at_[0] = atom;
    if (first[atom] && !extend(target, 1)) {
      return Found::UNKNOWN;
    }
  }
  return found_if(count_ > 0);
}

// Counts the matches that begin as the first steps do. False: the limit is reached.
bool RecursiveSmarts::extend(const Target &target, std::size_t step) {
  if (step == steps_.size()) {
    matches_[at_[0]] = true;
    return ++count_ < matches_max_;
  }
  const auto &next = steps_[step];
  const auto from = at_[next.from];
  for (const auto *bond : target.mol.atomBonds(target.mol.getAtomWithIdx(from))) {
    const auto atom = bond->getOtherAtomIdx(from);
    const auto used = std::find(at_.begin(), at_.begin() + step, atom) != at_.begin() + step;
    if (used || !next.kind->matches()[atom] || !next.bond->Match(bond)) {
      continue;
    }
    const bool closes = std::ranges::all_of(next.closings, [&](const Closing &closing) {
      const auto *other = target.mol.getBondBetweenAtoms(at_[closing.atom], atom);
      return other && closing.bond->Match(other);
    });
    at_[step] = atom;
    if (closes && !extend(target, step + 1)) {
      return false;
    }
  }
  return true;
}

std::optional<std::vector<AtomKind *>> AtomKinds::of_pattern(const std::string &smarts,
                                                             const RDKit::ROMol &pattern) {
  const auto texts = atom_texts(smarts);
  // Behind a space are CXSMARTS extensions. `$(…)_1` has a serial number: RDKit then takes the matches of the first
  // recursive SMARTS of the pattern that has the same.
  if (texts.size() != pattern.getNumAtoms() || smarts.find(' ') != std::string::npos ||
      smarts.find(")_") != std::string::npos) {
    return {};
  }
  std::vector<AtomKind *> kinds;
  for (const auto *atom : pattern.atoms()) {
    const auto *query = dynamic_cast<const RDKit::QueryAtom *>(atom);
    if (!query || !query->hasQuery()) {
      return {};
    }
    kinds.push_back(&kind_of(texts[atom->getIdx()], *query));
  }
  return kinds;
}

std::optional<std::vector<AtomKind *>> AtomKinds::of_simple_pattern(const RDKit::ROMol &pattern) {
  std::vector<AtomKind *> kinds;
  for (const auto *atom : pattern.atoms()) {
    const auto *query = dynamic_cast<const RDKit::QueryAtom *>(atom);
    if (!query || !query->hasQuery() || has_recursion(*query->getQuery())) {
      return {};
    }
    kinds.push_back(&kind_of("", *query));
  }
  return kinds;
}

AtomKind &AtomKinds::kind_of(const std::string &text, const RDKit::QueryAtom &atom) {
  const auto key = text + ' ' + described(*atom.getQuery());
  const auto known = kinds_.find(key);
  if (known != kinds_.end()) {
    return *known->second;
  }
  // This may add other kinds: those within its recursive SMARTS.
  auto kind = std::make_unique<AtomKind>(text, atom, *this);
  return *kinds_.emplace(key, std::move(kind)).first->second;
}

RecursiveSmarts *AtomKinds::recursive(const std::string &smarts) {
  const auto known = recursive_.find(smarts);
  if (known != recursive_.end()) {
    return known->second.get();
  }
  auto compiled = RecursiveSmarts::compile(smarts, *this);
  return recursive_.emplace(smarts, std::move(compiled)).first->second.get();
}

}  // namespace molsieve
