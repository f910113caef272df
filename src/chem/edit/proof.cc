// Proves that sanitizing a product would change nothing.
#include "molsieve/src/chem/edit/edit.h"

#include <algorithm>

namespace molsieve::edit {

namespace {

using Making = Edit::Making;

unsigned int multiple_bonds(const Molecule &mol, const Atom &atom) {
  return std::count_if(atom.bonds.begin(), atom.bonds.begin() + atom.degree,
                       [&](auto bond) { return mol.bonds[bond].type != SINGLE; });
}

// The bond of the product that was this bond of the parent, or NO_INDEX.
std::uint16_t kept_bond(const Making &m, const Bond &bond) {
  const auto begin = m.work.product_of[bond.begin], end = m.work.product_of[bond.end];
  return begin == NO_INDEX || end == NO_INDEX ? NO_INDEX : m.product.bond_between(begin, end);
}

// The bond of the parent that became this bond of the product, or NO_INDEX.
std::uint16_t bond_before(const Making &m, const Bond &bond) {
  const auto begin = m.work.parent_of[bond.begin], end = m.work.parent_of[bond.end];
  return begin == NO_INDEX || end == NO_INDEX ? NO_INDEX : m.parent.bond_between(begin, end);
}

// Bonds that the parent had and the product has not. A ring bond among them must be in one ring only:
// then the other rings stay the rings they are.
bool lost_bonds_hold(const Making &m, bool &ring_opened) {
  for (const auto &pair : m.match) {
    const auto &atom = m.parent.atoms[pair.second];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto index = atom.bonds[i];
      const auto &bond = m.parent.bonds[index];
      if (!bond.in_ring || kept_bond(m, bond) != NO_INDEX) {
        continue;
      }
      if (bond.type == AROMATIC || m.from.rings->numBondRings(index) != 1) {
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
bool double_bonds_hold(const Making &m) {
  for (const auto &bond : m.parent.bonds) {
    if (bond.type == SINGLE) {
      continue;
    }
    const auto index = kept_bond(m, bond);
    if (index != NO_INDEX && m.product.bonds[index].in_ring != bond.in_ring) {
      return false;
    }
  }
  return std::ranges::none_of(m.product.bonds, [](const auto &bond) {
    return bond.stereo != NO_STEREO && bond.in_ring;
  });
}

// Whether each ring of the parent that an atom is in has a saturated carbon in the product.
bool has_only_saturated_rings(const Making &m, int origin) {
  const auto &rings = m.from.rings->atomRings();
  return std::ranges::all_of(rings, [&](const auto &ring) {
    return std::ranges::find(ring, origin) == ring.end() ||
           std::ranges::any_of(ring, [&](auto atom) {
             const auto place = m.work.product_of[atom];
             return place != NO_INDEX && is_saturated_carbon(m.product, m.product.atoms[place]);
           });
  });
}

// Whether a changed atom gives to a ring what it gave before: charge, valence, neighbours and multiple bonds.
bool is_alike(const Making &m, std::uint16_t index) {
  const auto &after = m.product.atoms[index];
  const auto &before = m.parent.atoms[m.work.parent_of[index]];
  if (after.charge != before.charge || after.valence() != before.valence() ||
      after.total_degree() != before.total_degree() ||
      multiple_bonds(m.product, after) != multiple_bonds(m.parent, before)) {
    return false;
  }
  return std::all_of(before.bonds.begin(), before.bonds.begin() + before.degree, [&](auto bond) {
    const auto type = m.parent.bonds[bond].type;
    if (type == SINGLE) {
      return true;
    }
    const auto kept = kept_bond(m, m.parent.bonds[bond]);
    return kept != NO_INDEX && m.product.bonds[kept].type == type;
  });
}

// A changed atom takes part in an aromatic ring as before, or in none before and after.
bool atom_holds(const Making &m, std::uint16_t index, bool ring_opened) {
  const auto &after = m.product.atoms[index];
  const auto origin = m.work.parent_of[index];
  const auto &before = m.parent.atoms[origin];
  if (after.aromatic != before.aromatic) {
    return false;
  }
  if (is_alike(m, index)) {
    return true;
  }
  if (before.aromatic) {
    return false;
  }
  if (!after.in_ring || is_saturated_carbon(m.product, after)) {
    return true;
  }
  // The atom may have been a saturated carbon, which ring_certainty() takes to be in no aromatic ring.
  return !ring_opened && m.from.certainty == RingCertainty::Unique &&
         has_only_saturated_rings(m, origin);
}

}  // namespace

// The atoms and bonds of the product already have its Kekulé structure and aromaticity, because no ring that is or
// could become aromatic was changed: see ARCHITECTURE.md for the argument.
bool Edit::rings_hold(const Making &m) const {
  bool opened = false, closed = false;
  if (find_rings(m.product) != 1 || !lost_bonds_hold(m, opened) || !new_bonds_hold(m, closed) ||
      !template_bonds_hold(m)) {
    return false;
  }
  for (std::uint16_t i = 0; i < m.product.atoms.size(); ++i) {
    if (m.work.parent_of[i] != NO_INDEX && is_changed(m, i) && !atom_holds(m, i, opened)) {
      return false;
    }
  }
  if (m.from.certainty == RingCertainty::Tangled &&
      (opened || closed || !skeleton_holds(m))) {
    return false;
  }
  return !(opened || closed) || double_bonds_hold(m);
}

// The rings, and the chains between them, are those of the parent.
bool Edit::skeleton_holds(const Making &m) const {
  if (std::ranges::find(own_ring_, true) != own_ring_.end()) {
    return false;
  }
  for (std::size_t i = 0; i < m.from.skeleton.size(); ++i) {
    if (m.from.skeleton[i] && kept_bond(m, m.parent.bonds[i]) == NO_INDEX) {
      return false;
    }
  }
  return true;
}

// Every ring that the edit closes has a saturated carbon in it, so it can't be aromatic.
bool Edit::new_bonds_hold(const Making &m, bool &ring_closed) const {
  const auto was_in_ring = [&](const Bond &bond) {
    const auto before = bond_before(m, bond);
    return before != NO_INDEX && m.parent.bonds[before].in_ring;
  };
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    const auto &bond = m.product.bonds[i];
    if (!bond.in_ring || own_ring_[i] || bond_before(m, bond) != NO_INDEX) {
      continue;
    }
    ring_closed = true;
    if ((!is_saturated_carbon(m.product, m.product.atoms[bond.begin]) &&
         !is_saturated_carbon(m.product, m.product.atoms[bond.end])) ||
        !closes_apart(m.product, bond, was_in_ring)) {
      return false;
    }
  }
  return true;
}

// An aromatic bond of the template between atoms of the parent is one that the parent has. A double bond to which
// the template gives stereo is in no ring, since RDKit removes it in small ones.
bool Edit::template_bonds_hold(const Making &m) const {
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    const auto &bond = m.product.bonds[i];
    if (bond.stereo != NO_STEREO && bond.in_ring) {
      return false;
    }
    if (bond.type != AROMATIC || own_ring_[i]) {
      continue;
    }
    const auto before = bond_before(m, bond);
    if (before == NO_INDEX || m.parent.bonds[before].type != AROMATIC) {
      return false;
    }
  }
  return true;
}

}  // namespace molsieve::edit
