#include "molsieve/src/chem/model/graph.h"

#include <GraphMol/Chirality.h>
#include <GraphMol/RingInfo.h>

#include <algorithm>

namespace molsieve {

using RDKit::Atom;
using RDKit::Bond;
using RDKit::ROMol;

void Graph::clear() {
  atoms.clear();
  bonds.clear();
  has_tags = false;
  has_stereo = false;
}

bool Graph::add_bond(std::uint16_t begin, std::uint16_t end, BondType type) {
  auto &a = atoms[begin];
  auto &b = atoms[end];
  if (a.degree == GRAPH_DEGREE_MAX || b.degree == GRAPH_DEGREE_MAX ||
      bonds.size() == GRAPH_BONDS_MAX) {
    return false;
  }
  const auto index = static_cast<std::uint16_t>(bonds.size());
  a.bonds[a.degree] = index;
  a.neighbours[a.degree++] = end;
  b.bonds[b.degree] = index;
  b.neighbours[b.degree++] = begin;
  GraphBond bond;
  bond.begin = begin;
  bond.end = end;
  bond.type = type;
  bonds.push_back(bond);
  return true;
}

std::uint16_t Graph::bond_between(std::uint16_t a, std::uint16_t b) const {
  const auto &atom = atoms[a];
  for (unsigned int i = 0; i < atom.degree; ++i) {
    if (atom.neighbours[i] == b) {
      return atom.bonds[i];
    }
  }
  return NO_INDEX;
}

std::optional<BondType> bond_type(const Bond &bond) {
  switch (bond.getBondType()) {
    case Bond::SINGLE: return SINGLE;
    case Bond::DOUBLE: return DOUBLE;
    case Bond::TRIPLE: return TRIPLE;
    case Bond::AROMATIC: return AROMATIC;
    default: return {};
  }
}

std::optional<ChiralTag> chiral_tag(const Atom &atom) {
  switch (atom.getChiralTag()) {
    case Atom::CHI_UNSPECIFIED: return NO_TAG;
    case Atom::CHI_TETRAHEDRAL_CW: return CLOCKWISE;
    case Atom::CHI_TETRAHEDRAL_CCW: return COUNTERCLOCKWISE;
    default: return {};
  }
}

bool is_ordinary(unsigned int atomic_number) {
  switch (atomic_number) {
    case 5: case 6: case 7: case 8: case 9: case 14: case 15: case 16: case 17: case 34: case 35:
    case 53:
      return true;
    default:
      return false;
  }
}

namespace {

bool read_atom(const Atom &atom, Graph &graph) {
  if (!is_ordinary(atom.getAtomicNum()) || atom.getDegree() > GRAPH_DEGREE_MAX ||
      atom.getNumRadicalElectrons() != 0 || std::abs(atom.getFormalCharge()) > 9 ||
      atom.getIsotope() > 0xffff || atom.hasQuery() || atom.getMonomerInfo() ||
      atom.hasProp(RDKit::common_properties::molAtomMapNumber) ||
      atom.hasProp(RDKit::common_properties::_ringStereoAtoms) ||
      atom.hasProp(RDKit::common_properties::smilesSymbol) ||
      atom.hasProp(RDKit::common_properties::_supplementalSmilesLabel)) {
    return false;
  }
  GraphAtom out;
  out.number = atom.getAtomicNum();
  out.charge = atom.getFormalCharge();
  out.isotope = atom.getIsotope();
  out.hydrogens = atom.getTotalNumHs();
  out.explicit_hydrogens = atom.getNumExplicitHs();
  out.valence = atom.getTotalValence();
  out.no_implicit = atom.getNoImplicit();
  out.aromatic = atom.getIsAromatic();
  const auto tag = chiral_tag(atom);
  if (!tag) {
    return false;
  }
  out.tag = *tag;
  graph.has_tags |= out.tag != NO_TAG;
  graph.atoms.push_back(out);
  return true;
}

bool read_bond(const Bond &bond, Graph &graph, bool &has_direction) {
  GraphBond out;
  out.begin = bond.getBeginAtomIdx();
  out.end = bond.getEndAtomIdx();
  const auto type = bond_type(bond);
  if (!type) {
    return false;
  }
  out.type = *type;
  if (bond.hasQuery() || bond.getIsAromatic() != (out.type == AROMATIC)) {
    return false;
  }
  const auto direction = bond.getBondDir();
  if (direction == Bond::ENDUPRIGHT || direction == Bond::ENDDOWNRIGHT) {
    has_direction |= out.type == SINGLE;
  } else if (direction != Bond::NONE) {
    return false;
  }
  switch (bond.getStereo()) {
    case Bond::STEREONONE: break;
    case Bond::STEREOZ: out.stereo = Z; break;
    case Bond::STEREOE: out.stereo = E; break;
    default: return false;
  }
  if (out.stereo != NO_STEREO) {
    const auto &around = bond.getStereoAtoms();
    if (out.type != DOUBLE || around.size() != 2) {
      return false;
    }
    out.stereo_atoms = {static_cast<std::uint16_t>(around[0]), static_cast<std::uint16_t>(around[1])};
    graph.has_stereo = true;
  }
  graph.bonds.push_back(out);
  return true;
}

// Whether each single bond with a direction is beside a double bond with stereo.
bool directions_are_used(const ROMol &mol, const Graph &graph) {
  std::array<bool, GRAPH_ATOMS_MAX> has_stereo{};
  for (const auto &bond : graph.bonds) {
    if (bond.stereo != NO_STEREO) {
      has_stereo[bond.begin] = has_stereo[bond.end] = true;
    }
  }
  for (const auto *bond : mol.bonds()) {
    if (bond->getBondDir() != Bond::NONE && !has_stereo[bond->getBeginAtomIdx()] &&
        !has_stereo[bond->getEndAtomIdx()]) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool read_graph(const ROMol &mol, Graph &graph) {
  graph.clear();
  if (mol.getNumAtoms() > GRAPH_ATOMS_MAX || mol.getNumBonds() > GRAPH_BONDS_MAX ||
      !mol.getStereoGroups().empty() || mol.getNumConformers() != 0) {
    return false;
  }
  for (const auto *atom : mol.atoms()) {
    if (!read_atom(*atom, graph)) {
      return false;
    }
  }
  bool has_direction = false;
  for (const auto *bond : mol.bonds()) {
    if (!read_bond(*bond, graph, has_direction)) {
      return false;
    }
  }
  // The reaction runner brings stereo over only if a single bond has a direction. A direction beside no
  // double bond with stereo may meet another in a product.
  if (graph.has_stereo != has_direction || (has_direction && !directions_are_used(mol, graph))) {
    return false;
  }
  const auto *rings = mol.getRingInfo();
  for (const auto *atom : mol.atoms()) {
    auto &out = graph.atoms[atom->getIdx()];
    for (const auto *bond : mol.atomBonds(atom)) {
      out.bonds[out.degree] = bond->getIdx();
      out.neighbours[out.degree++] = bond->getOtherAtomIdx(atom->getIdx());
    }
    out.in_ring = rings->numAtomRings(atom->getIdx()) != 0;
  }
  for (std::size_t i = 0; i < graph.bonds.size(); ++i) {
    graph.bonds[i].in_ring = rings->numBondRings(i) != 0;
  }
  return true;
}

bool is_saturated_carbon(const Graph &graph, const GraphAtom &atom) {
  constexpr unsigned int CARBON = 6;
  if (atom.number != CARBON || atom.charge != 0 || atom.degree + atom.hydrogens != 4) {
    return false;
  }
  return std::all_of(atom.bonds.begin(), atom.bonds.begin() + atom.degree,
                     [&](auto bond) { return graph.bonds[bond].type == SINGLE; });
}

namespace {

// One depth-first walk: a bond is in a ring unless nothing below it reaches above it.
class RingFinder {
 public:
  explicit RingFinder(Graph &graph) : graph_(graph) { order_.fill(0); }

  unsigned int walk(std::uint16_t index, std::uint16_t by) {
    const auto mine = order_[index] = ++next_;
    auto lowest = mine;
    const auto &atom = graph_.atoms[index];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto bond = atom.bonds[i];
      const auto neighbour = atom.neighbours[i];
      if (bond == by) {
        continue;
      }
      if (order_[neighbour] != 0) {
        lowest = std::min(lowest, order_[neighbour]);
        graph_.bonds[bond].in_ring = true;
        continue;
      }
      const auto reached = walk(neighbour, bond);
      graph_.bonds[bond].in_ring = reached <= mine;
      lowest = std::min(lowest, reached);
    }
    return lowest;
  }

  bool walked(std::size_t atom) const { return order_[atom] != 0; }

 private:
  Graph &graph_;
  std::array<unsigned int, GRAPH_ATOMS_MAX> order_;
  unsigned int next_ = 0;
};

}  // namespace

unsigned int find_rings(Graph &graph) {
  RingFinder finder(graph);
  unsigned int fragments = 0;
  for (std::size_t i = 0; i < graph.atoms.size(); ++i) {
    graph.atoms[i].in_ring = false;
    if (!finder.walked(i)) {
      finder.walk(i, NO_INDEX);
      ++fragments;
    }
  }
  for (const auto &bond : graph.bonds) {
    if (bond.in_ring) {
      graph.atoms[bond.begin].in_ring = graph.atoms[bond.end].in_ring = true;
    }
  }
  return fragments;
}

std::vector<bool> skeleton_of(const Graph &graph) {
  std::vector<bool> left(graph.bonds.size(), true);
  std::vector<unsigned int> degree;
  std::vector<std::uint16_t> ends;
  for (const auto &atom : graph.atoms) {
    if (atom.degree == 1) {
      ends.push_back(degree.size());
    }
    degree.push_back(atom.degree);
  }
  while (!ends.empty()) {
    const auto &atom = graph.atoms[ends.back()];
    ends.pop_back();
    for (unsigned int i = 0; i < atom.degree; ++i) {
      if (left[atom.bonds[i]]) {
        left[atom.bonds[i]] = false;
        if (--degree[atom.neighbours[i]] == 1) {
          ends.push_back(atom.neighbours[i]);
        }
      }
    }
  }
  return left;
}

}  // namespace molsieve
