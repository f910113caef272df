#include "molsieve/src/chem/rules/hydrogens.h"

#include <GraphMol/QueryAtom.h>
#include <GraphMol/QueryOps.h>
#include <GraphMol/SmilesParse/SmartsWrite.h>
#include <GraphMol/SmilesParse/SmilesParse.h>

#include <algorithm>
#include <memory>
#include <string>

namespace molsieve {

namespace {

// RDKit's number for an aromatic atom of an element is this much more.
constexpr int AROMATIC_TYPE = 1000;

// What every match of a query atom has.
struct Asked {
  bool hydrogen = false;
  bool isotope = false;
  bool charge = false;
  bool recursive = false;     // there is a recursive SMARTS
  bool alternatives = false;  // of several things one is enough
};

void add_asked(const RDKit::Atom::QUERYATOM_QUERY &query, Asked &asked) {
  if (query.getNegation()) {
    return;
  }
  const auto &kind = query.getDescription();
  if (kind == "AtomAnd") {
    std::for_each(query.beginChildren(), query.endChildren(),
                  [&](const auto &child) { add_asked(*child, asked); });
  } else if (kind == "AtomType" || kind == "AtomAtomicNum") {
    const auto value = static_cast<const RDKit::ATOM_EQUALS_QUERY &>(query).getVal();
    asked.hydrogen |= value % AROMATIC_TYPE == 1;
  } else if (kind == "AtomIsotope") {
    asked.isotope = true;
  } else if (kind == "AtomFormalCharge" || kind == "AtomNegativeFormalCharge") {
    asked.charge = true;
  } else if (kind == "RecursiveStructure") {
    asked.recursive = true;
  } else if (kind == "AtomOr" || kind == "AtomXor") {
    asked.alternatives = true;
  }
}

// Whether one of the recursive SMARTS in an atom's text, negated ones apart, asks for hydrogens. The text
// is RDKit's own, since its headers and its library differ in where a recursive query keeps its molecule.
bool any_within_asks(const std::string &text) {
  for (auto at = text.find("$("); at != std::string::npos; at = text.find("$(", at)) {
    const bool negated = at > 0 && text[at - 1] == '!';
    const auto begin = at += 2;
    for (unsigned int depth = 1; at < text.size() && depth > 0; ++at) {
      depth += text[at] == '(';
      depth -= text[at] == ')';
    }
    if (negated) {
      continue;
    }
    const std::unique_ptr<RDKit::ROMol> inner(
        RDKit::SmartsToMol(text.substr(begin, at - 1 - begin)));
    if (inner && asks_for_hydrogens(*inner)) {
      return true;
    }
  }
  return false;
}

Asked asked_of(const RDKit::Atom &atom) {
  Asked asked;
  if (atom.hasQuery()) {
    add_asked(*atom.getQuery(), asked);
  }
  return asked;
}

}  // namespace

bool asks_for_hydrogens(const RDKit::ROMol &pattern) {
  for (const auto *atom : pattern.atoms()) {
    const auto asked = asked_of(*atom);
    if (asked.recursive && !asked.alternatives &&
        any_within_asks(RDKit::SmartsWrite::GetAtomSmarts(atom))) {
      return true;
    }
    if (!asked.hydrogen || asked.isotope || asked.charge) {
      continue;
    }
    auto neighbours = pattern.atomNeighbors(atom);
    const auto is_h2 = std::any_of(neighbours.begin(), neighbours.end(), [](const auto *neighbour) {
      return asked_of(*neighbour).hydrogen;
    });
    if (!is_h2) {
      return true;
    }
  }
  return false;
}

}  // namespace molsieve
