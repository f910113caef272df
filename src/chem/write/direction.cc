#include "molsieve/src/chem/write/direction.h"

#include <algorithm>

namespace molsieve::write {

namespace {

bool can_have_direction(const Bond &bond) {
  return bond.type == SINGLE || bond.type == AROMATIC;
}

}  // namespace

void Slashes::clear(const Molecule &mol) { direction_.assign(mol.bonds.size(), Direction::None); }

bool Slashes::place(const Molecule &mol, const Visits &visits) {
  mol_ = &mol;
  visits_ = &visits;
  clear(mol);
  uses_.assign(mol.bonds.size(), 0);
  atom_uses_.assign(mol.atoms.size(), 0);
  done_.assign(mol.bonds.size(), false);
  find_stereo();
  for (const auto &start : stereo_) {
    queue_.assign(1, start.bond);
    for (std::size_t head = 0; head < queue_.size(); ++head) {
      const auto bond = queue_[head];
      if (done_[bond]) {
        continue;
      }
      if (!direct(bond)) {
        return false;
      }
      done_[bond] = true;
      const auto &next = stereo_[place_of_[bond]].next;
      queue_.insert(queue_.end(), next.begin(), next.end());
    }
  }
  if (spreads()) {
    return false;
  }
  drop_redundant();
  return true;
}

// The double bonds with most others beside them come first, then those that are visited first.
void Slashes::find_stereo() {
  stereo_.clear();
  for (const auto &[bond, from] : visits_->followed) {
    if (mol_->bonds[bond].stereo != NO_STEREO) {
      stereo_.push_back({bond, next_stereo(mol_->bonds[bond])});
    }
  }
  std::ranges::stable_sort(stereo_, std::ranges::greater(),
                           [](const Stereo &stereo) { return stereo.next.size(); });
  place_of_.resize(mol_->bonds.size());
  for (std::size_t i = 0; i < stereo_.size(); ++i) {
    place_of_[stereo_[i].bond] = static_cast<std::uint16_t>(i);
  }
}

// In the order in which they are visited.
std::vector<std::uint16_t> Slashes::next_stereo(const Bond &bond) const {
  std::vector<std::uint16_t> next;
  for (const auto end : {bond.begin, bond.end}) {
    const auto &atom = mol_->atoms[end];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      if (!can_have_direction(mol_->bonds[atom.bonds[i]])) {
        continue;
      }
      const auto &far = mol_->atoms[atom.neighbours[i]];
      const auto far_end = far.bonds.begin() + far.degree;
      const auto found = std::find_if(far.bonds.begin(), far_end, [&](auto other) {
        return mol_->bonds[other].stereo != NO_STEREO;
      });
      if (found != far_end) {
        next.push_back(*found);
      }
    }
  }
  std::ranges::sort(next, {}, [this](auto other) { return visits_->bond[other]; });
  return next;
}

// A later neighbour becomes the first only if it was visited earlier, as in RDKit's loop.
Slashes::End Slashes::end_of(std::uint16_t index, std::uint16_t double_bond, bool is_begin) const {
  End end{index, {}, {}};
  unsigned int first_visit = mol_->bonds.size() + 1;
  const auto &atom = mol_->atoms[index];
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto bond = atom.bonds[i];
    if (bond == double_bond || !can_have_direction(mol_->bonds[bond])) {
      continue;
    }
    const bool is_later = visits_->atom[index] < visits_->atom[atom.neighbours[i]];
    const Single single{bond, (is_later == is_begin) != (visits_->closure[bond] != 0)};
    end.directed |= uses_[bond] > 0;
    if (!end.first.exists() || visits_->bond[bond] < first_visit) {
      end.second = end.first;
      end.first = single;
      first_visit = visits_->bond[bond];
    } else {
      end.second = single;
    }
  }
  return end;
}

bool Slashes::direct(std::uint16_t index) {
  const auto &bond = mol_->bonds[index];
  const auto is_end = [this](std::uint16_t atom) {
    return mol_->atoms[atom].degree == 2 || mol_->atoms[atom].degree == 3;
  };
  if (!is_end(bond.begin) || !is_end(bond.end)) {
    return true;
  }
  auto begin = bond.begin, end = bond.end;
  if (visits_->atom[begin] >= visits_->atom[end]) {
    std::swap(begin, end);
  }
  const auto one = end_of(begin, index, true);
  const auto two = end_of(end, index, false);
  if (!one.first.exists() || !two.first.exists()) {
    return true;
  }
  if (one.directed && two.directed) {
    return settle(bond, one, two);
  }
  const auto &from = two.directed ? two : one;
  const auto &to = two.directed ? one : two;
  auto given = from.first;
  if (!give(from, given)) {
    return false;
  }
  direction_[to.first.bond] = across(bond, from, given, to, to.first);
  use(to.first, to.atom);
  complete(one);
  complete(two);
  return true;
}

