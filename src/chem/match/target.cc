#include "molsieve/src/chem/match/target.h"

#include <GraphMol/RingInfo.h>

#include <algorithm>

#include "molsieve/src/chem/model/read.h"

namespace molsieve::match {

namespace {

constexpr std::array<std::uint8_t, OTHER_ELEMENTS> ELEMENTS{BORON,      CARBON, NITROGEN, OXYGEN,   FLUORINE, SILICON,
                                                            PHOSPHORUS, SULFUR, CHLORINE, SELENIUM, BROMINE,  IODINE};
constexpr unsigned int HYDROGEN = 1;

constexpr auto ELEMENT_INDEX = [] {
  std::array<std::uint8_t, 1 << NUMBER_BITS> index{};
  index.fill(OTHER_ELEMENTS);
  for (unsigned int i = 0; i < ELEMENTS.size(); ++i) {
    index[ELEMENTS[i]] = i;
  }
  return index;
}();

}  // namespace

unsigned int element_index(unsigned int number) { return ELEMENT_INDEX[number]; }
unsigned int element_at(unsigned int index) { return ELEMENTS[index]; }

bool Target::read(const Molecule &mol, const Rings &rings) {
  if (mol.atoms.size() > TARGET_ATOMS_MAX) {
    return false;
  }
  clear(mol.atoms.size());
  for (unsigned int i = 0; i < size_; ++i) {
    const auto &atom = mol.atoms[i];
    if (!add_atom(i, {atom.number, atom.isotope, static_cast<unsigned int>(atom.hydrogens()),
                      static_cast<unsigned int>(atom.valence()), atom.hybridization, atom.charge, atom.aromatic})) {
      return false;
    }
    for (unsigned int j = 0; j < atom.degree; ++j) {
      const auto &bond = mol.bonds[atom.bonds[j]];
      if (!add_link(i, atom.neighbours[j], bond_state(bond.type, bond.in_ring))) {
        return false;
      }
    }
  }
  for (std::size_t i = 0; i < rings.size(); ++i) {
    const auto members = rings.atoms(i);
    for (const auto atom : members) {
      add_ring_member(atom, members.size());
    }
  }
  return complete();
}

bool Target::read(const RDKit::ROMol &mol) {
  const auto *rings = mol.getRingInfo();
  if (mol.getNumAtoms() > TARGET_ATOMS_MAX || !rings->isInitialized()) {
    return false;
  }
  clear(mol.getNumAtoms());
  for (const auto *atom : mol.atoms()) {
    const auto index = atom->getIdx();
    if (atom->needsUpdatePropertyCache() || atom->hasQuery() ||
        !add_atom(index, {static_cast<unsigned int>(atom->getAtomicNum()), atom->getIsotope(), atom->getTotalNumHs(),
                          static_cast<unsigned int>(atom->getTotalValence()),
                          static_cast<unsigned int>(atom->getHybridization()), atom->getFormalCharge(),
                          atom->getIsAromatic()})) {
      return false;
    }
    for (const auto *bond : mol.atomBonds(atom)) {
      const auto type = bond_type(*bond);
      if (!type || !add_link(index, bond->getOtherAtomIdx(index),
                             bond_state(*type, rings->numBondRings(bond->getIdx()) != 0))) {
        return false;
      }
    }
  }
  for (const auto &ring : rings->atomRings()) {
    for (const auto atom : ring) {
      add_ring_member(atom, ring.size());
    }
  }
  return complete();
}

void Target::clear(unsigned int atoms) {
  ++number_;
  size_ = atoms;
  classes_ = 0;
  degree_max_ = 0;
  std::fill_n(common_.begin(), atoms, 0);
  std::fill_n(rare_.begin(), atoms, 0);
  std::fill_n(ring_sizes_.begin(), atoms, 0);
  std::fill_n(rings_of_.begin(), atoms, 0);
  std::fill_n(smallest_ring_.begin(), atoms, 0);
  std::fill_n(degrees_.begin(), atoms, 0);
}

bool Target::add_atom(unsigned int index, const Stated &atom) {
  if (atom.number >= ELEMENT_INDEX.size() || atom.isotope > 0xffff || atom.valence > 0xff || atom.hydrogens > 0xff) {
    return false;
  }
  add_to_class(index, atom.number, atom.aromatic);
  hydrogens_[index] = atom.hydrogens;
  return set<Fact::NUMBER>(index, atom.number) && set<Fact::AROMATIC>(index, atom.aromatic) &&
         set<Fact::IMPLICIT_HYDROGENS>(index, atom.hydrogens) && set<Fact::VALENCE>(index, atom.valence) &&
         set<Fact::CHARGE>(index, atom.charge) && set<Fact::HYBRIDIZATION>(index, atom.hybridization) &&
         set<Fact::ISOTOPE>(index, atom.isotope);
}

void Target::add_to_class(unsigned int index, unsigned int number, bool aromatic) {
  const auto its = class_of(number, aromatic);
  if ((classes_ >> its & 1) == 0) {
    classes_ |= ClassMask{1} << its;
    std::fill_n(of_class_[its].words.begin(), words(), 0);
  }
  of_class_[its].add(index);
}

bool Target::add_link(unsigned int from, unsigned int to, unsigned int state) {
  if (degrees_[from] == TARGET_DEGREE_MAX) {
    return false;
  }
  links_[TARGET_DEGREE_MAX * from + degrees_[from]++] = {static_cast<std::uint16_t>(to),
                                                        static_cast<std::uint8_t>(state)};
  return true;
}

void Target::add_ring_member(unsigned int atom, unsigned int size) {
  ++rings_of_[atom];
  ring_sizes_[atom] |= std::uint64_t{1} << std::min(size, RING_SIZE_LAST);
  auto &smallest = smallest_ring_[atom];
  smallest = smallest == 0 ? size : std::min<unsigned int>(smallest, size);
}

// Sets what follows from bonds, neighbours and rings.
bool Target::complete() {
  bool fits = true;
  for (unsigned int i = 0; i < size_ && fits; ++i) {
    degree_max_ = std::max<unsigned int>(degree_max_, degrees_[i]);
    fits = count_neighbours(i) && set<Fact::DEGREE>(i, degrees_[i]) &&
           set<Fact::TOTAL_DEGREE>(i, degrees_[i] + hydrogens_[i]) && set<Fact::IN_RING>(i, rings_of_[i] != 0) &&
           set<Fact::RINGS>(i, rings_of_[i]) && set<Fact::SMALLEST_RING>(i, smallest_ring_[i]);
  }
  return fits;
}

bool Target::count_neighbours(unsigned int atom) {
  int ring_bonds = 0, hydrogens = 0, light = 0, hetero = 0, aliphatic_hetero = 0;
  for (const auto *link = begin(atom); link != end(atom); ++link) {
    const auto number = atomic_number(link->atom);
    ring_bonds += link->state & 1;
    hydrogens += number == HYDROGEN;
    light += number == HYDROGEN && (rare_[link->atom] & place_of(Fact::ISOTOPE).mask()) <= 1;
    hetero += number != CARBON && number != HYDROGEN;
    aliphatic_hetero += number != CARBON && number != HYDROGEN && !is_aromatic(link->atom);
  }
  return set<Fact::RING_BONDS>(atom, ring_bonds) && set<Fact::HYDROGENS>(atom, hydrogens_[atom] + hydrogens) &&
         set<Fact::HETERO_NEIGHBOURS>(atom, hetero) &&
         set<Fact::ALIPHATIC_HETERO_NEIGHBOURS>(atom, aliphatic_hetero) &&
         set<Fact::OTHER_THAN_HYDROGEN>(atom, degrees_[atom] - light);
}

}  // namespace molsieve::match
