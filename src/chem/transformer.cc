#include "molsieve/src/chem/transformer.h"

#include <GraphMol/ChemReactions/ReactionParser.h>
#include <GraphMol/ChemReactions/ReactionRunner.h>
#include <GraphMol/Chirality.h>
#include <GraphMol/Descriptors/MolDescriptors.h>
#include <GraphMol/FileParsers/FileParsers.h>
#include <GraphMol/MolOps.h>
#include <GraphMol/SanitException.h>
#include <GraphMol/SmilesParse/CanonicalizeStereoGroups.h>
#include <GraphMol/SmilesParse/SmilesParse.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>
#include <GraphMol/StereoGroup.h>
#include <GraphMol/Substruct/SubstructMatch.h>
#include <RDGeneral/FileParseException.h>
#include <RDGeneral/versions.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/hydrogens.h"
#include "molsieve/src/chem/log.h"
#include "molsieve/src/chem/parse.h"

namespace molsieve {

using RDKit::MatchVectType;
using RDKit::ROMol;
using RDKit::RWMol;

namespace {

constexpr std::uint32_t CAP_PRODUCTS = 1;
constexpr std::uint32_t CAP_SITES = 2;
constexpr std::uint32_t CAP_LENGTH = 4;
constexpr std::size_t REASON_BYTES_MAX = 256;
// Matches of a pattern that are kept for the next rule with the same reactant. Where there are more,
// they are looked for again, so that memory stays within what the plan says of a rule.
constexpr std::size_t MATCHES_KEPT_MAX = 64;
// Groups of relative centres that are brought into one form; the work doubles with each.
constexpr unsigned int STEREO_GROUPS_MAX = 8;

// Adds the time until it goes out of scope. Two clock readings, under 0.1 µs.
class Timer {
 public:
  explicit Timer(std::uint64_t &nanoseconds)
      : nanoseconds_(nanoseconds), began_(std::chrono::steady_clock::now()) {}
  ~Timer() {
    nanoseconds_ += std::chrono::duration_cast<std::chrono::nanoseconds>(
                        std::chrono::steady_clock::now() - began_)
                        .count();
  }
  Timer(const Timer &) = delete;
  Timer &operator=(const Timer &) = delete;

