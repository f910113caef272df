#include "molsieve/src/chem/match/kind.h"

#include <GraphMol/SmilesParse/SmartsWrite.h>
#include <GraphMol/SmilesParse/SmilesParse.h>

#include <algorithm>

#include "molsieve/src/chem/match/smarts_text.h"

namespace molsieve::match {

namespace {

using AtomQuery = RDKit::Atom::QUERYATOM_QUERY;

// No atom of an ordinary molecule has more neighbours.
constexpr unsigned int ORDINARY_DEGREE = 4;

// The recursive SMARTS of a query, in its order.
void list_recursive(const AtomQuery &query, std::vector<const AtomQuery *> &found) {
  if (query.getDescription() == "RecursiveStructure") {
    found.push_back(&query);
  }
  std::for_each(query.beginChildren(), query.endChildren(),
                [&](const auto &child) { list_recursive(*child, found); });
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
  return mol && mol->getNumAtoms() == 1 ? RDKit::SmartsWrite::GetAtomSmarts(mol->getAtomWithIdx(0)) : std::string();
}

}  // namespace

Kind::Kind(Condition condition, Kinds &all)
    : condition_(std::move(condition)), all_(all), recursive_(condition_.is_recursive()) {
  for (unsigned int element = 0; element < OTHER_ELEMENTS; ++element) {
    for (const bool aromatic : {false, true}) {
      const auto truth = condition_.of_class(element, aromatic);
      const auto bit = ClassMask{1} << (2 * element + aromatic);
      classes_ |= truth != Truth::NO ? bit : 0;
      certain_classes_ |= truth == Truth::YES ? bit : 0;
    }
  }
  classes_ |= ALL_CLASSES & ~((ClassMask{1} << 2 * OTHER_ELEMENTS) - 1);
}

bool Kind::evaluate(const Target &target) {
  if (number_ == target.number()) {
    return any_;
  }
  number_ = target.number();
  any_ = false;
  std::fill_n(candidates_.words.begin(), target.words(), 0);
  std::fill_n(open_.words.begin(), target.words(), 0);
  for (auto left = classes_ & target.classes(); left != 0; left &= left - 1) {
    add_class(target, std::countr_zero(left));
  }
  return any_;
}

// Adds the candidates among the atoms of a class.
void Kind::add_class(const Target &target, unsigned int index) {
  const auto &atoms = target.of_class(index);
  for (unsigned int word = 0; word < target.words(); ++word) {
    if (certain_classes_ >> index & 1) {
      candidates_.words[word] |= atoms.words[word];
      any_ = true;
      continue;
    }
    for (auto left = atoms.words[word]; left != 0; left &= left - 1) {
      const unsigned int atom = 64 * word + std::countr_zero(left);
      const auto truth = condition_.evaluate(target, atom, [](std::uint32_t) { return Truth::OPEN; });
      if (truth == Truth::NO) {
        continue;
      }
      any_ = true;
      candidates_.add(atom);
      if (truth == Truth::OPEN) {
        open_.add(atom);
      }
    }
  }
}

Truth Kind::decide(const Target &target, unsigned int atom) {
  const auto truth = condition_.evaluate(
      target, atom, [&](std::uint32_t number) { return all_.recursive(number).matches(target, atom); });
  if (truth == Truth::OPEN) {
    return truth;
  }
  open_.remove(atom);
  if (truth == Truth::NO) {
    candidates_.remove(atom);
  }
  return truth;
}

RecursiveSmarts::RecursiveSmarts(Plan plan, std::size_t matches_max)
    : plan_(std::move(plan)), matches_max_(matches_max), count_max_(plan_.count_max(ORDINARY_DEGREE)) {}

Truth RecursiveSmarts::matches(const Target &target, unsigned int atom) {
  if (number_ != target.number()) {
    number_ = target.number();
    begin(target);
  }
  if (unknown_) {
    return Truth::OPEN;
  }
  if (!known_.has(atom)) {
    const auto found = plan_.begins_at(target, atom);
    if (found == Found::UNKNOWN) {
      return Truth::OPEN;
    }
    known_.add(atom);
    if (found == Found::SOME) {
      matched_.add(atom);
    }
  }
  return truth_of(matched_.has(atom));
}

// Begins a target. Atoms are decided when they are asked for if RDKit's search can't reach its end before all matches.
void RecursiveSmarts::begin(const Target &target) {
  unknown_ = false;
  std::fill_n(matched_.words.begin(), target.words(), 0);
  if (!plan_.may_match(target)) {
    std::fill_n(known_.words.begin(), target.words(), ~std::uint64_t{0});
    return;
  }
  std::size_t beginnings = 0;
  for (unsigned int word = 0; word < target.words(); ++word) {
    beginnings += std::popcount(plan_.beginnings().words[word]);
  }
  std::fill_n(known_.words.begin(), target.words(), 0);
  if (target.degree_max() > ORDINARY_DEGREE || beginnings * count_max_ >= matches_max_) {
    find_all(target);
  }
}

void RecursiveSmarts::find_all(const Target &target) {
  std::size_t count = 0;
  for (unsigned int atom = 0; atom < target.size(); ++atom) {
    known_.add(atom);
    if (!plan_.beginnings().has(atom)) {
      continue;
    }
    const auto found = plan_.count_at(target, atom, matches_max_, count);
    if (found == Found::UNKNOWN || count >= matches_max_) {
      unknown_ = true;
      return;
    }
    if (found == Found::SOME) {
      matched_.add(atom);
    }
  }
}

std::optional<Plan> Kinds::plan(const std::string &smarts, const RDKit::ROMol &pattern) {
  // Behind a space are CXSMARTS extensions. `$(…)_1` has a serial number: RDKit then takes the matches of the first
  // recursive SMARTS of the pattern that has the same.
  std::vector<std::string> texts;
  if (smarts.find(' ') == std::string::npos && smarts.find(")_") == std::string::npos) {
    texts = atom_texts(smarts);
  }
  if (texts.size() != pattern.getNumAtoms()) {
    texts.assign(pattern.getNumAtoms(), "");
  }
  std::vector<Kind *> kinds;
  for (const auto *atom : pattern.atoms()) {
    auto *kind = kind_of(*atom, texts[atom->getIdx()]);
    if (!kind) {
      return {};
    }
    kinds.push_back(kind);
  }
  return kinds.empty() ? std::nullopt : Plan::of(pattern, kinds);
}

// The kind of a pattern's atom; null if it is not covered.
Kind *Kinds::kind_of(const RDKit::Atom &atom, const std::string &text) {
  if (!atom.hasQuery()) {
    return nullptr;
  }
  const auto recursive = recursive_of(*atom.getQuery(), text);
  if (!recursive) {
    return nullptr;
  }
  std::size_t given = 0;
  auto condition = Condition::compile(*atom.getQuery(), [&] { return (*recursive)[given++]; });
  if (!condition) {
    return nullptr;
  }
  const auto known =
      std::ranges::find_if(kinds_, [&](const auto &kind) { return kind->condition() == *condition; });
  if (known != kinds_.end()) {
    return known->get();
  }
  kinds_.push_back(std::make_unique<Kind>(std::move(*condition), *this));
  return kinds_.back().get();
}

// Pairs the recursive SMARTS of a query with those of its text, and gives their numbers. Nothing if they don't fit.
std::optional<std::vector<std::uint32_t>> Kinds::recursive_of(const AtomQuery &query, const std::string &text) {
  std::vector<const AtomQuery *> queries;
  list_recursive(query, queries);
  const auto texts = recursive_texts(text);
  if (queries.size() != texts.size()) {
    return {};
  }
  std::vector<std::uint32_t> numbers;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const auto number = number_of(texts[i].smarts);
    if (!number || written(*queries[i]) != rewritten(texts[i].smarts)) {
      return {};
    }
    numbers.push_back(*number);
  }
  return numbers;
}

// The number of a recursive SMARTS; nothing if it is not covered.
std::optional<std::uint32_t> Kinds::number_of(const std::string &smarts) {
  if (const auto known = number_of_text_.find(smarts); known != number_of_text_.end()) {
    return known->second;
  }
  std::optional<std::uint32_t> number;
  const auto pattern = read_smarts(smarts);
  auto planned = pattern ? plan(smarts, *pattern) : std::nullopt;
  if (planned) {
    number = recursive_.size();
    recursive_.push_back(std::make_unique<RecursiveSmarts>(std::move(*planned), matches_max_));
  }
  number_of_text_.emplace(smarts, number);
  return number;
}

}  // namespace molsieve::match
