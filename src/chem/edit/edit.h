// A rule's edit of the flat molecule: makes the product that RDKit's reaction runner would make, with the atoms in the
// same order, and proves that sanitizing it would change nothing.
#pragma once

#include "molsieve/src/chem/model/molecule.h"
#include "molsieve/src/chem/model/rings.h"

#include <GraphMol/ChemReactions/Reaction.h>
#include <GraphMol/RingInfo.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace molsieve::edit {

// stereo.cc: which stereo a product truly has, as RDKit's (legacy) perception finds it. Confirms the chirality of every
// centre, and refers the stereo of double bonds to the substituents of the highest CIP rank. False: RDKit has to look
// at the product, because a centre is not certain (equal substituents, dependence on other centres, ring stereo), or
// a double bond could gain stereo.
bool confirm_stereo(Molecule &product);
// stereo.cc: whether its text states the stereo of the product, true or not, as RDKit's reaction runner leaves it. False:
// an atom has chirality that is no saturated carbon, or RDKit would read other double bonds from the directions of the bonds
// around them.
bool states_stereo(const Molecule &product);

// A parent, or a parent and its reagents side by side, with its rings as RDKit lists them.
struct Parent {
  // False: RDKit has to make the products of this parent; nothing else may be used then.
  bool read(const RDKit::ROMol &from);
  // Whether products may be made of what `mol` and `rings` have.
  bool is_covered() const;

  Molecule mol;
  Rings rings;
};

// How many rings RDKit lists for a molecule with these rings.
RingCounts count_rings(const Molecule &mol, const Rings &rings);

// One product template of a rule.
class Edit {
 public:
  // Nothing if the template has a feature that is not covered.
  static std::optional<Edit> compile(const RDKit::ChemicalReaction &reaction, std::size_t product);

  // Working memory, one per thread.
  struct Workspace {
    std::array<std::uint16_t, ATOMS_MAX> product_of;  // per parent atom
    std::array<std::uint16_t, ATOMS_MAX> parent_of;   // per product atom
    std::array<std::uint8_t, ATOMS_MAX> role;         // per parent atom
    std::array<bool, ATOMS_MAX> visited;
    std::vector<std::uint16_t> queue;
  };

  // A product while it is made.
  struct Making {
    const Parent &from;
    const Molecule &parent;  // of `from`
    const RDKit::MatchVectType &match;
    Molecule &product;
    Workspace &work;
  };

  // Makes the product for a match. `confirm`: its stereo is what it truly has, as confirm_stereo finds it. False: the
  // product needs RDKit.
  bool apply(const Parent &parent, const RDKit::MatchVectType &match, bool confirm, Molecule &product,
             Workspace &work) const;

  // Whether the template states stereo, which may be another one at another site.
  bool makes_stereo() const { return has_chirality_ || has_stereo_; }

  // How many rings RDKit lists for the product that `apply` has just made. `same`: they are all rings of the parent, and
  // those of new atoms. False: the number is not certain.
  bool count_rings(const Parent &parent, const Molecule &product, const Workspace &work, RingCounts &counts,
                   bool &same) const;

 private:
  struct TemplateAtom {
    Atom atom;
    bool takes_element = false;  // a wildcard: has the element of the parent's atom
    bool sets_charge = false;
    bool sets_isotope = false;
    bool sets_hydrogens = false;
    // RDKit's molInversionFlag, what the rule does to chirality: 0 unspecified, 1 inverts, 2 keeps, 3 removes,
    // 4 creates.
    int chirality_rule = 0;
    int map = 0;
  };

  // compile.cc
  bool read_template(const RDKit::RWMol &mol);
  bool read_atom(const RDKit::Atom &from);
  bool read_bond(const RDKit::RWMol &mol, const RDKit::Bond &from);
  bool read_reactant(const RDKit::ROMol &mol, std::vector<bool> &mapped);
  bool end_reactants(const std::vector<bool> &mapped);
  bool directions_are_complete(const RDKit::RWMol &mol) const;
  bool ends_stereo(std::uint16_t atom) const;
  bool own_rings_hold(const RDKit::RWMol &mol);
  Molecule own_molecule();
  bool new_atoms_hang() const;
  bool make_trial(RDKit::RWMol &trial, const Molecule &own) const;
  bool own_bonds_hold(const RDKit::RWMol &sanitized);
  void count_own_rings(const RDKit::RWMol &sanitized);

  // apply.cc
  bool begin(const Making &m) const;
  static bool take_over(const TemplateAtom &from, const Atom &original, Atom &atom);
  bool add_rest(const Making &m) const;
  bool add_around(const Making &m, std::uint16_t from) const;
  bool add_neighbour(const Making &m, std::uint16_t from, unsigned int place) const;
  bool breaks_bond(std::uint16_t a, std::uint16_t b) const;
  static bool copy_bond(const Making &m, const Bond &bond);
  bool is_changed(const Making &m, std::uint16_t index) const;
  bool complete_atoms(const Making &m) const;

  // chirality.cc
  bool carry_chirality(const Making &m, std::uint16_t index) const;
  Chirality mapped_chirality(const Making &m, std::uint16_t index) const;
  bool carry_stereo(const Making &m) const;

  // proof.cc
  bool rings_hold(const Making &m) const;
  bool keeps_rings(const Making &m) const;
  bool new_bonds_hold(const Making &m, bool &ring_closed) const;
  bool closes_apart(const Making &m, std::size_t bond) const;
  bool is_new_in_ring(const Making &m, std::size_t bond) const;
  bool is_new_in_ring(const Molecule &parent, const Molecule &product, const Workspace &work, std::size_t bond) const;
  bool closes_one_ring(const Making &m) const;
  bool template_bonds_hold(const Making &m) const;

  std::vector<TemplateAtom> atoms_;
  std::vector<Bond> bonds_;
  std::vector<bool> own_ring_;  // per template bond: in a ring of new atoms
  RingCounts own_rings_;        // of new atoms only
  bool hangs_ = false;          // see new_atoms_hang()
  bool has_chirality_ = false;
  bool has_stereo_ = false;
  // Per atom of the reactant templates, one after the other: the atom of the product template, or NO_INDEX.
  std::vector<std::uint16_t> becomes_;
  // Pairs of product template atoms whose reactant atoms the template joins by a bond.
  std::vector<std::pair<std::uint16_t, std::uint16_t>> joined_;
};

}  // namespace molsieve::edit
