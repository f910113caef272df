// Writes the canonical SMILES of a product, the same text as RDKit::MolToSmiles.
#pragma once

#include "molsieve/src/chem/model/molecule.h"
#include "molsieve/src/chem/write/rank.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace molsieve::write {

class SmilesWriter {
 public:
  SmilesWriter();
  // Replaces `text`. The molecule is connected and its stereo confirmed. False: RDKit has to write it.
  bool write(const Molecule &mol, std::string &text);

 private:
  enum class Kind : std::uint8_t { Atom, Bond, Ring, Open, Close };
  struct Step {
    Kind kind;
    std::uint16_t index;  // atom, bond or number of the ring closure
    std::uint16_t from;   // the atom from which a bond is followed
  };
  struct Neighbour {
    std::int64_t priority;
    std::uint16_t atom;
    std::uint16_t bond;
  };
  using Neighbours = FixedVector<Neighbour, PRODUCT_DEGREE_MAX>;
  // Bonds of an atom, or numbers of ring closures at it.
  using Indices = FixedVector<std::uint16_t, PRODUCT_DEGREE_MAX>;
  // The single bonds at one end of a double bond, in the order in which they are visited.
  struct Side {
    std::uint16_t atom;
    std::uint16_t first = NO_INDEX;
    std::uint16_t second = NO_INDEX;
    bool directed = false;
  };

  void prepare();
  void find_closures(std::uint16_t atom, std::uint16_t by);
  bool walk(std::uint16_t atom, std::uint16_t by);
  bool write_closures(std::uint16_t atom);
  void orient_centres();

  bool direct_bonds();
  bool direct_bond(std::uint16_t bond);
  Side side(std::uint16_t atom, std::uint16_t double_bond) const;
  Direction given_direction(const Side &side, std::uint16_t &controlling);
  bool direct_from_first(const Bond &bond, std::uint16_t index, const Side &one, const Side &two,
                         std::uint16_t &controlling);
  bool direct_from_second(const Bond &bond, const Side &one, const Side &two);
  void direct_seconds(std::uint16_t index, const Side &one, const Side &two);
  void reverse_late_bonds(const Side &one, const Side &two, std::uint16_t controlling);
  void direct_next(const Side &two);
  void count(std::uint16_t bond, std::uint16_t atom, unsigned int times = 1);
  bool same_branch(std::uint16_t double_bond, std::uint16_t single_bond) const;
  bool refers_to_second(const Bond &bond, const Side &side, std::uint16_t single_bond) const;
  bool closes_backwards(std::uint16_t bond) const;
  void drop_redundant();
  void drop_around(std::uint16_t bond, std::uint16_t atom);
  bool ends_stereo(std::uint16_t atom, std::uint16_t except) const;

  void print(std::string &text) const;
  void print_atom(std::uint16_t index, std::string &text) const;
  void print_bond(const Step &step, std::string &text) const;

  const Molecule *mol_ = nullptr;
  Ranker ranks_;
  std::vector<Step> steps_;
  std::vector<std::uint8_t> colour_;
  std::vector<Indices> closures_;  // ring closures of each atom in the order in which they are written
  std::vector<std::uint16_t> closure_number_;  // per bond; 0: no closure (yet)
  std::vector<bool> number_in_use_;
  std::vector<Indices> bond_order_;  // as written
  std::vector<std::uint16_t> atom_visit_, bond_visit_;
  std::vector<Direction> direction_;
  std::vector<std::uint16_t> bond_uses_, atom_uses_;  // how many double bonds need the direction
  std::vector<Chirality> chirality_;
};

}  // namespace molsieve::write
