// SMILES to the molecule that RDKit's SmilesToMol gives, several times faster for ordinary molecules.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <memory>
#include <string>

namespace molsieve::parse {

// RDKit's own parser.
std::unique_ptr<RDKit::RWMol> with_rdkit(const std::string &smiles);

// The molecule that with_rdkit gives. What is not certainly an ordinary molecule goes to RDKit, so that a null
// pointer, exceptions and log lines are RDKit's own.
std::unique_ptr<RDKit::RWMol> fast(const std::string &smiles);

// Whether fast() does without RDKit's parser.
bool is_parsed_fast(const std::string &smiles);

}  // namespace molsieve::parse

namespace molsieve {

// For tests: how the result of parse::fast differs from RDKit's, empty if it does not. `fast` says whether RDKit's
// parser was not needed.
std::unique_ptr<std::string> parse_differs(const std::string &smiles, bool &fast);

}  // namespace molsieve
