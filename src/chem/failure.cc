#include "molsieve/src/chem/failure.h"

#include <GraphMol/SanitException.h>
#include <GraphMol/SmilesParse/SmilesParse.h>
#include <RDGeneral/FileParseException.h>

#include <algorithm>
#include <cstring>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/rdkit/log.h"

namespace molsieve {

Failure kind_of(const std::exception &e) {
  if (const auto *unusable = dynamic_cast<const Unusable *>(&e)) {
    return unusable->failure;
  }
  if (dynamic_cast<const RDKit::AtomValenceException *>(&e)) {
    return Failure::Valence;
  }
  if (dynamic_cast<const RDKit::KekulizeException *>(&e) ||
      dynamic_cast<const RDKit::AtomKekulizeException *>(&e)) {
    return Failure::Kekulize;
  }
  if (dynamic_cast<const RDKit::MolSanitizeException *>(&e)) {
    return Failure::Sanitize;
  }
  if (dynamic_cast<const RDKit::SmilesParseException *>(&e)) {
    return Failure::Syntax;
  }
  return dynamic_cast<const RDKit::FileParseException *>(&e) ? Failure::MolBlock : Failure::Other;
}

std::string one_line(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c == '\n' || c == '\t'; }, ' ');
  const auto reason_bytes_max = rdkit_reason_bytes_max();
  if (text.size() > reason_bytes_max) {
    text.resize(reason_bytes_max);
  }
  while (!text.empty() && text.back() == ' ') {
    text.pop_back();
  }
  return text;
}

// RDKit logs several lines: one with the error, one with its position.
std::string parse_failure(const std::string &fallback) {
  const auto logged = take_logged_errors();
  const auto position = logged.find("around position ");
  const auto what = logged.find("Error: ");
  if (what == std::string::npos) {
    return one_line(logged.empty() ? fallback : logged);
  }
  auto text = logged.substr(what + 7, logged.find('\n', what) - what - 7);
  // The SMILES follows "while parsing:" and "for input:"; the reader has it already.
  for (const auto *echo : {" while parsing: ", " for input: "}) {
    text = text.substr(0, text.find(echo));
  }
  if (position != std::string::npos) {
    const auto digits = position + std::strlen("around position ");
    const auto end = logged.find_first_not_of("0123456789", digits);
    text += " at position " + logged.substr(digits, end - digits);
  }
  return one_line(text);
}

}  // namespace molsieve
