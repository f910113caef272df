// From the raw outcome of a reaction to a molecule whose canonical SMILES can be written.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <vector>

namespace molsieve {

// What the short cut must know of a sanitized parent; filled once per parent, when first needed.
struct ParentFrame {
  explicit ParentFrame(const RDKit::ROMol &parent);

  const RDKit::ROMol &mol;
  std::vector<unsigned int> total_hydrogens;  // per atom
};

// The plain way: RDKit's full sanitization. Throws RDKit::MolSanitizeException.
void finish_reference(RDKit::RWMol &product);

// The same outcome as finish_reference, without perceiving Kekulé structure, rings and aromaticity
// anew where the product provably is the parent with some of its hydrogens replaced by acyclic
// substituents. Falls back to finish_reference where that cannot be shown.
void finish_fast(RDKit::RWMol &product, const ParentFrame &parent);

}  // namespace molsieve
