// 2D coordinates and pictures, by RDKit.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <string>
#include <vector>

#include "molsieve/src/chem/draw/change.h"

namespace molsieve::draw {

// Pixels.
struct Size {
  int width, height;
};

// Gives a molecule 2D coordinates.
void lay_out(RDKit::ROMol &mol);

// The same beside its parent, which has some: as far as possible, what both have stands at the same place, or else is turned the
// same way. `origin`: per atom of the product, the parent's atom, or -1.
void lay_out_beside(RDKit::ROMol &product, const RDKit::ROMol &parent, const std::vector<int> &origin);

// An SVG without background, with a legend below unless that is empty. Marked atoms and bonds have a colour each for what was changed, added and removed.
std::string svg_of(const RDKit::ROMol &mol, const Marks &marks, const std::string &legend, Size size);

}  // namespace molsieve::draw
