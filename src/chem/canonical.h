// Molecules read and written by RDKit alone, as text in and canonical SMILES out.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <cstdint>
#include <memory>
#include <string>

#include "rust/cxx.h"

namespace molsieve {

struct Answer;  // of the bridge

// The canonical SMILES of a SMILES. `identity`: with the CXSMILES extension for enhanced stereo if the molecule has
// any, in one form for all writings of a molecule of up to eight groups.
Answer smiles_to_smiles(rust::Slice<const std::uint8_t> smiles, bool identity);

// The same for a mol block; without `identity`, with its enhanced stereo as drawn.
Answer mol_block_to_smiles(rust::Slice<const std::uint8_t> block, bool identity);

// What `parse` makes of a SMILES: parse::with_rdkit or parse::fast. Throws Unusable.
std::unique_ptr<RDKit::RWMol> read_smiles(
    const std::string &smiles, std::unique_ptr<RDKit::RWMol> (*parse)(const std::string &));

// Throws Unusable.
std::unique_ptr<RDKit::RWMol> read_mol_block(rust::Slice<const std::uint8_t> block);

// Whether the molecule has centres that are known only relative to each other (CXSMILES: & and o).
bool has_relative_groups(const RDKit::ROMol &mol);

inline std::string as_string(rust::Slice<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

inline rust::Slice<const std::uint8_t> as_bytes(const std::string &text) {
  return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}

}  // namespace molsieve
