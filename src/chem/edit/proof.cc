// Proves that sanitizing a product would change nothing.
#include "molsieve/src/chem/edit/edit.h"

#include <algorithm>

namespace molsieve::edit {

namespace {

using Workspace = Edit::Workspace;

unsigned int multiple_bonds(const Molecule &mol, const Atom &atom) {
  return std::count_if(atom.bonds.begin(), atom.bonds.begin() + atom.degree,
                       [&](auto bond) { return mol.bonds[bond].type != SINGLE; });
}

// The bond of the product that was this bond of the parent, or NO_INDEX.
std::uint16_t kept_bond(const Bond &bond, const Molecule &product, const Workspace &work) {
  const auto begin = work.product_of[bond.begin], end = work.product_of[bond.end];
  return begin == NO_INDEX || end == NO_INDEX ? NO_INDEX : product.bond_between(begin, end);
}

// The bond of the parent that became this bond of the product, or NO_INDEX.
std::uint16_t bond_before(const Bond &bond, const Molecule &parent, const Workspace &work) {
  const auto begin = work.parent_of[bond.begin], end = work.parent_of[bond.end];
  return begin == NO_INDEX || end == NO_INDEX ? NO_INDEX : parent.bond_between(begin, end);
}

// Bonds that the parent had and the product has not. A ring bond among them must be in one ring only:
// then the other rings stay the rings they are.
bool lost_bonds_hold(const Parent &parent, const RDKit::MatchVectType &match,
                     const Molecule &product, const Workspace &work, bool &ring_opened) {
  for (const auto &pair : match) {
    const auto &atom = parent.mol.atoms[pair.second];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto index = atom.bonds[i];
      const auto &bond = parent.mol.bonds[index];
      if (!bond.in_ring || kept_bond(bond, product, work) != NO_INDEX) {
        continue;
      }
      if (bond.type == AROMATIC || parent.rings->numBondRings(index) != 1) {
        return false;
      }
      ring_opened = true;
    }
  }
  return true;
}

// Where rings were opened or closed, double bonds and aromatic ones are in a ring if they were in one before, since
// the aromaticity of the rings at their ends depends on that; and none with stereo is in a ring, since whether RDKit
// keeps that stereo depends on the ring's size.
bool double_bonds_hold(const Molecule &parent, const Molecule &product, const Workspace &work) {
  for (const auto &bond : parent.bonds) {
    if (bond.type == SINGLE) {
      continue;
    }
    const auto index = kept_bond(bond, product, work);
    if (index != NO_INDEX && product.bonds[index].in_ring != bond.in_ring) {
      return false;
    }
  }
  return std::none_of(product.bonds.begin(), product.bonds.end(), [](const auto &bond) {
    return bond.stereo != NO_STEREO && bond.in_ring;
  });
}

// Whether each ring of the parent that an atom is in has a saturated carbon in the product.
bool has_only_saturated_rings(const Parent &parent, const Molecule &product, const Workspace &work,
                              int origin) {
  const auto &rings = parent.rings->atomRings();
  return std::all_of(rings.begin(), rings.end(), [&](const auto &ring) {
    return std::find(ring.begin(), ring.end(), origin) == ring.end() ||
           std::any_of(ring.begin(), ring.end(), [&](auto atom) {
             const auto place = work.product_of[atom];
             return place != NO_INDEX && is_saturated_carbon(product, product.atoms[place]);
           });
  });
}

// Whether a changed atom gives to a ring what it gave before: charge, valence, neighbours and multiple bonds.
bool is_alike(const Molecule &parent, const Molecule &product, const Workspace &work,
              std::uint16_t index) {
  const auto &after = product.atoms[index];
  const auto &before = parent.atoms[work.parent_of[index]];
  if (after.charge != before.charge || after.valence() != before.valence() ||
      after.total_degree() != before.total_degree() ||
      multiple_bonds(product, after) != multiple_bonds(parent, before)) {
    return false;
  }
  return std::all_of(before.bonds.begin(), before.bonds.begin() + before.degree, [&](auto bond) {
    const auto type = parent.bonds[bond].type;
    if (type == SINGLE) {
      return true;
    }
    const auto kept = kept_bond(parent.bonds[bond], product, work);
    return kept != NO_INDEX && product.bonds[kept].type == type;
  });
}

// A changed atom takes part in an aromatic ring as before, or in none before and after.
bool atom_holds(const Parent &parent, const Molecule &product, const Workspace &work,
                std::uint16_t index, bool ring_opened) {
  const auto &after = product.atoms[index];
  const auto origin = work.parent_of[index];
  const auto &before = parent.mol.atoms[origin];
  if (after.aromatic != before.aromatic) {
    return false;
  }
  if (is_alike(parent.mol, product, work, index)) {
    return true;
  }
  if (before.aromatic) {
    return false;
  }
  if (!after.in_ring || is_saturated_carbon(product, after)) {
    return true;
  }
  // The atom may have been a saturated carbon, which ring_certainty() takes to be in no aromatic ring.
  return !ring_opened && parent.certainty == RingCertainty::Unique &&
         has_only_saturated_rings(parent, product, work, origin);
}

}  // namespace

