// RDKit's molecules as flat ones.
#pragma once

#include "molsieve/src/chem/model/molecule.h"

#include <GraphMol/RDKitBase.h>

#include <optional>

namespace molsieve {

// RDKit's bond type, if the flat molecule has one for it.
std::optional<BondType> bond_type(const RDKit::Bond &bond);

// Elements that products may have: no metals, dummies or hydrogen atoms.
bool is_ordinary(unsigned int atomic_number);

// Read what an atom or a bond of a molecule or of a template states: all but implicit hydrogens, valence and stereo of
// double bonds. False: the flat molecule has nothing for it.
bool read_stated(const RDKit::Atom &from, Atom &atom);
bool read_stated(const RDKit::Bond &from, Bond &bond);

// Reads a sanitized molecule. False: RDKit has to make the products of this molecule.
bool read_molecule(const RDKit::ROMol &from, Molecule &mol);

// Reads the atoms, bonds and rings of a sanitized molecule without its stereo. False: the flat molecule has nothing for
// something in it.
bool read_constitution(const RDKit::ROMol &from, Molecule &mol);

}  // namespace molsieve
