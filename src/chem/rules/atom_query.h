// What the queries of SMARTS atoms ask for.
#pragma once

#include <GraphMol/QueryAtom.h>
#include <GraphMol/QueryOps.h>

#include <optional>

namespace molsieve {

struct QueriedElement {
  int number = 0;
  enum { ANY, ALIPHATIC, AROMATIC_ONLY } form = ANY;

  bool is_that_of(const RDKit::Atom &atom) const {
    return atom.getAtomicNum() == number &&
           (form == ANY || (form == AROMATIC_ONLY) == atom.getIsAromatic());
  }
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

// The element that every atom has that a query matches; nothing if there is no such element.
inline std::optional<QueriedElement> needed_element(const RDKit::Atom::QUERYATOM_QUERY &query) {
  if (query.getNegation()) {
    return {};
  }
  if (query.getDescription() != "AtomAnd") {
    return queried_element(query);
  }
  for (auto child = query.beginChildren(); child != query.endChildren(); ++child) {
    if (const auto element = needed_element(**child)) {
      return element;
    }
  }
  return {};
}

}  // namespace molsieve
