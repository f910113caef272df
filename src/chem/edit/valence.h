// Hydrogens and valence of an atom from its bonds, by RDKit's rules.
#pragma once

#include "molsieve/src/chem/model/graph.h"

#include <cstdint>
#include <unordered_map>

namespace molsieve {

// Groups that RDKit's clean-up writes differently, some only for what their neighbours are: nitro and its kin,
// halogen oxides, phosphoranes.
bool may_be_rewritten(unsigned int number, unsigned int valence, unsigned int degree);

// Asks RDKit once per kind of atom and keeps the answer: the rules look at the atom and the types of
// its bonds only. A few hundred kinds occur in practice; the table is bounded.
class Valences {
 public:
  // Sets hydrogens and valence of an atom. False: RDKit rejects the atom, gives it unpaired
  // electrons, or would rewrite the group it is in.
  bool settle(Graph &graph, std::uint16_t atom);

 private:
  struct Answer {
    bool usual;
    std::uint8_t hydrogens;
    std::uint8_t valence;
  };
  static Answer ask(const Graph &graph, const GraphAtom &atom);

  std::unordered_map<std::uint64_t, Answer> answers_;
};

}  // namespace molsieve
