#include "molsieve/src/chem/edit/edit.h"

#include <algorithm>

#include "molsieve/src/chem/model/cip.h"

namespace molsieve::edit {

namespace {

// A double bond without stereo between two that have it would look to RDKit as if it had some, since
// the single bonds on both its sides have directions.
bool might_spread(const Molecule &mol) {
  const auto has_stereo = stereo_ends(mol);
  const auto has_direction = [&](std::uint16_t index, std::uint16_t other) {
    const auto &atom = mol.atoms[index];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      if (atom.neighbours[i] != other && has_stereo[atom.neighbours[i]]) {
        return true;
      }
    }
    return has_stereo[index];
  };
  return std::ranges::any_of(mol.bonds, [&](const auto &bond) {
    return bond.type == DOUBLE && bond.stereo == NO_STEREO &&
           has_direction(bond.begin, bond.end) && has_direction(bond.end, bond.begin);
  });
}

// RDKit's reaction runner sets the directions of single bonds again (setDoubleBondNeighborDirections). It continues
// from only one of the two single bonds at an end. Where double bonds follow on both, it reaches the second later from
// another atom, and may then set a wrong direction.
bool is_crossed(const Molecule &mol) {
  std::array<std::uint8_t, ATOMS_MAX> double_bonds{};
  for (const auto &bond : mol.bonds) {
    if (bond.type == DOUBLE && mol.atoms[bond.begin].degree > 1 &&
        mol.atoms[bond.end].degree > 1) {
      ++double_bonds[bond.begin];
      ++double_bonds[bond.end];
    }
  }
  for (unsigned int index = 0; index < mol.atoms.size(); ++index) {
    const auto &atom = mol.atoms[index];
    unsigned int followed = 0;
    for (unsigned int i = 0; i < atom.degree; ++i) {
      followed += mol.bonds[atom.bonds[i]].type != DOUBLE && double_bonds[atom.neighbours[i]] > 0;
    }
    if (double_bonds[index] > 0 && followed > 1) {
      return true;
    }
  }
  return false;
}

// A saturated carbon, which is a centre if its substituents are different.
bool may_be_centre(const Molecule &mol, const Atom &atom) {
  return atom.degree >= 3 && is_saturated_carbon(mol, atom);
}

// Whether the ranks distinguish the substituents of all centres, and of all double bonds with stereo.
bool are_distinguished(const Molecule &mol) {
  const auto differs = [&](const Atom &atom) { return atom.chirality == NO_CHIRALITY || !neighbours_tie(mol, atom); };
  return std::ranges::all_of(mol.atoms, differs) && std::ranges::all_of(mol.bonds, [&](const Bond &bond) {
           return bond.stereo == NO_STEREO ||
                  (!neighbours_tie(mol, mol.atoms[bond.begin]) && !neighbours_tie(mol, mol.atoms[bond.end]));
         });
}

// Refers the stereo to the substituent of the highest rank at each end.
bool confirm_bond(const Molecule &mol, Bond &bond) {
  const std::array<std::uint16_t, 2> ends{bond.begin, bond.end};
  const auto rank = [&](std::uint16_t atom) { return mol.atoms[atom].cip_rank; };
  for (unsigned int side = 0; side < 2; ++side) {
    const auto &atom = mol.atoms[ends[side]];
    auto highest = NO_INDEX;
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto neighbour = atom.neighbours[i];
      if (neighbour == ends[1 - side]) {
        continue;
      }
      if (highest != NO_INDEX && rank(neighbour) == rank(highest)) {
        return false;
      }
      if (highest == NO_INDEX || rank(neighbour) > rank(highest)) {
        highest = neighbour;
      }
    }
    if (highest == NO_INDEX || atom.degree > 3) {
      return false;
    }
    if (highest != bond.stereo_atoms[side]) {
      bond.stereo = bond.stereo == Z ? E : Z;
      bond.stereo_atoms[side] = highest;
    }
  }
  return true;
}

}  // namespace

bool states_stereo(const Molecule &product) {
  const auto may_hold = [&](const Atom &atom) {
    return atom.chirality == NO_CHIRALITY || may_be_centre(product, atom);
  };
  return std::ranges::all_of(product.atoms, may_hold) &&
         (!product.has_stereo || (!might_spread(product) && !is_crossed(product)));
}

bool confirm_stereo(Molecule &product) {
  if (!product.has_chirality && !product.has_stereo) {
    return true;
  }
  const auto has_isotope = [](const Atom &atom) { return atom.isotope != 0; };
  if (std::ranges::any_of(product.atoms, has_isotope) || !states_stereo(product) || !rank_by_cip_until(product, are_distinguished)) {
    return false;
  }
  const auto holds = [&](const Atom &atom) {
    return atom.chirality == NO_CHIRALITY || !neighbours_tie(product, atom);
  };
  return std::ranges::all_of(product.atoms, holds) &&
         std::ranges::all_of(product.bonds, [&](Bond &bond) {
           return bond.stereo == NO_STEREO || confirm_bond(product, bond);
         });
}

}  // namespace molsieve::edit
