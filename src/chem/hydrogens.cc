#include "molsieve/src/chem/hydrogens.h"

#include <GraphMol/QueryAtom.h>
#include <GraphMol/QueryOps.h>

#include <algorithm>

namespace molsieve {

namespace {

// RDKit's number for an aromatic atom of an element is this much more.
constexpr int AROMATIC_TYPE = 1000;

// What every match of a query atom has.
struct Asked {
  bool hydrogen = false;
  bool isotope = false;
  bool charge = false;
  bool within = false;  // a recursive SMARTS asks for hydrogens
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
    const auto *inner = static_cast<const RDKit::RecursiveStructureQuery &>(query).getQueryMol();
    asked.within |= inner != nullptr && asks_for_hydrogens(*inner);
  }
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
    if (asked.within) {
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
