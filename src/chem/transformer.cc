#include "molsieve/src/chem/transformer.h"

#include <GraphMol/ChemReactions/ReactionRunner.h>
#include <GraphMol/MolOps.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <algorithm>
#include <cstring>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/canonical.h"
#include "molsieve/src/chem/failure.h"
#include "molsieve/src/chem/model/read.h"
#include "molsieve/src/chem/parent.h"
#include "molsieve/src/chem/parse/parse.h"
#include "molsieve/src/chem/rdkit/log.h"
#include "molsieve/src/chem/timer.h"

namespace molsieve {

using RDKit::MatchVectType;
using RDKit::ROMol;
using RDKit::RWMol;

namespace {

// A call of fill() ends after the product that takes it over this time, so that a slow parent is reported in time.
constexpr std::uint64_t PAUSE_AFTER_NS = 50'000'000;

std::uint64_t worked_ns(const ParentReport &report) {
  return report.match_ns + report.react_ns + report.finish_ns + report.write_ns + report.describe_ns;
}

}  // namespace

Transformer::Transformer(const TransformerSettings &settings, rust::Box<Combinations> combinations)
    : settings_(std::make_unique<TransformerSettings>(settings)),
      finders_(settings.sites_max, !settings.reference),
      combiner_(settings, std::move(combinations)),
      properties_(settings.real_properties | settings.count_properties),
      describer_(properties_),
      parent_describer_(describe::PropertySet(0)) {}
Transformer::~Transformer() = default;

bool Transformer::add_rule(rust::Str smirks, rust::Slice<const rust::String> exclude, rust::Str require,
                           bool add_hydrogens, rust::Slice<const std::uint8_t> parent) {
  RuleText text{std::string(smirks), {}, std::string(require), add_hydrogens, {parent.begin(), parent.end()}};
  for (const auto &smarts : exclude) {
    text.exclude.emplace_back(smarts);
  }
  rules_.push_back(compile_rule(text, finders_, combiner_.finders(), !settings_->reference));
  return rules_.back().matches_nothing;
}

bool Transformer::rdkit_searches(std::uint32_t number) const {
  const auto &rule = rules_.at(number);
  const auto &in_parents = rule.add_hydrogens ? finders_.with_hydrogens : finders_.plain;
  return std::ranges::any_of(rule.parent, [&](std::uint8_t reactant) {
    return in_parents.needs_rdkit(rule.reactants[reactant].in_parent);
  });
}

Failure Transformer::read_reagent(rust::Slice<const std::uint8_t> smiles) {
  try {
    combiner_.read(as_string(smiles));
  } catch (const Unusable &e) {
    return refuse(e.failure, e.what());
  }
  return Failure::None;
}

void Transformer::write_directly(rust::Box<ProductKeys> keys) {
  keys_ = std::make_unique<rust::Box<ProductKeys>>(std::move(keys));
}

bool Transformer::reagent_matches(std::uint32_t rule, std::uint8_t reactant) {
  return combiner_.matches(rules_.at(rule), reactant);
}

Failure Transformer::refuse(Failure failure, std::string reason) {
  reason_ = std::move(reason);
  return failure;
}

Failure Transformer::begin(std::uint64_t ordinal, rust::Slice<const std::uint8_t> smiles) {
  ordinal_ = ordinal;
  const auto failure = begin_text(as_string(smiles));
  if (failure == Failure::None && keys_) {
    parent_->text.assign(smiles.begin(), smiles.end());
  }
  return failure;
}

Failure Transformer::begin_text(const std::string &text) {
  end();
  // RDKit reads text behind a space, such as a CXSMILES extension.
  const bool may_edit = !settings_->reference && text.find(' ') == std::string::npos;
  if (may_edit && drafted_.read_flat(text, flat_.mol, flat_.rings)) {
    return start_drafted();
  }
  std::unique_ptr<RWMol> mol;
  try {
    mol = read_smiles(text, may_edit ? parse::fast : parse::with_rdkit);
  } catch (const Unusable &e) {
    return refuse(e.failure, e.what());
  }
  return start(std::move(mol), may_edit);
}

Failure Transformer::begin_mol_block(std::uint64_t ordinal, rust::Slice<const std::uint8_t> block,
                                     rust::Slice<const std::uint8_t> smiles) {
  if (begin(ordinal, smiles) == Failure::None && reads_back(as_string(smiles))) {
    return Failure::None;
  }
  end();
  try {
    return start(read_mol_block(block), false);
  } catch (const Unusable &e) {
    return refuse(e.failure, e.what());
  } catch (const std::exception &e) {
    return refuse(kind_of(e), one_line(e.what()));
  }
}

// Whether the parent is the molecule whose SMILES, with or without an extension, this is.
bool Transformer::reads_back(const std::string &smiles) {
  try {
    return canonical() == smiles.substr(0, smiles.find(' '));
  } catch (const std::exception &) {
    return false;
  }
}

// Makes the molecule the parent. `may_edit`: products may be made on the flat molecule.
Failure Transformer::start(std::unique_ptr<RWMol> mol, bool may_edit) {
  if (mol->getNumAtoms() == 0) {
    return refuse(Failure::Empty, "the molecule has no atoms");
  }
  if (const auto failure = check_size(mol->getNumAtoms()); failure != Failure::None) {
    return failure;
  }
  parent_ = std::make_unique<Parent>(RDKit::ROMOL_SPTR(mol.release()));
  parent_->groups_to_report = has_relative_groups(*parent_->mol());
  is_editable_ = may_edit && flat_.read(*parent_->mol());
  parent_->mol()->clearAllAtomBookmarks();
  begin_search(is_editable_ ? &flat_ : nullptr);
  return Failure::None;
}

// Makes the flat molecule that was parsed the parent. RDKit's molecule is made when it is needed.
Failure Transformer::start_drafted() {
  const auto atoms = flat_.mol.atoms.size();
  if (const auto failure = check_size(atoms); failure != Failure::None) {
    return failure;
  }
  parent_ = std::make_unique<Parent>(drafted_, atoms);
  is_editable_ = flat_.is_covered();
  begin_search(&flat_);
  return Failure::None;
}

Failure Transformer::check_size(std::size_t atoms) {
  const auto atoms_max = settings_->parent_atoms_max;
  return atoms <= atoms_max
             ? Failure::None
             : refuse(Failure::TooLarge, "the molecule has " + std::to_string(atoms) + " atoms, at most " +
                                             std::to_string(atoms_max) + " are allowed");
}

void Transformer::begin_search(const edit::Parent *flat) {
  seen_.clear();
  finders_.plain.begin({flat, [this]() -> const ROMol & { return *parent_->mol(); }});
}

void Transformer::end() { parent_.reset(); }

Fill Transformer::fill(ProductSpace &space, std::uint32_t parent, std::uint32_t quantum,
                       ParentReport &report) {
  if (!parent_) {
    throw std::logic_error("fill() without a parent");
  }
  if (space.by_rule.size() < static_cast<std::size_t>(RuleCount::Columns) * rules_.size()) {
    throw std::logic_error("fill() without room to count by rule");
  }
  by_rule_ = space.by_rule.data();
  by_filter_ = space.by_filter.data();
  counted_ns_ = worked_ns(report);
  report.enhanced_stereo += parent_->groups_to_report;
  parent_->groups_to_report = false;
  for (;;) {
    if (parent_->pending && !write_row(space, parent, report)) {
      return Fill::SlotFull;
    }
    if (quantum-- == 0 || worked_ns(report) > PAUSE_AFTER_NS) {
      return Fill::Paused;
    }
    if (!make_next(report)) {
      return Fill::Finished;
    }
  }
}

// Moves the pending product into the slot. False: it does not fit.
bool Transformer::write_row(ProductSpace &space, std::uint32_t parent, ParentReport &report) {
  auto &p = *parent_;
  const auto row = space.rows;
  if (row == space.parent.size() || space.text_bytes + p.smiles.size() > space.text.size()) {
    return false;
  }
  std::memcpy(space.text.data() + space.text_bytes, p.smiles.data(), p.smiles.size());
  space.text_bytes += p.smiles.size();
  space.text_ends[row] = space.text_bytes;
  space.parent[row] = parent;
  space.rule[row] = static_cast<std::uint16_t>(p.rule);
  space.site[row] = p.site;
  write_reagents(space);
  write_properties(space);
  if (keys_) {
    space.keys[2 * row] = p.key_low;
    space.keys[2 * row + 1] = p.key_high;
    if (p.key_reason != NO_REASON) {
      ++space.keys_by_rdkit.at(p.key_reason);
    }
  }
  ++space.rows;
  ++report.written;
  count(RuleCount::Made);
  p.pending = false;
  return true;
}

// Writes which reagents the pending product was made with.
void Transformer::write_reagents(ProductSpace &space) const {
  const auto width = settings_->reagents_per_row;
  if (width == 0) {
    return;
  }
  const rust::Slice<std::uint32_t> numbers{space.reagents.data() + space.rows * width, width};
  if (parent_->combined) {
    combiner_.write_numbers(numbers);
  } else {
    std::fill(numbers.begin(), numbers.end(), NO_REAGENT);
  }
}

// What products are edited from at the current site: the flat parent, with its reagents if there are any. Null: RDKit has
// to make them.
const edit::Parent *Transformer::flat() const {
  if (parent_->combined) {
    return combiner_.flat();
  }
  return is_editable_ ? &flat_ : nullptr;
}

rust::Str Transformer::parent_smiles() {
  if (!parent_) {
    throw std::logic_error("parent_smiles() without a parent");
  }
  const auto &smiles = canonical();
  return {smiles.data(), smiles.size()};
}

const std::string &Transformer::canonical() {
  auto &p = *parent_;
  if (p.canonical.empty()) {
    auto &copy = parent_copy_;  // products are made of the parent as it was read
    if (is_editable_) {
      copy = flat_.mol;
    }
    if (!is_editable_ || find_rings(copy) != 1 || !edit::confirm_stereo(copy) || !writer_.write(copy, p.canonical)) {
      p.canonical = RDKit::MolToSmiles(*p.mol());
    }
  }
  return p.canonical;
}

// Makes the parent itself a product.
void Transformer::take_parent(ParentReport &report) {
  auto &p = *parent_;
  {
    const Timer timer(report.write_ns);
    p.smiles = canonical();
  }
  p.is_itself = true;
  p.is_flat = false;
  take_smiles(p.atoms, report);
}

// Makes one product of the current match.
void Transformer::take_product(std::size_t product, ParentReport &report) {
  auto &p = *parent_;
  if (p.full && !p.combined) {
    count_capped(report);
    return;
  }
  if (repeats(product, report)) {
    ++report.on_graphs;
    ++report.symmetric;
    count(RuleCount::Made);
    return;
  }
  p.made = nullptr;
  p.is_checked = false;
  p.is_written_flat = false;
  p.has_key = false;
  p.is_given = false;
  p.is_flat = make_by_edit(product, report);
  if (p.is_flat) {
    ++report.on_graphs;
    take_smiles(product_.atoms.size(), report);
    remember_given(product);
    return;
  }
  std::size_t atoms;
  try {
    p.made = &make_with_rdkit(product, report);
    atoms = p.made->getNumAtoms();
    p.is_written_flat = write_made(report);
    if (!p.is_written_flat) {
      const Timer timer(report.write_ns);
      p.smiles = RDKit::MolToSmiles(*p.made);
    }
  } catch (const std::exception &e) {
    drop_invalid(e.what(), report);
    return;
  }
  take_smiles(atoms, report);
}

// Writes the product that RDKit has made as one on flat arrays. False: RDKit has to write it.
bool Transformer::write_made(ParentReport &report) {
  const auto &mol = *parent_->made;
  if (settings_->reference || !mol.getRingInfo()->isInitialized()) {
    return false;
  }
  {
    const Timer timer(report.write_ns);
    // RDKit's runner leaves double bonds with stereo in a state of its own.
    if (!read_molecule(mol, product_) || product_.has_stereo || find_rings(product_) != 1 ||
        !(keys_ ? edit::states_stereo(product_) : edit::confirm_stereo(product_))) {
      return false;
    }
  }
  return write_edited(report);
}

// Counts a product that RDKit can't sanitize.
void Transformer::drop_invalid(const char *why, ParentReport &report) {
  ++report.invalid;
  count(RuleCount::Invalid);
  if (drops_) {
    log_drop(nullptr, false, why);
  }
}

// Makes the product and its SMILES on the flat molecule. False: it is not proved that RDKit gives the same.
bool Transformer::make_by_edit(std::size_t product, ParentReport &report) {
  const auto &edit = rules_[parent_->rule].edits[product];
  const auto *from = flat();
  if (!from || !edit) {
    return false;
  }
  {
    const Timer timer(report.react_ns);
    const auto &match = parent_->combined ? combiner_.match() : (*parent_->matches)[parent_->site];
    // The key decides what stereo a direct SMILES truly has.
    const bool confirm = !keys_ || describer_.needs_centres();
    if (!edit->apply(*from, match, confirm, product_, workspace_)) {
      return false;
    }
  }
  return write_edited(report);
}

// Writes the product that was made on the flat molecule. False: it is not proved that RDKit gives the same.
bool Transformer::write_edited(ParentReport &report) {
  auto &p = *parent_;
  {
    const Timer timer(report.write_ns);
    if (!keys_) {
      const bool is_written = writer_.write(product_, p.smiles);
      p.is_settled = writer_.is_settled();
      return is_written;
    }
    p.is_settled = true;
    if (!writer_.write_directly(product_, p.smiles)) {
      return false;
    }
  }
  const Timer timer(report.key_ns);
  p.key_reason = NO_REASON;
  p.has_key = direct_key(**keys_, as_bytes(p.smiles), p.key_low, p.key_high);
  return p.has_key;
}

// Makes the product with RDKit's reaction runner and sanitizes it. Throws what RDKit throws.
RWMol &Transformer::make_with_rdkit(std::size_t product, ParentReport &report) {
  auto &p = *parent_;
  if (!p.has_run) {
    p.has_run = true;
    const Timer timer(report.react_ns);
    const auto &reactant = rules_[p.rule].add_hydrogens ? p.with_hydrogens : p.mol();
    p.outcome = p.combined ? combiner_.run()
                           : RDKit::ReactionRunnerUtils::generateOneProductSet(
                                 *rules_[p.rule].reaction, {reactant}, {(*p.matches)[p.site]});
  }
  auto &mol = static_cast<RWMol &>(*p.outcome.at(product));
  const Timer timer(report.finish_ns);
  RDKit::MolOps::sanitizeMol(mol);
  if (rules_[p.rule].add_hydrogens) {
    RDKit::MolOps::removeHs(mol);
  }
  return mol;
}

// Decides whether the product with this SMILES is written.
void Transformer::take_smiles(std::size_t atoms, ParentReport &report) {
  auto &p = *parent_;
  if (!p.is_itself && is_unchanged(atoms, report)) {
    ++report.unchanged;
    count(RuleCount::Unchanged);
    return;
  }
  if (!is_new(report)) {
    return;
  }
  if ((p.is_flat || p.is_written_flat) && (p.key_high & (settings_->check_one_in - 1)) == 0) {
    check(report);
  }
  if (!properties_.empty()) {
    describe(report);
  }
  if (passes(report) && !expand(report)) {
    p.pending = true;
  }
}

void Transformer::add_cap(ParentReport &report, Cap cap) { report.caps |= static_cast<std::uint32_t>(cap); }

// A number of the current rule, of which there must be one.
std::uint64_t &Transformer::number(RuleCount what) {
  const auto columns = static_cast<std::size_t>(RuleCount::Columns);
  return by_rule_[columns * parent_->rule + static_cast<std::size_t>(what)];
}

// Counts products of the current rule.
void Transformer::count(RuleCount what, std::uint64_t products) {
  if (rules_.empty()) {
    return;
  }
  number(RuleCount::Made) += products;
  if (what != RuleCount::Made) {
    number(what) += products;
  }
}

// Counts the time since the last call for the current rule.
void Transformer::count_time(const ParentReport &report) {
  const auto now_ns = worked_ns(report);
  number(RuleCount::Nanoseconds) += now_ns - counted_ns_;
  counted_ns_ = now_ns;
}

void Transformer::count_capped(ParentReport &report, std::uint64_t products) {
  report.capped += products;
  count(RuleCount::Capped, products);
}

std::unique_ptr<Transformer> new_transformer(const TransformerSettings &settings,
                                             rust::Box<Combinations> combinations) {
  return std::make_unique<Transformer>(settings, std::move(combinations));
}

}  // namespace molsieve
