// The fast way from SMILES to a molecule. RDKit's own goes over an object per atom and bond in each of
// a dozen steps; here the steps work on flat arrays (draft.h). The RDKit molecule is made once, if it is needed, with
// every field as RDKit's steps would have left it. tests/parse.rs compares the two.
#include "molsieve/src/chem/parse/parse.h"

#include <GraphMol/MolOps.h>
#include <GraphMol/RingInfo.h>
#include <GraphMol/SmilesParse/SmilesParse.h>

#include <algorithm>

#include "molsieve/src/chem/model/valence.h"
#include "molsieve/src/chem/parse/draft.h"

namespace molsieve::parse {

using RDKit::RWMol;

namespace {

// RDKit sets valences only by a calculation over the finished molecule. A derived class may take pointers to the
// protected members.
struct Valences : RDKit::Atom {
  static constexpr auto explicit_valence = &Valences::d_explicitValence;
  static constexpr auto implicit_valence = &Valences::d_implicitValence;
};

// The properties RDKit gives to an atom, with a rank of zero, in its order.
RDKit::Dict make_properties(bool may_be_centre, const char *cip_code) {
  RDKit::Atom atom;
  atom.setProp(RDKit::common_properties::_CIPRank, 0u, true);
  if (may_be_centre) {
    atom.setProp(RDKit::common_properties::_ChiralityPossible, 1);
  }
  if (cip_code) {
    atom.setProp(RDKit::common_properties::_CIPCode, std::string(cip_code));
  }
  return atom.getDict();
}

// Copying them takes a third of the time that setting them takes.
const RDKit::Dict &properties_of(const Atom &atom) {
  static const RDKit::Dict plain = make_properties(false, nullptr);
  static const RDKit::Dict centre = make_properties(true, nullptr);
  static const RDKit::Dict r = make_properties(true, "R");
  static const RDKit::Dict s = make_properties(true, "S");
  return atom.cip_code ? atom.cip_code == 'R' ? r : s : atom.may_be_centre ? centre : plain;
}

void set_properties(RDKit::Atom &atom, const Atom &from) {
  atom.getDict() = properties_of(from);
  atom.getDict().setVal(RDKit::common_properties::_CIPRank,
                        static_cast<unsigned int>(from.cip_rank));
}

void add_atoms(const Draft &from, RWMol &mol, bool with_stereo) {
  for (const auto &atom : from.atoms) {
    auto made = std::make_unique<RDKit::Atom>(atom.number);
    made->setFormalCharge(atom.charge);
    made->setNoImplicit(atom.no_implicit);
    made->setNumExplicitHs(atom.explicit_hydrogens);
    made->setIsAromatic(atom.aromatic);
    made->setIsotope(atom.isotope);
    made->setChiralTag(static_cast<RDKit::Atom::ChiralType>(atom.chirality));
    made->setHybridization(static_cast<RDKit::Atom::HybridizationType>(atom.hybridization));
    (*made).*Valences::explicit_valence = atom.explicit_valence;
    (*made).*Valences::implicit_valence = atom.implicit_hydrogens;
    if (with_stereo && from.has_ranks) {
      set_properties(*made, atom);
    }
    mol.addAtom(made.release(), false, true);
  }
}

void add_bonds(const Draft &from, RWMol &mol, bool with_stereo) {
  for (const auto &bond : from.bonds) {
    auto made = std::make_unique<RDKit::Bond>(static_cast<RDKit::Bond::BondType>(bond.type));
    made->setBeginAtomIdx(bond.begin);
    made->setEndAtomIdx(bond.end);
    made->setIsAromatic(bond.aromatic);
    made->setIsConjugated(bond.conjugated);
    made->setBondDir(static_cast<RDKit::Bond::BondDir>(bond.direction));
    if (with_stereo && bond.stereo != NO_STEREO) {
      made->getStereoAtoms().assign(bond.stereo_atoms.begin(), bond.stereo_atoms.end());
      made->setStereo(static_cast<RDKit::Bond::BondStereo>(bond.stereo));
    }
    mol.addBond(made.release(), true);
  }
}

void add_rings(const Draft &from, RWMol &mol) {
  auto *rings = mol.getRingInfo();
  rings->initialize(RDKit::FIND_RING_TYPE_SYMM_SSSR);
  for (const auto &ring : from.rings) {
    const auto *atoms = &from.ring_atoms[ring.start];
    const auto *bonds = &from.ring_bonds[ring.start];
    rings->addRing({atoms, atoms + ring.size}, {bonds, bonds + ring.size});
  }
}

bool complete_valences(Draft &mol) {
  const auto needs_rdkit = [&](const Atom &atom) { return needs_cleanup(mol, atom); };
  return std::ranges::none_of(mol.atoms, needs_rdkit) &&
         std::ranges::all_of(mol.atoms, [&](Atom &atom) { return complete_valence(mol, atom); });
}

// The bonds are single, double or triple ones.
bool has_radicals(const Draft &mol) {
  return std::ranges::any_of(mol.atoms, [&](const Atom &atom) { return is_radical(mol, atom); });
}

// Hydrogens that an aromatic atom would lose, such as pyrrole's, become explicit. Outside rings no
// bond has changed since the valences were completed.
bool adjust_hydrogens(Draft &mol) {
  for (auto &atom : mol.atoms) {
    if (!atom.in_ring) {
      continue;
    }
    const int before = atom.implicit_hydrogens;
    if (!complete_valence(mol, atom)) {
      return false;
    }
    if (atom.implicit_hydrogens < before) {
      atom.explicit_hydrogens += before - atom.implicit_hydrogens;
      if (!complete_valence(mol, atom)) {
        return false;
      }
    }
  }
  return true;
}

// The steps of RDKit's parser and sanitizeMol, in their order. False: RDKit has to parse the text.
bool perceive(const std::string &smiles, Draft &mol) {
  if (!read_text(smiles, mol) || !complete_valences(mol) || !list_rings(mol) || !kekulize(mol) ||
      has_radicals(mol)) {
    return false;
  }
  set_aromaticity(mol);
  set_conjugation(mol);
  set_hybridization(mol);
  return adjust_hydrogens(mol);
}

}  // namespace

Drafted::Drafted() : draft_(std::make_unique<Draft>()) {}
Drafted::~Drafted() = default;

bool Drafted::read(const std::string &smiles) {
  unranked_.clear();
  if (!perceive(smiles, *draft_)) {
    return false;
  }
  has_stereo_ = set_stereo(*draft_);
  return true;
}

bool Drafted::read_flat(const std::string &smiles, Molecule &mol, Rings &rings) {
  unranked_.clear();
  if (!perceive(smiles, *draft_)) {
    return false;
  }
  if (set_stated_stereo(*draft_)) {
    unranked_ = smiles;
  } else if (has_stereo_ = set_stereo(*draft_); !has_stereo_) {
    return false;
  }
  return flatten(*draft_, mol, rings);
}

std::unique_ptr<RWMol> Drafted::make() {
  if (!unranked_.empty()) {
    read(std::string(unranked_));
  }
  auto mol = std::make_unique<RWMol>();
  add_atoms(*draft_, *mol, has_stereo_);
  add_bonds(*draft_, *mol, has_stereo_);
  add_rings(*draft_, *mol);
  mol->setProp(RDKit::common_properties::numArom, static_cast<int>(draft_->aromatic_rings), true);
  if (has_stereo_) {
    mol->setProp(RDKit::common_properties::_StereochemDone, 1, true);
  } else {
    RDKit::MolOps::assignStereochemistry(*mol, true, true, true);
  }
  return mol;
}

std::unique_ptr<RWMol> with_rdkit(const std::string &smiles) {
  return std::unique_ptr<RWMol>(RDKit::SmilesToMol(smiles));
}

std::unique_ptr<RWMol> fast(const std::string &smiles) {
  thread_local Drafted drafted;
  return drafted.read(smiles) ? drafted.make() : with_rdkit(smiles);
}

}  // namespace molsieve::parse
