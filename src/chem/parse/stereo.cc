// Which atoms may be centers, which are R or S, which double bonds E or Z: RDKit's legacy perception,
// round after round, since a center can depend on another.
#include <algorithm>

#include "molsieve/src/chem/parse/flat.h"

namespace molsieve::flat {

namespace {

using Chirality = RDKit::Atom::ChiralType;
using Hybridization = RDKit::Atom::HybridizationType;

// RDKit's bound: double bonds in smaller rings are cis by need.
constexpr unsigned int STEREO_RING_MIN = 8;

bool in_ring_of_three(const Molecule &mol, unsigned int index) {
  for (unsigned int i = 0; i < mol.ring_count; ++i) {
    if (mol.rings[i].size == 3 && mol.ring_atom_sets[i][index]) {
      return true;
    }
  }
  return false;
}

// All three bonds are in rings, and every ring of the atom shares two bonds with another.
bool is_bridgehead(const Molecule &mol, const Atom &atom) {
  BondSet own;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    own[atom.bonds[i]] = mol.bonds[atom.bonds[i]].rings != 0;
  }
  if (own.count() < 3) {
    return false;
  }
  std::bitset<RINGS_MAX> overlaps;
  for (unsigned int i = 0; i < mol.ring_count; ++i) {
    if ((mol.ring_bond_sets[i] & own).none()) {
      continue;
    }
    for (unsigned int j = i + 1; j < mol.ring_count; ++j) {
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

// Whether an atom of three neighbors and no hydrogen can be a center.
bool is_center_of_three(const Molecule &mol, const Atom &atom, unsigned int index) {
  switch (atom.number) {
    case 7: {
      bool conjugated = false;
      for (unsigned int i = 0; i < atom.degree; ++i) {
        conjugated |= mol.bonds[atom.bonds[i]].conjugated;
      }
      return atom.hybridization == Hybridization::SP3 && !conjugated &&
             (in_ring_of_three(mol, index) || is_bridgehead(mol, atom));
    }
    case 15:
      return true;
    case 16: case 34:
      return atom.explicit_valence == 4 || (atom.explicit_valence == 3 && atom.charge == 1);
    default:
      return false;
  }
}

bool may_be_center(const Molecule &mol, const Atom &atom, unsigned int index) {
  const int neighbors = atom.total_degree();
  if (neighbors > 4 || neighbors < 3 || (atom.degree < 3 && atom.number != 15)) {
    return false;
  }
  return atom.degree != 3 || atom.total_hs() == 1 || is_center_of_three(mol, atom, index);
}

// Whether bonds in the order of their neighbors' ranks are an odd permutation of the atom's own list.
bool is_odd_by_rank(const Molecule &mol, const Atom &atom) {
  bool odd = false;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    for (unsigned int j = i + 1; j < atom.degree; ++j) {
      odd ^= mol.atoms[atom.neighbors[i]].rank > mol.atoms[atom.neighbors[j]].rank;
    }
  }
  return odd;
}

char cip_code(const Molecule &mol, const Atom &atom) {
  bool clockwise = atom.chirality == Chirality::CHI_TETRAHEDRAL_CW;
  clockwise ^= is_odd_by_rank(mol, atom);
  clockwise ^= atom.degree == 3 && atom.total_hs() == 1;
  return clockwise ? 'R' : 'S';
}

bool neighbors_differ(const Molecule &mol, const Atom &atom) {
  for (unsigned int i = 0; i < atom.degree; ++i) {
    for (unsigned int j = i + 1; j < atom.degree; ++j) {
      if (mol.atoms[atom.neighbors[i]].rank == mol.atoms[atom.neighbors[j]].rank) {
        return false;
      }
    }
  }
  return true;
}

// What a round has found, and whether it left something open.
struct Round {
  bool open = false;
  bool assigned = false;
};

Round assign_centers(Molecule &mol) {
  Round round;
  for (unsigned int index = 0; index < mol.atom_count; ++index) {
    auto &atom = mol.atoms[index];
    if (atom.cip_code || !may_be_center(mol, atom, index)) {
      continue;
    }
    if (neighbors_differ(mol, atom)) {
      atom.may_be_center = true;
      if (atom.chirality != Chirality::CHI_UNSPECIFIED) {
        atom.cip_code = cip_code(mol, atom);
        round.assigned = true;
        continue;
      }
    }
    round.open = true;
  }
  return round;
}

bool in_small_ring(const Molecule &mol, unsigned int bond) {
  if (mol.bonds[bond].rings == 0) {
    return false;
  }
  for (unsigned int i = 0; i < mol.ring_count; ++i) {
    if (mol.rings[i].size < STEREO_RING_MIN && mol.ring_bond_sets[i][bond]) {
      return true;
    }
  }
  return false;
}

bool is_marked(const Bond &bond) { return bond.direction != Direction::NONE; }

// One end of a double bond: its neighbor of the higher rank, and the mark of the bond to it as seen
// from the double bond.
struct End {
  bool marked = false;
  bool contradicts = false;
  std::uint16_t neighbor = 0;
  Direction direction = Direction::NONE;
};

End look_at_end(const Molecule &mol, unsigned int index, unsigned int double_bond) {
  const auto &atom = mol.atoms[index];
  std::array<std::uint16_t, 2> neighbors{};
  std::array<Direction, 2> directions{};
  unsigned int count = 0;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    if (atom.bonds[i] != double_bond) {
      const auto &bond = mol.bonds[atom.bonds[i]];
      neighbors[count] = atom.neighbors[i];
      directions[count++] = bond.begin == index ? bond.direction : flipped(bond.direction);
    }
  }
  End end;
  const auto rank = [&](unsigned int i) { return mol.atoms[neighbors[i]].rank; };
  if (std::all_of(directions.begin(), directions.begin() + count,
                  [](auto d) { return d == Direction::NONE; }) ||
      (count == 2 && rank(0) == rank(1))) {
    return end;
  }
  end.marked = true;
  if (count == 2) {
    // One mark tells of both neighbors.
    for (const unsigned int i : {0, 1}) {
      if (directions[i] == Direction::NONE) {
        directions[i] = flipped(directions[1 - i]);
      }
    }
    end.contradicts = directions[0] == directions[1];
  }
  const unsigned int higher = count == 1 || rank(0) > rank(1) ? 0 : 1;
  end.neighbor = neighbors[higher];
  end.direction = directions[higher];
  return end;
}

bool has_substituents(const Atom &atom) { return atom.degree == 2 || atom.degree == 3; }

// False: marks contradict each other, of which RDKit warns.
bool assign_bonds(Molecule &mol, Round &round) {
  for (unsigned int i = 0; i < mol.bond_count; ++i) {
    auto &bond = mol.bonds[i];
    if (bond.order != Order::DOUBLE || bond.stereo != Stereo::STEREONONE || in_small_ring(mol, i) ||
        !has_substituents(mol.atoms[bond.begin]) || !has_substituents(mol.atoms[bond.end])) {
      continue;
    }
    const auto begin = look_at_end(mol, bond.begin, i);
    const auto end = look_at_end(mol, bond.end, i);
    if (!begin.marked || !end.marked) {
      round.open = true;
      continue;
    }
    if (begin.contradicts || end.contradicts) {
      return false;
    }
    // Both marks are seen from the double bond: alike, they point to the same side.
    bond.stereo = begin.direction == end.direction ? Stereo::STEREOZ : Stereo::STEREOE;
    bond.stereo_atoms = {begin.neighbor, end.neighbor};
    round.assigned = true;
  }
  return true;
}

bool has_mark(const Molecule &mol, const Atom &atom) {
  return std::any_of(atom.bonds.begin(), atom.bonds.begin() + atom.degree,
                     [&](auto bond) { return is_marked(mol.bonds[bond]); });
}

// Whether any mark stands beside a double bond that could be E or Z.
bool marks_double_bond(const Molecule &mol) {
  for (unsigned int i = 0; i < mol.bond_count; ++i) {
    const auto &bond = mol.bonds[i];
    if (bond.order == Order::DOUBLE && !in_small_ring(mol, i) &&
        (has_mark(mol, mol.atoms[bond.begin]) || has_mark(mol, mol.atoms[bond.end]))) {
      return true;
    }
  }
  return false;
}

bool has_stereo_bond(const Molecule &mol, const Atom &atom) {
  return std::any_of(atom.bonds.begin(), atom.bonds.begin() + atom.degree, [&](auto bond) {
    return mol.bonds[bond].stereo != Stereo::STEREONONE;
  });
}

// Marks beside a double bond that has no stereo go, unless they serve another one.
void clear_useless_marks(Molecule &mol) {
  for (unsigned int i = 0; i < mol.bond_count; ++i) {
    const auto &bond = mol.bonds[i];
    if (bond.order != Order::DOUBLE || bond.stereo != Stereo::STEREONONE) {
      continue;
    }
    for (const auto index : {bond.begin, bond.end}) {
      const auto &atom = mol.atoms[index];
      for (unsigned int j = 0; j < atom.degree; ++j) {
        auto &beside = mol.bonds[atom.bonds[j]];
        const bool may_go = beside.order == Order::SINGLE || beside.order == Order::AROMATIC;
        if (may_go && is_marked(beside) && !has_stereo_bond(mol, mol.atoms[atom.neighbors[j]])) {
          beside.direction = Direction::NONE;
        }
      }
    }
  }
}

// A center with a mark but no code may be one by its ring, or none at all.
bool holds_unclear_center(const Molecule &mol) {
  return std::any_of(mol.atoms.begin(), mol.atoms.begin() + mol.atom_count, [](const Atom &atom) {
    return atom.chirality != Chirality::CHI_UNSPECIFIED && !atom.cip_code;
  });
}

}  // namespace

// False: RDKit has to see to it. The molecule is then as before but for what only this step sets.
bool set_stereo(Molecule &mol) {
  if (!rank_atoms(mol)) {
    return false;
  }
  Round centers{true, false}, bonds{mol.any_direction && marks_double_bond(mol), false};
  for (;;) {
    centers = centers.open ? assign_centers(mol) : Round{};
    if (bonds.open) {
      bonds = {};
      if (!assign_bonds(mol, bonds)) {
        return false;
      }
    } else {
      bonds = {};
    }
    if (!(centers.open || bonds.open) || !(centers.assigned || bonds.assigned)) {
      break;
    }
    if (!rank_atoms_again(mol)) {
      return false;
    }
  }
  if (holds_unclear_center(mol)) {
    return false;
  }
  if (mol.any_direction) {
    clear_useless_marks(mol);
  }
  return true;
}

}  // namespace molsieve::flat
