// For tests: whether texts depend on the order of the atoms.
#pragma once

#include <memory>
#include <string>

namespace molsieve {

// Writes the molecule of a SMILES with its atoms in its own order and in so many random ones. Gives two of the texts if they
// differ although one of them is said to be the same for any order; else nothing. `settled`: whether that was said of the first.
std::unique_ptr<std::string> settled_text_differs(const std::string &smiles, unsigned int orders, bool &settled);

}  // namespace molsieve
