// Which stereo a graph truly has, as RDKit's (legacy) perception finds it.
#pragma once

#include "molsieve/src/chem/model/graph.h"

#include <array>
#include <cstdint>

namespace molsieve {

// CIP ranks by RDKit's approximate scheme, for the purpose of telling substituents apart and
// ordering them.
class StereoFinder {
 public:
  // Turns the marks of a new product into what RDKit would make of them: double bonds get Z or E by
  // the ranks of their substituents. False: a mark does not hold at first sight (equal substituents,
  // centres that depend on others, ring stereo), or might spread; RDKit has to look at it.
  bool settle(Graph &graph);

 private:
  struct Entry {
    std::array<std::uint16_t, 32> values;
    std::uint8_t length;
    bool operator<(const Entry &other) const;
    bool operator==(const Entry &other) const;
  };

  void rank(const Graph &graph);
  void collect(const Graph &graph, std::uint16_t atom);
  bool settle_atom(const Graph &graph, const GraphAtom &atom) const;
  bool settle_bond(const Graph &graph, GraphBond &bond) const;
  bool might_spread(const Graph &graph) const;
  bool crosses(const Graph &graph) const;

  std::array<std::uint16_t, GRAPH_ATOMS_MAX> ranks_;
  std::array<std::uint16_t, GRAPH_ATOMS_MAX> order_;
  std::array<Entry, GRAPH_ATOMS_MAX> entries_;
};

}  // namespace molsieve
