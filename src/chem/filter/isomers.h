// The stereoisomers of a product with open centres, by RDKit's enumeration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace molsieve::filter {

struct Isomers {
  std::vector<std::string> smiles;  // canonical, in ascending order; empty: nothing is open
  bool capped = false;              // there are more
};

// At most `most` stereoisomers of the molecule with this SMILES. If there are more, they are drawn with `seed`.
Isomers stereoisomers(const std::string &smiles, std::size_t most, std::uint64_t seed);

}  // namespace molsieve::filter
