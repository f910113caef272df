// The slashes of a canonical SMILES: directions of single bonds that give the stereo of double bonds. The rules are
// RDKit's (Canon::canonicalizeDoubleBond and what follows it), since the choice among the many equivalent ways to
// place slashes is what makes the SMILES canonical.
#include "molsieve/src/chem/write/smiles.h"

#include <algorithm>

namespace molsieve::write {

namespace {

bool can_have_direction(const Bond &bond) {
  return bond.type == SINGLE || bond.type == AROMATIC;
}

}  // namespace

// False: RDKit would reach a state that it rejects.
bool SmilesWriter::direct_bonds() {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].kind == Kind::Bond && mol_->bonds[steps_[i].index].stereo != NO_STEREO &&
        !direct_bond(steps_[i].index)) {
      return false;
    }
  }
  drop_redundant();
  return true;
}

void SmilesWriter::count(std::uint16_t bond, std::uint16_t atom, unsigned int times) {
  bond_uses_[bond] += 1;
  atom_uses_[atom] += times;
}

// A later neighbour becomes the first only if it was visited earlier, as in RDKit's loop.
SmilesWriter::Side SmilesWriter::side(std::uint16_t index, std::uint16_t double_bond) const {
  Side side{index};
  unsigned int first_visit = mol_->bonds.size() + 1;
  const auto &atom = mol_->atoms[index];
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto bond = atom.bonds[i];
    if (bond == double_bond || !can_have_direction(mol_->bonds[bond])) {
      continue;
    }
    side.directed |= bond_uses_[bond] > 0;
    if (side.first == NO_INDEX || bond_visit_[bond] < first_visit) {
      side.second = side.first;
      side.first = bond;
      first_visit = bond_visit_[bond];
    } else {
      side.second = bond;
    }
  }
  return side;
}

// Whether the stereo of a double bond does not refer to the atom at the far end of this single bond, but of the other.
bool SmilesWriter::refers_to_second(const Bond &bond, const Side &side,
                                    std::uint16_t single_bond) const {
  const auto far = mol_->bonds[single_bond].other(side.atom);
  return mol_->atoms[side.atom].degree == 3 && far != bond.stereo_atoms[0] &&
         far != bond.stereo_atoms[1];
}

bool SmilesWriter::closes_backwards(std::uint16_t index) const {
  const auto &bond = mol_->bonds[index];
  return bond.begin > bond.end + 1 && closure_number_[index] != 0;
}

bool SmilesWriter::direct_bond(std::uint16_t index) {
  const auto &bond = mol_->bonds[index];
  auto begin = bond.begin, end = bond.end;
  if (atom_visit_[begin] >= atom_visit_[end]) {
    std::swap(begin, end);
  }
  const auto one = side(begin, index);
  const auto two = side(end, index);
  if (one.first == NO_INDEX || two.first == NO_INDEX) {
    return true;
  }
  auto controlling = one.first;
  const bool from_first = !two.directed;
  if (from_first) {
    if (!direct_from_first(bond, index, one, two, controlling)) {
      return false;
    }
  } else if (!direct_from_second(bond, one, two)) {
    return false;
  }
  direct_seconds(index, one, two);
  if (from_first) {
    reverse_late_bonds(one, two, controlling);
  }
  direct_next(two);
  return true;
}

// The direction of one of a side's bonds, which its first bond then has too; `controlling` is the bond that has it.
// None: RDKit would reject the state.
Direction SmilesWriter::given_direction(const Side &side, std::uint16_t &controlling) {
  const bool first = bond_uses_[side.first] > 0;
  if (!first) {
    if (side.second == NO_INDEX || bond_uses_[side.second] == 0) {
      return Direction::None;
    }
    direction_[side.first] = direction_[side.second];
    controlling = side.second;
  }
  count(side.first, side.atom, first ? 1 : 2);
  return direction_[side.first];
}

// The direction on the side that is written first is given or can be chosen; it determines the other.
bool SmilesWriter::direct_from_first(const Bond &bond, std::uint16_t index, const Side &one,
                                     const Side &two, std::uint16_t &controlling) {
  auto direction = Direction::Up;
  if (one.directed) {
    direction = given_direction(one, controlling);
  } else {
    direction_[one.first] = direction;
    count(one.first, one.atom);
  }
  if (direction == Direction::None) {
    return false;
  }
  auto other = bond.stereo == E ? direction : flipped(direction);
  const bool flips_one = refers_to_second(bond, one, controlling);
  const bool flips_two = refers_to_second(bond, two, two.first);
  if (flips_one != flips_two || (!flips_one && closes_backwards(index))) {
    other = flipped(other);
  }
  direction_[two.first] = other;
  count(two.first, two.atom);
  return true;
}

// A ring closure has already given the direction on the side that is written later.
bool SmilesWriter::direct_from_second(const Bond &bond, const Side &one, const Side &two) {
  auto controlling = two.first;
  const auto direction = given_direction(two, controlling);
  if (direction == Direction::None) {
    return false;
  }
  const auto other = bond.stereo == Z ? direction : flipped(direction);
  const bool flips =
      refers_to_second(bond, two, controlling) != refers_to_second(bond, one, one.first);
  direction_[one.first] = flips ? other : flipped(other);
  count(one.first, one.atom);
  return true;
}

