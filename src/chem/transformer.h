// Applies compiled rules to one parent at a time and writes the products directly into the columns of a slot. Nothing
// is allocated across the bridge, and an exception crosses it only as the message of a cxx Result.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "molsieve/src/chem/combine/combiner.h"
#include "molsieve/src/chem/describe/describe.h"
#include "molsieve/src/chem/edit/edit.h"
#include "molsieve/src/chem/filter/filters.h"
#include "molsieve/src/chem/key_set.h"
#include "molsieve/src/chem/model/exchange.h"
#include "molsieve/src/chem/parse/parse.h"
#include "molsieve/src/chem/rules/compile.h"
#include "molsieve/src/chem/rules/sites.h"
#include "molsieve/src/chem/write/smiles.h"
#include "rust/cxx.h"

namespace molsieve {

struct ProductSpace;
struct ParentReport;
struct TransformerSettings;
enum class Fill : std::uint8_t;
enum class Failure : std::uint8_t;
enum class RuleCount : std::uint8_t;
enum class Cap : std::uint32_t;

// The current parent and the position in the enumeration of its products.
class Parent;
// Of crate::chem::drops.
struct DropLog;
// Of crate::chem::product_keys.
struct ProductKeys;

class Transformer {
 public:
  Transformer(const TransformerSettings &settings, rust::Box<Combinations> combinations);
  ~Transformer();

  // Compiles a rule; throws std::runtime_error with RDKit's text. `parent`: which of its reactants the parent can be.
  // True: the rule needs hydrogens as atoms and is not applied to parents that have them, so it matches nothing.
  bool add_rule(rust::Str smirks, rust::Slice<const rust::String> exclude, rust::Str require, bool add_hydrogens,
                rust::Slice<const std::uint8_t> parent);

  // Has products written directly, as a function of parent, rule and site; `keys` tells their molecules apart.
  void write_directly(rust::Box<ProductKeys> keys);
  // Whether RDKit has to search for a pattern of a rule, whatever the molecule.
  bool rdkit_searches(std::uint32_t rule) const;

  // Parses a molecule as a reagent. If it can't be used, reason() has the text.
  Failure read_reagent(rust::Slice<const std::uint8_t> smiles);
  // Whether the molecule read last matches a reactant of a rule.
  bool reagent_matches(std::uint32_t rule, std::uint8_t reactant);

  // Parses a parent, whose place in the order of reading is `ordinal`. If it can't be used, reason() has the text.
  Failure begin(std::uint64_t ordinal, rust::Slice<const std::uint8_t> smiles);
  // The same for a mol block and what mol_block_to_smiles gives for it. If RDKit reads another molecule from that SMILES
  // (porphyrins), the molecule of the block is used.
  Failure begin_mol_block(std::uint64_t ordinal, rust::Slice<const std::uint8_t> block,
                          rust::Slice<const std::uint8_t> smiles);
  // Writes products of the current parent until the space is full, `quantum` products are made or the parent is
  // finished. Adds to the report.
  Fill fill(ProductSpace &space, std::uint32_t parent, std::uint32_t quantum, ParentReport &report);
  // The canonical SMILES of the current parent.
  rust::Str parent_smiles();
  // Drops the current parent and everything held for it.
  void end();

  // Filters of parents or of products, in the order in which they are decided.
  void add_condition(bool on_parents, Property property, Comparison comparison, double number);
  void add_alerts(bool on_parents, Catalogue catalogue);
  void add_smarts(bool on_parents, bool required);
  void add_pattern(bool on_parents, rust::Str smarts);
  // The number of the first filter that the current parent fails; -1 if it passes all.
  std::int32_t filter_parent();
  // Has what is dropped explained.
  void explain(rust::Box<DropLog> drops);

  rust::Str reason() const { return {reason_.data(), reason_.size()}; }

