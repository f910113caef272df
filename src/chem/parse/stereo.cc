// Finds the possible stereo centres, R and S, E and Z: RDKit's legacy perception, in several rounds, since a centre can
// depend on another.
#include <GraphMol/RDKitBase.h>

#include <algorithm>
#include <utility>

#include "molsieve/src/chem/model/cip.h"
#include "molsieve/src/chem/parse/draft.h"

namespace molsieve::parse {

namespace {

using Hybridization = RDKit::Atom::HybridizationType;

// Whether an atom or a bond is in a ring of less than `size`; `sets` has what is in each ring.
template <typename Sets>
bool in_ring_below(unsigned int size, const Draft &mol, const Sets &sets, unsigned int index) {
  for (unsigned int i = 0; i < mol.rings.size(); ++i) {
    if (mol.rings[i].size < size && sets[i][index]) {
      return true;
    }
  }
  return false;
}

// All three bonds are in rings, and every ring of the atom shares two bonds with another.
bool is_bridgehead(const Draft &mol, const Atom &atom) {
  BondSet own;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    own[atom.bonds[i]] = mol.bonds[atom.bonds[i]].in_ring;
  }
  if (own.count() < 3) {
    return false;
  }
  std::bitset<RINGS_MAX> overlaps;
  for (unsigned int i = 0; i < mol.rings.size(); ++i) {
    if ((mol.ring_bond_sets[i] & own).none()) {
      continue;
    }
    for (unsigned int j = i + 1; j < mol.rings.size(); ++j) {
      if ((mol.ring_bond_sets[j] & own).any() &&
          (mol.ring_bond_sets[i] & mol.ring_bond_sets[j]).count() >= 2) {
        overlaps.set(i);
        overlaps.set(j);
      }
    }
    if (!overlaps[i]) {
      return false;
    }
  }
  return true;
}

// Whether an atom of three neighbours and no hydrogen can be a centre.
bool is_centre_of_three(const Draft &mol, const Atom &atom, unsigned int index) {
  switch (atom.number) {
    case NITROGEN:
      return atom.hybridization == Hybridization::SP3 &&
             !is_conjugated(mol, atom) &&
             (in_ring_below(4, mol, mol.ring_atom_sets, index) || is_bridgehead(mol, atom));
    case PHOSPHORUS:
      return true;
    case SULFUR: case SELENIUM:
      return atom.explicit_valence == 4 || (atom.explicit_valence == 3 && atom.charge == 1);
    default:
      return false;
  }
}

bool may_be_centre(const Draft &mol, const Atom &atom, unsigned int index) {
  const int neighbours = atom.total_degree();
  if (neighbours > 4 || neighbours < 3 || (atom.degree < 3 && atom.number != PHOSPHORUS)) {
    return false;
  }
  return atom.degree != 3 || atom.hydrogens() == 1 || is_centre_of_three(mol, atom, index);
}

// Whether a round found something, and whether it left something undecided.
struct Round {
  bool open = false;
  bool assigned = false;
};

Round assign_centres(Draft &mol) {
  Round round;
  for (unsigned int index = 0; index < mol.atoms.size(); ++index) {
    auto &atom = mol.atoms[index];
    if (atom.cip_code || !may_be_centre(mol, atom, index)) {
      continue;
    }
    if (!neighbours_tie(mol, atom)) {
      atom.may_be_centre = true;
      if (atom.chirality != NO_CHIRALITY) {
        atom.cip_code = cip_code(mol, atom);
        round.assigned = true;
        continue;
      }
    }
    round.open = true;
  }
  return round;
}

bool in_small_ring(const Draft &mol, unsigned int bond) {
  return mol.bonds[bond].in_ring && in_ring_below(STEREO_RING_MIN, mol, mol.ring_bond_sets, bond);
}

bool has_direction(const Bond &bond) { return bond.direction != Direction::None; }

// One end of a double bond: its neighbour of the higher rank, and the direction of the bond to it as seen from the
// double bond.
struct End {
  bool directed = false;
  bool contradicts = false;
  std::uint16_t neighbour = 0;
  Direction direction = Direction::None;
};

End end_of(const Draft &mol, unsigned int index, unsigned int double_bond) {
  const auto &atom = mol.atoms[index];
  std::array<std::uint16_t, 2> neighbours{};
  std::array<Direction, 2> directions{};
  unsigned int count = 0;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    if (atom.bonds[i] != double_bond) {
      const auto &bond = mol.bonds[atom.bonds[i]];
      neighbours[count] = atom.neighbours[i];
      directions[count++] = bond.begin == index ? bond.direction : flipped(bond.direction);
    }
  }
  End end;
  const auto rank = [&](unsigned int i) { return mol.atoms[neighbours[i]].cip_rank; };
  if (std::all_of(directions.begin(), directions.begin() + count,
                  [](auto d) { return d == Direction::None; }) ||
      (count == 2 && rank(0) == rank(1))) {
    return end;
  }
  end.directed = true;
  if (count == 2) {
    // One direction determines the other.
    for (const unsigned int i : {0, 1}) {
      if (directions[i] == Direction::None) {
        directions[i] = flipped(directions[1 - i]);
      }
    }
    end.contradicts = directions[0] == directions[1];
  }
  const unsigned int higher = count == 1 || rank(0) > rank(1) ? 0 : 1;
  end.neighbour = neighbours[higher];
  end.direction = directions[higher];
  return end;
}

bool has_substituents(const Atom &atom) { return atom.degree == 2 || atom.degree == 3; }

