// Patterns that ask for hydrogens as atoms. RDKit keeps the hydrogens of a molecule implicit, so such a pattern matches
// a parent only after MolOps::addHs.
#pragma once

#include <GraphMol/RDKitBase.h>

namespace molsieve {

// Whether every match of the pattern has an ordinary hydrogen: no isotope, no ion and not H2, which RDKit keeps as
// atoms. Also looks into recursive SMARTS.
bool asks_for_hydrogens(const RDKit::ROMol &pattern);

}  // namespace molsieve
