// Which stereo a product truly has, as RDKit's (legacy) perception finds it.
#pragma once

#include "molsieve/src/chem/model/molecule.h"

namespace molsieve::edit {

// Confirms the chirality of every centre of a new product, and refers the stereo of its double bonds to the
// substituents of the highest CIP rank. False: RDKit has to look at the product, because a centre is not certain
// (equal substituents, dependence on other centres, ring stereo), or a double bond could gain stereo.
bool confirm_stereo(Molecule &product);

}  // namespace molsieve::edit
