// Parts of a molecule that are equal and can be exchanged: the two sides of a phenyl ring, the methyl groups of an isopropyl
// group.
#pragma once

#include <GraphMol/Substruct/SubstructMatch.h>

#include <array>
#include <cstdint>

#include "molsieve/src/chem/model/molecule.h"

namespace molsieve {

// Reuses its memory.
class Exchange {
 public:
  Exchange() { image_.fill(NO_INDEX); }
  // Looks for a way to exchange atoms in pairs that leaves the molecule as it is and takes one match to the other, so that
  // both give the same product. Atoms beside stereo are not exchanged. False: none was found, but there may be one.
  bool leads(const Molecule &mol, const RDKit::MatchVectType &from, const RDKit::MatchVectType &to);
  // The same for one atom and another, where only atoms of the same class are exchanged. `classes` has one of each atom.
  bool swaps(const Molecule &mol, const std::uint16_t *classes, std::uint16_t from, std::uint16_t to);

 private:
  // More are not exchanged; most exchanges are of a few.
  static constexpr std::size_t MOVED_MAX = 48;

  bool spread();
  bool are_alike(std::uint16_t a, std::uint16_t b) const;
  void forget();
  bool pair_matches(const RDKit::MatchVectType &from, const RDKit::MatchVectType &to);
  bool pair(std::uint16_t a, std::uint16_t b);
  bool pair_neighbours(std::uint16_t a);
  std::uint16_t partner(std::uint16_t neighbour, BondType type, std::uint16_t a, std::uint16_t b) const;
  bool holds_around(std::uint16_t a) const;
  std::uint16_t image(std::uint16_t atom) const { return image_[atom] == NO_INDEX ? atom : image_[atom]; }

  const Molecule *mol_ = nullptr;
  const std::uint16_t *classes_ = nullptr;  // null: one class
  FixedVector<std::uint16_t, MOVED_MAX> moved_;
  std::array<std::uint16_t, ATOMS_MAX> image_;  // NO_INDEX: the atom stays
};

}  // namespace molsieve
