// SMARTS as text: its atoms, and the recursive SMARTS in them.
#pragma once

#include <string>
#include <vector>

namespace molsieve {

// The text of each atom without its map number, in the order in which RDKit numbers them. RDKit reads equal texts as
// equal atoms. Whether it finds as many atoms is for the caller to check.
std::vector<std::string> atom_texts(const std::string &smarts);

// `$(smarts)` or `!$(smarts)`.
struct RecursiveText {
  std::string smarts;
  bool negated = false;
};

// The recursive SMARTS of an atom, but for those within others.
std::vector<RecursiveText> recursive_texts(const std::string &atom);

}  // namespace molsieve