 private:
  std::uint64_t &nanoseconds_;
  std::chrono::steady_clock::time_point began_;
};

std::string as_string(rust::Slice<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

rust::Slice<const std::uint8_t> as_bytes(const std::string &text) {
  return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}

// One line, of bounded length, out of whatever RDKit said.
std::string one_line(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  if (text.size() > REASON_BYTES_MAX) {
    text.resize(REASON_BYTES_MAX);
  }
  while (!text.empty() && text.back() == ' ') {
    text.pop_back();
  }
  return text;
}

// Whether a group of the molecule's centres is known only relative to each other (CXSMILES: & and o).
bool has_relative_groups(const ROMol &mol) {
  const auto &groups = mol.getStereoGroups();
  return std::any_of(groups.begin(), groups.end(), [](const RDKit::StereoGroup &group) {
    return group.getGroupType() != RDKit::StereoGroupType::STEREO_ABSOLUTE;
  });
}

constexpr const char *UNREADABLE_SMILES = "RDKit cannot read this SMILES";

// The part of a reaction SMARTS that decides the reactant's pattern. A `>` after `-` belongs to a dative
// bond and separates nothing. An extension behind the reaction (`|…|`) may change the pattern.
std::string reactant_text(const std::string &smirks) {
  if (smirks.find('|') != std::string::npos) {
    return smirks;
  }
  auto arrow = smirks.find('>');
  while (arrow != std::string::npos && arrow > 0 && smirks[arrow - 1] == '-') {
    arrow = smirks.find('>', arrow + 1);
  }
  return smirks.substr(0, arrow);
}

// Why a SMILES or SMARTS does not parse: RDKit logs several lines, of which one says what and one
// says where.
std::string parse_failure(const std::string &fallback) {
  const auto logged = take_logged_errors();
  const auto position = logged.find("around position ");
  const auto what = logged.find("Error: ");
  if (what == std::string::npos) {
    return one_line(logged.empty() ? fallback : logged);
  }
  auto text = logged.substr(what + 7, logged.find('\n', what) - what - 7);
  // The molecule's text follows "while parsing:" and "for input:"; the reader has it already.
  for (const auto *echo : {" while parsing: ", " for input: "}) {
    text = text.substr(0, text.find(echo));
  }
  if (position != std::string::npos) {
    const auto digits = position + std::strlen("around position ");
    const auto end = logged.find_first_not_of("0123456789", digits);
    text += " at position " + logged.substr(digits, end - digits);
  }
  return one_line(text);
}

}  // namespace

namespace {

// The kind of what RDKit throws at a molecule.
Failure kind_of(const std::exception &e) {
  const auto is = [&e](auto *type) { return dynamic_cast<decltype(type)>(&e) != nullptr; };
  if (is(static_cast<const RDKit::AtomValenceException *>(nullptr))) {
    return Failure::Valence;
  }
  if (is(static_cast<const RDKit::KekulizeException *>(nullptr)) ||
      is(static_cast<const RDKit::AtomKekulizeException *>(nullptr))) {
    return Failure::Kekulize;
  }
  if (is(static_cast<const RDKit::MolSanitizeException *>(nullptr))) {
    return Failure::Sanitize;
  }
  if (is(static_cast<const RDKit::SmilesParseException *>(nullptr))) {
    return Failure::Syntax;
  }
  return is(static_cast<const RDKit::FileParseException *>(nullptr)) ? Failure::MolBlock
                                                                      : Failure::Other;
}

// A molecule that can't be used, with the words for people.
struct Unusable : std::runtime_error {
  Unusable(Failure failure, const std::string &reason)
      : std::runtime_error(reason), failure(failure) {}
  Failure failure;
};

std::unique_ptr<RWMol> read_mol_block(rust::Slice<const std::uint8_t> block) {
  take_logged_errors();
  std::unique_ptr<RWMol> mol;
  try {
    mol.reset(RDKit::MolBlockToMol(as_string(block)));
  } catch (const std::exception &e) {
    const auto kind = kind_of(e);
    throw Unusable(kind == Failure::Other ? Failure::MolBlock : kind, one_line(e.what()));
  }
  if (!mol) {
    throw Unusable(Failure::MolBlock, parse_failure("RDKit cannot read this mol block"));
  }
  return mol;
}

// By RDKit alone.
std::unique_ptr<RWMol> read_smiles(const std::string &smiles) {
  take_logged_errors();
  std::unique_ptr<RWMol> mol;
  try {
    mol.reset(RDKit::SmilesToMol(smiles));
  } catch (const std::exception &e) {
    throw Unusable(kind_of(e), one_line(e.what()));
  }
  if (!mol) {
    throw Unusable(Failure::Syntax, parse_failure(UNREADABLE_SMILES));
  }
  return mol;
}

rust::String write_canonical(const ROMol &mol) {
  try {
    return rust::String::lossy(RDKit::MolToSmiles(mol));
  } catch (const std::exception &e) {
    throw Unusable(Failure::Write,
                   one_line(std::string("RDKit cannot write its SMILES: ") + e.what()));
  }
}

// What `work` gives, or why the molecule can't be used.
template <typename Work>
Answer answer(Work work) {
  try {
    return {work(), Failure::None};
  } catch (const Unusable &e) {
    return {rust::String::lossy(e.what()), e.failure};
  } catch (const std::exception &e) {
    return {rust::String::lossy(e.what()), Failure::Other};
  }
}

// The canonical SMILES with the groups of the molecule's centres behind it.
rust::String write_with_groups(const ROMol &mol) {
  const auto text = RDKit::MolToCXSmiles(mol, RDKit::SmilesWriteParams(),
                                         RDKit::SmilesWrite::CX_ENHANCEDSTEREO);
  return text.find('|') == std::string::npos ? write_canonical(mol) : rust::String::lossy(text);
}

}  // namespace

struct Parent {
  explicit Parent(RDKit::ROMOL_SPTR molecule) : mol(std::move(molecule)) {}

  RDKit::ROMOL_SPTR mol;
  RDKit::ROMOL_SPTR with_hydrogens;  // the same with hydrogens as atoms; null until asked for
  std::string canonical;  // empty until asked for

