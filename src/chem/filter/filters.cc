#include "molsieve/src/chem/filter/filters.h"

#include <GraphMol/SmilesParse/SmilesParse.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/canonical.h"
#include "molsieve/src/chem/failure.h"
#include "molsieve/src/chem/parse/parse.h"
#include "molsieve/src/chem/rdkit/log.h"

namespace molsieve::filter {

namespace {

// A value so near to the number of a condition is computed again on the molecule that RDKit reads from the SMILES: a sum in
// another order of atoms may fall on the other side.
constexpr double NEAR = 1e-6;

// Whether a property is a sum of contributions that are not whole numbers.
bool is_sum(Property property) {
  return property == Property::Mw || property == Property::Clogp || property == Property::Tpsa ||
         property == Property::ExactMass;
}

bool holds(double value, Comparison comparison, double number) {
  switch (comparison) {
    case Comparison::AtMost:
      return value <= number;
    case Comparison::AtLeast:
      return value >= number;
    case Comparison::Equal:
      return value == number;
    case Comparison::NotEqual:
      return value != number;
    case Comparison::Below:
      return value < number;
    case Comparison::Above:
      return value > number;
  }
  throw std::logic_error("a comparison without a number");
}

}  // namespace

const RDKit::ROMol &Subject::mol() {
  if (!mol_ && give_) {
    mol_ = &give_();
  } else if (!mol_) {
    read_ = read_smiles(*smiles_, parse::fast);
    mol_ = read_.get();
  }
  return *mol_;
}

void Filters::add_condition(Property property, Comparison comparison, double number) {
  filters_.push_back(Condition{property, comparison, number});
  properties_ |= 1u << static_cast<unsigned int>(property);
}

void Filters::add_smarts(bool required) { filters_.push_back(Smarts{required, {}}); }

void Filters::add_pattern(const std::string &smarts) {
  take_logged_errors();
  RDKit::ROMOL_SPTR pattern;
  try {
    pattern.reset(RDKit::SmartsToMol(smarts));
  } catch (const std::exception &e) {
    throw std::runtime_error(one_line(e.what()));
  }
  if (!pattern || pattern->getNumAtoms() == 0) {
    throw std::runtime_error(parse_failure("RDKit cannot read it"));
  }
  std::get<Smarts>(filters_.back()).patterns.push_back(patterns_.add(smarts, std::move(pattern)));
}

void Filters::add_alerts(Catalogue catalogue) { filters_.push_back(Alerts(catalogue, patterns_)); }

std::optional<Failed> Filters::first_failed(Subject &subject, bool checked) {
  begun_ = false;
  Failed failed;
  for (const auto &filter : filters_) {
    const bool fails = std::visit([&](const auto &kind) { return this->fails(kind, subject, failed); }, filter);
    if (checked) {
      check(filter, subject, fails);
    }
    if (fails) {
      return failed;
    }
    ++failed.filter;
  }
  return {};
}

void Filters::begin(Subject &subject) {
  if (!begun_) {
    patterns_.begin(subject.mol());
    begun_ = true;
  }
}

bool Filters::fails(const Condition &condition, Subject &subject, Failed &failed) const {
  const auto property = static_cast<std::size_t>(condition.property);
  double value = subject.values()[property];
  const double near = NEAR * std::max(1.0, std::abs(condition.number));
  if (is_sum(condition.property) && std::abs(value - condition.number) < near) {
    describe::Values exact;
    describe::describe_with_rdkit(subject.mol(), describe::PropertySet(1u << property), exact);
    value = exact[property];
  }
  failed.value = value;
  return !holds(value, condition.comparison, condition.number);
}

bool Filters::fails(const Smarts &smarts, Subject &subject, Failed &failed) {
  begin(subject);
  const auto matches = [&](std::size_t number) { return patterns_.matches(number); };
  const auto found = std::ranges::find_if(smarts.patterns, matches);
  failed.pattern = found - smarts.patterns.begin();
  return smarts.required == (found == smarts.patterns.end());
}

bool Filters::fails(const Alerts &alerts, Subject &subject, Failed &failed) {
  begin(subject);
  const auto match = alerts.first_match(subject.mol(), patterns_);
  if (match) {
    failed.alert = alerts.name(*match);
  }
  return match.has_value();
}

// Decides a filter by RDKit's own search too.
void Filters::check(const Filter &filter, Subject &subject, bool fails) {
  bool expected = fails;
  if (const auto *smarts = std::get_if<Smarts>(&filter)) {
    const bool any = std::ranges::any_of(
        smarts->patterns, [&](std::size_t number) { return patterns_.matches_by_rdkit(number); });
    expected = smarts->required != any;
  } else if (const auto *alerts = std::get_if<Alerts>(&filter)) {
    expected = alerts->first_match_by_rdkit(subject.mol()).has_value();
  }
  if (expected != fails) {
    throw std::runtime_error("a filter decides otherwise than RDKit; please report it, and use the reference way "
                             "(--chemistry reference)");
  }
}

}  // namespace molsieve::filter
