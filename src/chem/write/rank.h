// Canonical ranks of a molecule's atoms, the same that RDKit's Canon::rankMolAtoms gives.
#pragma once

#include "molsieve/src/chem/model/exchange.h"
#include "molsieve/src/chem/model/molecule.h"

#include <array>
#include <bitset>
#include <cstdint>

namespace molsieve::write {

// Refines classes of equal atoms until they no longer split, then breaks ties one by one. Follows RDKit's order of work
// step by step, because the order decides which of the possible numberings results. Reuses its memory.
class Ranker {
 public:
  // Ranks the atoms. False: the molecule is one of the highly symmetrical ones for which RDKit makes further
  // comparisons.
  bool rank(const Molecule &mol);
  // Whether a text written by the ranks would be the same for any order of the atoms: wherever a tie was broken, each of the
  // tied atoms could have been taken, because it can be exchanged with the one that was. The choices then lead to numberings
  // of which each is another one with atoms exchanged. False: this was not shown.
  bool is_settled() const { return is_settled_; }
  std::uint16_t operator[](std::size_t atom) const { return class_[atom]; }

 private:
  // What two atoms of a class are compared by: the invariant of the atom, the chirality of a stereo centre, its bonds
  // and the classes of its neighbours.
  struct Signature {
    std::uint64_t own;  // the invariant, then the chirality
    std::uint64_t around;
    std::uint16_t atom;
    std::uint16_t place;  // in its class before sorting

    bool operator<(const Signature &other) const {
      return own < other.own || (own == other.own && around < other.around);
    }
    bool operator==(const Signature &other) const { return own == other.own && around == other.around; }
  };

  void describe_atoms();
  Signature signature(std::uint16_t atom, std::uint16_t place) const;
  std::uint8_t chirality(std::uint16_t atom) const;
  void start();
  bool sort_packed();
  void refine();
  void sort_class(unsigned int offset, unsigned int length);
  void sort_signatures(unsigned int length);
  void renumber(unsigned int offset, unsigned int length);
  void activate(std::uint16_t atom);
  void activate_touched();
  void break_ties();
  void single_out(std::uint16_t atom);
  bool is_special() const;
  bool has_ties() const;
  bool are_exchangeable(unsigned int offset, unsigned int length);

  const Molecule *mol_ = nullptr;
  unsigned int size_ = 0;
  std::array<std::uint64_t, ATOMS_MAX> invariant_;
  std::array<std::array<std::uint16_t, PRODUCT_DEGREE_MAX>, ATOMS_MAX> bond_code_;
  std::array<std::uint16_t, ATOMS_MAX> class_;  // where the atom's class begins in order_
  std::array<std::uint16_t, ATOMS_MAX> order_;  // atoms, class by class
  std::array<std::uint16_t, ATOMS_MAX> count_;  // size of a class, at its first atom; else 0
  std::array<std::int16_t, ATOMS_MAX> next_;    // the stack of classes to refine
  std::array<bool, ATOMS_MAX> changed_;
  std::bitset<ATOMS_MAX> touched_;
  std::array<Signature, ATOMS_MAX> signatures_;
  std::array<std::uint64_t, ATOMS_MAX> packed_;
  std::int16_t active_ = -1;
  bool is_settled_ = false;
  Exchange exchange_;
};

}  // namespace molsieve::write
