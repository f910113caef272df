#include "molsieve/src/chem/draw/picture.h"

#include <GraphMol/Depictor/RDDepictor.h>
#include <GraphMol/MolDraw2D/MolDraw2DSVG.h>

#include <cmath>
#include <cstdlib>
#include <map>

namespace molsieve::draw {

namespace {

// RDKit's length of a bond in 2D coordinates.
constexpr double BOND = 1.5;
// Above so many atoms, coordinates are not checked for atoms that lie upon each other.
constexpr unsigned int CHECKED_ATOMS_MAX = 400;
// Pixels of a bond where there is room.
constexpr double BOND_PIXELS = 26;

RDDepict::Compute2DCoordParameters parameters() {
  RDDepict::Compute2DCoordParameters parameters;
  parameters.canonOrient = true;
  parameters.forceRDKit = true;
  parameters.useRingTemplates = true;
  return parameters;
}

// Whether no bond is much too long or short, and no two atoms lie upon each other.
bool is_legible(const RDKit::ROMol &mol) {
  const auto &conformer = mol.getConformer();
  const auto distance = [&conformer](unsigned int a, unsigned int b) {
    return (conformer.getAtomPos(a) - conformer.getAtomPos(b)).length();
  };
  for (const auto *bond : mol.bonds()) {
    const auto length = distance(bond->getBeginAtomIdx(), bond->getEndAtomIdx());
    if (length < 0.6 * BOND || length > 1.5 * BOND) {
      return false;
    }
  }
  const auto atoms = mol.getNumAtoms();
  for (unsigned int a = 0; a < atoms && atoms <= CHECKED_ATOMS_MAX; ++a) {
    for (unsigned int b = a + 1; b < atoms; ++b) {
      if (distance(a, b) < 0.4 * BOND && !mol.getBondBetweenAtoms(a, b)) {
        return false;
      }
    }
  }
  return true;
}

const RDKit::DrawColour &colour_of(Mark mark) {
  static const RDKit::DrawColour changed(1.0, 0.80, 0.45), added(0.60, 0.88, 0.60), removed(1.0, 0.66, 0.66);
  switch (mark) {
    case Mark::Added:
      return added;
    case Mark::Removed:
      return removed;
    default:
      return changed;
  }
}

struct Highlights {
  explicit Highlights(const std::vector<Mark> &marks) {
    for (std::size_t i = 0; i < marks.size(); ++i) {
      if (marks[i] != Mark::None) {
        numbers.push_back(static_cast<int>(i));
        colours.emplace(static_cast<int>(i), colour_of(marks[i]));
      }
    }
  }

  std::vector<int> numbers;
  std::map<int, RDKit::DrawColour> colours;
};

}  // namespace

void lay_out(RDKit::ROMol &mol) { RDDepict::compute2DCoords(mol, parameters()); }

void lay_out_beside(RDKit::ROMol &product, const RDKit::ROMol &parent, const std::vector<int> &origin) {
  RDGeom::INT_POINT2D_MAP places;
  RDKit::MatchVectType pairs;
  const auto &conformer = parent.getConformer();
  for (unsigned int atom = 0; atom < origin.size(); ++atom) {
    if (origin[atom] >= 0) {
      const auto &at = conformer.getAtomPos(origin[atom]);
      places.emplace(static_cast<int>(atom), RDGeom::Point2D(at.x, at.y));
      pairs.emplace_back(origin[atom], static_cast<int>(atom));
    }
  }
  auto beside = parameters();
  beside.canonOrient = false;
  beside.coordMap = &places;
  if (places.size() > 1) {
    RDDepict::compute2DCoords(product, beside);
    if (is_legible(product)) {
      return;
    }
  }
  lay_out(product);
  if (pairs.size() > 1) {
    RDDepict::ConstrainedDepictionParams turned;
    turned.alignOnly = true;
    RDDepict::generateDepictionMatching2DStructure(product, parent, pairs, -1, turned);
  }
}

std::string svg_of(const RDKit::ROMol &mol, const Marks &marks, const std::string &legend, Size size) {
  RDKit::MolDraw2DSVG drawer(size.width, size.height);
  auto &options = drawer.drawOptions();
  options.clearBackground = false;
  options.bondLineWidth = 1.5;
  options.fixedBondLength = BOND_PIXELS;
  options.padding = 0.03;
  options.legendFontSize = 13;
  options.legendFraction = 0.14;
  options.highlightBondWidthMultiplier = 10;
  const Highlights atoms(marks.atoms), bonds(marks.bonds);
  drawer.drawMolecule(mol, legend, &atoms.numbers, &bonds.numbers, &atoms.colours, &bonds.colours);
  drawer.finishDrawing();
  return drawer.getDrawingText();
}

}  // namespace molsieve::draw

// RDKit's library of pictures also has a class that draws bitmaps with cairo. molsieve draws SVG only, so cairo, and all that
// cairo needs (fontconfig, X11), is not shipped with it. These stand for cairo's functions, which nothing calls.
#define MOLSIEVE_NO_CAIRO(name) \
  void name(void) { std::abort(); }
extern "C" {
MOLSIEVE_NO_CAIRO(cairo_close_path)
MOLSIEVE_NO_CAIRO(cairo_create)
MOLSIEVE_NO_CAIRO(cairo_curve_to)
MOLSIEVE_NO_CAIRO(cairo_destroy)
MOLSIEVE_NO_CAIRO(cairo_fill)
MOLSIEVE_NO_CAIRO(cairo_fill_preserve)
MOLSIEVE_NO_CAIRO(cairo_get_current_point)
MOLSIEVE_NO_CAIRO(cairo_get_line_cap)
MOLSIEVE_NO_CAIRO(cairo_get_line_join)
MOLSIEVE_NO_CAIRO(cairo_get_reference_count)
MOLSIEVE_NO_CAIRO(cairo_get_target)
MOLSIEVE_NO_CAIRO(cairo_image_surface_create)
MOLSIEVE_NO_CAIRO(cairo_line_to)
MOLSIEVE_NO_CAIRO(cairo_move_to)
MOLSIEVE_NO_CAIRO(cairo_rectangle)
MOLSIEVE_NO_CAIRO(cairo_select_font_face)
MOLSIEVE_NO_CAIRO(cairo_set_dash)
MOLSIEVE_NO_CAIRO(cairo_set_font_size)
MOLSIEVE_NO_CAIRO(cairo_set_line_cap)
MOLSIEVE_NO_CAIRO(cairo_set_line_join)
MOLSIEVE_NO_CAIRO(cairo_set_line_width)
MOLSIEVE_NO_CAIRO(cairo_set_source_rgba)
MOLSIEVE_NO_CAIRO(cairo_show_text)
MOLSIEVE_NO_CAIRO(cairo_stroke)
MOLSIEVE_NO_CAIRO(cairo_surface_destroy)
MOLSIEVE_NO_CAIRO(cairo_surface_write_to_png_stream)
MOLSIEVE_NO_CAIRO(cairo_text_extents)
}
#undef MOLSIEVE_NO_CAIRO
