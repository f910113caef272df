#include "molsieve/src/chem/model/read.h"

#include <GraphMol/Chirality.h>
#include <GraphMol/RingInfo.h>

#include <algorithm>

namespace molsieve {

namespace properties = RDKit::common_properties;

std::optional<BondType> bond_type(const RDKit::Bond &bond) {
  switch (bond.getBondType()) {
    case RDKit::Bond::SINGLE: return SINGLE;
    case RDKit::Bond::DOUBLE: return DOUBLE;
    case RDKit::Bond::TRIPLE: return TRIPLE;
    case RDKit::Bond::AROMATIC: return AROMATIC;
    default: return {};
  }
}

bool is_ordinary(unsigned int atomic_number) {
  switch (atomic_number) {
    case BORON: case CARBON: case NITROGEN: case OXYGEN: case FLUORINE: case SILICON:
    case PHOSPHORUS: case SULFUR: case CHLORINE: case SELENIUM: case BROMINE: case IODINE:
      return true;
    default:
      return false;
  }
}

bool read_stated(const RDKit::Atom &from, Atom &atom) {
  switch (from.getChiralTag()) {
    case RDKit::Atom::CHI_UNSPECIFIED: atom.chirality = NO_CHIRALITY; break;
    case RDKit::Atom::CHI_TETRAHEDRAL_CW: atom.chirality = CLOCKWISE; break;
    case RDKit::Atom::CHI_TETRAHEDRAL_CCW: atom.chirality = COUNTERCLOCKWISE; break;
    default: return false;
  }
  atom.number = from.getAtomicNum();
  atom.charge = from.getFormalCharge();
  atom.isotope = from.getIsotope();
  atom.explicit_hydrogens = from.getNumExplicitHs();
  atom.no_implicit = from.getNoImplicit();
  atom.aromatic = from.getIsAromatic();
  return from.getDegree() <= PRODUCT_DEGREE_MAX && from.getNumRadicalElectrons() == 0 &&
         std::abs(from.getFormalCharge()) <= 9 && !from.hasProp(properties::smilesSymbol) &&
         !from.hasProp(properties::_supplementalSmilesLabel);
}

bool read_stated(const RDKit::Bond &from, Bond &bond) {
  const auto type = bond_type(from);
  const auto direction = from.getBondDir();
  bond.begin = from.getBeginAtomIdx();
  bond.end = from.getEndAtomIdx();
  bond.type = type.value_or(UNSPECIFIED);
  return type && from.getIsAromatic() == (type == AROMATIC) &&
         (direction == RDKit::Bond::NONE || direction == RDKit::Bond::ENDUPRIGHT ||
          direction == RDKit::Bond::ENDDOWNRIGHT);
}

namespace {

void read_perceived(const RDKit::Atom &from, Atom &atom) {
  atom.implicit_hydrogens = from.getTotalNumHs() - from.getNumExplicitHs();
  atom.explicit_valence = from.getTotalValence() - atom.implicit_hydrogens;
  atom.hybridization = from.getHybridization();
}

// Sets the neighbours of each atom, and what is in rings.
void join(const RDKit::ROMol &from, const RDKit::RingInfo &rings, Molecule &mol) {
  for (const auto *atom : from.atoms()) {
    auto &to = mol.atoms[atom->getIdx()];
    for (const auto *bond : from.atomBonds(atom)) {
      to.bonds[to.degree] = bond->getIdx();
      to.neighbours[to.degree++] = bond->getOtherAtomIdx(atom->getIdx());
    }
    to.in_ring = rings.numAtomRings(atom->getIdx()) != 0;
  }
  for (unsigned int i = 0; i < mol.bonds.size(); ++i) {
    mol.bonds[i].in_ring = rings.numBondRings(i) != 0;
  }
}

bool read_atom(const RDKit::Atom &from, Molecule &mol) {
  Atom atom;
  if (!read_stated(from, atom) || !is_ordinary(from.getAtomicNum()) || from.getIsotope() > 0xffff ||
      from.hasQuery() || from.getMonomerInfo() || from.hasProp(properties::molAtomMapNumber) ||
      from.hasProp(properties::_ringStereoAtoms)) {
    return false;
  }
  read_perceived(from, atom);
  mol.has_chirality |= atom.chirality != NO_CHIRALITY;
  mol.atoms.push_back(atom);
  return true;
}

bool read_bond(const RDKit::Bond &from, Molecule &mol, bool &has_direction) {
  Bond bond;
  if (!read_stated(from, bond) || from.hasQuery()) {
    return false;
  }
  has_direction |= bond.type == SINGLE && from.getBondDir() != RDKit::Bond::NONE;
  switch (from.getStereo()) {
    case RDKit::Bond::STEREONONE: break;
    case RDKit::Bond::STEREOZ: bond.stereo = Z; break;
    case RDKit::Bond::STEREOE: bond.stereo = E; break;
    default: return false;
  }
  if (bond.stereo != NO_STEREO) {
    const auto &around = from.getStereoAtoms();
    if (bond.type != DOUBLE || around.size() != 2) {
      return false;
    }
    bond.stereo_atoms = {static_cast<std::uint16_t>(around[0]),
                         static_cast<std::uint16_t>(around[1])};
    mol.has_stereo = true;
  }
  mol.bonds.push_back(bond);
  return true;
}

// Whether each single bond with a direction is beside a double bond with stereo.
bool directions_are_used(const RDKit::ROMol &from, const Molecule &mol) {
  const auto has_stereo = stereo_ends(mol);
  auto bonds = from.bonds();
  return std::all_of(bonds.begin(), bonds.end(), [&](const auto *bond) {
    return bond->getBondDir() == RDKit::Bond::NONE || has_stereo[bond->getBeginAtomIdx()] ||
           has_stereo[bond->getEndAtomIdx()];
  });
}

}  // namespace

bool read_constitution(const RDKit::ROMol &from, Molecule &mol) {
  mol.clear();
  const auto *rings = from.getRingInfo();
  if (from.getNumAtoms() > ATOMS_MAX || from.getNumBonds() > BONDS_MAX || !rings->isInitialized()) {
    return false;
  }
  for (const auto *atom : from.atoms()) {
    Atom to;
    // Of what is read here, chirality alone is not the constitution's.
    if (!read_stated(*atom, to) || !is_ordinary(to.number) || atom->hasQuery()) {
      return false;
    }
    read_perceived(*atom, to);
    mol.atoms.push_back(to);
  }
  for (const auto *bond : from.bonds()) {
    Bond to;
    if (!read_stated(*bond, to) || bond->hasQuery()) {
      return false;
    }
    mol.bonds.push_back(to);
  }
  join(from, *rings, mol);
  return true;
}

bool read_molecule(const RDKit::ROMol &from, Molecule &mol) {
  mol.clear();
  if (from.getNumAtoms() > ATOMS_MAX || from.getNumBonds() > BONDS_MAX ||
      !from.getStereoGroups().empty() || from.getNumConformers() != 0) {
    return false;
  }
  for (const auto *atom : from.atoms()) {
    if (!read_atom(*atom, mol)) {
      return false;
    }
  }
  bool has_direction = false;
  for (const auto *bond : from.bonds()) {
    if (!read_bond(*bond, mol, has_direction)) {
      return false;
    }
  }
  // RDKit's reaction runner transfers stereo only if a single bond has a direction. A direction beside no double
  // bond with stereo may gain a meaning in a product.
  if (mol.has_stereo != has_direction || (has_direction && !directions_are_used(from, mol))) {
    return false;
  }
  join(from, *from.getRingInfo(), mol);
  return true;
}

}  // namespace molsieve
