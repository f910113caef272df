// Writes the SMILES of a product: the canonical one, the same text as RDKit::MolToSmiles, or a direct one.
#pragma once

#include "molsieve/src/chem/model/molecule.h"
#include "molsieve/src/chem/write/direction.h"
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
  // Whether the text that write() has made would be the same for any order of the atoms.
  bool is_settled() const { return ranks_.is_settled(); }
  // Writes with the atoms ranked by their numbers: no canonical SMILES, but one of the same molecule. Its stereo need not
  // be confirmed.
  bool write_directly(const Molecule &mol, std::string &text);

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
  // An atom that follows another one, by a bond.
  struct Next {
    std::uint16_t atom;
    std::uint16_t bond;
  };
  using Nexts = FixedVector<Next, PRODUCT_DEGREE_MAX>;
  // Most characters of an atom, and of any other step.
  static constexpr std::size_t ATOM_BYTES_MAX = 24, STEP_BYTES_MAX = 4;
  // Bonds of an atom, or numbers of ring closures at it.
  using Indices = FixedVector<std::uint16_t, PRODUCT_DEGREE_MAX>;

  bool write_from(std::uint16_t first, std::string &text);
  std::uint16_t rank(std::uint16_t atom) const { return is_direct_ ? atom : ranks_[atom]; }
  void prepare();
  void find_closures(std::uint16_t atom, std::uint16_t by);
  bool walk(std::uint16_t atom, std::uint16_t by);
  void follow(std::uint16_t bond, std::uint16_t from);
  bool write_closures(std::uint16_t atom);
  void orient_centres();

  void print(std::string &text);
  char *print_atom(std::uint16_t index, char *to) const;
  char *print_bond(const Step &step, char *to) const;

  const Molecule *mol_ = nullptr;
  Ranker ranks_;
  bool is_direct_ = false;
  std::vector<Step> steps_;
  std::vector<std::uint8_t> colour_;
  std::vector<Nexts> nexts_;       // those of each atom in the order in which they are written
  std::vector<Indices> closures_;  // ring closures of each atom, likewise
  std::vector<bool> number_in_use_;
  std::vector<Indices> bond_order_;  // as written
  Visits visits_;
  Slashes slashes_;
  std::vector<Chirality> chirality_;
  std::vector<char> printed_;
};

}  // namespace molsieve::write
