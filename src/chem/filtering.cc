// What becomes of a product that was made: filters leave it out, or its stereoisomers replace it.
#include <utility>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/canonical.h"
#include "molsieve/src/chem/failure.h"
#include "molsieve/src/chem/filter/isomers.h"
#include "molsieve/src/chem/parent.h"
#include "molsieve/src/chem/parse/parse.h"
#include "molsieve/src/chem/timer.h"
#include "molsieve/src/chem/transformer.h"

namespace molsieve {

namespace {

// The number of a product that RDKit can't sanitize, among filters.
constexpr std::uint32_t INVALID = 0xffff'ffff;

}  // namespace

void Transformer::add_condition(bool on_parents, Property property, Comparison comparison, double number) {
  filters(on_parents).add_condition(property, comparison, number);
  describe_for_filters();
}

void Transformer::add_alerts(bool on_parents, Catalogue catalogue) { filters(on_parents).add_alerts(catalogue); }

void Transformer::add_smarts(bool on_parents, bool required) { filters(on_parents).add_smarts(required); }

void Transformer::add_pattern(bool on_parents, rust::Str smarts) {
  filters(on_parents).add_pattern(std::string(smarts));
}

void Transformer::explain(rust::Box<DropLog> drops) {
  drops_ = std::make_unique<rust::Box<DropLog>>(std::move(drops));
}

// Products are described for the columns and for the filters.
void Transformer::describe_for_filters() {
  properties_ = describe::PropertySet(settings_->real_properties | settings_->count_properties |
                                      product_filters_.properties());
  describer_.set_properties(properties_);
  parent_describer_.set_properties(describe::PropertySet(parent_filters_.properties()));
}

std::int32_t Transformer::filter_parent() {
  if (!parent_ || parent_filters_.empty()) {
    return -1;
  }
  describe::Values values;
  describe_parent(values);
  filter::Subject subject(values, [this]() -> const RDKit::ROMol & { return *parent_->mol(); });
  const auto failed = parent_filters_.first_failed(subject, settings_->reference);
  if (!failed) {
    return -1;
  }
  if (drops_) {
    log_drop(&*failed, true, failed->alert);
  }
  return static_cast<std::int32_t>(failed->filter);
}

// Whether the pending product passes all filters. If not, it is counted.
bool Transformer::passes(ParentReport &report) {
  if (product_filters_.empty()) {
    return true;
  }
  auto &p = *parent_;
  std::optional<filter::Failed> failed;
  {
    const Timer timer(report.describe_ns);
    filter::Subject subject(p.values, p.smiles);
    failed = product_filters_.first_failed(subject, p.is_checked || settings_->reference);
  }
  if (!failed) {
    return true;
  }
  ++report.filtered;
  ++by_filter_[failed->filter];
  count(RuleCount::Filtered);
  if (drops_) {
    log_drop(&*failed, false, failed->alert);
  }
  return false;
}

// Adds what is dropped to the sample, if it is wanted there. `failed`: null if the product is invalid.
void Transformer::log_drop(const filter::Failed *failed, bool is_parent, const std::string &why) {
  auto &log = **drops_;
  const auto filter = failed ? static_cast<std::uint32_t>(failed->filter) : INVALID;
  if (!log.wants(filter, is_parent)) {
    return;
  }
  const auto &p = *parent_;
  Dropped dropped{};
  dropped.filter = filter;
  dropped.is_parent = is_parent;
  dropped.rule = static_cast<std::uint32_t>(p.rule);
  dropped.site = p.site;
  if (failed) {
    if (!is_parent) {
      dropped.smiles = {p.smiles.data(), p.smiles.size()};
    }
    dropped.value = failed->value;
    dropped.pattern = static_cast<std::uint32_t>(failed->pattern);
  }
  const auto text = one_line(why);
  dropped.text = {text.data(), text.size()};
  add_drop(log, dropped);
}

// Replaces the pending product by its stereoisomers. False: nothing in it is open.
bool Transformer::expand(ParentReport &report) {
  if (settings_->stereoisomers_max == 0) {
    return false;
  }
  auto &p = *parent_;
  const Timer timer(report.finish_ns);
  auto smiles = p.smiles;
  auto seed = p.key_low;
  if (keys_) {  // the isomers that are drawn are those of the canonical SMILES
    smiles = RDKit::MolToSmiles(*read_smiles(smiles, parse::fast));
    std::uint64_t high = 0;
    product_key(as_bytes(smiles), seed, high);
  }
  auto isomers = filter::stereoisomers(smiles, settings_->stereoisomers_max, seed);
  if (isomers.smiles.empty()) {
    return false;
  }
  ++report.expanded;
  report.expanded_in_part += isomers.capped;
  p.isomers = std::move(isomers.smiles);
  p.next_isomer = 0;
  return true;
}

// Makes the next stereoisomer pending, unless the parent has given it before.
void Transformer::take_isomer(ParentReport &report) {
  auto &p = *parent_;
  p.smiles = std::move(p.isomers[p.next_isomer++]);
  p.has_key = false;
  const auto parent = parent_smiles();
  if (p.smiles == std::string_view(parent.data(), parent.size())) {
    ++report.unchanged;
    count(RuleCount::Unchanged);
    return;
  }
  if (!is_new(report)) {
    return;
  }
  if (!properties_.empty()) {
    const Timer timer(report.describe_ns);
    describe::describe_with_rdkit(*read_smiles(p.smiles, parse::fast), properties_, p.values);
    ++report.described_by_rdkit;
  }
  p.pending = true;
}

}  // namespace molsieve
