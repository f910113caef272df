// RDKit's logP (Wildman and Crippen): a contribution of each atom and each hydrogen, by the first pattern of RDKit's
// table that matches. A type depends on an atom's neighbours and, for oxygen, on theirs. So the types are kept by these
// surroundings, and patterns are matched once for each.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "molsieve/src/chem/model/molecule.h"

namespace molsieve::describe {

class CrippenTypes {
 public:
  // False: RDKit has to compute it.
  bool log_p(const Molecule &mol, double &sum);

 private:
  // The numbers of an atom's type and of the type of its hydrogens.
  struct Types {
    std::uint8_t atom = 0, hydrogen = 0;
  };
  // Exact descriptions of surroundings, as words.
  using Key = std::array<std::uint64_t, 2>;
  struct Entry {
    Key key{};
    std::uint32_t number = 0;  // 0: empty. A number is given once, so an entry that was replaced has another one.
    Types types;
  };

  // A cache of fixed size: an entry replaces the one in its place.
  class Cache {
   public:
    Entry &place_of(const Key &key);
    void clear() { entries_.clear(); }

   private:
    static constexpr unsigned int ENTRIES_SHIFT = 64 - 13;
    static constexpr std::size_t ENTRIES = 1 << 13;
    std::vector<Entry> entries_;
  };

  void take_surroundings(const Molecule &mol, std::uint16_t index);
  Types of_oxygen(const Molecule &mol, std::uint16_t index);
  void leave_room_for_numbers();

  Cache by_neighbours_;
  Cache by_two_spheres_;
  std::uint32_t last_number_ = 0;
  std::array<std::uint32_t, ATOMS_MAX> codes_;
  std::array<std::uint32_t, ATOMS_MAX> numbers_;  // of the entries by neighbours
  std::array<Types, ATOMS_MAX> types_;
};

}  // namespace molsieve::describe
