#include "molsieve/src/chem/edit/edit.h"

#include <algorithm>

namespace molsieve {

namespace {

enum Role : std::uint8_t { UNTOUCHED, MAPPED, SKIPPED };

unsigned int multiple_bonds(const Graph &graph, const GraphAtom &atom) {
  return std::count_if(atom.bonds.begin(), atom.bonds.begin() + atom.degree,
                       [&](auto bond) { return graph.bonds[bond].type != SINGLE; });
}

}  // namespace

bool ParentGraph::read(const RDKit::ROMol &mol) {
  rings = mol.getRingInfo();
  // RDKit may rewrite a group that it left alone in the parent once a neighbour is another.
  if (!read_graph(mol, graph) ||
      std::any_of(graph.atoms.begin(), graph.atoms.end(), [](const GraphAtom &atom) {
        return may_be_rewritten(atom.number, atom.valence, atom.degree);
      })) {
    return false;
  }
  certainty = ring_certainty(graph, *rings);
  if (certainty == RingCertainty::Tangled) {
    skeleton = skeleton_of(graph);
  }
  return true;
}

bool Edit::apply(const ParentGraph &parent, const RDKit::MatchVectType &match, Graph &product,
                 Workspace &work) const {
  return parent.certainty != RingCertainty::Ambiguous &&
         parent.graph.atoms.size() + atoms_.size() <= GRAPH_ATOMS_MAX &&
         begin(parent.graph, match, product, work) &&
         add_rest(parent.graph, match, product, work) &&
         settle_atoms(parent.graph, product, work) && carry_stereo(parent.graph, product, work) &&
         rings_hold(parent, match, product, work) && work.stereo.settle(product);
}

// Lays the product template down, with what its mapped atoms take over from the parent's.
bool Edit::begin(const Graph &parent, const RDKit::MatchVectType &match, Graph &product,
                 Workspace &work) const {
  const auto size = parent.atoms.size();
  std::fill_n(work.product_of.begin(), size, NO_INDEX);
  std::fill_n(work.parent_of.begin(), size + atoms_.size(), NO_INDEX);
  std::fill_n(work.role.begin(), size, UNTOUCHED);
  std::fill_n(work.visited.begin(), size, false);
  product.clear();
  for (const auto &atom : atoms_) {
    product.atoms.push_back(atom.atom);
  }
  for (const auto &bond : bonds_) {
    if (!product.add_bond(bond.begin, bond.end, bond.type)) {
      return false;
    }
    product.bonds.back().stereo = bond.stereo;
    product.bonds.back().stereo_atoms = bond.stereo_atoms;
  }
  product.has_tags = has_tags_;
  product.has_stereo = has_stereo_;
  for (const auto &[query, index] : match) {
    const auto place = becomes_[query];
    work.role[index] = place == NO_INDEX ? SKIPPED : MAPPED;
    if (place == NO_INDEX) {
      continue;
    }
    work.product_of[index] = place;
    work.parent_of[place] = index;
    if (!take_over(atoms_[place], parent.atoms[index], product.atoms[place])) {
      return false;
    }
  }
  return true;
}

bool Edit::take_over(const TemplateAtom &from, const GraphAtom &original, GraphAtom &atom) const {
  if (from.takes_element) {
    atom.number = original.number;
    atom.aromatic = original.aromatic;
  }
  if (atom.number != original.number) {
    return false;
  }
  if (!from.sets_charge) {
    atom.charge = original.charge;
  }
  if (!from.sets_isotope) {
    atom.isotope = original.isotope;
  }
  if (!from.sets_hydrogens) {
    atom.explicit_hydrogens = original.explicit_hydrogens;
    atom.no_implicit = original.no_implicit;
  }
  return true;
}

// Adds what hangs on the mapped atoms, breadth first from each in the order of the match.
bool Edit::add_rest(const Graph &parent, const RDKit::MatchVectType &match, Graph &product,
                    Workspace &work) const {
  for (const auto &pair : match) {
    const auto start = static_cast<std::uint16_t>(pair.second);
    if (work.role[start] != MAPPED) {
      continue;
    }
    work.queue.assign(1, start);
    for (std::size_t i = 0; i < work.queue.size(); ++i) {
      if (!add_around(parent, work.queue[i], product, work)) {
        return false;
      }
    }
  }
  return true;
}

bool Edit::add_around(const Graph &parent, std::uint16_t from, Graph &product,
                      Workspace &work) const {
  work.visited[from] = true;
  const auto &atom = parent.atoms[from];
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto neighbour = atom.neighbours[i];
    if (!work.visited[neighbour] && work.role[neighbour] != SKIPPED &&
        !add_neighbour(parent, from, i, product, work)) {
      return false;
    }
  }
  return true;
}

