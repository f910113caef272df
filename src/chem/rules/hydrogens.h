// Hydrogens that a pattern asks for as atoms. RDKit keeps the hydrogens of a molecule implicit, so such a
// pattern matches a parent only once MolOps::addHs has made atoms of them.
#pragma once

#include <GraphMol/RDKitBase.h>

namespace molsieve {

// Whether the pattern certainly has an atom that is an ordinary hydrogen: neither an isotope nor an ion nor
// one of H2, which RDKit keeps as atoms. Looks into recursive SMARTS too.
bool asks_for_hydrogens(const RDKit::ROMol &pattern);

}  // namespace molsieve
