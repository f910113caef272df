#include "molsieve/src/chem/rules/hydrogens.h"

#include <GraphMol/SmilesParse/SmartsWrite.h>
#include <GraphMol/SmilesParse/SmilesParse.h>

#include <algorithm>
#include <memory>
#include <string>

#include "molsieve/src/chem/rules/atom_query.h"

namespace molsieve {

namespace {

// What a query atom asks for.
struct Asked {
  bool hydrogen = false;
  bool isotope = false;
  bool charge = false;
  bool recursive = false;     // there is a recursive SMARTS
  bool alternatives = false;  // it asks for one of several things
};

void add_asked(const RDKit::Atom::QUERYATOM_QUERY &query, Asked &asked) {
  if (query.getNegation()) {
    return;
  }
  const auto &kind = query.getDescription();
  if (kind == "AtomAnd") {
    std::for_each(query.beginChildren(), query.endChildren(),
                  [&](const auto &child) { add_asked(*child, asked); });
  } else if (const auto element = queried_element(query)) {
    asked.hydrogen |= element->number == 1;
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

// Whether a recursive SMARTS in the text of an atom asks for hydrogens and is not negated. Reads RDKit's text of the
// atom, since its headers and its library disagree about where a recursive query stores its molecule.
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