// The atoms and bonds of the product already have its Kekulé structure and aromaticity, because no ring that is or
// could become aromatic was changed: see ARCHITECTURE.md for the argument.
bool Edit::rings_hold(const Parent &parent, const RDKit::MatchVectType &match, Molecule &product,
                      const Workspace &work) const {
  bool opened = false, closed = false;
  if (find_rings(product) != 1 || !lost_bonds_hold(parent, match, product, work, opened) ||
      !new_bonds_hold(parent.mol, product, work, closed) ||
      !template_bonds_hold(parent.mol, product, work)) {
    return false;
  }
  for (std::uint16_t i = 0; i < product.atoms.size(); ++i) {
    if (work.parent_of[i] != NO_INDEX && is_changed(parent.mol, product, work, i) &&
        !atom_holds(parent, product, work, i, opened)) {
      return false;
    }
  }
  if (parent.certainty == RingCertainty::Tangled &&
      (opened || closed || !skeleton_holds(parent, product, work))) {
    return false;
  }
  return !(opened || closed) || double_bonds_hold(parent.mol, product, work);
}

// The rings, and the chains between them, are those of the parent.
bool Edit::skeleton_holds(const Parent &parent, const Molecule &product,
                          const Workspace &work) const {
  if (std::find(own_ring_.begin(), own_ring_.end(), true) != own_ring_.end()) {
    return false;
  }
  for (std::size_t i = 0; i < parent.skeleton.size(); ++i) {
    if (parent.skeleton[i] && kept_bond(parent.mol.bonds[i], product, work) == NO_INDEX) {
      return false;
    }
  }
  return true;
}

// Every ring that the edit closes has a saturated carbon in it, so it can't be aromatic.
bool Edit::new_bonds_hold(const Molecule &parent, const Molecule &product, const Workspace &work,
                          bool &ring_closed) const {
  const auto was_in_ring = [&](const Bond &bond) {
    const auto before = bond_before(bond, parent, work);
    return before != NO_INDEX && parent.bonds[before].in_ring;
  };
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    const auto &bond = product.bonds[i];
    if (!bond.in_ring || own_ring_[i] || bond_before(bond, parent, work) != NO_INDEX) {
      continue;
    }
    ring_closed = true;
    if ((!is_saturated_carbon(product, product.atoms[bond.begin]) &&
         !is_saturated_carbon(product, product.atoms[bond.end])) ||
        !closes_apart(product, bond, was_in_ring)) {
      return false;
    }
  }
  return true;
}

// An aromatic bond of the template between atoms of the parent is one that the parent has. A double bond to which
// the template gives stereo is in no ring, since RDKit removes it in small ones.
bool Edit::template_bonds_hold(const Molecule &parent, const Molecule &product,
                               const Workspace &work) const {
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    const auto &bond = product.bonds[i];
    if (bond.stereo != NO_STEREO && bond.in_ring) {
      return false;
    }
    if (bond.type != AROMATIC || own_ring_[i]) {
      continue;
    }
    const auto before = bond_before(bond, parent, work);
    if (before == NO_INDEX || parent.bonds[before].type != AROMATIC) {
      return false;
    }
  }
  return true;
}

}  // namespace molsieve::edit
