// Bounds the number of rings that RDKit lists.
#pragma once

namespace molsieve {

// Has the effect by being called anywhere in the program: so the definition that replaces RDKit's is linked.
void limit_rings();

}  // namespace molsieve
