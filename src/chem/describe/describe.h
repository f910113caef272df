// The properties of a product, computed on the flat molecule with RDKit's values: counts exactly, reals by the same
// sums in the same order.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "molsieve/src/chem/describe/crippen.h"
#include "molsieve/src/chem/model/molecule.h"

namespace molsieve {
// The numbers of crate::property::Property.
enum class Property : std::uint8_t;
}  // namespace molsieve

namespace molsieve::describe {

constexpr std::size_t PROPERTIES_MAX = 16;

// Some of the properties.
class PropertySet {
 public:
  explicit PropertySet(std::uint32_t bits) : bits_(bits) {}
  bool has(Property property) const { return bits_ >> static_cast<unsigned int>(property) & 1; }
  bool empty() const { return bits_ == 0; }

 private:
  std::uint32_t bits_;
};

// A value for each property of a set; the others are undefined.
class Values {
 public:
  double &operator[](Property property) { return of_[static_cast<std::size_t>(property)]; }
  double operator[](std::size_t number) const { return of_[number]; }

 private:
  std::array<double, PROPERTIES_MAX> of_{};
};

// Gives a parent whose rings a product has too, and no others; empty if it has others. Per atom of the product: the parent's
// atom, or NO_INDEX.
struct Origin {
  std::function<const RDKit::ROMol &()> parent;
  const std::uint16_t *parent_of = nullptr;
};

class Describer {
 public:
  explicit Describer(PropertySet properties) : properties_(properties) {}

  // Replaces the properties that are computed.
  void set_properties(PropertySet properties) { properties_ = properties; }
  // Whether `describe` needs to know the rings.
  bool needs_rings() const;
  // Whether RDKit has to say how many centres a molecule has that it has perceived already.
  bool needs_centres() const;

  // Describes a product whose valences and ring membership are complete, and whose stereo is confirmed. Ranks its
  // atoms anew if centres are asked for. False: RDKit has to describe it.
  bool describe(Molecule &mol, const RingCounts &rings, const Origin &origin, Values &values);
  // The same for a molecule of which RDKit has counted the centres.
  bool describe_perceived(const Molecule &mol, const RingCounts &rings, unsigned int centres, Values &values);

 private:
  PropertySet properties_;
  CrippenTypes crippen_;
};

// By RDKit's own functions.
void describe_with_rdkit(const RDKit::ROMol &mol, PropertySet properties, Values &values);
unsigned int centres_with_rdkit(const RDKit::ROMol &mol);

// Whether both say the same: equal counts, and reals that differ by 1e-9 at most.
bool same_values(const Values &one, const Values &other, PropertySet properties);

// lipinski.cc: what RDKit counts by SMARTS.
unsigned int count_donors(const Molecule &mol);
unsigned int count_acceptors(const Molecule &mol);
unsigned int count_rotatable_bonds(const Molecule &mol);

// Whether an atom is in a ring of three, which RDKit lists in any case.
bool is_in_ring_of_three(const Molecule &mol, const Atom &atom);

// surface.cc: the polar surface area of Ertl et al., by RDKit's table.
double polar_surface(const Molecule &mol);

// centres.cc: the possible stereo centres. False: RDKit has to count them.
bool count_centres(Molecule &mol, const Origin &origin, unsigned int &centres);

}  // namespace molsieve::describe
