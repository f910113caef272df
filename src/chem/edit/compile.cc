// Reads a rule's templates from the molecule with which RDKit's reaction runner begins a product, so that RDKit's own
// interpretation of the template counts.
#include "molsieve/src/chem/edit/edit.h"

#include <GraphMol/ChemReactions/ReactionRunner.h>
#include <GraphMol/Chirality.h>
#include <GraphMol/MolOps.h>

#include <algorithm>
#include <numeric>

#include "molsieve/src/chem/model/read.h"

namespace RDKit::ReactionRunnerUtils {
// Exported by RDKit's library, but in no header.
RWMOL_SPTR convertTemplateToMol(const ROMOL_SPTR prodTemplateSptr);
}  // namespace RDKit::ReactionRunnerUtils

namespace molsieve::edit {

using RDKit::ROMol;
using RDKit::RWMol;
namespace properties = RDKit::common_properties;

namespace {

bool has_direction(const RDKit::Bond &bond) { return bond.getBondDir() != RDKit::Bond::NONE; }

}  // namespace

std::optional<Edit> Edit::compile(const RDKit::ChemicalReaction &reaction, std::size_t product) {
  const auto &pattern = reaction.getProducts()[product];
  if (!reaction.getImplicitPropertiesFlag() || !pattern->getStereoGroups().empty()) {
    return {};
  }
  const auto mol = RDKit::ReactionRunnerUtils::convertTemplateToMol(pattern);
  Edit edit;
  if (!edit.read_template(*mol)) {
    return {};
  }
  std::vector<bool> mapped(edit.atoms_.size(), false);
  for (const auto &reactant : reaction.getReactants()) {
    if (!edit.read_reactant(*reactant, mapped)) {
      return {};
    }
  }
  if (!edit.end_reactants(mapped) || !edit.own_rings_hold(*mol)) {
    return {};
  }
  edit.hangs_ = edit.new_atoms_hang();
  return edit;
}

bool Edit::read_template(const RWMol &mol) {
  if (mol.getNumAtoms() > ATOMS_MAX / 2) {
    return false;
  }
  for (const auto *atom : mol.atoms()) {
    if (!read_atom(*atom)) {
      return false;
    }
  }
  for (const auto *bond : mol.bonds()) {
    if (!read_bond(mol, *bond)) {
      return false;
    }
  }
  return directions_are_complete(mol);
}

// Every direction (`/` or `\`) belongs to a double bond that has one direction at each end. RDKit has to interpret any
// other direction, since it contradicts another one or depends on directions in the parent. Whether a direction also
// affects a neighbouring double bond (C=O in `C(=O)/C=C/C`) is checked in each product (see stereo.cc).
bool Edit::directions_are_complete(const RWMol &mol) const {
  const auto directions_at = [&](const RDKit::Atom *atom) {
    unsigned int directions = 0;
    for (const auto *bond : mol.atomBonds(atom)) {
      directions += has_direction(*bond);
    }
    return directions;
  };
  for (const auto *bond : mol.bonds()) {
    if (bond->getBondType() == RDKit::Bond::DOUBLE) {
      const auto begin = directions_at(bond->getBeginAtom());
      const auto end = directions_at(bond->getEndAtom());
      const bool has_stereo = bonds_[bond->getIdx()].stereo != NO_STEREO;
      if (has_stereo ? begin != 1 || end != 1 : begin != 0 && end != 0) {
        return false;
      }
    } else if (has_direction(*bond) && !ends_stereo(bond->getBeginAtomIdx()) &&
               !ends_stereo(bond->getEndAtomIdx())) {
      return false;
    }
  }
  return true;
}

// Whether a double bond of the template that has stereo ends at an atom.
bool Edit::ends_stereo(std::uint16_t atom) const {
  return std::ranges::any_of(bonds_, [&](const Bond &bond) {
    return bond.stereo != NO_STEREO && (bond.begin == atom || bond.end == atom);
  });
}

bool Edit::read_atom(const RDKit::Atom &from) {
  TemplateAtom out;
  from.getPropIfPresent(properties::reactionMapNum, out.map);
  out.takes_element = from.getAtomicNum() == 0;
  if (!read_stated(from, out.atom) || (!out.takes_element && !is_ordinary(out.atom.number)) ||
      from.hasProp(properties::_MolFileAtomQuery)) {
    return false;
  }
  has_chirality_ |= out.atom.chirality != NO_CHIRALITY;
  from.getPropIfPresent(properties::molInversionFlag, out.chirality_rule);
  out.sets_charge = from.hasProp(properties::_QueryFormalCharge);
  out.sets_isotope = from.hasProp(properties::_QueryIsotope);
  out.sets_hydrogens =
      from.hasProp(properties::_ReactionDegreeChanged) || from.hasProp(properties::_QueryHCount);
  atoms_.push_back(out);
  return true;
}

bool Edit::read_bond(const RWMol &mol, const RDKit::Bond &from) {
  Bond bond;
  if (!read_stated(from, bond) || from.hasProp(properties::NullBond) ||
      from.hasProp(properties::_MolFileBondQuery)) {
    return false;
  }
  if (bond.type == DOUBLE && !from.hasProp("_UnknownStereoRxnBond")) {
    const auto *start = RDKit::Chirality::getNeighboringDirectedBond(mol, from.getBeginAtom());
    const auto *end = RDKit::Chirality::getNeighboringDirectedBond(mol, from.getEndAtom());
    if (start && end) {
      const bool trans = (start->getBondDir() == end->getBondDir()) ^
                         (start->getBeginAtomIdx() == bond.begin) ^
                         (end->getBeginAtomIdx() != bond.end);
      bond.stereo = trans ? E : Z;
      bond.stereo_atoms = {static_cast<std::uint16_t>(start->getOtherAtomIdx(bond.begin)),
                           static_cast<std::uint16_t>(end->getOtherAtomIdx(bond.end))};
      has_stereo_ = true;
    }
  }
  bonds_.push_back(bond);
  return true;
}

// What becomes of a reactant's atoms. `mapped`: the atoms of the product that are those of a reactant.
bool Edit::read_reactant(const ROMol &mol, std::vector<bool> &mapped) {
  const auto first = becomes_.size();
  for (const auto *atom : mol.atoms()) {
    const auto map = atom->getAtomMapNum();
    auto place = NO_INDEX;
    for (std::uint16_t i = 0; map != 0 && i < atoms_.size(); ++i) {
      if (atoms_[i].map == map) {
        if (place != NO_INDEX || mapped[i]) {
          return false;  // the atom appears twice in the product, or two atoms have its number
        }
        place = i;
        mapped[i] = true;
      }
    }
    becomes_.push_back(place);
  }
  for (const auto *bond : mol.bonds()) {
    const auto a = becomes_[first + bond->getBeginAtomIdx()];
    const auto b = becomes_[first + bond->getEndAtomIdx()];
    if (a != NO_INDEX && b != NO_INDEX) {
      joined_.emplace_back(a, b);
    }
  }
  return true;
}

// What becomes of the product's atoms, once all reactants are read.
bool Edit::end_reactants(const std::vector<bool> &mapped) {
  for (std::size_t i = 0; i < atoms_.size(); ++i) {
    // Chirality on an atom of the parent, or a new wildcard.
    if ((mapped[i] && atoms_[i].atom.chirality != NO_CHIRALITY) ||
        (!mapped[i] && atoms_[i].takes_element)) {
      return false;
    }
    if (!mapped[i]) {
      atoms_[i].map = 0;
    }
  }
  return true;
}

// Rings of new atoms are the same in every product. Checks once whether RDKit finds them as the template states them,
// with carbons in place of the mapped atoms.
bool Edit::own_rings_hold(const RWMol &mol) {
  const auto own = own_molecule();
  RWMol trial(mol);
  if (!make_trial(trial, own)) {
    return false;
  }
  for (const auto *atom : trial.atoms()) {
    const auto &from = atoms_[atom->getIdx()];
    if (from.map == 0 && (atom->getIsAromatic() != from.atom.aromatic ||
                          atom->getFormalCharge() != from.atom.charge)) {
      return false;
    }
  }
  count_own_rings(trial);
  return own_bonds_hold(trial);
}

void Edit::count_own_rings(const RWMol &sanitized) {
  const auto &rings = *sanitized.getRingInfo();
  for (unsigned int i = 0; i < rings.numRings(); ++i) {
    if (std::ranges::all_of(rings.atomRings()[i], [&](auto atom) { return atoms_[atom].map == 0; })) {
      ++own_rings_.all;
      own_rings_.aromatic += std::ranges::all_of(rings.bondRings()[i], [&](auto bond) {
        return sanitized.getBondWithIdx(bond)->getIsAromatic();
      });
    }
  }
}

// The template with only the bonds between new atoms. Also finds which of them are in rings.
Molecule Edit::own_molecule() {
  Molecule own;
  for (const auto &atom : atoms_) {
    own.atoms.push_back(atom.atom);
  }
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    const auto &bond = bonds_[i];
    if (atoms_[bond.begin].map == 0 && atoms_[bond.end].map == 0 &&
        own.add_bond(bond.begin, bond.end, bond.type)) {
      kept.push_back(i);
    }
  }
  find_rings(own);
  own_ring_.assign(bonds_.size(), false);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    own_ring_[kept[i]] = own.bonds[i].in_ring;
  }
  return own;
}

