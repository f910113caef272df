// A reagent, ready to be combined with parents.
#pragma once

#include <GraphMol/RDKitBase.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "molsieve/src/chem/edit/edit.h"
#include "molsieve/src/chem/model/molecule.h"
#include "molsieve/src/chem/model/rings.h"

namespace molsieve {

// In place of a reagent's number: there is none.
constexpr std::uint32_t NO_REAGENT = 0xffffffff;

// A flat molecule in no more memory than it needs.
struct CompactMolecule {
  void take(const edit::Parent &from);
  std::size_t bytes() const;

  std::vector<Atom> atoms;
  std::vector<Bond> bonds;
  Rings rings;
  bool has_chirality = false;
  bool has_stereo = false;
};

// How much of a molecule is laid down.
struct Extent {
  unsigned int atoms = 0, bonds = 0;
  std::size_t rings = 0;
};

Extent extent_of(const edit::Parent &molecule);
// Takes away what is behind an extent.
void cut(edit::Parent &molecule, const Extent &extent);
// Puts a molecule beside what is laid down. False: there is no room.
bool append(edit::Parent &molecule, const CompactMolecule &other);

// A molecule of a set as one reactant of a rule.
struct Reagent {
  std::size_t bytes() const;

  std::uint32_t number = 0;  // over all sets
  bool is_flat = false;
  CompactMolecule flat;      // if it is flat
  bool capped = false;       // it has more matches than are kept
  std::vector<RDKit::MatchVectType> matches;
  RDKit::ROMOL_SPTR mol;     // null until RDKit has to make a product; with hydrogens as atoms if the rule asks for them
};

}  // namespace molsieve
