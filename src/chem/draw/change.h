// What a rule has changed: atoms and bonds of a product that its parent does not have so, and the other way round.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <cstdint>
#include <vector>

namespace molsieve::draw {

enum class Mark : std::uint8_t { None, Changed, Added, Removed };

// The marks of a molecule's atoms and bonds, by index. Empty: it has none.
struct Marks {
  std::vector<Mark> atoms, bonds;

  bool any() const;
};

struct Change {
  Marks product, parent;
  // Per atom of the product: the parent's atom, or -1.
  std::vector<int> origin;
};

// Compares a product of RDKit's reaction runner, sanitized, with its parent, which was reactant number `place`.
Change find_change(const RDKit::ROMol &product, const RDKit::ROMol &parent, int place);

// The change with the product's atoms in another molecule: per atom of that one, the atom of the product. Both have the same
// bonds.
Change moved(const Change &change, const RDKit::ROMol &product, const RDKit::ROMol &to,
             const std::vector<unsigned int> &product_atom);

}  // namespace molsieve::draw
