#include "molsieve/src/chem/edit/valence.h"

#include <GraphMol/MolOps.h>

#include <algorithm>
#include <optional>

namespace molsieve {

using RDKit::Atom;
using RDKit::Bond;
using RDKit::RWMol;

namespace {

constexpr std::size_t ANSWERS_MAX = 4096;

std::uint64_t kind_of(const Graph &graph, const GraphAtom &atom) {
  std::uint64_t singles = 0, doubles = 0, triples = 0, aromatics = 0;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    switch (graph.bonds[atom.bonds[i]].type) {
      case SINGLE: ++singles; break;
      case DOUBLE: ++doubles; break;
      case TRIPLE: ++triples; break;
      case AROMATIC: ++aromatics; break;
    }
  }
  return singles | doubles << 4 | triples << 8 | aromatics << 12 |
         std::uint64_t{atom.explicit_hydrogens} << 16 | std::uint64_t{atom.no_implicit} << 24 |
         std::uint64_t{atom.aromatic} << 25 | std::uint64_t{atom.number} << 32 |
         std::uint64_t{static_cast<std::uint8_t>(atom.charge)} << 40;
}

Bond::BondType rdkit_type(BondType type) { return static_cast<Bond::BondType>(type); }

}  // namespace

bool may_be_rewritten(unsigned int number, unsigned int valence, unsigned int degree) {
  switch (number) {
    case 7: return valence > 4;
    case 15: return valence > 3 && degree < 4;
    case 9: case 17: case 35: case 53: return valence > 1;
    default: return false;
  }
}

bool Valences::settle(Graph &graph, std::uint16_t index) {
  auto &atom = graph.atoms[index];
  const auto kind = kind_of(graph, atom);
  auto found = answers_.find(kind);
  if (found == answers_.end()) {
    if (answers_.size() == ANSWERS_MAX) {
      answers_.clear();
    }
    found = answers_.emplace(kind, ask(graph, atom)).first;
  }
  const auto &answer = found->second;
  atom.hydrogens = answer.hydrogens;
  atom.valence = answer.valence;
  return answer.usual;
}

// The atom in the middle of a star of carbons.
Valences::Answer Valences::ask(const Graph &graph, const GraphAtom &atom) {
  RWMol star;
  auto *centre = new Atom(atom.number);
  centre->setFormalCharge(atom.charge);
  centre->setNumExplicitHs(atom.explicit_hydrogens);
  centre->setNoImplicit(atom.no_implicit);
  star.addAtom(centre, false, true);
  for (unsigned int i = 0; i < atom.degree; ++i) {
    auto *ray = new Atom(6);
    ray->setNoImplicit(true);
    const auto index = star.addAtom(ray, false, true);
    star.addBond(0u, index, rdkit_type(graph.bonds[atom.bonds[i]].type));
  }
  centre = star.getAtomWithIdx(0);
  centre->setIsAromatic(atom.aromatic);
  try {
    centre->updatePropertyCache(true);
    if (!atom.aromatic) {  // RDKit looks at aromatic atoms when they are in Kekulé form
      star.updatePropertyCache(false);
      RDKit::MolOps::assignRadicals(star);
    }
  } catch (const std::exception &) {
    return {false, 0, 0};
  }
  const auto hydrogens = centre->getTotalNumHs();
  const auto valence = centre->getTotalValence();
  const bool usual = centre->getNumRadicalElectrons() == 0 &&
                     !may_be_rewritten(atom.number, valence, atom.degree);
  return {usual, static_cast<std::uint8_t>(hydrogens), static_cast<std::uint8_t>(valence)};
}

}  // namespace molsieve
