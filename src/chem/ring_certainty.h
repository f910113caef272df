// Whether RDKit finds the same rings in a molecule whatever the order of its atoms. RDKit perceives
// aromaticity ring by ring, in a smallest set of rings. Where several such sets exist (bridged ring
// systems), the set, and with it the aromaticity, depends on the order of atoms and bonds.
#pragma once

#include "molsieve/src/chem/graph.h"

#include <GraphMol/RingInfo.h>

#include <functional>

namespace molsieve {

enum class RingCertainty {
  Ambiguous,  // a ring that may be aromatic is in some smallest sets of rings and not in others
  Certain,    // every ring that may be aromatic is in each smallest set of rings
  Unique,     // there is one smallest set of rings
};

// `rings` are RDKit's.
RingCertainty ring_certainty(const Graph &graph, const RDKit::RingInfo &rings);

// True: the shortest ring through a new bond leaves the aromatic rings that RDKit finds as they were, because
// it shares at most one bond with the parent's rings that may be aromatic, and none if it is small.
bool closes_apart(const Graph &product, const GraphBond &bond,
                  const std::function<bool(const GraphBond &)> &was_in_ring);

}  // namespace molsieve
