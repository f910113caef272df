// Properties of the product that a transformer has just made.
#include <bit>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/model/read.h"
#include "molsieve/src/chem/parent.h"
#include "molsieve/src/chem/timer.h"
#include "molsieve/src/chem/transformer.h"

namespace molsieve {

namespace {

// Writes the values of some properties in the order of their numbers, side by side.
template <typename T>
void write_values(const describe::Values &values, std::uint32_t properties, std::size_t row, rust::Slice<T> column) {
  auto *to = column.data() + row * std::popcount(properties);
  for (; properties != 0; properties &= properties - 1) {
    *to++ = static_cast<T>(values[std::countr_zero(properties)]);
  }
}

}  // namespace

// Computes the properties of the pending product: on the flat molecule, if it was made there and is covered.
void Transformer::describe(ParentReport &report) {
  auto &p = *parent_;
  const bool is_flat = describe_flat(p.values, report);
  if (is_flat && !p.is_checked) {
    return;
  }
  report.described_by_rdkit += !is_flat;
  if (!p.made) {
    p.made = p.is_itself ? p.mol().get() : &make_with_rdkit(p.product - 1, report);
  }
  const Timer timer(report.describe_ns);
  describe::Values expected;
  describe::describe_with_rdkit(*p.made, properties_, expected);
  if (is_flat && !describe::same_values(p.values, expected, properties_)) {
    throw std::runtime_error("the properties of " + p.smiles + " differ between the fast way and the reference; " +
                             "please report it, and use the reference way (--chemistry reference)");
  }
  p.values = expected;
}

// False: RDKit has to compute the properties.
bool Transformer::describe_flat(describe::Values &values, ParentReport &report) {
  auto &p = *parent_;
  const Timer timer(report.describe_ns);
  RingCounts rings;
  if (p.is_flat) {
    const auto &edit = *rules_[p.rule].edits[p.product - 1];
    bool same = false;
    if ((describer_.needs_rings() || describer_.needs_centres()) &&
        !edit.count_rings(*flat(), product_, workspace_, rings, same)) {
      return false;
    }
    describe::Origin origin;
    if (same && !p.combined) {
      origin = {[&p]() -> const RDKit::ROMol & { return *p.mol(); }, workspace_.parent_of.data()};
    }
    return describer_.describe(product_, rings, origin, values);
  }
  if (settings_->reference || (!p.made && !p.is_itself)) {
    return false;
  }
  if (p.is_itself && is_editable_) {
    return describe_editable(describer_, values);
  }
  const auto &made = p.is_itself ? *p.mol() : *p.made;
  if (!read_constitution(made, product_)) {
    return false;
  }
  if (describer_.needs_rings()) {
    Rings listed;
    listed.read(*made.getRingInfo());
    rings = edit::count_rings(product_, listed);
  }
  const auto centres = describer_.needs_centres() ? describe::centres_with_rdkit(made) : 0;
  return describer_.describe_perceived(product_, rings, centres, values);
}

// Describes the parent, which is editable. False: RDKit has to compute the properties.
bool Transformer::describe_editable(describe::Describer &describer, describe::Values &values) {
  RingCounts rings;
  if (describer.needs_rings()) {
    rings = edit::count_rings(flat_.mol, flat_.rings);
  }
  const auto centres = describer.needs_centres() ? describe::centres_with_rdkit(*parent_->mol()) : 0;
  return describer.describe_perceived(flat_.mol, rings, centres, values);
}

// Computes the properties that the filters of parents need.
void Transformer::describe_parent(describe::Values &values) {
  if (parent_filters_.properties() == 0 || (is_editable_ && describe_editable(parent_describer_, values))) {
    return;
  }
  describe::describe_with_rdkit(*parent_->mol(), describe::PropertySet(parent_filters_.properties()), values);
}

void Transformer::write_properties(ProductSpace &space) const {
  const auto &values = parent_->values;
  write_values(values, settings_->real_properties, space.rows, space.real_properties);
  write_values(values, settings_->count_properties, space.rows, space.count_properties);
}

}  // namespace molsieve
