// Cleans molecules as RDKit's MolStandardize does: Cleanup, FragmentParent, Uncharger, TautomerEnumerator,
// RemoveStereochemistry. The objects that do it are made once, because making them takes longer than cleaning a molecule.
#pragma once

#include <GraphMol/ChemReactions/Reaction.h>
#include <GraphMol/MolStandardize/Charge.h>
#include <GraphMol/MolStandardize/Fragment.h>
#include <GraphMol/MolStandardize/Metal.h>
#include <GraphMol/MolStandardize/Tautomer.h>
#include <GraphMol/RDKitBase.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "molsieve/src/chem/edit/edit.h"
#include "molsieve/src/chem/filter/patterns.h"
#include "molsieve/src/chem/model/molecule.h"
#include "molsieve/src/chem/write/smiles.h"
#include "rust/cxx.h"

namespace molsieve {

struct Answer;       // of the bridge
struct CleanAnswer;  // of the bridge

// A thread has one of its own.
class Cleaner {
 public:
  // `steps`: bits of CleanStep. `tautomer_atoms_max`: most atoms of all tautomers of a molecule together.
  Cleaner(std::uint32_t steps, std::uint32_t tautomer_atoms_max);

  // The molecule after the steps, and which of them changed it.
  CleanAnswer clean(rust::Slice<const std::uint8_t> smiles);
  CleanAnswer clean_mol_block(rust::Slice<const std::uint8_t> block);

  // The canonical SMILES of a SMILES that has no CXSMILES extension, on flat molecules where that is proved to be the same.
  Answer canonical(rust::Slice<const std::uint8_t> smiles);

 private:
  template <typename Read>
  CleanAnswer answer(Read read);
  void run(std::unique_ptr<RDKit::RWMol> &mol, CleanAnswer &answer);
  void cleanup(RDKit::RWMol &mol);
  void normalize(RDKit::RWMol &mol);
  bool may_move_protons();
  void choose_fragment(RDKit::RWMol &mol);
  void take_tautomer(std::unique_ptr<RDKit::RWMol> &mol, CleanAnswer &answer);
  std::string write(const RDKit::ROMol &mol);
  std::optional<std::string> write_flat(const RDKit::ROMol &mol);

  struct Transform {
    std::size_t pattern;  // by number; without a match it changes nothing
    std::shared_ptr<RDKit::ChemicalReaction> reaction;
  };

  // Patterns of an acid and of its base, by number.
  struct Acid {
    std::size_t acid, base;
  };

  std::uint32_t steps_;
  RDKit::MolStandardize::MetalDisconnector metals_;
  RDKit::MolStandardize::Reionizer reionizer_;
  filter::Patterns patterns_;
  std::vector<Transform> transforms_;
  std::vector<Acid> acids_;
  std::vector<std::size_t> corrected_;  // patterns of charges that the reionizer corrects, by number
  RDKit::MolStandardize::LargestFragmentChooser chooser_;
  RDKit::MolStandardize::Uncharger uncharger_;
  std::unique_ptr<RDKit::MolStandardize::TautomerEnumerator> tautomers_;  // null without that step
  edit::Parent flat_;
  Molecule written_;
  write::SmilesWriter writer_;
};

std::unique_ptr<Cleaner> new_cleaner(std::uint32_t steps, std::uint32_t tautomer_atoms_max);

}  // namespace molsieve
