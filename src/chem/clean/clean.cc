#include "molsieve/src/chem/clean/clean.h"

#include <GraphMol/MolOps.h>
#include <GraphMol/MolStandardize/AcidBaseCatalog/AcidBaseCatalogParams.h>
#include <GraphMol/MolStandardize/MolStandardize.h>
#include <GraphMol/MolStandardize/TransformCatalog/TransformCatalogParams.h>
#include <GraphMol/SmilesParse/SmilesParse.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>

#include <algorithm>
#include <ranges>
#include <tuple>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/canonical.h"
#include "molsieve/src/chem/failure.h"
#include "molsieve/src/chem/model/read.h"
#include "molsieve/src/chem/parse/parse.h"

namespace molsieve {

using RDKit::ROMol;
using RDKit::RWMol;

namespace {

std::uint64_t mixed(std::uint64_t sum, std::uint64_t number) {
  return (sum ^ number) * 0x9e3779b97f4a7c15 + (sum >> 29);
}

unsigned int hydrogens(const RDKit::Atom &atom) {
  return atom.needsUpdatePropertyCache() ? atom.getNumExplicitHs() : atom.getTotalNumHs();
}

// A number that differs where a step has changed something that a SMILES states.
std::uint64_t fingerprint(const ROMol &mol) {
  std::uint64_t sum = mol.getNumAtoms();
  for (const auto *atom : mol.atoms()) {
    sum = mixed(sum, static_cast<std::uint64_t>(atom->getAtomicNum()) << 32 |
                         static_cast<std::uint64_t>(atom->getFormalCharge() & 0xff) << 24 |
                         static_cast<std::uint64_t>(atom->getNumRadicalElectrons() & 0xff) << 16 |
                         static_cast<std::uint64_t>(hydrogens(*atom) & 0xff) << 8 |
                         static_cast<std::uint64_t>(atom->getChiralTag()));
    sum = mixed(sum, atom->getIsotope());
  }
  for (const auto *bond : mol.bonds()) {
    sum = mixed(sum, static_cast<std::uint64_t>(bond->getBeginAtomIdx()) << 32 | bond->getEndAtomIdx());
    sum = mixed(sum, static_cast<std::uint64_t>(bond->getBondType()) << 8 |
                         static_cast<std::uint64_t>(bond->getStereo()));
  }
  return sum;
}

// Normalizer's default.
constexpr unsigned int NORMALIZER_ROUNDS = 200;

// Two molecules that differ in it have different SMILES.
struct Composition {
  explicit Composition(const ROMol &mol) : atoms(mol.getNumAtoms()) {
    for (const auto *atom : mol.atoms()) {
      charge += atom->getFormalCharge();
      hydrogens += molsieve::hydrogens(*atom);
    }
  }
  bool operator==(const Composition &) const = default;

  unsigned int atoms, hydrogens = 0;
  int charge = 0;
};

// Whether a fragment is larger: its atoms with their hydrogens, and its weight as LargestFragmentChooser counts it.
using FragmentSize = std::tuple<unsigned int, double>;

FragmentSize size_of(const ROMol &mol, const std::vector<int> &fragment) {
  unsigned int atoms = 0;
  double weight = 0.0;
  for (const auto index : fragment) {
    const auto &atom = *mol.getAtomWithIdx(index);
    atoms += 1 + atom.getTotalNumHs();
    weight += 100 * atom.getAtomicNum() + atom.getIsotope() - atom.getFormalCharge() * .1;
    weight += atom.getTotalNumHs();
  }
  return {atoms, weight};
}

// Stops the enumeration of tautomers when those found take too much memory.
class TautomerGauge : public RDKit::MolStandardize::TautomerEnumeratorCallback {
 public:
  explicit TautomerGauge(std::uint32_t atoms_max) : atoms_max_(atoms_max) {}

  bool operator()(const ROMol &mol, const RDKit::MolStandardize::TautomerEnumeratorResult &found) override {
    return found.size() * mol.getNumAtoms() <= atoms_max_;
  }

