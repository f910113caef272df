#include "molsieve/src/chem/model/exchange.h"

#include <algorithm>

namespace molsieve {

namespace {

bool look_alike(const Atom &a, const Atom &b) {
  return a.number == b.number && a.charge == b.charge && a.isotope == b.isotope && a.aromatic == b.aromatic &&
         a.degree == b.degree && a.explicit_hydrogens == b.explicit_hydrogens &&
         a.implicit_hydrogens == b.implicit_hydrogens && a.no_implicit == b.no_implicit && a.in_ring == b.in_ring &&
         a.hybridization == b.hybridization && a.chirality == NO_CHIRALITY && b.chirality == NO_CHIRALITY;
}

// The bond between two atoms; null: there is none.
const Bond *bond_between(const Molecule &mol, std::uint16_t a, std::uint16_t b) {
  const auto &atom = mol.atoms[a];
  for (unsigned int i = 0; i < atom.degree; ++i) {
    if (atom.neighbours[i] == b) {
      return &mol.bonds[atom.bonds[i]];
    }
  }
  return nullptr;
}

bool has_stereo(const Molecule &mol, const Atom &atom) {
  return atom.chirality != NO_CHIRALITY ||
         any_bond(mol, atom, [](const Bond &bond) { return bond.stereo != NO_STEREO; });
}

}  // namespace

bool Exchange::leads(const Molecule &mol, const RDKit::MatchVectType &from, const RDKit::MatchVectType &to) {
  mol_ = &mol;
  classes_ = nullptr;
  bool found = pair_matches(from, to) && spread();
  for (std::size_t i = 0; found && i < from.size(); ++i) {
    found = image(static_cast<std::uint16_t>(from[i].second)) == to[i].second;
  }
  forget();
  return found;
}

bool Exchange::swaps(const Molecule &mol, const std::uint16_t *classes, std::uint16_t from, std::uint16_t to) {
  mol_ = &mol;
  classes_ = classes;
  const bool found = pair(from, to) && spread();
  forget();
  return found;
}

// Exchanges what must be exchanged as well. False: that is not possible, or not known to be.
bool Exchange::spread() {
  for (std::size_t i = 0; i < moved_.size(); ++i) {
    if (!pair_neighbours(moved_[i])) {
      return false;
    }
  }
  // What was taken to stay may have been moved later.
  return std::ranges::all_of(moved_, [this](auto atom) { return holds_around(atom); });
}

bool Exchange::are_alike(std::uint16_t a, std::uint16_t b) const {
  return (!classes_ || classes_[a] == classes_[b]) && look_alike(mol_->atoms[a], mol_->atoms[b]);
}

void Exchange::forget() {
  std::ranges::for_each(moved_, [this](auto atom) { image_[atom] = NO_INDEX; });
  moved_.clear();
}

bool Exchange::pair_matches(const RDKit::MatchVectType &from, const RDKit::MatchVectType &to) {
  if (from.size() != to.size()) {
    return false;
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!pair(static_cast<std::uint16_t>(from[i].second), static_cast<std::uint16_t>(to[i].second))) {
      return false;
    }
  }
  return true;
}

// Exchanges two atoms, unless it is known that they can't be.
bool Exchange::pair(std::uint16_t a, std::uint16_t b) {
  if (a == b || image_[a] == b) {
    return true;
  }
  if (image_[a] != NO_INDEX || image_[b] != NO_INDEX || moved_.size() + 2 > MOVED_MAX ||
      !are_alike(a, b)) {
    return false;
  }
  image_[a] = b;
  image_[b] = a;
  moved_.push_back(a);
  moved_.push_back(b);
  return true;
}

bool Exchange::pair_neighbours(std::uint16_t a) {
  const auto &atom = mol_->atoms[a];
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto neighbour = atom.neighbours[i];
    const auto other = partner(neighbour, mol_->bonds[atom.bonds[i]].type, a, image_[a]);
    if (other == NO_INDEX || !pair(neighbour, other)) {
      return false;
    }
  }
  return true;
}

// What a neighbour of `a` is exchanged with when `a` and `b` are: itself if it is a neighbour of both.
std::uint16_t Exchange::partner(std::uint16_t neighbour, BondType type, std::uint16_t a, std::uint16_t b) const {
  if (image_[neighbour] != NO_INDEX) {
    return image_[neighbour];
  }
  if (const auto *bond = bond_between(*mol_, b, neighbour); bond && bond->type == type) {
    return neighbour;
  }
  const auto &atom = mol_->atoms[b];
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto other = atom.neighbours[i];
    if (image_[other] == NO_INDEX && mol_->bonds[atom.bonds[i]].type == type && !bond_between(*mol_, a, other) &&
        are_alike(neighbour, other)) {
      return other;
    }
  }
  return NO_INDEX;
}

// Whether the bonds of an atom are those of its image, and nothing around it has stereo.
bool Exchange::holds_around(std::uint16_t a) const {
  const auto &atom = mol_->atoms[a];
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto neighbour = atom.neighbours[i];
    const auto *bond = bond_between(*mol_, image_[a], image(neighbour));
    if (!bond || bond->type != mol_->bonds[atom.bonds[i]].type || has_stereo(*mol_, mol_->atoms[neighbour])) {
      return false;
    }
  }
  return !has_stereo(*mol_, atom);
}

}  // namespace molsieve