bool Edit::add_neighbour(const Graph &parent, std::uint16_t from, unsigned int place,
                         Graph &product, Workspace &work) const {
  const auto neighbour = parent.atoms[from].neighbours[place];
  const auto &bond = parent.bonds[parent.atoms[from].bonds[place]];
  if (work.role[from] == MAPPED && work.role[neighbour] == MAPPED) {
    // Between mapped atoms the template decides, unless it says nothing on either side.
    const auto a = work.product_of[from], b = work.product_of[neighbour];
    return product.bond_between(a, b) != NO_INDEX || keeps_apart(a, b) ||
           copy_bond(bond, product, work);
  }
  if (work.product_of[neighbour] == NO_INDEX) {
    const auto index = static_cast<std::uint16_t>(product.atoms.size());
    product.atoms.push_back(parent.atoms[neighbour]);
    product.atoms.back().degree = 0;
    work.product_of[neighbour] = index;
    work.parent_of[index] = neighbour;
    work.queue.push_back(neighbour);
  }
  return copy_bond(bond, product, work);
}

bool Edit::keeps_apart(std::uint16_t a, std::uint16_t b) const {
  return std::any_of(joined_.begin(), joined_.end(), [&](const auto &pair) {
    return (pair.first == a && pair.second == b) || (pair.first == b && pair.second == a);
  });
}

bool Edit::copy_bond(const GraphBond &bond, Graph &product, const Workspace &work) {
  const auto begin = work.product_of[bond.begin], end = work.product_of[bond.end];
  if (bond.type == AROMATIC) {
    product.atoms[begin].aromatic = product.atoms[end].aromatic = true;
  }
  return product.add_bond(begin, end, bond.type);
}

// Hydrogens and valence of every atom whose bonds are not those it had, and chiral tags.
bool Edit::settle_atoms(const Graph &parent, Graph &product, Workspace &work) const {
  for (std::uint16_t i = 0; i < product.atoms.size(); ++i) {
    const bool changed = i < atoms_.size() ||
                         product.atoms[i].degree != parent.atoms[work.parent_of[i]].degree;
    if (changed && !work.valences.settle(product, i)) {
      return false;
    }
    const auto origin = work.parent_of[i];
    if (origin != NO_INDEX && parent.atoms[origin].tag != NO_TAG &&
        !settle_tag(parent, product, work, i)) {
      return false;
    }
  }
  return true;
}

// The tag of an atom that has one in the parent.
bool Edit::settle_tag(const Graph &parent, Graph &product, const Workspace &work,
                      std::uint16_t index) const {
  auto &atom = product.atoms[index];
  if (index < atoms_.size()) {
    atom.tag = tag_of_mapped(parent, product, work, index);
  } else if (atom.degree != parent.atoms[work.parent_of[index]].degree) {
    atom.tag = NO_TAG;
  } else if (!carry_tag(parent, product, work, index)) {
    return false;
  }
  product.has_tags |= atom.tag != NO_TAG;
  return true;
}

namespace {

ChiralTag inverted(ChiralTag tag) {
  return tag == CLOCKWISE ? COUNTERCLOCKWISE : tag == COUNTERCLOCKWISE ? CLOCKWISE : NO_TAG;
}

}  // namespace