// The direction of the second single bond at each end, which repeats the information of the first.
void SmilesWriter::direct_seconds(std::uint16_t index, const Side &one, const Side &two) {
  for (const auto *side : {&one, &two}) {
    if (mol_->atoms[side->atom].degree != 3 || side->second == NO_INDEX) {
      continue;
    }
    if (bond_uses_[side->second] == 0) {
      // In a branch it is read from the other side.
      const bool flips = side == &one ? same_branch(index, side->second)
                                      : closure_number_[side->second] == 0;
      const auto first = direction_[side->first];
      direction_[side->second] = flips ? flipped(first) : first;
    }
    count(side->second, side->atom);
  }
}

bool SmilesWriter::same_branch(std::uint16_t double_bond, std::uint16_t single_bond) const {
  bool inside = false;
  int depth = 0;
  for (const auto &step : steps_) {
    if (step.kind == Kind::Bond && (step.index == double_bond || step.index == single_bond)) {
      if (inside) {
        return depth == 0;
      }
      inside = true;
    } else if (inside && step.kind == Kind::Open) {
      ++depth;
    } else if (inside && step.kind == Kind::Close) {
      --depth;
    }
  }
  return false;
}

// The direction of a single bond that is written after the atom it starts from is reversed.
void SmilesWriter::reverse_late_bonds(const Side &one, const Side &two, std::uint16_t controlling) {
  if (bond_visit_[controlling] <= atom_visit_[one.atom]) {
    return;
  }
  if (bond_uses_[controlling] == 1) {
    if (closure_number_[controlling] == 0) {
      direction_[controlling] = flipped(direction_[controlling]);
    }
  } else if (bond_uses_[two.first] == 1) {
    direction_[two.first] = flipped(direction_[two.first]);
    if (two.second != NO_INDEX && bond_uses_[two.second] >= 1) {
      direction_[two.second] = flipped(direction_[two.second]);
    }
  }
}

// If another double bond with stereo follows directly, its other single bond has to agree.
void SmilesWriter::direct_next(const Side &two) {
  const auto index = mol_->bonds[two.first].other(two.atom);
  const auto &atom = mol_->atoms[index];
  if (atom.degree != 3) {
    return;
  }
  auto other = NO_INDEX;
  bool stereo = false;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto &bond = mol_->bonds[atom.bonds[i]];
    if (bond.type == DOUBLE && bond.stereo != NO_STEREO) {
      stereo = true;
    } else if (bond.type == SINGLE && atom.bonds[i] != two.first) {
      other = atom.bonds[i];
    }
  }
  if (!stereo || other == NO_INDEX || direction_[other] != Direction::None) {
    return;
  }
  const auto direction = direction_[two.first];
  direction_[other] = closes_backwards(other) ? flipped(direction) : direction;
  count(other, index);
}

// Whether an atom has a double bond with stereo, other than the given bond.
bool SmilesWriter::ends_stereo(std::uint16_t index, std::uint16_t except) const {
  return any_bond(*mol_, mol_->atoms[index], [&](const Bond &bond) {
    return &bond != &mol_->bonds[except] && bond.stereo != NO_STEREO;
  });
}

// Removes directions that repeat the information of others.
void SmilesWriter::drop_redundant() {
  for (const auto &step : steps_) {
    if (step.kind != Kind::Bond) {
      continue;
    }
    const auto &bond = mol_->bonds[step.index];
    if (!can_have_direction(bond) || bond_uses_[step.index] == 0) {
      direction_[step.index] = Direction::None;
      continue;
    }
    for (const auto atom : {step.from, bond.other(step.from)}) {
      if (ends_stereo(atom, step.index)) {
        drop_around(step.index, atom);
      }
    }
  }
}

void SmilesWriter::drop_around(std::uint16_t index, std::uint16_t at) {
  const auto release = [&](std::uint16_t bond) {
    if (--bond_uses_[bond] == 0) {
      direction_[bond] = Direction::None;
      --atom_uses_[mol_->bonds[bond].begin];
      --atom_uses_[mol_->bonds[bond].end];
    }
  };
  const auto needed_once = [&](std::uint16_t bond) {
    return atom_uses_[mol_->bonds[bond].begin] == 1 || atom_uses_[mol_->bonds[bond].end] == 1;
  };
  bool possible = false, adjusted = false;
  const auto &atom = mol_->atoms[at];
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto other = atom.bonds[i];
    if (other == index || !can_have_direction(mol_->bonds[other])) {
      continue;
    }
    possible = true;
    if (bond_uses_[other] >= bond_uses_[index] && !needed_once(other)) {
      adjusted = true;
      release(other);
    }
  }
  if (possible && !adjusted && !needed_once(index)) {
    release(index);
  }
}

}  // namespace molsieve::write
