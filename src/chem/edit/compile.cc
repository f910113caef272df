// Reading a rule's templates. What is read is the molecule that RDKit's reaction runner begins a
// product with, so its own reading of the template counts.
#include "molsieve/src/chem/edit/edit.h"

#include <GraphMol/ChemReactions/ReactionRunner.h>
#include <GraphMol/Chirality.h>
#include <GraphMol/MolOps.h>

#include <algorithm>

namespace RDKit::ReactionRunnerUtils {
// Exported by RDKit's library, but in no header.
RWMOL_SPTR convertTemplateToMol(const ROMOL_SPTR prodTemplateSptr);
}  // namespace RDKit::ReactionRunnerUtils

namespace molsieve {

using RDKit::Atom;
using RDKit::Bond;
using RDKit::ROMol;
using RDKit::RWMol;
namespace properties = RDKit::common_properties;

namespace {
constexpr unsigned int CARBON = 6;

bool has_direction(const Bond &bond) { return bond.getBondDir() != Bond::NONE; }

// Whether RDKit finds the same rings whatever a parent brings along.
bool are_certain(const Graph &rings) {
  RWMol mol;
  for (const auto &atom : rings.atoms) {
    mol.addAtom(new Atom(atom.number), false, true);
  }
  for (const auto &bond : rings.bonds) {
    mol.addBond(bond.begin, bond.end, Bond::SINGLE);
  }
  RDKit::MolOps::symmetrizeSSSR(mol);
  return ring_certainty(rings, *mol.getRingInfo()) >= RingCertainty::Certain;
}

}  // namespace

std::optional<Edit> Edit::compile(const RDKit::ChemicalReaction &reaction, std::size_t product) {
  const auto &pattern = reaction.getProducts()[product];
  if (!reaction.getImplicitPropertiesFlag() || !pattern->getStereoGroups().empty()) {
    return {};
  }
  const auto mol = RDKit::ReactionRunnerUtils::convertTemplateToMol(pattern);
  Edit edit;
  if (!edit.read_template(*mol) || !edit.read_reactant(*reaction.getReactants()[0]) ||
      !edit.own_rings_hold(*mol)) {
    return {};
  }
  return edit;
}

bool Edit::read_template(const RWMol &mol) {
  if (mol.getNumAtoms() > GRAPH_ATOMS_MAX / 2) {
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
  return marks_are_whole(mol);
}

// Every mark (`/` or `\`) belongs to a double bond that has one mark at each end. Any other mark waits for
// marks of the parent's, or contradicts another; RDKit reads those. That a mark says something of a further
// double bond beside it (C=O in `C(=O)/C=C/C`) is looked at in each product (StereoFinder::might_spread).
bool Edit::marks_are_whole(const RWMol &mol) const {
  const auto marks_at = [&](const Atom *atom) {
    unsigned int marks = 0;
    for (const auto *bond : mol.atomBonds(atom)) {
      marks += has_direction(*bond);
    }
    return marks;
  };
  for (const auto *bond : mol.bonds()) {
    if (bond->getBondType() == Bond::DOUBLE) {
      const auto begin = marks_at(bond->getBeginAtom()), end = marks_at(bond->getEndAtom());
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
  return std::any_of(bonds_.begin(), bonds_.end(), [&](const GraphBond &bond) {
    return bond.stereo != NO_STEREO && (bond.begin == atom || bond.end == atom);
  });
}

bool Edit::read_atom(const Atom &atom) {
  TemplateAtom out;
  atom.getPropIfPresent(properties::reactionMapNum, out.map);
  out.takes_element = atom.getAtomicNum() == 0;
  if ((!out.takes_element && !is_ordinary(atom.getAtomicNum())) ||
      atom.hasProp(properties::_MolFileAtomQuery) || atom.getNumRadicalElectrons() != 0 ||
      atom.getDegree() > GRAPH_DEGREE_MAX || std::abs(atom.getFormalCharge()) > 9 ||
      atom.hasProp(properties::smilesSymbol) ||
      atom.hasProp(properties::_supplementalSmilesLabel)) {
    return false;
  }
  const auto tag = chiral_tag(atom);
  if (!tag) {
    return false;
  }
  out.atom.tag = *tag;
  has_tags_ |= out.atom.tag != NO_TAG;
  out.atom.number = atom.getAtomicNum();
  out.atom.charge = atom.getFormalCharge();
  out.atom.isotope = atom.getIsotope();
  out.atom.explicit_hydrogens = atom.getNumExplicitHs();
  out.atom.no_implicit = atom.getNoImplicit();
  out.atom.aromatic = atom.getIsAromatic();
  atom.getPropIfPresent(properties::molInversionFlag, out.stereo);
  out.sets_charge = atom.hasProp(properties::_QueryFormalCharge);
  out.sets_isotope = atom.hasProp(properties::_QueryIsotope);
  out.sets_hydrogens =
      atom.hasProp(properties::_ReactionDegreeChanged) || atom.hasProp(properties::_QueryHCount);
  atoms_.push_back(out);
  return true;
}

bool Edit::read_bond(const RWMol &mol, const Bond &bond) {
  GraphBond out;
  out.begin = bond.getBeginAtomIdx();
  out.end = bond.getEndAtomIdx();
  const auto type = bond_type(bond);
  if (!type) {
    return false;
  }
  out.type = *type;
  const auto direction = bond.getBondDir();
  if (bond.getIsAromatic() != (out.type == AROMATIC) || bond.hasProp(properties::NullBond) ||
      bond.hasProp(properties::_MolFileBondQuery) ||
      (direction != Bond::NONE && direction != Bond::ENDUPRIGHT &&
       direction != Bond::ENDDOWNRIGHT)) {
    return false;
  }
  bonds_.push_back(out);
  if (out.type != DOUBLE || bond.hasProp("_UnknownStereoRxnBond")) {
    return true;
  }
  const auto *start = RDKit::Chirality::getNeighboringDirectedBond(mol, bond.getBeginAtom());
  const auto *end = RDKit::Chirality::getNeighboringDirectedBond(mol, bond.getEndAtom());
  if (!start || !end) {
    return true;
  }
  auto &stereo = bonds_.back();
  const bool trans = (start->getBondDir() == end->getBondDir()) ^
                     (start->getBeginAtomIdx() == out.begin) ^
                     (end->getBeginAtomIdx() != out.end);
  stereo.stereo = trans ? E : Z;
  stereo.stereo_atoms = {static_cast<std::uint16_t>(start->getOtherAtomIdx(out.begin)),
                         static_cast<std::uint16_t>(end->getOtherAtomIdx(out.end))};
  has_stereo_ = true;
  return true;
}

// What becomes of the reactant's atoms.
bool Edit::read_reactant(const ROMol &mol) {
  std::vector<bool> mapped(atoms_.size(), false);
  for (const auto *atom : mol.atoms()) {
    const auto map = atom->getAtomMapNum();
    auto place = NO_INDEX;
    for (std::uint16_t i = 0; map != 0 && i < atoms_.size(); ++i) {
      if (atoms_[i].map == map) {
        if (place != NO_INDEX) {
          return false;  // the atom appears twice in the product
        }
        place = i;
        mapped[i] = true;
      }
    }
    becomes_.push_back(place);
  }
  for (const auto *bond : mol.bonds()) {
    const auto a = becomes_[bond->getBeginAtomIdx()], b = becomes_[bond->getEndAtomIdx()];
    if (a != NO_INDEX && b != NO_INDEX) {
      joined_.emplace_back(a, b);
    }
  }
  for (std::size_t i = 0; i < atoms_.size(); ++i) {
    // A tag on an atom of the parent's, or a wildcard that is none.
    if ((mapped[i] && atoms_[i].atom.tag != NO_TAG) || (!mapped[i] && atoms_[i].takes_element)) {
      return false;
    }
    if (!mapped[i]) {
      atoms_[i].map = 0;
    }
  }
  return true;
}

// Rings of new atoms are the same in every product. Whether RDKit sees them as the template says is
// tried once, with carbons in place of the mapped atoms.
bool Edit::own_rings_hold(const RWMol &mol) {
  Graph added;
  for (const auto &atom : atoms_) {
    added.atoms.push_back(atom.atom);
    added.atoms.back().degree = 0;
  }
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    const bool own = atoms_[bonds_[i].begin].map == 0 && atoms_[bonds_[i].end].map == 0;
    if (own && added.add_bond(bonds_[i].begin, bonds_[i].end, bonds_[i].type)) {
      kept.push_back(i);
    }
  }
  find_rings(added);
  own_ring_.assign(bonds_.size(), false);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    own_ring_[kept[i]] = added.bonds[i].in_ring;
  }
  RWMol trial(mol);
  for (const auto &bond : bonds_) {
    const bool begin_mapped = atoms_[bond.begin].map != 0, end_mapped = atoms_[bond.end].map != 0;
    if (begin_mapped && end_mapped) {
      trial.removeBond(bond.begin, bond.end);
    } else if ((begin_mapped || end_mapped) && bond.type != SINGLE) {
      // What a new ring becomes may then depend on the mapped atom's element.
      const auto own = begin_mapped ? bond.end : bond.begin;
      if (bond.type == AROMATIC || added.atoms[own].in_ring) {
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
  for (const auto *atom : trial.atoms()) {
    const auto &mine = atoms_[atom->getIdx()];
    if (mine.map == 0 && (atom->getIsAromatic() != mine.atom.aromatic ||
                          atom->getFormalCharge() != mine.atom.charge)) {
      return false;
    }
  }
  for (std::size_t i = 0; i < added.atoms.size(); ++i) {
    const auto &atom = *trial.getAtomWithIdx(i);
    added.atoms[i].hydrogens = atom.getTotalDegree() - added.atoms[i].degree;
  }
  return own_bonds_hold(trial) && are_certain(added);
}

// Bonds between new atoms are what the template says, once RDKit has sanitized them. A bond without a
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

}  // namespace molsieve
