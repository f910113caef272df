// A rule's edit done on graphs: the product RDKit's reaction runner would make, atom for atom in the
// same order, and the proof that sanitizing it would change nothing.
#pragma once

#include "molsieve/src/chem/model/graph.h"
#include "molsieve/src/chem/edit/ring_certainty.h"
#include "molsieve/src/chem/edit/stereo.h"
#include "molsieve/src/chem/edit/valence.h"

#include <GraphMol/ChemReactions/Reaction.h>
#include <GraphMol/RingInfo.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace molsieve {

// A parent as a graph, with its rings as RDKit has them. Refers to the molecule it was read from.
struct ParentGraph {
  // False: the parent is out of the ordinary; nothing else may be used then.
  bool read(const RDKit::ROMol &mol);

  Graph graph;
  const RDKit::RingInfo *rings = nullptr;
  RingCertainty certainty = RingCertainty::Ambiguous;
  std::vector<bool> skeleton;  // see skeleton_of(); only where the rings are tangled
};

// One product template of a rule.
class Edit {
 public:
  // Nothing if the template says something that is not done here.
  static std::optional<Edit> compile(const RDKit::ChemicalReaction &reaction, std::size_t product);

  // What a thread needs while it edits.
  struct Workspace {
    Valences valences;
    StereoFinder stereo;
    std::array<std::uint16_t, GRAPH_ATOMS_MAX> product_of;  // per parent atom
    std::array<std::uint16_t, GRAPH_ATOMS_MAX> parent_of;   // per product atom
    std::array<std::uint8_t, GRAPH_ATOMS_MAX> role;         // per parent atom
    std::array<bool, GRAPH_ATOMS_MAX> visited;
    std::vector<std::uint16_t> queue;
  };

  // Makes the product for a match. False: the product needs RDKit.
  bool apply(const ParentGraph &parent, const RDKit::MatchVectType &match, Graph &product,
             Workspace &work) const;

 private:
  struct TemplateAtom {
    GraphAtom atom;
    bool takes_element = false;  // a wildcard: whatever the parent's atom is
    bool sets_charge = false;
    bool sets_isotope = false;
    bool sets_hydrogens = false;
    // What the rule says of the atom's stereo, as RDKit counts: 0 nothing, 1 it is inverted, 2 kept,
    // 3 lost, 4 made.
    int stereo = 0;
    int map = 0;
  };

  bool read_template(const RDKit::RWMol &mol);
  bool read_atom(const RDKit::Atom &atom);
  bool read_bond(const RDKit::RWMol &mol, const RDKit::Bond &bond);
  bool read_reactant(const RDKit::ROMol &mol);
  bool marks_are_whole(const RDKit::RWMol &mol) const;
  bool ends_stereo(std::uint16_t atom) const;
  bool own_rings_hold(const RDKit::RWMol &mol);
  bool own_bonds_hold(const RDKit::RWMol &sanitized);

  bool begin(const Graph &parent, const RDKit::MatchVectType &match, Graph &product,
             Workspace &work) const;
  bool take_over(const TemplateAtom &from, const GraphAtom &original, GraphAtom &atom) const;
  bool add_rest(const Graph &parent, const RDKit::MatchVectType &match, Graph &product,
                Workspace &work) const;
  bool add_around(const Graph &parent, std::uint16_t from, Graph &product, Workspace &work) const;
  bool add_neighbour(const Graph &parent, std::uint16_t from, unsigned int place, Graph &product,
                     Workspace &work) const;
  bool keeps_apart(std::uint16_t a, std::uint16_t b) const;
  static bool copy_bond(const GraphBond &bond, Graph &product, const Workspace &work);

  bool settle_atoms(const Graph &parent, Graph &product, Workspace &work) const;
  bool carry_stereo(const Graph &parent, Graph &product, const Workspace &work) const;
  bool rings_hold(const ParentGraph &parent, const RDKit::MatchVectType &match, Graph &product,
                  const Workspace &work) const;
  static bool lost_bonds_hold(const ParentGraph &parent, const RDKit::MatchVectType &match,
                              const Graph &product, const Workspace &work, bool &ring_opened);
  bool new_bonds_hold(const Graph &parent, const Graph &product, const Workspace &work,
                      bool &ring_closed) const;
  bool template_bonds_hold(const Graph &parent, const Graph &product, const Workspace &work) const;
  bool skeleton_holds(const ParentGraph &parent, const Graph &product,
                      const Workspace &work) const;
  bool settle_tag(const Graph &parent, Graph &product, const Workspace &work,
                  std::uint16_t index) const;
  ChiralTag tag_of_mapped(const Graph &parent, const Graph &product, const Workspace &work,
                          std::uint16_t index) const;
  static bool carry_tag(const Graph &parent, Graph &product, const Workspace &work,
                        std::uint16_t index);
  static bool double_bonds_hold(const Graph &parent, const Graph &product, const Workspace &work);
  static bool atom_holds(const ParentGraph &parent, const Graph &product, const Workspace &work,
                         std::uint16_t index, bool ring_opened);

  std::vector<TemplateAtom> atoms_;
  std::vector<GraphBond> bonds_;
  std::vector<bool> own_ring_;  // per template bond: in a ring of new atoms
  bool has_tags_ = false;
  bool has_stereo_ = false;
  // Per atom of the reactant template: the atom of the product template, or NO_INDEX.
  std::vector<std::uint16_t> becomes_;
  // Pairs of product template atoms whose reactant atoms the template joins by a bond.
  std::vector<std::pair<std::uint16_t, std::uint16_t>> joined_;
};

}  // namespace molsieve
