#include "molsieve/src/chem/finish.h"

#include <GraphMol/MolOps.h>
#include <GraphMol/RingInfo.h>

#include <cstdint>
#include <numeric>

namespace molsieve {

using RDKit::Atom;
using RDKit::Bond;
using RDKit::ROMol;
using RDKit::RWMol;

namespace {

constexpr unsigned int NONE = ~0u;

// Where each atom and bond of the parent is in the product, if the product contains all of it
// unchanged.
struct Embedding {
  std::vector<unsigned int> parent_atom;   // per product atom, NONE for new ones
  std::vector<unsigned int> product_atom;  // per parent atom
  std::vector<unsigned int> product_bond;  // per parent bond
};

// Every parent atom is in the product exactly once, with its element, isotope, charge and
// aromaticity.
bool embed_atoms(const RWMol &product, const ROMol &parent, Embedding &embedding) {
  embedding.parent_atom.assign(product.getNumAtoms(), NONE);
  embedding.product_atom.assign(parent.getNumAtoms(), NONE);
  unsigned int embedded = 0;
  for (const auto *atom : product.atoms()) {
    unsigned int index;
    if (!atom->getPropIfPresent(RDKit::common_properties::reactantAtomIdx, index)) {
      if (atom->getIsAromatic()) {
        return false;
      }
      continue;
    }
    const auto *original = parent.getAtomWithIdx(index);
    if (embedding.product_atom[index] != NONE || atom->getAtomicNum() != original->getAtomicNum() ||
        atom->getFormalCharge() != original->getFormalCharge() ||
        atom->getIsAromatic() != original->getIsAromatic() ||
        atom->getIsotope() != original->getIsotope()) {
      return false;
    }
    embedding.product_atom[index] = atom->getIdx();
    embedding.parent_atom[atom->getIdx()] = index;
    ++embedded;
  }
  return embedded == parent.getNumAtoms();
}

unsigned int root(std::vector<unsigned int> &forest, unsigned int node) {
  while (forest[node] != node) {
    node = forest[node] = forest[forest[node]];
  }
  return node;
}

// Every parent bond is in the product with its type, no other bond joins parent atoms, new atoms are
// attached to parent atoms by single bonds, and the new bonds close no ring. `new_bonds` counts, per
// parent atom, the substituents it gained.
bool embed_bonds(const RWMol &product, const ROMol &parent, Embedding &embedding,
                 std::vector<std::uint8_t> &new_bonds) {
  embedding.product_bond.assign(parent.getNumBonds(), NONE);
  new_bonds.assign(parent.getNumAtoms(), 0);
  // One node per product atom; all parent atoms count as the node after the last.
  std::vector<unsigned int> forest(product.getNumAtoms() + 1);
  std::iota(forest.begin(), forest.end(), 0u);
  const unsigned int core = product.getNumAtoms();
  unsigned int embedded = 0;

  for (const auto *bond : product.bonds()) {
    const auto begin = embedding.parent_atom[bond->getBeginAtomIdx()];
    const auto end = embedding.parent_atom[bond->getEndAtomIdx()];
    if (begin != NONE && end != NONE) {
      const auto *original = parent.getBondBetweenAtoms(begin, end);
      if (!original || original->getBondType() != bond->getBondType() ||
          original->getIsAromatic() != bond->getIsAromatic() ||
          embedding.product_bond[original->getIdx()] != NONE) {
        return false;
      }
      embedding.product_bond[original->getIdx()] = bond->getIdx();
      ++embedded;
      continue;
    }
    if (bond->getIsAromatic()) {
      return false;
    }
    if (begin != NONE || end != NONE) {
      if (bond->getBondType() != Bond::SINGLE) {
        return false;
      }
      ++new_bonds[begin != NONE ? begin : end];
    }
    const auto a = root(forest, begin != NONE ? core : bond->getBeginAtomIdx());
    const auto b = root(forest, end != NONE ? core : bond->getEndAtomIdx());
    if (a == b) {
      return false;
    }
    forest[a] = b;
  }
  return embedded == parent.getNumBonds();
}

// The bonds a parent atom gained took the place of as many hydrogens, so its valence, its electrons
// and the number of its neighbours, hydrogens counted, are those it had.
bool hydrogens_replaced(const RWMol &product, const ParentFrame &parent, const Embedding &embedding,
                        const std::vector<std::uint8_t> &new_bonds) {
  for (unsigned int i = 0; i < parent.total_hydrogens.size(); ++i) {
    const auto *atom = product.getAtomWithIdx(embedding.product_atom[i]);
    if (atom->getTotalNumHs() + new_bonds[i] != parent.total_hydrogens[i] ||
        atom->getNumRadicalElectrons() != parent.mol.getAtomWithIdx(i)->getNumRadicalElectrons()) {
      return false;
    }
  }
  return true;
}

// The product's rings are the parent's: nothing was opened and nothing closed.
void carry_rings_over(RWMol &product, const ROMol &parent, const Embedding &embedding) {
  auto *rings = product.getRingInfo();
  const auto *original = parent.getRingInfo();
  rings->reset();
  rings->initialize(original->getRingType());
  for (std::size_t i = 0; i < original->atomRings().size(); ++i) {
    auto atoms = original->atomRings()[i];
    auto bonds = original->bondRings()[i];
    for (auto &atom : atoms) {
      atom = static_cast<int>(embedding.product_atom[atom]);
    }
    for (auto &bond : bonds) {
      bond = static_cast<int>(embedding.product_bond[bond]);
    }
    rings->addRing(atoms, bonds);
  }
}

// Whether cleanUpOrganometallics could have anything to do: it only looks at bonds to metals.
bool may_hold_metal(const RWMol &product) {
  for (const auto *atom : product.atoms()) {
    switch (atom->getAtomicNum()) {
      case 1: case 5: case 6: case 7: case 8: case 9: case 14: case 15: case 16: case 17: case 34:
      case 35: case 53:
        break;
      default:
        return true;
    }
  }
  return false;
}

}  // namespace

ParentFrame::ParentFrame(const ROMol &parent) : mol(parent) {
  total_hydrogens.reserve(parent.getNumAtoms());
  for (const auto *atom : parent.atoms()) {
    total_hydrogens.push_back(atom->getTotalNumHs());
  }
}

void finish_reference(RWMol &product) { RDKit::MolOps::sanitizeMol(product); }

void finish_fast(RWMol &product, const ParentFrame &parent) {
  // The steps of sanitizeMol in its order, less those that find what the parent had already.
  Embedding embedding;
  std::vector<std::uint8_t> new_bonds;
  product.clearComputedProps();
  RDKit::MolOps::cleanUp(product);
  if (may_hold_metal(product)) {
    RDKit::MolOps::cleanUpOrganometallics(product);
  }
  if (!embed_atoms(product, parent.mol, embedding) ||
      !embed_bonds(product, parent.mol, embedding, new_bonds)) {
    finish_reference(product);
    return;
  }
  product.updatePropertyCache(true);
  if (!hydrogens_replaced(product, parent, embedding, new_bonds)) {
    finish_reference(product);
    return;
  }
  // Kekulé structure and aromaticity: an atom that kept its valence, electrons and neighbour count
  // keeps its part in both, and no ring was opened or closed.
  carry_rings_over(product, parent.mol, embedding);
  RDKit::MolOps::assignRadicals(product);
  RDKit::MolOps::setConjugation(product);
  RDKit::MolOps::setHybridization(product);
  RDKit::MolOps::cleanupAtropisomers(product);
  RDKit::MolOps::cleanupChirality(product);
  // adjustHs and the second updatePropertyCache mend what Kekulé structure and aromaticity did to
  // the hydrogen counts; neither was touched, so there is nothing to mend.
}

}  // namespace molsieve
