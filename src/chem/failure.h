// Why RDKit can't use a molecule or a pattern: the kind, and a text of one line.
#pragma once

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>

namespace molsieve {

enum class Failure : std::uint8_t;  // of the bridge

// A molecule that can't be used.
struct Unusable : std::runtime_error {
  Unusable(Failure failure, const std::string &reason)
      : std::runtime_error(reason), failure(failure) {}
  Failure failure;
};

// The kind of an exception that RDKit throws because of a molecule.
Failure kind_of(const std::exception &e);

// RDKit's text as one line of bounded length.
std::string one_line(std::string text);

// Why a SMILES or SMARTS does not parse, from what RDKit has logged on this thread; `fallback` if it has logged
// nothing.
std::string parse_failure(const std::string &fallback);

}  // namespace molsieve
