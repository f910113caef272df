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
#include "molsieve/src/chem/parse/parse.h"

namespace molsieve {

// Of crate::chem::product_keys.
constexpr std::uint32_t NO_REASON = 0xffff'ffff;

class Parent {
 public:
  explicit Parent(RDKit::ROMOL_SPTR mol) : atoms(mol->getNumAtoms()), mol_(std::move(mol)) {}
  // `drafted` has to stay as it is.
  Parent(parse::Drafted &drafted, std::size_t atom_count) : atoms(atom_count), drafted_(&drafted) {}

  // RDKit's molecule, which is made when it is first asked for.
  const RDKit::ROMOL_SPTR &mol() {
    if (!mol_) {
      mol_.reset(drafted_->make().release());
    }
    return mol_;
  }

  std::size_t atoms;
  RDKit::ROMOL_SPTR with_hydrogens;  // the same with hydrogens as atoms; null until asked for
  std::string text;       // as read, for its key; empty if it was a mol block
  std::string canonical;  // empty until asked for
  // The structure key of the parent itself, if `has_own_key`.
  std::uint64_t own_key_low = 0, own_key_high = 0;
  bool has_own_key = false;

  // The position of the enumeration: product `product` of the outcome at site `next_site - 1` of rule `rule`.
  std::size_t rule = 0;
  std::size_t place = 0;  // which of the reactants that the parent can be it is
  bool matched = false;   // `matches` belongs to `rule` and `place`
  const std::vector<RDKit::MatchVectType> *matches = nullptr;  // of the finder
  bool combined = false;  // with reagents: the sites are those of a combination
  std::size_t next_site = 0, sites = 0;
  std::size_t product = 0, products = 0;  // of the site
  RDKit::MOL_SPTR_VECT outcome;           // of RDKit's reaction runner, if `has_run`
  bool has_run = false;
  RDKit::ROMol *made = nullptr;  // the product as RDKit's molecule, or null
  bool is_itself = false;        // the product is the parent itself
  bool is_flat = false;          // the product was made on the flat molecule
  bool is_checked = false;       // … and by RDKit too
  bool is_written_flat = false;  // RDKit has made the product, but not its SMILES
  bool is_settled = false;       // its text or its key would be the same for any order of the atoms
  bool is_given = false;         // the parent has given it, now or before
  // Of the current rule, the flat products that were given and are settled.
  struct Given {
    std::uint16_t site;
    std::size_t product;
  };
  std::vector<Given> given;
  bool full = false;  // it has as many distinct products as a parent may have
  bool groups_to_report = false;  // it has enhanced stereo, which no product keeps

  // A product that is not written yet.
  bool pending = false;
  std::string smiles;
  bool has_key = false;  // it is set already
  std::uint64_t key_low = 0, key_high = 0;
  std::uint32_t key_reason = NO_REASON;  // of a structure key that needed RDKit
  std::uint16_t site = 0;
  // The stereoisomers that it is replaced by, from the next one on.
  std::vector<std::string> isomers;
  std::size_t next_isomer = 0;
  describe::Values values;

 private:
  RDKit::ROMOL_SPTR mol_;
  parse::Drafted *drafted_ = nullptr;
};

}  // namespace molsieve