// Whether the template is connected, and each group of new atoms hangs on it by one bond: they then close no ring, and the
// product is connected.
bool Edit::new_atoms_hang() const {
  // Per atom: the least atom that bonds join it with, in all, and by new atoms only.
  std::vector<std::uint16_t> all(atoms_.size()), of_new(atoms_.size());
  std::iota(all.begin(), all.end(), 0);
  of_new = all;
  const auto join = [](std::vector<std::uint16_t> &of, std::uint16_t a, std::uint16_t b) {
    const auto kept = std::min(of[a], of[b]), replaced = std::max(of[a], of[b]);
    std::ranges::replace(of, replaced, kept);
  };
  const auto is_new = [&](std::uint16_t atom) { return atoms_[atom].map == 0; };
  for (const auto &bond : bonds_) {
    join(all, bond.begin, bond.end);
    if (is_new(bond.begin) && is_new(bond.end)) {
      join(of_new, bond.begin, bond.end);
    }
  }
  std::vector<unsigned int> hangs_by(atoms_.size(), 0);
  for (const auto &bond : bonds_) {
    if (is_new(bond.begin) != is_new(bond.end)) {
      ++hangs_by[of_new[is_new(bond.begin) ? bond.begin : bond.end]];
    }
  }
  return std::ranges::all_of(all, [](auto first) { return first == 0; }) &&
         std::ranges::all_of(hangs_by, [](auto bonds) { return bonds < 2; });
}

