// Mol blocks, by RDKit.
#pragma once

#include <cstdint>

#include "rust/cxx.h"

namespace molsieve {

struct Answer;  // of the bridge

// The mol block of a SMILES, without a title: V2000, or V3000 where V2000 can't hold the molecule. All coordinates are 0,
// except where they are wanted (`depict`) or needed: a mol block states stereo by coordinates and wedges.
Answer smiles_to_mol_block(rust::Slice<const std::uint8_t> smiles, bool depict);

}  // namespace molsieve
