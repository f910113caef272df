#include "molsieve/src/chem/clean/clean.h"

#include <GraphMol/MolOps.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/canonical.h"
#include "molsieve/src/chem/failure.h"
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

// RDKit reads text behind a space, such as a CXSMILES extension.
bool is_plain(const std::string &text) { return text.find(' ') == std::string::npos; }

}  // namespace

Cleaner::Cleaner(std::uint32_t steps, std::uint32_t tautomer_atoms_max) : steps_(steps), uncharger_(true) {
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
    const auto before = write(*mol);
    const bool has_groups = has_relative_groups(*mol);
    run(mol, answer);
    const auto after = RDKit::MolToSmiles(*mol);
    answer.changed = after != before;
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
    chooser_.chooseInPlace(*mol);
    end(CleanStep::Fragment);
  }
  if (wants(CleanStep::Uncharge)) {
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

// MolStandardize::cleanupInPlace, which makes the objects anew for each molecule.
void Cleaner::cleanup(RWMol &mol) {
  RDKit::MolOps::removeHs(mol);
  metals_.disconnectInPlace(mol);
  normalizer_.normalizeInPlace(mol);
  reionizer_.reionizeInPlace(mol);
  RDKit::MolOps::assignStereochemistry(mol, true, true);
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

// The canonical SMILES of a sanitized molecule.
std::string Cleaner::write(const ROMol &mol) {
  std::string text;
  if (flat_.read(mol)) {
    written_ = flat_.mol;
    if (find_rings(written_) == 1 && edit::confirm_stereo(written_) && writer_.write(written_, text)) {
      return text;
    }
  }
  try {
    return RDKit::MolToSmiles(mol);
  } catch (const std::exception &e) {
    throw Unusable(Failure::Write, one_line(std::string("RDKit cannot write its SMILES: ") + e.what()));
  }
}

std::unique_ptr<Cleaner> new_cleaner(std::uint32_t steps, std::uint32_t tautomer_atoms_max) {
  return std::make_unique<Cleaner>(steps, tautomer_atoms_max);
}

}  // namespace molsieve
