// Reading a rule's templates. What is read is the molecule that RDKit's reaction runner begins a
// product with, so its own reading of the template counts.
#include "molsieve/src/chem/edit.h"

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
  return true;
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
    if (atoms_[bond.begin].map != 0 && atoms_[bond.end].map != 0) {
      trial.removeBond(bond.begin, bond.end);
    } else if (bond.type == AROMATIC &&
               (atoms_[bond.begin].map != 0 || atoms_[bond.end].map != 0)) {
      return false;
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
  return true;
}

}  // namespace molsieve
