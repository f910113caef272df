// RDKit's ranks of atoms by the rules of Cahn, Ingold and Prelog: its legacy code, after Labute, J. CCG 1996.
#pragma once

#include "molsieve/src/chem/model/molecule.h"

namespace molsieve {

// Ranks the atoms by element and isotope, then by their neighbours' ranks until nothing changes; sets `cip_rank`.
// False: an atom has more bonds and hydrogens than are covered.
bool rank_by_cip(Molecule &mol);

// The same, ended as soon as the ranks decide something. A round only splits classes, so different ranks stay different and
// in their order.
bool rank_by_cip_until(Molecule &mol, bool (*decided)(const Molecule &));

// Ranks the atoms again, by the ranks they have and the CIP codes and double bond stereo found since.
bool rank_by_cip_and_stereo(Molecule &mol);

// Whether any two neighbours of an atom have the same rank.
bool neighbours_tie(const Molecule &mol, const Atom &atom);

// R or S of a chiral atom whose neighbours have different ranks.
char cip_code(const Molecule &mol, const Atom &atom);

}  // namespace molsieve