// RDKit keeps the stereo of a mapped atom if at most one of its neighbours is another, which then
// takes the place of the one that is gone.
ChiralTag Edit::tag_of_mapped(const Graph &parent, const Graph &product, const Workspace &work,
                              std::uint16_t index) const {
  const auto &before = parent.atoms[work.parent_of[index]];
  const auto &after = product.atoms[index];
  const auto rule = atoms_[index].stereo;
  if (rule > 2) {
    return NO_TAG;
  }
  const auto fallback = rule == 0 ? NO_TAG : rule == 1 ? inverted(before.tag) : before.tag;
  if (before.degree < 3 || after.degree < 3 || std::abs(before.degree - after.degree) > 1) {
    return fallback;
  }
  // The places, among the parent atom's neighbours, of those the product atom has.
  constexpr std::uint8_t UNKNOWN = 0xff;
  std::array<std::uint8_t, GRAPH_DEGREE_MAX> places;
  unsigned int count = 0, unknown = 0, seen = 0;
  for (unsigned int i = 0; i < after.degree; ++i) {
    const auto origin = work.parent_of[after.neighbours[i]];
    const auto *begin = before.neighbours.begin(), *end = begin + before.degree;
    const auto *found = origin == NO_INDEX ? end : std::find(begin, end, origin);
    unknown += found == end;
    places[count++] = found == end ? UNKNOWN : found - begin;
    seen |= found == end ? 0 : 1u << (found - begin);
  }
  if (unknown > 1 || (unknown == 1 && after.degree < before.degree)) {
    return fallback;
  }
  if (unknown == 1 && after.degree == before.degree) {
    std::uint8_t missing = 0;
    while (seen >> missing & 1) {
      ++missing;
    }
    std::replace(places.begin(), places.begin() + count, UNKNOWN, missing);
  }
  bool odd = rule == 1;
  for (unsigned int i = 0; i < count; ++i) {
    for (unsigned int j = i + 1; j < count; ++j) {
      odd ^= places[i] != UNKNOWN && places[j] != UNKNOWN && places[i] > places[j];
    }
  }
  return odd ? inverted(before.tag) : before.tag;
}

// A tag refers to the order of the atom's bonds, which may be another in the product.
bool Edit::carry_tag(const Graph &parent, Graph &product, const Workspace &work,
                     std::uint16_t index) {
  auto &atom = product.atoms[index];
  const auto &original = parent.atoms[work.parent_of[index]];
  std::array<std::uint8_t, GRAPH_DEGREE_MAX> place;
  bool odd = false;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto *begin = atom.neighbours.begin();
    const auto *found =
        std::find(begin, begin + atom.degree, work.product_of[original.neighbours[i]]);
    if (found == begin + atom.degree) {
      return false;
    }
    place[i] = found - begin;
    for (unsigned int j = 0; j < i; ++j) {
      odd ^= place[j] > place[i];
    }
  }
  if (odd) {
    atom.tag = inverted(atom.tag);
  }
  return true;
}

// Stereo of double bonds that the edit does not touch.
bool Edit::carry_stereo(const Graph &parent, Graph &product, const Workspace &work) const {
  if (!parent.has_stereo) {
    return true;
  }
  for (const auto &bond : parent.bonds) {
    const auto begin = work.product_of[bond.begin], end = work.product_of[bond.end];
    if (bond.stereo == NO_STEREO || begin == NO_INDEX || end == NO_INDEX) {
      continue;
    }
    const auto index = product.bond_between(begin, end);
    if (index == NO_INDEX || product.bonds[index].type != DOUBLE) {
      continue;
    }
    auto &copy = product.bonds[index];
    if (begin < atoms_.size() || end < atoms_.size() || copy.begin != begin ||
        product.atoms[begin].degree != parent.atoms[bond.begin].degree ||
        product.atoms[end].degree != parent.atoms[bond.end].degree) {
      return false;
    }
    copy.stereo = bond.stereo;
    copy.stereo_atoms = {work.product_of[bond.stereo_atoms[0]],
                         work.product_of[bond.stereo_atoms[1]]};
    product.has_stereo = true;
  }
  return true;
}