  // The enumeration stands at product `product` of the outcome of match `match` of rule `rule`.
  std::size_t rule = 0;
  bool matched = false;  // `matches` belongs to `rule`
  std::vector<MatchVectType> matches;
  std::size_t match = 0;
  std::size_t product = 0, products = 0;  // of the match
  RDKit::MOL_SPTR_VECT outcome;           // RDKit's, where it was asked
  bool asked = false;
  RDKit::ROMol *made = nullptr;  // the product as RDKit's molecule, where there is one
  bool sites_capped = false;
  bool full = false;  // as many distinct products as a parent may have
  bool groups_to_report = false;  // it has enhanced stereo, which no product keeps

  // A product that waits to be written.
  bool pending = false;
  std::string smiles;
  std::uint16_t site = 0;
  std::array<double, 3> reals{};
  std::array<std::uint16_t, 3> counts{};
};

namespace {

const std::string &canonical(Parent &parent) {
  if (parent.canonical.empty()) {
    parent.canonical = RDKit::MolToSmiles(*parent.mol);
  }
  return parent.canonical;
}

void describe(const ROMol &product, Parent &parent) {
  namespace d = RDKit::Descriptors;
  double log_p, refractivity;
  d::calcCrippenDescriptors(product, log_p, refractivity);
  parent.reals = {d::calcAMW(product), log_p, d::calcTPSA(product)};
  parent.counts = {static_cast<std::uint16_t>(d::calcNumHBD(product)),
                   static_cast<std::uint16_t>(d::calcNumHBA(product)),
                   static_cast<std::uint16_t>(d::calcNumRotatableBonds(product))};
}

}  // namespace

Transformer::Transformer(const TransformerSettings &settings)
    : settings_(std::make_unique<TransformerSettings>(settings)),
      sites_(settings.sites_max),
      sites_with_hydrogens_(settings.sites_max) {}
Transformer::~Transformer() = default;

bool Transformer::add_rule(rust::Str smirks, rust::Slice<const rust::String> exclude,
                           rust::Str require, bool add_hydrogens) {
  take_logged_errors();
  CompiledRule rule;
  rule.add_hydrogens = add_hydrogens;
  auto &finder = add_hydrogens ? sites_with_hydrogens_ : sites_;
  try {
    rule.reaction.reset(RDKit::RxnSmartsToChemicalReaction(std::string(smirks)));
  } catch (const std::exception &e) {
    const auto logged = parse_failure("");
    throw std::runtime_error(logged.empty() ? one_line(e.what()) : logged);
  }
  if (!rule.reaction) {
    throw std::runtime_error(parse_failure("RDKit cannot read this reaction"));
  }
  if (rule.reaction->getNumReactantTemplates() != 1) {
    throw std::runtime_error("a rule has one reactant, this one has " +
                             std::to_string(rule.reaction->getNumReactantTemplates()));
  }
  if (rule.reaction->getNumProductTemplates() == 0) {
    throw std::runtime_error("the rule has no product");
  }
  rule.reaction->initReactantMatchers();
  unsigned int warnings = 0, errors = 0;
  rule.reaction->validate(warnings, errors, true);
  if (errors != 0) {
    throw std::runtime_error(parse_failure("RDKit finds the reaction invalid"));
  }
  rule.sites.reactant = finder.add_reactant(reactant_text(std::string(smirks)), *rule.reaction);
  for (unsigned int i = 0; i < rule.reaction->getNumProductTemplates(); ++i) {
    rule.edits.push_back(settings_->reference || add_hydrogens
                             ? std::nullopt
                             : Edit::compile(*rule.reaction, i));
  }
  for (const auto &smarts : exclude) {
    rule.sites.exclude.push_back(query_index(finder, smarts));
  }
  if (!require.empty()) {
    rule.sites.require = query_index(finder, require);
  }
  const auto asks = [&] {
    if (asks_for_hydrogens(*rule.reaction->getReactants()[0])) {
      return true;
    }
    const std::unique_ptr<ROMol> pattern(
        require.empty() ? nullptr : RDKit::SmartsToMol(std::string(require)));
    return pattern && asks_for_hydrogens(*pattern);
  };
  const auto matches_nothing = !add_hydrogens && asks();
  rules_.push_back(std::move(rule));
  return matches_nothing;
}

std::size_t Transformer::query_index(SiteFinder &finder, rust::Str smarts) {
  const std::string text(smarts);
  std::optional<std::size_t> index;
  try {
    index = finder.add_query(text);
  } catch (const std::exception &e) {
    throw std::runtime_error("SMARTS '" + text + "': " + one_line(e.what()));
  }
  if (!index) {
    throw std::runtime_error("SMARTS '" + text + "': " + parse_failure("RDKit cannot read it"));
  }
  return *index;
}

Failure Transformer::refuse(Failure failure, std::string reason) {
  reason_ = std::move(reason);
  return failure;
}

Failure Transformer::begin(rust::Slice<const std::uint8_t> smiles) {
  end();
  take_logged_errors();
  std::unique_ptr<RWMol> mol;
  bool extended = false;
  try {
    const auto text = as_string(smiles);
    // What stands behind a blank, an extension of CXSMILES above all, is for RDKit.
    extended = text.find(' ') != std::string::npos;
    mol = settings_->reference || extended ? parse_reference(text) : parse_fast(text);
  } catch (const std::exception &e) {
    return refuse(kind_of(e), one_line(e.what()));
  }
  if (!mol) {
    return refuse(Failure::Syntax, parse_failure(UNREADABLE_SMILES));
  }
  return start(std::move(mol), !settings_->reference && !extended);
}

Failure Transformer::begin_mol_block(rust::Slice<const std::uint8_t> block,
                                     rust::Slice<const std::uint8_t> smiles) {
  if (begin(smiles) == Failure::None && reads_back(as_string(smiles))) {
    return Failure::None;
  }
  end();
  try {
    return start(read_mol_block(block), false);
  } catch (const Unusable &e) {
    return refuse(e.failure, one_line(e.what()));
  } catch (const std::exception &e) {
    return refuse(kind_of(e), one_line(e.what()));
  }
}

// Whether the parent is the molecule whose SMILES, with or without an extension, this is.
bool Transformer::reads_back(const std::string &smiles) {
  try {
    return canonical(*parent_) == smiles.substr(0, smiles.find(' '));
  } catch (const std::exception &) {
    return false;
  }
}

// Makes the molecule the parent. `on_graph`: the fast way may be taken.
Failure Transformer::start(std::unique_ptr<RWMol> mol, bool on_graph) {
  if (mol->getNumAtoms() == 0) {
    return refuse(Failure::Empty, "the molecule has no atoms");
  }
  if (mol->getNumAtoms() > settings_->parent_atoms_max) {
    return refuse(Failure::TooLarge,
                  "the molecule has " + std::to_string(mol->getNumAtoms()) + " atoms, at most " +
                      std::to_string(settings_->parent_atoms_max) + " are allowed");
  }
  parent_ = std::make_unique<Parent>(RDKit::ROMOL_SPTR(mol.release()));
  // An environment variable of RDKit's turns to its newer stereo perception, which is not done here.
  parent_->groups_to_report = has_relative_groups(*parent_->mol);
  graph_usable_ = on_graph && RDKit::Chirality::getUseLegacyStereoPerception() &&
                  graph_.read(*parent_->mol);
  seen_.clear();
  parent_->mol->clearAllAtomBookmarks();
  sites_.begin(*parent_->mol);
  return Failure::None;
}

void Transformer::end() { parent_.reset(); }

// A call ends after the product that takes it over this time, so that slow products are seen to come.
constexpr std::uint64_t PAUSE_AFTER_NS = 50'000'000;

Fill Transformer::fill(ProductSpace &space, std::uint32_t parent, std::uint32_t quantum,
                       ParentReport &report) {
  if (!parent_) {
    throw std::logic_error("fill() without a parent");
  }
  if (space.by_rule.size() < RULE_COUNTS * rules_.size()) {
    throw std::logic_error("fill() without room to count by rule");
  }
  by_rule_ = space.by_rule.data();
  report.enhanced_stereo += parent_->groups_to_report;
  parent_->groups_to_report = false;
  for (;;) {
    if (parent_->pending && !write(space, parent, report)) {
      return Fill::SlotFull;
    }
    const auto worked_ns = report.match_ns + report.react_ns + report.finish_ns + report.write_ns;
    if (quantum-- == 0 || worked_ns > PAUSE_AFTER_NS) {
      return Fill::Paused;
    }
    if (!make_next(report)) {
      return Fill::Finished;
    }
  }
}

// Moves the pending product into the slot. False: it does not fit.
bool Transformer::write(ProductSpace &space, std::uint32_t parent, ParentReport &report) {
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
  if (settings_->properties) {
    std::copy(p.reals.begin(), p.reals.end(), space.real_properties.begin() + 3 * row);
    std::copy(p.counts.begin(), p.counts.end(), space.count_properties.begin() + 3 * row);
  }
  ++space.rows;
  ++report.written;
  count(MADE);
  p.pending = false;
  return true;
}

// Makes the next product molecule. It becomes pending, or is counted and dropped. False: there is
// none left.
bool Transformer::make_next(ParentReport &report) {
  auto &p = *parent_;
  if (rules_.empty()) {  // the job cleans a library
    if (p.matched) {
      return false;
    }
    p.matched = true;
    take_parent(report);
    return true;
  }
  while (p.product == p.products) {
    if (p.full) {
      count_what_is_left(report);
      return false;
    }
    if (p.matched && p.match == p.matches.size()) {
      p.matched = false;
      p.match = 0;
      ++p.rule;
    }
    if (p.rule == rules_.size()) {
      return false;
    }
    if (!p.matched) {
      const Timer timer(report.match_ns);
      match_next_rule();
      if (p.sites_capped) {
        report.caps |= CAP_SITES;
        report.capped += rules_[p.rule].edits.size();
        count(CAPPED, rules_[p.rule].edits.size());
        p.sites_capped = false;
      }
      continue;
    }
    p.site = static_cast<std::uint16_t>(p.match++);
    p.product = 0;
    p.products = rules_[p.rule].edits.size();
    p.outcome.clear();
    p.asked = false;
    p.made = nullptr;
  }
  take_product(p.product++, report);
  return true;
}

// Finds the sites of the rule at which the enumeration stands.
void Transformer::match_next_rule() {
  auto &p = *parent_;
  p.match = 0;
  p.matched = true;
  const auto &rule = rules_[p.rule];
  auto &finder = rule.add_hydrogens ? finder_with_hydrogens() : sites_;
  p.sites_capped |= finder.find(rule.sites, p.matches);
}

// The finder of sites in the parent with its hydrogens as atoms.
SiteFinder &Transformer::finder_with_hydrogens() {
  auto &p = *parent_;
  if (!p.with_hydrogens) {
    p.with_hydrogens.reset(RDKit::MolOps::addHs(*p.mol));
    sites_with_hydrogens_.begin(*p.with_hydrogens);
  }
  return sites_with_hydrogens_;
}

// The parent itself, written as RDKit writes it.
void Transformer::take_parent(ParentReport &report) {
  auto &p = *parent_;
  {
    const Timer timer(report.write_ns);
    if (!graph_usable_ || find_rings(graph_.graph) != 1 ||
        !workspace_.stereo.settle(graph_.graph) || !writer_.write(graph_.graph, p.smiles)) {
      p.smiles = RDKit::MolToSmiles(*p.mol);
    }
  }
  p.made = p.mol.get();
  take_smiles(p.mol->getNumAtoms(), report);
}

// Makes one product of the match at which the enumeration stands.
void Transformer::take_product(std::size_t product, ParentReport &report) {
  auto &p = *parent_;
  if (p.full) {
    ++report.capped;
    count(CAPPED);
    return;
  }
  p.made = nullptr;
  if (make_from_graph(product, report)) {
    ++report.on_graphs;
    take_smiles(product_.atoms.size(), report);
    return;
  }
  std::size_t atoms;
  try {
    p.made = &make_with_rdkit(product, report);
    atoms = p.made->getNumAtoms();
    const Timer timer(report.write_ns);
    p.smiles = RDKit::MolToSmiles(*p.made);
  } catch (const std::exception &) {
    ++report.invalid;
    count(INVALID);
    return;
  }
  take_smiles(atoms, report);
}

// The fast way: the edit, its finish and the SMILES on graphs. False: it is not known to give what
// RDKit gives.
bool Transformer::make_from_graph(std::size_t product, ParentReport &report) {
  const auto &edit = rules_[parent_->rule].edits[product];
  if (!graph_usable_ || !edit) {
    return false;
  }
  {
    const Timer timer(report.react_ns);
    const auto &match = parent_->matches[parent_->match - 1];
    if (!edit->apply(graph_, match, product_, workspace_)) {
      return false;
    }
  }
  const Timer timer(report.write_ns);
  return writer_.write(product_, parent_->smiles);
}

// RDKit's reaction runner, and a sanitized product. Throws what RDKit throws.
RWMol &Transformer::make_with_rdkit(std::size_t product, ParentReport &report) {
  auto &p = *parent_;
  if (!p.asked) {
    p.asked = true;
    const Timer timer(report.react_ns);
    const auto &match = p.matches[p.match - 1];
    const auto &reactant = rules_[p.rule].add_hydrogens ? p.with_hydrogens : p.mol;
    p.outcome = RDKit::ReactionRunnerUtils::generateOneProductSet(*rules_[p.rule].reaction,
                                                                  {reactant}, {match});
  }
  auto &mol = static_cast<RWMol &>(*p.outcome.at(product));
  const Timer timer(report.finish_ns);
  RDKit::MolOps::sanitizeMol(mol);
  if (rules_[p.rule].add_hydrogens) {
    RDKit::MolOps::removeHs(mol);
  }
  return mol;
}

// Decides whether the product whose SMILES was made is written.
void Transformer::take_smiles(std::size_t atoms, ParentReport &report) {
  auto &p = *parent_;
  // Equal SMILES have as many atoms, so the parent's own is rarely needed.
  if (p.made != p.mol.get() && atoms == p.mol->getNumAtoms() && p.smiles == canonical(p)) {
    ++report.unchanged;
    count(UNCHANGED);
    return;
  }
  if (p.smiles.size() > settings_->product_bytes_max) {
    report.caps |= CAP_LENGTH;
    ++report.capped;
    count(CAPPED);
    return;
  }
  std::uint64_t low, high;
  product_key(as_bytes(p.smiles), low, high);
  if (!seen_.insert(low, high)) {
    ++report.symmetric;
    count(MADE);
    return;
  }
  if (seen_.size() > settings_->products_per_parent_max) {
    report.caps |= CAP_PRODUCTS;
    ++report.capped;
    count(CAPPED);
    p.full = true;
    return;
  }
  if (!p.made && (high & (settings_->check_one_in - 1)) == 0) {
    check(report);
  }
  if (settings_->properties) {
    if (!p.made) {
      p.made = &make_with_rdkit(p.product - 1, report);
    }
    describe(*p.made, p);
  }
  p.pending = true;
}

// Has RDKit make the product that was made on graphs. Throws if the outcome is not the same.
void Transformer::check(ParentReport &report) {
  auto &p = *parent_;
  std::string expected = "no valid molecule";
  try {
    p.made = &make_with_rdkit(p.product - 1, report);
    expected = RDKit::MolToSmiles(*p.made);
  } catch (const std::exception &) {
  }
  if (expected != p.smiles) {
    throw std::runtime_error("the fast way gives " + p.smiles + ", the reference " + expected +
                             "; please report it, and use the reference way (--chemistry reference)");
  }
  ++report.checked;
}

// Counts products of the rule at which the enumeration stands.
void Transformer::count(RuleCount what, std::uint64_t products) {
  if (rules_.empty()) {
    return;
  }
  auto *counts = by_rule_ + RULE_COUNTS * parent_->rule;
  counts[MADE] += products;
  if (what != MADE) {
    counts[what] += products;
  }
}

// The cap on products is reached: says how many product molecules are therefore not made.
void Transformer::count_what_is_left(ParentReport &report) {
  auto &p = *parent_;
  for (;;) {
    if (p.matched) {
      const auto left = (p.matches.size() - p.match) * rules_[p.rule].edits.size();
      report.capped += left;
      count(CAPPED, left);
      ++p.rule;
    }
    if (p.rule == rules_.size()) {
      break;
    }
    match_next_rule();
  }
  p.matches.clear();
  p.match = 0;
}

void KeySet::clear() {
  size_ = 0;
  if (++generation_ == 0) {
    entries_.clear();
    generation_ = 1;
  }
}

bool KeySet::insert(std::uint64_t low, std::uint64_t high) {
  if (2 * (size_ + 1) > entries_.size()) {
    grow();
  }
  const auto mask = entries_.size() - 1;
  for (auto i = low & mask;; i = (i + 1) & mask) {
    auto &entry = entries_[i];
    if (entry.generation != generation_) {
      entry = {low, high, generation_};
      ++size_;
      return true;
    }
    if (entry.low == low && entry.high == high) {
      return false;
    }
  }
}

void KeySet::grow() {
  std::vector<Entry> old(std::max<std::size_t>(256, 2 * entries_.size()));
  old.swap(entries_);
  size_ = 0;
  for (const auto &entry : old) {
    if (entry.generation == generation_) {
      insert(entry.low, entry.high);
    }
  }
}

namespace {

// Headers of another version than the library read members of atoms and bonds from wrong places.
void check_layout() {
  const std::unique_ptr<RWMol> mol(RDKit::SmilesToMol("C/C=C/C"));
  const ROMol *owner = mol.get();
  for (const auto *atom : mol->atoms()) {
    if (&atom->getOwningMol() != owner || atom->getMonomerInfo() != nullptr) {
      throw std::runtime_error("its headers do not belong to its library (class Atom)");
    }
  }
  for (const auto *bond : mol->bonds()) {
    const auto stereo_atoms = bond->getStereoAtoms().size();
    if (&bond->getOwningMol() != owner || stereo_atoms != (bond->getIdx() == 1 ? 2u : 0u)) {
      throw std::runtime_error("its headers do not belong to its library (class Bond)");
    }
  }
}

}  // namespace

std::unique_ptr<Transformer> new_transformer(const TransformerSettings &settings) {
  return std::make_unique<Transformer>(settings);
}

void initialise() {
  capture_rdkit_log();
  check_layout();
  // Touches what RDKit builds on first use: periodic table, SMILES and SMARTS parsers, ring finder,
  // reaction runner, writer, descriptors.
  const TransformerSettings settings{false, true, 1000, 1000, 1000, 1000, 1};
  Transformer warm(settings);
  warm.add_rule("[c:1][OX2H:2]>>[c:1][O:2]C", {}, "[$([#6]~[#7,#8])]", false);
  const std::string smiles = "C[C@H](O)c1cc(O)ccc1/C=C/[N+](=O)[O-]";
  std::array<std::uint8_t, 1024> text;
  std::array<std::uint32_t, 8> ends, parents;
  std::array<std::uint16_t, 8> rules, sites;
  std::array<double, 24> reals;
  std::array<std::uint16_t, 24> counts;
  std::array<std::uint64_t, RULE_COUNTS> by_rule{};
  ProductSpace space{{text.data(), text.size()},   {ends.data(), ends.size()},
                     {parents.data(), parents.size()}, {rules.data(), rules.size()},
                     {sites.data(), sites.size()}, {reals.data(), reals.size()},
                     {counts.data(), counts.size()},   0, 0,
                     {by_rule.data(), by_rule.size()}};
  ParentReport report{};
  if (warm.begin(as_bytes(smiles)) != Failure::None ||
      warm.fill(space, 0, 100, report) != Fill::Finished ||
      report.written != 1) {
    throw std::runtime_error("RDKit fails its start-up check");
  }
}

namespace {

rust::String write_with_groups_as_drawn(const ROMol &mol) {
  if (!has_relative_groups(mol)) {
    return write_canonical(mol);
  }
  try {
    return write_with_groups(mol);
  } catch (const std::exception &e) {
    throw Unusable(Failure::Write,
                   one_line(std::string("RDKit cannot write its SMILES: ") + e.what()));
  }
}

rust::String write_identity(const ROMol &mol) {
  if (!has_relative_groups(mol)) {
    return write_canonical(mol);
  }
  try {
    std::unique_ptr<ROMol> form(new ROMol(mol));
    try {
      RDKit::canonicalizeStereoGroups(form, RDKit::StereoGroupAbsOptions::NeverInclude,
                                      STEREO_GROUPS_MAX);
    } catch (const RDKit::RigorousEnhancedStereoException &) {
      // Too many groups: two writings of one molecule may then count as two.
      form.reset(new ROMol(mol));
    }
    return write_with_groups(*form);
  } catch (const std::exception &e) {
    throw Unusable(Failure::Write,
                   one_line(std::string("RDKit cannot write its SMILES: ") + e.what()));
  }
}

}  // namespace

Answer smiles_to_smiles(rust::Slice<const std::uint8_t> smiles, bool identity) {
  return answer([&] {
    const auto mol = read_smiles(as_string(smiles));
    return identity ? write_identity(*mol) : write_canonical(*mol);
  });
}

Answer mol_block_to_smiles(rust::Slice<const std::uint8_t> block, bool identity) {
  return answer([&] {
    const auto mol = read_mol_block(block);
    return identity ? write_identity(*mol) : write_with_groups_as_drawn(*mol);
  });
}

rust::String rdkit_version() { return RDKit::rdkitVersion; }
rust::String boost_version() { return RDKit::boostVersion; }

}  // namespace molsieve