// Puts carbons in place of the mapped atoms, removes the bonds between them, and sanitizes. False: a new ring may depend
// on the element of a mapped atom, or RDKit rejects the molecule.
bool Edit::make_trial(RWMol &trial, const Molecule &own) const {
  for (const auto &bond : bonds_) {
    const bool begin_mapped = atoms_[bond.begin].map != 0, end_mapped = atoms_[bond.end].map != 0;
    if (begin_mapped && end_mapped) {
      trial.removeBond(bond.begin, bond.end);
    } else if ((begin_mapped || end_mapped) && bond.type != SINGLE) {
      const auto new_atom = begin_mapped ? bond.end : bond.begin;
      if (bond.type == AROMATIC || own.atoms[new_atom].in_ring) {
        return false;
      }
    }
  }
  for (auto *atom : trial.atoms()) {
    if (atoms_[atom->getIdx()].map != 0) {
      atom->setAtomicNum(CARBON);
      atom->setFormalCharge(0);
      atom->setNumExplicitHs(0);
      atom->setNoImplicit(false);
      atom->setIsAromatic(false);
    }
  }
  try {
    RDKit::MolOps::sanitizeMol(trial);
  } catch (const std::exception &) {
    return false;
  }
  return true;
}

// Bonds between new atoms are as the template states them, once RDKit has sanitized them. A bond without a
// symbol between two new aromatic rings (`c1ccccc1c1ccccc1`) is aromatic in the template and single then.
bool Edit::own_bonds_hold(const RWMol &sanitized) {
  const auto is_plain_aromatic_carbon = [&](std::uint16_t index) {
    const auto &atom = atoms_[index].atom;
    return atom.number == CARBON && atom.charge == 0 && atom.aromatic && !atom.no_implicit &&
           sanitized.getAtomWithIdx(index)->getDegree() == 3;
  };
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    auto &bond = bonds_[i];
    if (atoms_[bond.begin].map != 0 || atoms_[bond.end].map != 0) {
      continue;
    }
    const auto type = bond_type(*sanitized.getBondBetweenAtoms(bond.begin, bond.end));
    if (type == SINGLE && bond.type == AROMATIC && !own_ring_[i] &&
        is_plain_aromatic_carbon(bond.begin) && is_plain_aromatic_carbon(bond.end)) {
      bond.type = SINGLE;
    } else if (type != bond.type) {
      return false;
    }
  }
  return true;
}

}  // namespace molsieve::edit
