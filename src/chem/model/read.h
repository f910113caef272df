// RDKit's molecules as flat ones.
#pragma once

#include "molsieve/src/chem/model/molecule.h"

#include <GraphMol/RDKitBase.h>

#include <optional>

namespace molsieve {

// RDKit's bond type and chiral tag, if the flat molecule has one for them.
std::optional<BondType> bond_type(const RDKit::Bond &bond);
std::optional<Chirality> chirality(const RDKit::Atom &atom);

// Elements that products may have: no metals, dummies or hydrogen atoms.
bool is_ordinary(unsigned int atomic_number);

// Reads a sanitized molecule. False: RDKit has to make the products of this molecule.
bool read_molecule(const RDKit::ROMol &from, Molecule &mol);

}  // namespace molsieve
