// The parent that a transformer works on, and the product that it has just made.
#pragma once

#include <GraphMol/ChemReactions/Reaction.h>
#include <GraphMol/RDKitBase.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "molsieve/src/chem/describe/describe.h"

namespace molsieve {

struct Parent {
  explicit Parent(RDKit::ROMOL_SPTR molecule) : mol(std::move(molecule)) {}

  RDKit::ROMOL_SPTR mol;
  RDKit::ROMOL_SPTR with_hydrogens;  // the same with hydrogens as atoms; null until asked for
  std::string canonical;  // empty until asked for

  // The position of the enumeration: product `product` of the outcome of match `match` of rule `rule`.
  std::size_t rule = 0;
  bool matched = false;  // `matches` belongs to `rule`
  std::vector<RDKit::MatchVectType> matches;
  std::size_t match = 0;
  std::size_t product = 0, products = 0;  // of the match
  RDKit::MOL_SPTR_VECT outcome;           // of RDKit's reaction runner, if `has_run`
  bool has_run = false;
  RDKit::ROMol *made = nullptr;  // the product as RDKit's molecule, or null
  bool is_flat = false;          // the product was made on the flat molecule
  bool is_checked = false;       // … and by RDKit too
  bool sites_capped = false;
  bool full = false;  // it has as many distinct products as a parent may have
  bool groups_to_report = false;  // it has enhanced stereo, which no product keeps

  // A product that is not written yet.
  bool pending = false;
  std::string smiles;
  std::uint16_t site = 0;
  describe::Values values;
};

}  // namespace molsieve
