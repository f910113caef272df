// SMARTS of the kind that RDKit's table of Crippen contributions has: trees without rings, recursion or stereo, that
// describe an atom by its surroundings. Hydrogens are matched like atoms, though the flat molecule only counts them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "molsieve/src/chem/model/molecule.h"

namespace molsieve::describe {

// An atom of the molecule, or one of the hydrogens on it, which count from 1.
struct Place {
  std::uint16_t atom = 0;
  std::uint8_t hydrogen = 0;

  bool operator==(const Place &) const = default;
};

class Pattern {
 public:
  // Nothing if the text has anything else in it.
  static std::optional<Pattern> parse(std::string_view smarts);

  // Whether the pattern matches with its first atom at this place.
  bool matches(const Molecule &mol, Place first) const;

  // Bonds from the first atom to the furthest.
  unsigned int depth() const;
  // Whether the first atom can be of an element.
  bool may_begin_with(std::uint8_t number) const;
  // Whether so many atoms at the beginning are a chain that does not branch before its end.
  bool begins_with_chain(unsigned int atoms) const;
  // Whether the second atom can only be of an element.
  bool continues_with(std::uint8_t number) const;

 private:
  enum class Kind : std::uint8_t {
    Element, AliphaticElement, AromaticElement, Aliphatic, Aromatic, Hydrogens, Connections, Charge,
  };
  struct Primitive {
    Kind kind;
    bool negated;
    int value;
  };
  // Each `Any` of a query holds, which is so if one of its `All` does.
  using All = std::vector<Primitive>;
  using Any = std::vector<All>;
  using Query = std::vector<Any>;
  enum class BondKind : std::uint8_t { SingleOrAromatic, Single, Double, Triple, Aromatic };
  struct Node {
    Query query;
    BondKind bond = BondKind::SingleOrAromatic;  // to the parent
    unsigned int parent = 0, depth = 0;
  };
  class Parser;

  static bool names(const Primitive &primitive);
  static bool holds(const Primitive &primitive, const Molecule &mol, Place place);
  static bool holds(const Query &query, const Molecule &mol, Place place);
  static bool holds(BondKind bond, BondType type);
  bool extend(const Molecule &mol, std::vector<Place> &match) const;
  bool try_next(const Molecule &mol, std::vector<Place> &match, Place place, BondType type) const;

  std::vector<Node> nodes_;  // a parent comes before its children
};

}  // namespace molsieve::describe
