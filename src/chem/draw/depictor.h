// Pictures of products and of the parents that rules made them of.
#pragma once

#include <GraphMol/ChemReactions/Reaction.h>
#include <GraphMol/RDKitBase.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "molsieve/src/chem/rules/compile.h"
#include "molsieve/src/chem/rules/sites.h"
#include "rust/cxx.h"

namespace molsieve {

struct Drawn;     // of the bridge
struct Pictures;  // of the bridge

class Depictor {
 public:
  Depictor();
  ~Depictor();

  // Compiles a rule; throws std::runtime_error with RDKit's text.
  void add_rule(rust::Str smirks, rust::Slice<const rust::String> exclude, rust::Str require, bool add_hydrogens,
                rust::Slice<const std::uint8_t> parent);
  // Throws std::exception with RDKit's text if a molecule can't be read or drawn.
  Pictures draw(const Drawn &drawn);

 private:
  struct Row;
  struct Made;

  bool find_made(const Drawn &drawn, Row &row, Made &made);
  bool try_sites(const CompiledRule &rule, std::uint8_t place, std::uint16_t site, Row &row, Made &made);
  bool try_combination(const CompiledRule &rule, std::uint8_t place, const Drawn &drawn, Row &row, Made &made);

  SiteFinders in_parents_, in_reagents_;
  std::vector<CompiledRule> rules_;
};

std::unique_ptr<Depictor> new_depictor();

// Computes properties of a molecule with RDKit: a value each, by their numbers. False: RDKit can't read it.
bool describe_smiles(rust::Str smiles, std::uint32_t properties, rust::Slice<double> values);

}  // namespace molsieve
