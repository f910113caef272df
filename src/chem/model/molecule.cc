#include "molsieve/src/chem/model/molecule.h"

#include <algorithm>

namespace molsieve {

void Molecule::clear() {
  atoms.clear();
  bonds.clear();
  has_chirality = false;
  has_stereo = false;
}

bool Molecule::add_bond(std::uint16_t begin, std::uint16_t end, BondType type) {
  auto &a = atoms[begin];
  auto &b = atoms[end];
  if (a.degree == NEIGHBOURS_MAX || b.degree == NEIGHBOURS_MAX || bonds.full()) {
    return false;
  }
  const auto index = static_cast<std::uint16_t>(bonds.size());
  a.bonds[a.degree] = index;
  a.neighbours[a.degree++] = end;
  b.bonds[b.degree] = index;
  b.neighbours[b.degree++] = begin;
  Bond bond;
  bond.begin = begin;
  bond.end = end;
  bond.type = type;
  bonds.push_back(bond);
  return true;
}

std::uint16_t Molecule::bond_between(std::uint16_t a, std::uint16_t b) const {
  const auto place = atoms[a].place_of(b);
  return place == atoms[a].degree ? NO_INDEX : atoms[a].bonds[place];
}

std::bitset<ATOMS_MAX> stereo_ends(const Molecule &mol) {
  std::bitset<ATOMS_MAX> ends;
  for (const auto &bond : mol.bonds) {
    if (bond.stereo != NO_STEREO) {
      ends.set(bond.begin);
      ends.set(bond.end);
    }
  }
  return ends;
}

bool is_saturated_carbon(const Molecule &mol, const Atom &atom) {
  return atom.number == CARBON && atom.charge == 0 && atom.total_degree() == 4 &&
         !any_bond(mol, atom, [](const Bond &bond) { return bond.type != SINGLE; });
}

namespace {

// One depth-first walk: a bond is in a ring unless no other way leads from below it to above it.
class RingWalk {
 public:
  explicit RingWalk(Molecule &mol) : mol_(mol) {
    std::fill_n(order_.begin(), mol.atoms.size(), std::uint16_t{0});
  }

  // Gives the earliest atom that is reached from here. Recursion is at most ATOMS_MAX deep.
  std::uint16_t walk(std::uint16_t index, std::uint16_t by) {
    const auto mine = order_[index] = ++next_;
    auto earliest = mine;
    const auto &atom = mol_.atoms[index];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto bond = atom.bonds[i];
      const auto neighbour = atom.neighbours[i];
      if (bond == by) {
        continue;
      }
      if (order_[neighbour] != 0) {
        earliest = std::min(earliest, order_[neighbour]);
        mol_.bonds[bond].in_ring = true;
        continue;
      }
      const auto reached = walk(neighbour, bond);
      mol_.bonds[bond].in_ring = reached <= mine;
      earliest = std::min(earliest, reached);
    }
    return earliest;
  }

  bool has_visited(std::size_t atom) const { return order_[atom] != 0; }

 private:
  Molecule &mol_;
  std::array<std::uint16_t, ATOMS_MAX> order_;
  std::uint16_t next_ = 0;
};

}  // namespace

unsigned int find_rings(Molecule &mol) {
  RingWalk walk(mol);
  unsigned int fragments = 0;
  for (unsigned int i = 0; i < mol.atoms.size(); ++i) {
    mol.atoms[i].in_ring = false;
    if (!walk.has_visited(i)) {
      walk.walk(static_cast<std::uint16_t>(i), NO_INDEX);
      ++fragments;
    }
  }
  for (const auto &bond : mol.bonds) {
    if (bond.in_ring) {
      mol.atoms[bond.begin].in_ring = mol.atoms[bond.end].in_ring = true;
    }
  }
  return fragments;
}

}  // namespace molsieve
