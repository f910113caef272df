#include "molsieve/src/chem/model/rings.h"

#include <algorithm>

namespace molsieve {

void Rings::read(const RDKit::RingInfo &from) {
  clear();
  for (unsigned int i = 0; i < from.numRings(); ++i) {
    atoms_.insert(atoms_.end(), from.atomRings()[i].begin(), from.atomRings()[i].end());
    bonds_.insert(bonds_.end(), from.bondRings()[i].begin(), from.bondRings()[i].end());
    ends_.push_back(atoms_.size());
  }
}

void Rings::add(Members atoms, Members bonds) {
  atoms_.insert(atoms_.end(), atoms.begin(), atoms.end());
  bonds_.insert(bonds_.end(), bonds.begin(), bonds.end());
  ends_.push_back(atoms_.size());
}

void Rings::append(const Rings &other, std::uint16_t first_atom, std::uint16_t first_bond) {
  const auto begin = static_cast<std::uint32_t>(atoms_.size());
  for (const auto atom : other.atoms_) {
    atoms_.push_back(first_atom + atom);
  }
  for (const auto bond : other.bonds_) {
    bonds_.push_back(first_bond + bond);
  }
  for (const auto end : other.ends_) {
    ends_.push_back(begin + end);
  }
}

void Rings::truncate(std::size_t rings) {
  const std::size_t members = rings == 0 ? 0 : ends_[rings - 1];
  atoms_.resize(members);
  bonds_.resize(members);
  ends_.resize(rings);
}

unsigned int Rings::with_atom(std::uint16_t atom) const {
  unsigned int rings = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    const auto members = atoms(i);
    rings += std::ranges::find(members, atom) != members.end();
  }
  return rings;
}

std::size_t Rings::bytes() const {
  return (atoms_.capacity() + bonds_.capacity()) * sizeof(std::uint16_t) +
         ends_.capacity() * sizeof(std::uint32_t);
}

}  // namespace molsieve