// The direction at one end, chosen if none is given; `given` is the bond that has it. False: RDKit warns that directions
// contradict each other.
bool Slashes::give(const End &end, Single &given) {
  if (!end.directed) {
    direction_[end.first.bond] = Direction::Up;
    use(end.first, end.atom);
    return true;
  }
  const bool second = end.second.exists() && uses_[end.second.bond] > 0;
  if (uses_[end.first.bond] > 0) {
    use(end.first, end.atom);
    if (second) {
      use(end.second, end.atom);
      return agree(end.first, end.second);
    }
    return true;
  }
  copy(end.second, end.first);
  use(end.second, end.atom);
  use(end.first, end.atom);
  given = end.second;
  return true;
}

// Both ends already have directions, as in a ring of alternating double bonds. False: they contradict each other.
bool Slashes::settle(const Bond &bond, const End &one, const End &two) {
  for (const auto *end : {&one, &two}) {
    if (end->second.exists()) {
      if (uses_[end->first.bond] == 0) {
        copy(end->second, end->first);
      } else if (uses_[end->second.bond] == 0) {
        copy(end->first, end->second);
      } else if (!agree(end->first, end->second)) {
        return false;
      }
      use(end->second, end->atom);
    }
    use(end->first, end->atom);
  }
  return across(bond, one, one.first, two, two.first) == direction_[two.first.bond];
}

// The direction of the second single bond, which repeats the information of the first.
void Slashes::complete(const End &end) {
  if (mol_->atoms[end.atom].degree == 3 && end.second.exists() && uses_[end.second.bond] == 0) {
    copy(end.first, end.second);
    use(end.second, end.atom);
  }
}

// Two bonds at one end have opposite directions, unless one of them is read the other way.
void Slashes::copy(const Single &from, const Single &to) {
  const auto direction = direction_[from.bond];
  direction_[to.bond] = from.flipped == to.flipped ? flipped(direction) : direction;
}

bool Slashes::agree(const Single &one, const Single &two) const {
  return (direction_[one.bond] == direction_[two.bond]) == (one.flipped != two.flipped);
}

// The direction that a bond at the other end must have.
Direction Slashes::across(const Bond &bond, const End &from, const Single &given, const End &to,
                          const Single &wanted) const {
  const auto refers_to_second = [&](const End &end, const Single &single) {
    const auto far = mol_->bonds[single.bond].other(end.atom);
    return mol_->atoms[end.atom].degree == 3 && far != bond.stereo_atoms[0] &&
           far != bond.stereo_atoms[1];
  };
  const bool flips = (bond.stereo == Z) ^ refers_to_second(from, given) ^
                     refers_to_second(to, wanted) ^ (given.flipped != wanted.flipped);
  const auto direction = direction_[given.bond];
  return flips ? flipped(direction) : direction;
}

void Slashes::use(const Single &single, std::uint16_t atom) {
  ++uses_[single.bond];
  ++atom_uses_[atom];
}

// Whether directions on both sides of a double bond without stereo would give it some.
bool Slashes::spreads() const {
  const auto has_direction = [this](std::uint16_t index) {
    const auto &atom = mol_->atoms[index];
    return std::any_of(atom.bonds.begin(), atom.bonds.begin() + atom.degree,
                       [this](auto bond) { return uses_[bond] != 0; });
  };
  return std::ranges::any_of(mol_->bonds, [&](const Bond &bond) {
    return bond.type == DOUBLE && bond.stereo == NO_STEREO && has_direction(bond.begin) &&
           has_direction(bond.end);
  });
}

// Removes directions that repeat the information of others.
void Slashes::drop_redundant() {
  for (const auto &[index, from] : visits_->followed) {
    const auto &bond = mol_->bonds[index];
    if (!can_have_direction(bond) || uses_[index] == 0) {
      direction_[index] = Direction::None;
      continue;
    }
    drop_at(index, from);
    drop_at(index, bond.other(from));
  }
}

// At an end of another double bond with two directions, one of them.
void Slashes::drop_at(std::uint16_t index, std::uint16_t at) {
  const auto &atom = mol_->atoms[at];
  const auto end = atom.bonds.begin() + atom.degree;
  if (atom_uses_[at] < 2 || std::none_of(atom.bonds.begin(), end, [&](auto bond) {
        return bond != index && mol_->bonds[bond].stereo != NO_STEREO;
      })) {
    return;
  }
  const auto other = std::find_if(atom.bonds.begin(), end, [&](auto bond) {
    return bond != index && can_have_direction(mol_->bonds[bond]);
  });
  if (other == end) {
    return;
  }
  const auto is_needed = [&](std::uint16_t bond) {
    return atom_uses_[mol_->bonds[bond].begin] == 1 || atom_uses_[mol_->bonds[bond].end] == 1;
  };
  if (uses_[*other] >= uses_[index] && !is_needed(*other)) {
    release(*other, at);
  } else if (!is_needed(index)) {
    release(index, at);
  }
}

void Slashes::release(std::uint16_t bond, std::uint16_t at) {
  if (--uses_[bond] != 0) {
    return;
  }
  direction_[bond] = Direction::None;
  --atom_uses_[at];
  const auto other = mol_->bonds[bond].other(at);
  if (atom_uses_[other] != 0) {
    --atom_uses_[other];
  }
}

}  // namespace molsieve::write