// Kekulé structure and aromaticity of the product are what its atoms and bonds say already, because
// no ring that is or could become aromatic was touched: see ARCHITECTURE.md for the argument.
bool Edit::rings_hold(const ParentGraph &parent, const RDKit::MatchVectType &match,
                      Graph &product, const Workspace &work) const {
  bool opened = false, closed = false;
  if (find_rings(product) != 1 || !lost_bonds_hold(parent, match, product, work, opened) ||
      !new_bonds_hold(parent.graph, product, work, closed) ||
      !template_bonds_hold(parent.graph, product, work)) {
    return false;
  }
  for (std::uint16_t i = 0; i < product.atoms.size(); ++i) {
    const auto original = work.parent_of[i];
    const bool changed = original != NO_INDEX &&
                         (i < atoms_.size() ||
                          product.atoms[i].degree != parent.graph.atoms[original].degree);
    if (changed && !atom_holds(parent, product, work, i, opened)) {
      return false;
    }
  }
  if (parent.certainty == RingCertainty::Tangled &&
      (opened || closed || !skeleton_holds(parent, product, work))) {
    return false;
  }
  return !(opened || closed) || double_bonds_hold(parent.graph, product, work);
}

// The rings, and the chains between them, are those of the parent.
bool Edit::skeleton_holds(const ParentGraph &parent, const Graph &product,
                          const Workspace &work) const {
  if (std::find(own_ring_.begin(), own_ring_.end(), true) != own_ring_.end()) {
    return false;
  }
  for (std::size_t i = 0; i < parent.skeleton.size(); ++i) {
    const auto &bond = parent.graph.bonds[i];
    const auto begin = work.product_of[bond.begin], end = work.product_of[bond.end];
    if (parent.skeleton[i] &&
        (begin == NO_INDEX || end == NO_INDEX || product.bond_between(begin, end) == NO_INDEX)) {
      return false;
    }
  }
  return true;
}

// Where rings were opened or closed: a double bond that is in a ring no longer, or only now, counts
// otherwise for the aromaticity of the rings at its ends; and whether one in a ring has stereo depends
// on the ring's size.
bool Edit::double_bonds_hold(const Graph &parent, const Graph &product, const Workspace &work) {
  for (const auto &bond : parent.bonds) {
    const auto begin = work.product_of[bond.begin], end = work.product_of[bond.end];
    if (bond.type == SINGLE || begin == NO_INDEX || end == NO_INDEX) {
      continue;
    }
    const auto index = product.bond_between(begin, end);
    if (index != NO_INDEX && product.bonds[index].in_ring != bond.in_ring) {
      return false;
    }
  }
  return std::none_of(product.bonds.begin(), product.bonds.end(), [](const auto &bond) {
    return bond.stereo != NO_STEREO && bond.in_ring;
  });
}

// Bonds that the parent had and the product has not. A ring bond among them must be in one ring only:
// then the other rings stay the rings they are.
bool Edit::lost_bonds_hold(const ParentGraph &parent, const RDKit::MatchVectType &match,
                           const Graph &product, const Workspace &work, bool &ring_opened) {
  for (const auto &pair : match) {
    const auto &atom = parent.graph.atoms[pair.second];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto index = atom.bonds[i];
      const auto &bond = parent.graph.bonds[index];
      const auto begin = work.product_of[bond.begin], end = work.product_of[bond.end];
      const bool kept =
          begin != NO_INDEX && end != NO_INDEX && product.bond_between(begin, end) != NO_INDEX;
      if (kept || !bond.in_ring) {
        continue;
      }
      if (bond.type == AROMATIC || parent.rings->numBondRings(index) != 1) {
        return false;
      }
      ring_opened = true;
    }
  }
  return true;
}

