// What the queries of SMARTS atoms ask for.
#pragma once

#include <GraphMol/QueryAtom.h>
#include <GraphMol/QueryOps.h>

#include <optional>

namespace molsieve {

struct QueriedElement {
  int number = 0;
  enum { ANY, ALIPHATIC, AROMATIC_ONLY } form = ANY;
};

// The element that a query asks for, if it asks for one and nothing else.
inline std::optional<QueriedElement> queried_element(const RDKit::Atom::QUERYATOM_QUERY &query) {
  // RDKit adds this to the number of an aromatic atom.
  constexpr int AROMATIC_TYPE = 1000;
  const auto &kind = query.getDescription();
  if (kind != "AtomType" && kind != "AtomAtomicNum") {
    return {};
  }
  const auto value = static_cast<const RDKit::ATOM_EQUALS_QUERY &>(query).getVal();
  const auto form = kind == "AtomAtomicNum" ? QueriedElement::ANY
                    : value > AROMATIC_TYPE ? QueriedElement::AROMATIC_ONLY
                                            : QueriedElement::ALIPHATIC;
  return QueriedElement{value % AROMATIC_TYPE, form};
}

}  // namespace molsieve
