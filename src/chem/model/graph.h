// A molecule as flat arrays: what canonical SMILES depends on, and nothing else. Products are built,
// ranked and written in this form; RDKit's own molecules stay at the edges (parsing, matching, and
// whatever this form does not cover).
#pragma once

#include <GraphMol/RDKitBase.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace molsieve {

// An atom has at most this many neighbours; molecules with more go RDKit's way.
constexpr unsigned int GRAPH_DEGREE_MAX = 4;
// Keeps a thread's working memory bounded, and recursion over a molecule shallow.
constexpr unsigned int GRAPH_ATOMS_MAX = 500;
constexpr unsigned int GRAPH_BONDS_MAX = 1000;
constexpr std::uint16_t NO_INDEX = 0xffff;

// How RDKit numbers bond types, so that comparisons agree with its own.
enum BondType : std::uint8_t { SINGLE = 1, DOUBLE = 2, TRIPLE = 3, AROMATIC = 12 };

// Likewise for the stereo of a double bond and of an atom.
enum BondStereo : std::uint8_t { NO_STEREO = 0, Z = 2, E = 3 };
enum ChiralTag : std::uint8_t { NO_TAG = 0, CLOCKWISE = 1, COUNTERCLOCKWISE = 2 };

struct GraphAtom {
  std::uint8_t number = 0;  // atomic number
  std::int8_t charge = 0;
  std::uint16_t isotope = 0;
  std::uint8_t hydrogens = 0;           // all that are not atoms of their own
  std::uint8_t explicit_hydrogens = 0;  // as RDKit counts them: written in a bracket
  std::uint8_t valence = 0;             // explicit and implicit
  std::uint8_t degree = 0;
  bool no_implicit = false;
  bool aromatic = false;
  bool radical = false;
  bool in_ring = false;
  ChiralTag tag = NO_TAG;
  // In the order in which RDKit would go over the atom's bonds.
  std::array<std::uint16_t, GRAPH_DEGREE_MAX> bonds;
  std::array<std::uint16_t, GRAPH_DEGREE_MAX> neighbours;
};

struct GraphBond {
  std::uint16_t begin = 0, end = 0;
  BondType type = SINGLE;
  bool in_ring = false;
  BondStereo stereo = NO_STEREO;
  // The neighbour of `begin` and that of `end` which `stereo` refers to.
  std::array<std::uint16_t, 2> stereo_atoms{NO_INDEX, NO_INDEX};

  std::uint16_t other(std::uint16_t atom) const { return atom == begin ? end : begin; }
};

struct Graph {
  std::vector<GraphAtom> atoms;
  std::vector<GraphBond> bonds;
  bool has_tags = false;    // an atom has a chiral tag
  bool has_stereo = false;  // a double bond has stereo

  void clear();
  // False: no room for one more bond on one of the atoms.
  bool add_bond(std::uint16_t begin, std::uint16_t end, BondType type);
  // The bond between two atoms, or NO_INDEX.
  std::uint16_t bond_between(std::uint16_t a, std::uint16_t b) const;
};

// Insertion sort: for the neighbours of an atom, of which there are few.
template <typename T, typename Before>
void sort_few(T *items, unsigned int count, Before before) {
  for (unsigned int i = 1; i < count; ++i) {
    const T moving = items[i];
    auto j = i;
    for (; j > 0 && before(moving, items[j - 1]); --j) {
      items[j] = items[j - 1];
    }
    items[j] = moving;
  }
}

// RDKit's bond type and chiral tag, if there is one for them here.
std::optional<BondType> bond_type(const RDKit::Bond &bond);
std::optional<ChiralTag> chiral_tag(const RDKit::Atom &atom);

// Elements whose rules are known here: no metals, dummies or explicit hydrogens.
bool is_ordinary(unsigned int atomic_number);

// Whether an atom is a neutral carbon with four single bonds, those to hydrogens included.
bool is_saturated_carbon(const Graph &graph, const GraphAtom &atom);

// Reads a sanitized molecule. False: something in it is out of the ordinary, so that products of
// this molecule are RDKit's business.
bool read_graph(const RDKit::ROMol &mol, Graph &graph);

// Marks rings anew: a bond is in a ring if taking it away leaves its ends connected. Gives the number
// of fragments.
unsigned int find_rings(Graph &graph);

// Per bond: whether it is in a ring or between rings, so that it is left when atoms with one bond are taken
// away again and again.
std::vector<bool> skeleton_of(const Graph &graph);

}  // namespace molsieve
