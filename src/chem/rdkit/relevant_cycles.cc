// RDKit lists all relevant cycles of a molecule, and their number can double with each para-substituted ring of a
// macrocycle: a cycle of 20 phenylenes has a million. Listing them takes minutes and gigabytes. This definition replaces
// RDKit's own for every caller in the process (ELF looks a symbol up in the executable first): it counts the cycles,
// which is quick, and refuses a molecule with too many. Where a platform binds RDKit's calls to RDKit's definition,
// nothing changes.
#include "molsieve/src/chem/rdkit/relevant_cycles.h"

#include <GraphMol/RingInfo.h>
#include <RDGeneral/versions.h>
#include <RingDecomposerLib.h>

#include <dlfcn.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/failure.h"

namespace molsieve {

void limit_rings() {}

}  // namespace molsieve

#if RDKIT_VERSION >= RDKIT_VERSION_CHECK(2026, 9, 1)

namespace RDKit {

std::vector<std::vector<int>> RingInfo::atomRelevantCycles() const {
  using Cycles = std::vector<std::vector<int>>;
  static const auto original = reinterpret_cast<Cycles (*)(const RingInfo *)>(
      dlsym(RTLD_NEXT, "_ZNK5RDKit8RingInfo18atomRelevantCyclesEv"));
  if (!original) {
    std::abort();  // RDKit is linked, so its function exists
  }
  const auto rings = dp_urfData ? RDL_getNofRC(dp_urfData.get()) : 0.0;
  if (rings > molsieve::rings_max()) {
    const auto count = rings < 1e9 ? std::to_string(std::llround(rings)) : "more than a billion";
    throw molsieve::Unusable(
        molsieve::Failure::TooLarge,
        "the molecule has " + count + " rings of which none is the sum of smaller ones, at most " +
            std::to_string(molsieve::rings_max()) + " are allowed");
  }
  return original(this);
}

}  // namespace RDKit

#endif