 private:
  Failure begin_text(const std::string &text);
  Failure start(std::unique_ptr<RDKit::RWMol> mol, bool may_edit);
  Failure start_drafted();
  Failure check_size(std::size_t atoms);
  void begin_search(const edit::Parent *flat);
  const std::string &canonical();
  Failure refuse(Failure failure, std::string reason);
  bool reads_back(const std::string &smiles);
  SiteFinder &finder_of(const CompiledRule &rule);
  bool next_sites(ParentReport &report);
  bool next_place();
  void match(ParentReport &report);
  bool next_combination(ParentReport &report);
  void begin_sites(std::size_t sites, bool capped, ParentReport &report);
  const edit::Parent *flat() const;
  void leave_out_rest(ParentReport &report);
  bool make_next(ParentReport &report);
  void take_parent(ParentReport &report);
  void take_product(std::size_t product, ParentReport &report);
  void take_smiles(std::size_t atoms, ParentReport &report);
  // recognition.cc
  bool is_unchanged(std::size_t atoms, ParentReport &report);
  bool is_new(ParentReport &report);
  bool repeats(std::size_t product, ParentReport &report);
  void remember_given(std::size_t product);
  void identify(ParentReport &report);
  bool is_same_molecule(const std::string &expected);
  void check(ParentReport &report);
  void drop_invalid(const char *why, ParentReport &report);
  // filtering.cc
  filter::Filters &filters(bool on_parents) { return on_parents ? parent_filters_ : product_filters_; }
  void describe_for_filters();
  bool passes(ParentReport &report);
  void log_drop(const filter::Failed *failed, bool is_parent, const std::string &why);
  bool expand(ParentReport &report);
  void take_isomer(ParentReport &report);
  // describe/product.cc
  void describe(ParentReport &report);
  bool describe_flat(describe::Values &values, ParentReport &report);
  bool describe_editable(describe::Describer &describer, describe::Values &values);
  void describe_parent(describe::Values &values);
  void write_properties(ProductSpace &space) const;

  bool make_by_edit(std::size_t product, ParentReport &report);
  bool write_edited(ParentReport &report);
  bool write_made(ParentReport &report);
  RDKit::RWMol &make_with_rdkit(std::size_t product, ParentReport &report);
  static void add_cap(ParentReport &report, Cap cap);
  std::uint64_t &number(RuleCount what);
  void count(RuleCount what, std::uint64_t products = 1);
  void count_time(const ParentReport &report);
  void count_capped(ParentReport &report, std::uint64_t products = 1);
  bool write_row(ProductSpace &space, std::uint32_t parent, ParentReport &report);
  void write_reagents(ProductSpace &space) const;

  std::unique_ptr<TransformerSettings> settings_;
  std::vector<CompiledRule> rules_;
  SiteFinders finders_;
  Combiner combiner_;
  std::unique_ptr<Parent> parent_;
  std::uint64_t ordinal_ = 0;  // of the parent
  parse::Drafted drafted_;  // the parent, unless RDKit has parsed it
  edit::Parent flat_;       // the parent, valid if `is_editable_`
  bool is_editable_ = false;
  Molecule product_;
  Molecule parent_copy_;  // for its canonical SMILES
  edit::Edit::Workspace workspace_;
  Exchange exchange_;
  write::SmilesWriter writer_;
  describe::PropertySet properties_;  // of columns and filters
  describe::Describer describer_;
  describe::Describer parent_describer_;  // for the filters of parents
  filter::Filters product_filters_, parent_filters_;
  std::unique_ptr<rust::Box<ProductKeys>> keys_;  // set: products are written directly
  std::unique_ptr<rust::Box<DropLog>> drops_;  // null: nothing is explained
  std::uint64_t *by_filter_ = nullptr;  // of the space that is being filled
  KeySet seen_;           // of the parent, but for what is made with reagents
  KeySet seen_combined_;  // of the combination
  std::uint64_t *by_rule_ = nullptr;  // of the space that is being filled
  std::uint64_t counted_ns_ = 0;      // time of the report that is counted by rule
  std::string reason_;
};

std::unique_ptr<Transformer> new_transformer(const TransformerSettings &settings,
                                             rust::Box<Combinations> combinations);

}  // namespace molsieve