// Every ring that the edit closes has a saturated carbon in it, so it can't be aromatic.
bool Edit::new_bonds_hold(const Graph &parent, const Graph &product, const Workspace &work,
                          bool &ring_closed) const {
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    const auto &bond = product.bonds[i];
    const auto begin = work.parent_of[bond.begin], end = work.parent_of[bond.end];
    const bool is_parents = begin != NO_INDEX && end != NO_INDEX &&
                            parent.bond_between(begin, end) != NO_INDEX;
    if (!bond.in_ring || is_parents || own_ring_[i]) {
      continue;
    }
    ring_closed = true;
    if (!is_saturated_carbon(product, product.atoms[bond.begin]) &&
        !is_saturated_carbon(product, product.atoms[bond.end])) {
      return false;
    }
    const auto was_in_ring = [&](const GraphBond &other) {
      const auto one = work.parent_of[other.begin], two = work.parent_of[other.end];
      const auto before =
          one == NO_INDEX || two == NO_INDEX ? NO_INDEX : parent.bond_between(one, two);
      return before != NO_INDEX && parent.bonds[before].in_ring;
    };
    if (!closes_apart(product, bond, was_in_ring)) {
      return false;
    }
  }
  return true;
}

// An aromatic bond of the template between atoms of the parent is one that the parent has; and a double
// bond to which the template gives stereo is in no ring, since RDKit takes it away in small ones.
bool Edit::template_bonds_hold(const Graph &parent, const Graph &product,
                               const Workspace &work) const {
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    const auto &bond = product.bonds[i];
    if (bond.stereo != NO_STEREO && bond.in_ring) {
      return false;
    }
    if (bond.type != AROMATIC || own_ring_[i]) {
      continue;
    }
    const auto begin = work.parent_of[bond.begin], end = work.parent_of[bond.end];
    const auto before =
        begin == NO_INDEX || end == NO_INDEX ? NO_INDEX : parent.bond_between(begin, end);
    if (before == NO_INDEX || parent.bonds[before].type != AROMATIC) {
      return false;
    }
  }
  return true;
}

// A touched atom keeps its part in any aromatic ring, or has none before and after.
bool Edit::atom_holds(const ParentGraph &parent, const Graph &product, const Workspace &work,
                      std::uint16_t index, bool ring_opened) {
  const auto &after = product.atoms[index];
  const auto origin = work.parent_of[index];
  const auto &before = parent.graph.atoms[origin];
  if (after.aromatic != before.aromatic) {
    return false;
  }
  bool same = after.charge == before.charge && after.valence == before.valence &&
              after.degree + after.hydrogens == before.degree + before.hydrogens &&
              multiple_bonds(product, after) == multiple_bonds(parent.graph, before);
  for (unsigned int i = 0; same && i < before.degree; ++i) {
    const auto type = parent.graph.bonds[before.bonds[i]].type;
    const auto neighbour = work.product_of[before.neighbours[i]];
    if (type != SINGLE) {
      const auto bond = neighbour == NO_INDEX ? NO_INDEX : product.bond_between(index, neighbour);
      same = bond != NO_INDEX && product.bonds[bond].type == type;
    }
  }
  if (same) {
    return true;
  }
  if (before.aromatic) {
    return false;
  }
  if (!after.in_ring || is_saturated_carbon(product, after)) {
    return true;
  }
  // The atom was perhaps a saturated carbon, of which ring_certainty() knew that it is in no aromatic ring.
  const auto &all = parent.rings->atomRings();
  return !ring_opened && parent.certainty == RingCertainty::Unique &&
         std::all_of(all.begin(), all.end(), [&](const auto &ring) {
           return std::find(ring.begin(), ring.end(), origin) == ring.end() ||
                  std::any_of(ring.begin(), ring.end(), [&](auto atom) {
                    const auto place = work.product_of[atom];
                    return place != NO_INDEX &&
                           is_saturated_carbon(product, product.atoms[place]);
                  });
         });
}

}  // namespace molsieve