 private:
  std::size_t atoms_max_;
};

// Whether an atom may be a metal.
bool may_be_metal(const RDKit::Atom *atom) {
  return atom->getAtomicNum() != 1 && !is_ordinary(atom->getAtomicNum());
}

bool is_charged(const RDKit::Atom *atom) { return atom->getFormalCharge() != 0; }

// RDKit reads text behind a space, such as a CXSMILES extension.
bool is_plain(const std::string &text) { return text.find(' ') == std::string::npos; }

}  // namespace

Cleaner::Cleaner(std::uint32_t steps, std::uint32_t tautomer_atoms_max) : steps_(steps), uncharger_(true) {
  namespace standard = RDKit::MolStandardize;
  const auto &defaults = standard::defaultCleanupParameters;
  const standard::TransformCatalogParams catalogue(defaults.normalizations);
  for (const auto &transform : catalogue.getTransformations()) {
    transform->initReactantMatchers();
    transforms_.push_back({patterns_.add("", transform->getReactants().at(0)), transform});
  }
  const standard::AcidBaseCatalogParams acids(defaults.acidbaseFile);
  for (const auto &[acid, base] : acids.getPairs()) {
    acids_.push_back({patterns_.add("", acid), patterns_.add("", base)});
  }
  for (const auto &correction : standard::CHARGE_CORRECTIONS) {
    corrected_.push_back(patterns_.add("", RDKit::ROMOL_SPTR(RDKit::SmartsToMol(correction.Smarts))));
  }
  if (steps & static_cast<std::uint32_t>(CleanStep::Tautomer)) {
    tautomers_ = std::make_unique<RDKit::MolStandardize::TautomerEnumerator>();
    // As TautomerEnumerator::canonicalize does: only the tautomer that is picked needs its stereo.
    tautomers_->setReassignStereo(false);
    tautomers_->setCallback(std::make_shared<TautomerGauge>(tautomer_atoms_max));
  }
}

CleanAnswer Cleaner::clean(rust::Slice<const std::uint8_t> smiles) {
  return answer([&] {
    const auto text = as_string(smiles);
    return read_smiles(text, is_plain(text) ? parse::fast : parse::with_rdkit);
  });
}

CleanAnswer Cleaner::clean_mol_block(rust::Slice<const std::uint8_t> block) {
  return answer([&] { return read_mol_block(block); });
}

Answer Cleaner::canonical(rust::Slice<const std::uint8_t> smiles) {
  try {
    return {rust::String::lossy(write(*read_smiles(as_string(smiles), parse::fast))), Failure::None};
  } catch (const std::exception &e) {
    return {rust::String::lossy(one_line(e.what())), kind_of(e)};
  }
}

template <typename Read>
CleanAnswer Cleaner::answer(Read read) {
  CleanAnswer answer{};
  const auto refuse = [&](Failure failure, const std::string &reason) {
    answer.failure = failure;
    answer.text = rust::String::lossy(reason);
    return std::move(answer);
  };
  try {
    auto mol = read();
    if (mol->getNumAtoms() == 0) {
      return answer;
    }
    const Composition composition(*mol);
    auto before = write_flat(*mol);
    const bool has_groups = has_relative_groups(*mol);
    run(mol, answer);
    const auto after = RDKit::MolToSmiles(*mol);
    answer.changed = composition != Composition(*mol) || after != (before ? *before : write(*read()));
    if (!answer.changed) {
      answer.steps = 0;
      return answer;
    }
    if (after.empty()) {
      throw Unusable(Failure::Clean, "cleaning leaves no atom of the molecule");
    }
    answer.drops_groups = has_groups;
    answer.text = rust::String::lossy(after);
    return answer;
  } catch (const Unusable &e) {
    return refuse(e.failure, e.what());
  } catch (const std::exception &e) {
    return refuse(Failure::Clean, one_line(std::string("RDKit cannot clean the molecule: ") + e.what()));
  }
}

void Cleaner::run(std::unique_ptr<RWMol> &mol, CleanAnswer &answer) {
  auto last = fingerprint(*mol);
  const auto end = [&](CleanStep step) {
    const auto now = fingerprint(*mol);
    if (now != last) {
      answer.steps |= static_cast<std::uint32_t>(step);
    }
    last = now;
  };
  const auto wants = [&](CleanStep step) { return (steps_ & static_cast<std::uint32_t>(step)) != 0; };
  cleanup(*mol);
  end(CleanStep::Cleanup);
  if (wants(CleanStep::Fragment)) {
    choose_fragment(*mol);
    end(CleanStep::Fragment);
  }
  if (wants(CleanStep::Uncharge) && std::ranges::any_of(mol->atoms(), is_charged)) {
    uncharger_.unchargeInPlace(*mol);
    end(CleanStep::Uncharge);
  }
  if (wants(CleanStep::Tautomer)) {
    take_tautomer(mol, answer);
    end(CleanStep::Tautomer);
  }
  if (wants(CleanStep::Stereo)) {
    RDKit::MolOps::removeStereochemistry(*mol);
    end(CleanStep::Stereo);
  }
}

// MolStandardize::cleanupInPlace, which makes the objects anew for each molecule. What would change nothing is left out.
void Cleaner::cleanup(RWMol &mol) {
  RDKit::MolOps::removeHs(mol);
  if (std::ranges::any_of(mol.atoms(), may_be_metal)) {
    metals_.disconnectInPlace(mol);
  }
  normalize(mol);
  if (mol.needsUpdatePropertyCache()) {
    mol.updatePropertyCache(false);
    patterns_.begin(mol);
  }
  if (may_move_protons()) {
    reionizer_.reionizeInPlace(mol);
  }
  RDKit::MolOps::assignStereochemistry(mol, true, true);
}

// Normalizer::normalizeInPlace, which searches for each transform by RDKit. Leaves the molecule searched for patterns.
void Cleaner::normalize(RWMol &mol) {
  if (!mol.getRingInfo()->isSymmSssr()) {
    RDKit::MolOps::symmetrizeSSSR(mol);
  }
  for (unsigned int round = 0; round < NORMALIZER_ROUNDS; ++round) {
    patterns_.begin(mol);
    const auto changes = [&](const Transform &transform) {
      return patterns_.matches(transform.pattern) && transform.reaction->runReactant(mol, false);
    };
    if (std::ranges::none_of(transforms_, changes)) {
      return;
    }
    constexpr auto sanitized = RDKit::MolOps::SANITIZE_ALL ^ RDKit::MolOps::SANITIZE_CLEANUP ^
                               RDKit::MolOps::SANITIZE_PROPERTIES;
    try {
      unsigned int failed = 0;
      RDKit::MolOps::sanitizeMol(mol, failed, sanitized);
    } catch (const RDKit::MolSanitizeException &) {
      // As the normalizer does: the molecule goes on as it is.
    }
  }
  patterns_.begin(mol);
}

// Whether Reionizer::reionizeInPlace may change the molecule: charges are corrected, or there is an acid that is stronger
// than that of a base. The acids are in the order of their strength.
bool Cleaner::may_move_protons() {
  const auto matches = [this](std::size_t pattern) { return patterns_.matches(pattern); };
  if (std::ranges::any_of(corrected_, matches)) {
    return true;
  }
  const auto bases = acids_ | std::views::reverse;
  const auto weakest = std::ranges::find_if(bases, matches, &Acid::base);
  return weakest != bases.end() &&
         std::any_of(acids_.begin(), weakest.base() - 1, [&](const Acid &acid) { return matches(acid.acid); });
}

// LargestFragmentChooser::chooseInPlace, which writes the SMILES of each fragment.
void Cleaner::choose_fragment(RWMol &mol) {
  std::vector<std::vector<int>> fragments;
  RDKit::MolOps::getMolFrags(mol, fragments);
  if (fragments.size() <= 1) {
    return;
  }
  std::vector<FragmentSize> sizes;
  for (const auto &fragment : fragments) {
    sizes.push_back(size_of(mol, fragment));
  }
  const auto largest = std::ranges::max_element(sizes);
  if (std::ranges::count(sizes, *largest) > 1) {
    // The SMILES decide.
    chooser_.chooseInPlace(mol);
    return;
  }
  mol.beginBatchEdit();
  for (std::size_t i = 0; i < fragments.size(); ++i) {
    if (static_cast<std::ptrdiff_t>(i) != largest - sizes.begin()) {
      std::ranges::for_each(fragments[i], [&](int atom) { mol.removeAtom(atom); });
    }
  }
  mol.commitBatchEdit();
}

// TautomerEnumerator::canonicalize, which does not say whether a limit cut the tautomers off.
void Cleaner::take_tautomer(std::unique_ptr<RWMol> &mol, CleanAnswer &answer) {
  using RDKit::MolStandardize::TautomerEnumeratorStatus;
  const auto found = tautomers_->enumerate(*mol);
  if (found.status() == TautomerEnumeratorStatus::Canceled) {
    throw Unusable(Failure::TooLarge, "the molecule has too many and too large tautomers for --clean=tautomer");
  }
  answer.capped = found.status() != TautomerEnumeratorStatus::Completed;
  if (found.empty()) {
    return;
  }
  const auto score = RDKit::MolStandardize::TautomerScoringFunctions::makeOptimizedScorer(*mol);
  const std::unique_ptr<ROMol> picked(tautomers_->pickCanonical(found, score));
  mol = std::make_unique<RWMol>(*picked);
}

// The canonical SMILES of a molecule.
std::string Cleaner::write(const ROMol &mol) {
  if (auto text = write_flat(mol)) {
    return std::move(*text);
  }
  try {
    return RDKit::MolToSmiles(mol);
  } catch (const std::exception &e) {
    throw Unusable(Failure::Write, one_line(std::string("RDKit cannot write its SMILES: ") + e.what()));
  }
}

// The same by the flat molecule; nothing where that is not proved to be RDKit's.
std::optional<std::string> Cleaner::write_flat(const ROMol &mol) {
  std::string text;
  if (!flat_.read(mol)) {
    return {};
  }
  written_ = flat_.mol;
  const bool is_written = find_rings(written_) == 1 && edit::confirm_stereo(written_) && writer_.write(written_, text);
  return is_written ? std::optional(std::move(text)) : std::nullopt;
}

std::unique_ptr<Cleaner> new_cleaner(std::uint32_t steps, std::uint32_t tautomer_atoms_max) {
  return std::make_unique<Cleaner>(steps, tautomer_atoms_max);
}

}  // namespace molsieve