// False: directions contradict each other, about which RDKit warns.
bool assign_bonds(Draft &mol, Round &round) {
  for (unsigned int i = 0; i < mol.bonds.size(); ++i) {
    auto &bond = mol.bonds[i];
    if (bond.type != DOUBLE || bond.stereo != NO_STEREO || in_small_ring(mol, i) ||
        !has_substituents(mol.atoms[bond.begin]) || !has_substituents(mol.atoms[bond.end])) {
      continue;
    }
    const auto begin = end_of(mol, bond.begin, i);
    const auto end = end_of(mol, bond.end, i);
    if (!begin.directed || !end.directed) {
      round.open = true;
      continue;
    }
    if (begin.contradicts || end.contradicts) {
      return false;
    }
    // Both directions are seen from the double bond: if equal, they point to the same side.
    bond.stereo = begin.direction == end.direction ? Z : E;
    bond.stereo_atoms = {begin.neighbour, end.neighbour};
    mol.has_stereo = true;
    round.assigned = true;
  }
  return true;
}

// Whether any double bond is not in a small ring.
bool has_free_double_bond(const Draft &mol) {
  for (unsigned int i = 0; i < mol.bonds.size(); ++i) {
    if (mol.bonds[i].type == DOUBLE && !in_small_ring(mol, i)) {
      return true;
    }
  }
  return false;
}

bool has_stereo_bond(const Draft &mol, const Atom &atom) {
  return any_bond(mol, atom, [](const Bond &bond) { return bond.stereo != NO_STEREO; });
}

// Removes directions beside a double bond without stereo, unless another one needs them.
void clear_useless_directions(Draft &mol) {
  for (unsigned int i = 0; i < mol.bonds.size(); ++i) {
    const auto &bond = mol.bonds[i];
    if (bond.type != DOUBLE || bond.stereo != NO_STEREO) {
      continue;
    }
    for (const auto index : {bond.begin, bond.end}) {
      const auto &atom = mol.atoms[index];
      for (unsigned int j = 0; j < atom.degree; ++j) {
        auto &beside = mol.bonds[atom.bonds[j]];
        const bool is_single = beside.type == SINGLE || beside.type == AROMATIC;
        if (is_single && has_direction(beside) && !has_stereo_bond(mol, mol.atoms[atom.neighbours[j]])) {
          beside.direction = Direction::None;
        }
      }
    }
  }
}

// Whether any atom is or could be a centre.
bool has_possible_centre(const Draft &mol) {
  for (unsigned int i = 0; i < mol.atoms.size(); ++i) {
    if (mol.atoms[i].chirality != NO_CHIRALITY || may_be_centre(mol, mol.atoms[i], i)) {
      return true;
    }
  }
  return false;
}

// A chiral centre without a CIP code may be one because of its ring, or none at all.
bool holds_unclear_centre(const Draft &mol) {
  return std::ranges::any_of(mol.atoms, [](const Atom &atom) {
    return atom.chirality != NO_CHIRALITY && !atom.cip_code;
  });
}

// Whether the ranks tell the neighbours apart of all chiral atoms, and of all double bonds with directions on both sides.
bool are_told_apart(const Molecule &mol) {
  const auto is_told = [&](const Atom &atom) { return !neighbours_tie(mol, atom); };
  const auto is_directed = [&](std::uint16_t index) {
    return any_bond(mol, mol.atoms[index], [](const Bond &bond) { return bond.type != DOUBLE && has_direction(bond); });
  };
  return std::ranges::all_of(mol.atoms, [&](const Atom &atom) { return atom.chirality == NO_CHIRALITY || is_told(atom); }) &&
         std::ranges::all_of(mol.bonds, [&](const Bond &bond) {
           return bond.type != DOUBLE || !is_directed(bond.begin) || !is_directed(bond.end) ||
                  (is_told(mol.atoms[bond.begin]) && is_told(mol.atoms[bond.end]));
         });
}

}  // namespace

// What is not stated can get no stereo, so that its ranks need not be known; and different ranks stay different, so that
// all that is stated is found in the first round.
bool set_stated_stereo(Draft &mol) {
  bool any_chiral = false;
  for (unsigned int i = 0; i < mol.atoms.size(); ++i) {
    if (mol.atoms[i].chirality != NO_CHIRALITY) {
      any_chiral = true;
      if (!may_be_centre(mol, mol.atoms[i], i)) {
        return false;
      }
    }
  }
  if (!any_chiral && !mol.has_direction) {
    return true;
  }
  if (!rank_by_cip_until(mol, are_told_apart) || !are_told_apart(mol)) {
    return false;
  }
  Round bonds;
  if (!assign_bonds(mol, bonds)) {
    return false;
  }
  clear_useless_directions(mol);
  return true;
}

// False: RDKit has to assign the stereo. Only what this step sets has then changed.
bool set_stereo(Draft &mol) {
  Round centres{true, false}, bonds{has_free_double_bond(mol), false};
  mol.has_ranks = bonds.open || has_possible_centre(mol);
  if (!mol.has_ranks) {
    clear_useless_directions(mol);
    return true;
  }
  if (!rank_by_cip(mol)) {
    return false;
  }
  for (;;) {
    centres = centres.open ? assign_centres(mol) : Round{};
    const bool look_at_bonds = std::exchange(bonds, {}).open;
    if (look_at_bonds && !assign_bonds(mol, bonds)) {
      return false;
    }
    if (!(centres.open || bonds.open) || !(centres.assigned || bonds.assigned)) {
      break;
    }
    if (!rank_by_cip_and_stereo(mol)) {
      return false;
    }
  }
  if (holds_unclear_centre(mol)) {
    return false;
  }
  if (mol.has_direction) {
    clear_useless_directions(mol);
  }
  return true;
}

}  // namespace molsieve::parse
