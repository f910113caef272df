// Whether RDKit finds the same rings in a molecule whatever the order of its atoms and whatever hangs on
// them. RDKit perceives aromaticity ring by ring, and goes along bonds that are in one of its rings in another
// order when it writes SMILES. Its search takes the smallest ring through an atom with two bonds, and then takes
// the atom away; in bridged ring systems it then finds larger rings in place of others, depending on the order
// of the atoms and on which of them hold other rings, and may miss a bond that is in a ring.
#pragma once

#include "molsieve/src/chem/model/graph.h"

#include <GraphMol/RingInfo.h>

#include <functional>

namespace molsieve {

enum class RingCertainty {
  Ambiguous,  // a ring that may be aromatic is in a bridged ring system
  Tangled,    // a saturated ring system of three rings or more is bridged: its rings stay as they are as long
              // as no ring is joined to the molecule, or taken from it
  Certain,    // every ring that may be aromatic, and every bond in a ring, is found
  Unique,     // no ring system is bridged
};

// `rings` are RDKit's.
RingCertainty ring_certainty(const Graph &graph, const RDKit::RingInfo &rings);

// True: the shortest ring through a new bond leaves the rings that RDKit finds as they were, because it
// shares one bond with them at most, and none that may be aromatic if it is small.
bool closes_apart(const Graph &product, const GraphBond &bond,
                  const std::function<bool(const GraphBond &)> &was_in_ring);

}  // namespace molsieve
