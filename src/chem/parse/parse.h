// SMILES to the molecule that RDKit's SmilesToMol gives, several times faster for ordinary molecules.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <memory>
#include <string>

namespace molsieve {

// RDKit's own way.
std::unique_ptr<RDKit::RWMol> parse_reference(const std::string &smiles);

// The molecule parse_reference gives. Null, exceptions and log lines are RDKit's own: what is not
// surely an ordinary molecule goes through RDKit.
std::unique_ptr<RDKit::RWMol> parse_fast(const std::string &smiles);

// Whether parse_fast does without RDKit's parser.
bool is_parsed_fast(const std::string &smiles);

// For tests: how the result of parse_fast differs from RDKit's, empty if it does not. `fast` says
// whether the fast way was taken.
std::unique_ptr<std::string> parse_differs(const std::string &smiles, bool &fast);

}  // namespace molsieve
