#include "molsieve/src/chem/filter/isomers.h"

#include <GraphMol/EnumerateStereoisomers/EnumerateStereoisomers.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>

#include <algorithm>
#include <limits>

#include "molsieve/src/chem/canonical.h"
#include "molsieve/src/chem/parse/parse.h"

namespace molsieve::filter {

Isomers stereoisomers(const std::string &smiles, std::size_t most, std::uint64_t seed) {
  const auto mol = read_smiles(smiles, parse::fast);
  RDKit::EnumerateStereoisomers::StereoEnumerationOptions options;
  options.maxIsomers = most;
  options.randomSeed = static_cast<int>(seed % std::numeric_limits<int>::max());
  RDKit::EnumerateStereoisomers::StereoisomerEnumerator enumerator(*mol, options);
  Isomers isomers;
  if (enumerator.getStereoisomerCount() <= 1) {
    return isomers;
  }
  isomers.capped = enumerator.getStereoisomerCount() > most;
  while (const auto isomer = enumerator.next()) {
    // As RDKit writes what it reads: an isomer may still carry marks of what it was made from.
    const auto read = read_smiles(RDKit::MolToSmiles(*isomer), parse::fast);
    isomers.smiles.push_back(RDKit::MolToSmiles(*read));
  }
  std::ranges::sort(isomers.smiles);
  const auto repeats = std::ranges::unique(isomers.smiles);
  isomers.smiles.erase(repeats.begin(), repeats.end());
  return isomers;
}

}  // namespace molsieve::filter
