// The C++ side of src/chem: applies compiled rules to one parent at a time and writes the products
// straight into the columns of a slot. Nothing here allocates across the boundary, and no exception
// crosses it except as the message of a cxx Result.
#pragma once

#include <GraphMol/ChemReactions/Reaction.h>
#include <GraphMol/RDKitBase.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "molsieve/src/chem/edit.h"
#include "molsieve/src/chem/sites.h"
#include "molsieve/src/chem/smiles.h"
#include "rust/cxx.h"

namespace molsieve {

struct ProductSpace;
struct ParentReport;
struct TransformerSettings;
enum class Fill : std::uint8_t;
enum class Failure : std::uint8_t;
struct Answer;

// What is counted of each rule, in the order of the numbers of Rust's `RuleAccount`. What is counted as
// something else is made as well. `UNIQUE` is counted in Rust.
enum RuleCount : std::size_t { MADE, UNCHANGED, INVALID, CAPPED, UNIQUE, RULE_COUNTS };

// What a rule needs at run time. Compiled once per thread.
struct CompiledRule {
  std::unique_ptr<RDKit::ChemicalReaction> reaction;
  SiteQuery sites;
  // Whether it is applied to the parent with its hydrogens as atoms; `sites` is then of that finder.
  bool add_hydrogens = false;
  // Per product template: the edit on graphs, where the template allows it.
  std::vector<std::optional<Edit>> edits;
};

// The keys of the products a parent has given so far. Open addressing, cleared per parent, at most
// `TransformerSettings::products_per_parent_max` entries.
class KeySet {
 public:
  void clear();
  // True if the key was not in the set.
  bool insert(std::uint64_t low, std::uint64_t high);
  std::size_t size() const { return size_; }

 private:
  struct Entry {
    std::uint64_t low, high;
    std::uint32_t generation;
  };
  void grow();
  std::vector<Entry> entries_;
  std::size_t size_ = 0;
  std::uint32_t generation_ = 1;
};

// The parent in work and where the enumeration of its products stands.
struct Parent;

class Transformer {
 public:
  explicit Transformer(const TransformerSettings &settings);
  ~Transformer();

  // Compiles a rule; throws std::runtime_error with RDKit's own words. True: the rule asks for hydrogens as
  // atoms and is not applied to parents that have them, so it matches nothing.
  bool add_rule(rust::Str smirks, rust::Slice<const rust::String> exclude, rust::Str require,
                bool add_hydrogens);

  // Parses a parent. If it can't be used, reason() has the words.
  Failure begin(rust::Slice<const std::uint8_t> smiles);
  // The same for a mol block and what mol_block_to_smiles gives for it. If that does not read back to the same
  // molecule (porphyrins), the molecule of the block is used.
  Failure begin_mol_block(rust::Slice<const std::uint8_t> block,
                          rust::Slice<const std::uint8_t> smiles);
  // Writes products of the current parent until the space is full, the quantum of products is used
  // up or the parent is finished. Adds to the report.
  Fill fill(ProductSpace &space, std::uint32_t parent, std::uint32_t quantum, ParentReport &report);
  // Drops the current parent and everything held for it.
  void end();

  rust::Str reason() const { return {reason_.data(), reason_.size()}; }

 private:
  Failure start(std::unique_ptr<RDKit::RWMol> mol, bool on_graph);
  Failure refuse(Failure failure, std::string reason);
  bool reads_back(const std::string &smiles);
  std::size_t query_index(SiteFinder &finder, rust::Str smarts);
  SiteFinder &finder_with_hydrogens();
  void match_next_rule();
  bool make_next(ParentReport &report);
  void take_parent(ParentReport &report);
  void take_product(std::size_t product, ParentReport &report);
  void take_smiles(std::size_t atoms, ParentReport &report);
  void check(ParentReport &report);
  bool make_from_graph(std::size_t product, ParentReport &report);
  RDKit::RWMol &make_with_rdkit(std::size_t product, ParentReport &report);
  void count(RuleCount what, std::uint64_t products = 1);
  void count_what_is_left(ParentReport &report);
  bool write(ProductSpace &space, std::uint32_t parent, ParentReport &report);

  std::unique_ptr<TransformerSettings> settings_;
  std::vector<CompiledRule> rules_;
  SiteFinder sites_;
  SiteFinder sites_with_hydrogens_;
  std::unique_ptr<Parent> parent_;
  ParentGraph graph_;  // of the parent
  bool graph_usable_ = false;
  Graph product_;
  Edit::Workspace workspace_;
  SmilesWriter writer_;
  KeySet seen_;
  std::uint64_t *by_rule_ = nullptr;  // of the space that is being filled
  std::string reason_;
};

std::unique_ptr<Transformer> new_transformer(const TransformerSettings &settings);

// Runs RDKit's lazily built tables once, on one thread: the first parse races otherwise. Also turns
// RDKit's log streams towards `log_line`.
void initialise();

// The canonical SMILES of a SMILES. `identity`: where the molecule has enhanced stereo with the extension of CXSMILES
// that says so, in one form for all writings of a molecule of up to eight groups.
Answer smiles_to_smiles(rust::Slice<const std::uint8_t> smiles, bool identity);

// The same for a mol block; without `identity`, its enhanced stereo stands behind it as drawn.
Answer mol_block_to_smiles(rust::Slice<const std::uint8_t> block, bool identity);

rust::String rdkit_version();
rust::String boost_version();

}  // namespace molsieve
