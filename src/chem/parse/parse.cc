// The fast way from SMILES to a molecule. RDKit's own goes over an object per atom and bond in each of
// a dozen steps; here the steps work on flat arrays (parse/flat.h), and the RDKit molecule is made
// once, with every field as RDKit's steps would have left it. tests/parse.rs compares the two.
#include "molsieve/src/chem/parse/parse.h"

#include <GraphMol/Chirality.h>
#include <GraphMol/MolOps.h>
#include <GraphMol/RingInfo.h>
#include <GraphMol/SmilesParse/SmilesParse.h>

#include "molsieve/src/chem/parse/flat.h"

namespace molsieve {

using RDKit::Atom;
using RDKit::Bond;
using RDKit::RWMol;

namespace {

// RDKit keeps valences where only it can set them, by a calculation over the finished molecule; the
// members are reached by the door a derived class has.
struct Valences : Atom {
  static constexpr auto explicit_valence = &Valences::d_explicitValence;
  static constexpr auto implicit_valence = &Valences::d_implicitValence;
};

// The properties RDKit gives to an atom, with a rank of zero, in its order.
RDKit::Dict make_properties(bool may_be_center, const char *cip_code) {
  Atom atom;
  atom.setProp(RDKit::common_properties::_CIPRank, 0u, true);
  if (may_be_center) {
    atom.setProp(RDKit::common_properties::_ChiralityPossible, 1);
  }
  if (cip_code) {
    atom.setProp(RDKit::common_properties::_CIPCode, std::string(cip_code));
  }
  return atom.getDict();
}

// Copied, they take a third of the time that setting them takes.
const RDKit::Dict &properties_like(const flat::Atom &atom) {
  static const RDKit::Dict plain = make_properties(false, nullptr);
  static const RDKit::Dict center = make_properties(true, nullptr);
  static const RDKit::Dict r = make_properties(true, "R");
  static const RDKit::Dict s = make_properties(true, "S");
  return atom.cip_code ? atom.cip_code == 'R' ? r : s : atom.may_be_center ? center : plain;
}

void set_properties(Atom &atom, const flat::Atom &from) {
  constexpr std::size_t RANK_PLACE = 1;  // after the list of computed properties
  atom.getDict() = properties_like(from);
  atom.getDict().getData()[RANK_PLACE].val = static_cast<unsigned int>(from.rank);
}

void add_atoms(const flat::Molecule &from, RWMol &mol, bool with_stereo) {
  for (unsigned int i = 0; i < from.atom_count; ++i) {
    const auto &atom = from.atoms[i];
    auto made = std::make_unique<Atom>(atom.number);
    made->setFormalCharge(atom.charge);
    made->setNoImplicit(atom.no_implicit);
    made->setNumExplicitHs(atom.explicit_hs);
    made->setIsAromatic(atom.aromatic);
    made->setIsotope(atom.isotope);
    made->setChiralTag(static_cast<Atom::ChiralType>(atom.chirality));
    made->setHybridization(static_cast<Atom::HybridizationType>(atom.hybridization));
    (*made).*Valences::explicit_valence = atom.explicit_valence;
    (*made).*Valences::implicit_valence = atom.implicit_valence;
    if (with_stereo) {
      set_properties(*made, atom);
    }
    mol.addAtom(made.release(), false, true);
  }
}

void add_bonds(const flat::Molecule &from, RWMol &mol, bool with_stereo) {
  for (unsigned int i = 0; i < from.bond_count; ++i) {
    const auto &bond = from.bonds[i];
    auto made = std::make_unique<Bond>(bond.order);
    made->setBeginAtomIdx(bond.begin);
    made->setEndAtomIdx(bond.end);
    made->setIsAromatic(bond.aromatic);
    made->setIsConjugated(bond.conjugated);
    made->setBondDir(bond.direction);
    if (with_stereo && bond.stereo != flat::Stereo::STEREONONE) {
      made->getStereoAtoms().assign(bond.stereo_atoms.begin(), bond.stereo_atoms.end());
      made->setStereo(bond.stereo);
    }
    mol.addBond(made.release(), true);
  }
}

void add_rings(const flat::Molecule &from, RWMol &mol) {
  auto *rings = mol.getRingInfo();
  rings->initialize(RDKit::FIND_RING_TYPE_SYMM_SSSR);
  for (unsigned int i = 0; i < from.ring_count; ++i) {
    const auto &ring = from.rings[i];
    const auto *atoms = &from.ring_atoms[ring.start];
    const auto *bonds = &from.ring_bonds[ring.start];
    rings->addRing({atoms, atoms + ring.size}, {bonds, bonds + ring.size});
  }
}

// The steps of RDKit's parser and sanitizeMol, in their order. False: not an ordinary molecule.
bool perceive(const std::string &smiles, flat::Molecule &mol) {
  return flat::read_text(smiles, mol) && !flat::needs_cleanup(mol) && flat::set_valences(mol) &&
         flat::find_rings(mol) && flat::kekulize(mol) && !flat::has_radicals(mol) &&
         (flat::set_aromaticity(mol), flat::set_conjugation(mol), flat::set_hybridization(mol),
          flat::adjust_hydrogens(mol));
}

std::unique_ptr<RWMol> try_fast(const std::string &smiles) {
  thread_local flat::Molecule flat;
  // An environment variable of RDKit's turns to its newer perception.
  if (!RDKit::Chirality::getUseLegacyStereoPerception() || !perceive(smiles, flat)) {
    return nullptr;
  }
  const bool with_stereo = flat::set_stereo(flat);
  auto mol = std::make_unique<RWMol>();
  add_atoms(flat, *mol, with_stereo);
  add_bonds(flat, *mol, with_stereo);
  add_rings(flat, *mol);
  mol->setProp(RDKit::common_properties::numArom, static_cast<int>(flat.aromatic_rings), true);
  if (with_stereo) {
    mol->setProp(RDKit::common_properties::_StereochemDone, 1, true);
  } else {
    RDKit::MolOps::assignStereochemistry(*mol, true, true, true);
  }
  return mol;
}

}  // namespace

bool is_parsed_fast(const std::string &smiles) { return try_fast(smiles) != nullptr; }

std::unique_ptr<RWMol> parse_reference(const std::string &smiles) {
  return std::unique_ptr<RWMol>(RDKit::SmilesToMol(smiles));
}

std::unique_ptr<RWMol> parse_fast(const std::string &smiles) {
  auto mol = try_fast(smiles);
  return mol ? std::move(mol) : parse_reference(smiles);
}

}  // namespace molsieve
