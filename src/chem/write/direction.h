// The slashes of a canonical SMILES: directions of single bonds that give the stereo of double bonds. The rules are
// RDKit's (Canon::canonicalizeDoubleBonds and what follows it), since the choice among the many equivalent ways to
// place slashes is what makes the SMILES canonical.
#pragma once

#include "molsieve/src/chem/model/molecule.h"

#include <cstdint>
#include <vector>

namespace molsieve::write {

// A bond as the SMILES follows it.
struct Followed {
  std::uint16_t bond;
  std::uint16_t from;  // an atom
};

// The order in which a SMILES comes to the atoms and bonds of a molecule.
struct Visits {
  std::vector<std::uint16_t> atom, bond;  // places in the text
  std::vector<std::uint16_t> closure;     // per bond: the number of its ring closure; 0 if it closes no ring
  std::vector<Followed> followed;         // all bonds
};

class Slashes {
 public:
  // False: RDKit has to write the molecule, because slashes would contradict each other or give stereo to a double bond
  // that has none.
  bool place(const Molecule &mol, const Visits &visits);
  // Without effect unless the molecule has stereo.
  Direction operator[](std::uint16_t bond) const { return direction_[bond]; }
  // No bond has a direction.
  void clear(const Molecule &mol);

 private:
  // A single bond at an end of a double bond.
  struct Single {
    std::uint16_t bond = NO_INDEX;
    bool flipped = false;  // read towards the double bond at its end, or away from it at its beginning

    bool exists() const { return bond != NO_INDEX; }
  };
  // An end of a double bond, with its single bonds in the order in which they are visited.
  struct End {
    std::uint16_t atom;
    Single first, second;
    bool directed = false;  // any of the single bonds
  };
  // A double bond with stereo and those that follow on one of its single bonds.
  struct Stereo {
    std::uint16_t bond;
    std::vector<std::uint16_t> next;
  };

  void find_stereo();
  std::vector<std::uint16_t> next_stereo(const Bond &bond) const;
  bool direct(std::uint16_t bond);
  End end_of(std::uint16_t atom, std::uint16_t double_bond, bool is_begin) const;
  bool give(const End &end, Single &controlling);
  bool settle(const Bond &bond, const End &one, const End &two);
  void complete(const End &end);
  void copy(const Single &from, const Single &to);
  bool agree(const Single &one, const Single &two) const;
  Direction across(const Bond &bond, const End &from, const Single &given, const End &to,
                   const Single &wanted) const;
  void use(const Single &single, std::uint16_t atom);
  bool spreads() const;
  void drop_redundant();
  void drop_at(std::uint16_t bond, std::uint16_t atom);
  void release(std::uint16_t bond, std::uint16_t atom);

  const Molecule *mol_ = nullptr;
  const Visits *visits_ = nullptr;
  std::vector<Direction> direction_;
  std::vector<std::int8_t> uses_, atom_uses_;  // how many double bonds need a direction; how many directions an end has
  std::vector<Stereo> stereo_;
  std::vector<std::uint16_t> place_of_;  // per bond: its place in `stereo_`
  std::vector<bool> done_;
  std::vector<std::uint16_t> queue_;
};

}  // namespace molsieve::write
