// Whether RDKit finds the same rings in a molecule whatever the order of its atoms and whatever their substituents.
// RDKit perceives aromaticity ring by ring, and when it writes SMILES it follows bonds in its rings in another order
// than others. Its search takes the smallest ring through an atom with two bonds, and then removes the atom. In
// bridged ring systems it then finds larger rings in place of others, depending on the order of the atoms and on the
// rings attached to them, and may miss a bond that is in a ring.
#pragma once

#include "molsieve/src/chem/model/molecule.h"

#include <GraphMol/RingInfo.h>

#include <functional>
#include <vector>

namespace molsieve::edit {

enum class RingCertainty {
  Ambiguous,  // a ring that may be aromatic is in a bridged ring system
  Tangled,    // a saturated ring system of three rings or more is bridged: its rings stay the same as long as the edit
              // adds no ring to the molecule and removes none
  Certain,    // every ring that may be aromatic, and every bond in a ring, is found
  Unique,     // no ring system is bridged
};

// `rings` are RDKit's.
RingCertainty ring_certainty(const Molecule &mol, const RDKit::RingInfo &rings);

// Whether the shortest ring through a new bond leaves the rings that RDKit finds unchanged: it shares at most one bond
// with them, and none that may be aromatic if it is small.
bool closes_apart(const Molecule &product, const Bond &bond,
                  const std::function<bool(const Bond &)> &was_in_ring);

// Per bond: whether it is in a ring or between rings, so that it stays when atoms with one bond are removed repeatedly.
std::vector<bool> skeleton_of(const Molecule &mol);

}  // namespace molsieve::edit
