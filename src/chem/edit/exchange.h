// Whether two matches of a pattern give the same product, because parts of the parent that are equal can be exchanged: the
// two sides of a phenyl ring, the methyl groups of an isopropyl group.
#pragma once

#include <GraphMol/Substruct/SubstructMatch.h>

#include <array>
#include <cstdint>

#include "molsieve/src/chem/model/molecule.h"

namespace molsieve::edit {

// Reuses its memory.
class Exchange {
 public:
  Exchange() { image_.fill(NO_INDEX); }
  // Looks for a way to exchange atoms in pairs that leaves the molecule as it is and takes one match to the other. Atoms
  // beside stereo are not exchanged. False: none was found, but there may be one.
  bool leads(const Molecule &mol, const RDKit::MatchVectType &from, const RDKit::MatchVectType &to);

 private:
  // More are not exchanged; most exchanges are of a few.
  static constexpr std::size_t MOVED_MAX = 48;

  bool pair_matches(const RDKit::MatchVectType &from, const RDKit::MatchVectType &to);
  bool pair(std::uint16_t a, std::uint16_t b);
  bool pair_neighbours(std::uint16_t a);
  std::uint16_t partner(std::uint16_t neighbour, BondType type, std::uint16_t a, std::uint16_t b) const;
  bool holds_around(std::uint16_t a) const;
  std::uint16_t image(std::uint16_t atom) const { return image_[atom] == NO_INDEX ? atom : image_[atom]; }

  const Molecule *mol_ = nullptr;
  FixedVector<std::uint16_t, MOVED_MAX> moved_;
  std::array<std::uint16_t, ATOMS_MAX> image_;  // NO_INDEX: the atom stays
};

}  // namespace molsieve::edit
