// Proves that sanitizing a product would change nothing.
#include "molsieve/src/chem/edit/edit.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace molsieve::edit {

namespace {

using Making = Edit::Making;

unsigned int multiple_bonds(const Molecule &mol, const Atom &atom) {
  return std::count_if(atom.bonds.begin(), atom.bonds.begin() + atom.degree,
                       [&](auto bond) { return mol.bonds[bond].type != SINGLE; });
}

// The bond of the product that was this bond of the parent, or NO_INDEX.
std::uint16_t kept_bond(const Molecule &product, const Edit::Workspace &work, const Bond &bond) {
  const auto begin = work.product_of[bond.begin], end = work.product_of[bond.end];
  return begin == NO_INDEX || end == NO_INDEX ? NO_INDEX : product.bond_between(begin, end);
}

std::uint16_t kept_bond(const Making &m, const Bond &bond) { return kept_bond(m.product, m.work, bond); }

// The bond of the parent that became this bond of the product, or NO_INDEX.
std::uint16_t bond_before(const Molecule &parent, const Edit::Workspace &work, const Bond &bond) {
  const auto begin = work.parent_of[bond.begin], end = work.parent_of[bond.end];
  return begin == NO_INDEX || end == NO_INDEX ? NO_INDEX : parent.bond_between(begin, end);
}

std::uint16_t bond_before(const Making &m, const Bond &bond) { return bond_before(m.parent, m.work, bond); }

// Whether a ring has an ether or thioether that is in further rings: RDKit's model lets it give electrons only if one
// of its rings is small.
bool shares_ether(const Molecule &mol, const Rings &rings, std::size_t ring) {
  return std::ranges::any_of(rings.atoms(ring), [&](auto index) {
    const auto &atom = mol.atoms[index];
    return (atom.number == OXYGEN || atom.number == SULFUR) && atom.degree == 2 &&
           rings.with_atom(index) > 1;
  });
}

// The only ring that a bond is in; the number of rings if it is in none, or in several.
std::size_t only_ring_of(const Rings &rings, std::uint16_t bond) {
  auto only = rings.size();
  for (std::size_t i = 0; i < rings.size(); ++i) {
    const auto members = rings.bonds(i);
    if (std::ranges::find(members, bond) == members.end()) {
      continue;
    }
    if (only != rings.size()) {
      return rings.size();
    }
    only = i;
  }
  return only;
}

// Bonds that the parent had and the product has not. A ring bond among them must be in one ring only:
// then the other rings stay the rings they are. Bonds between atoms that are left out count for nothing: a ring that has
// them and an atom that is kept loses two bonds between the two as well.
bool lost_bonds_hold(const Making &m, bool &ring_opened) {
  for (const auto &pair : m.match) {
    const auto &atom = m.parent.atoms[pair.second];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto index = atom.bonds[i];
      const auto &bond = m.parent.bonds[index];
      const bool is_left_out = m.work.product_of[bond.begin] == NO_INDEX && m.work.product_of[bond.end] == NO_INDEX;
      if (!bond.in_ring || is_left_out || kept_bond(m, bond) != NO_INDEX) {
        continue;
      }
      const auto &rings = m.from.rings;
      const auto ring = only_ring_of(rings, index);
      if (bond.type == AROMATIC || ring == rings.size() || shares_ether(m.parent, rings, ring)) {
        return false;
      }
      ring_opened = true;
    }
  }
  return true;
}

// Where rings were opened or closed, double bonds and aromatic ones are in a ring if they were in one before, since
// the aromaticity of the rings at their ends depends on that; and none with stereo is in a ring, since whether RDKit
// keeps that stereo depends on the ring's size.
bool double_bonds_hold(const Making &m) {
  for (const auto &bond : m.parent.bonds) {
    if (bond.type == SINGLE) {
      continue;
    }
    const auto index = kept_bond(m, bond);
    if (index != NO_INDEX && m.product.bonds[index].type != SINGLE && m.product.bonds[index].in_ring != bond.in_ring) {
      return false;
    }
  }
  return std::ranges::none_of(m.product.bonds, [](const auto &bond) {
    return bond.stereo != NO_STEREO && bond.in_ring;
  });
}

// Whether each ring of the parent that an atom is in has a saturated carbon in the product.
bool has_only_saturated_rings(const Making &m, int origin) {
  const auto &rings = m.from.rings;
  for (std::size_t i = 0; i < rings.size(); ++i) {
    const auto ring = rings.atoms(i);
    if (std::ranges::find(ring, origin) != ring.end() && std::ranges::none_of(ring, [&](auto atom) {
          const auto place = m.work.product_of[atom];
          return place != NO_INDEX && is_saturated_carbon(m.product, m.product.atoms[place]);
        })) {
      return false;
    }
  }
  return true;
}

// Whether the product has all double, triple and aromatic bonds that an atom of the parent has.
bool keeps_multiple_bonds(const Making &m, const Atom &before) {
  return std::all_of(before.bonds.begin(), before.bonds.begin() + before.degree, [&](auto bond) {
    const auto type = m.parent.bonds[bond].type;
    if (type == SINGLE) {
      return true;
    }
    const auto kept = kept_bond(m, m.parent.bonds[bond]);
    return kept != NO_INDEX && m.product.bonds[kept].type == type;
  });
}

// Whether a changed atom gives to a ring what it gave before: charge, valence, neighbours and multiple bonds.
bool is_alike(const Making &m, std::uint16_t index) {
  const auto &after = m.product.atoms[index];
  const auto &before = m.parent.atoms[m.work.parent_of[index]];
  if (after.charge != before.charge || after.valence() != before.valence() ||
      after.total_degree() != before.total_degree() ||
      multiple_bonds(m.product, after) != multiple_bonds(m.parent, before)) {
    return false;
  }
  return keeps_multiple_bonds(m, before);
}

// The other end of the only multiple bond of an atom, if that is a double bond outside of rings; null if it has none.
const Atom *double_bonded(const Molecule &mol, const Atom &atom) {
  const Atom *found = nullptr;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto &bond = mol.bonds[atom.bonds[i]];
    if (bond.type == SINGLE) {
      continue;
    }
    if (found || bond.type != DOUBLE || bond.in_ring) {
      return nullptr;
    }
    found = &mol.atoms[atom.neighbours[i]];
  }
  return found;
}

// Whether an atom is a carbon like that of a ketone or an imine. RDKit's model takes the electrons of its double bond out
// of any ring, whichever of these elements is at the other end.
bool is_carbonyl_like(const Molecule &mol, const Atom &atom) {
  if (atom.number != CARBON || atom.charge != 0 || atom.aromatic || atom.total_degree() != 3) {
    return false;
  }
  const auto *end = double_bonded(mol, atom);
  return end && (end->number == NITROGEN || end->number == OXYGEN || end->number == SULFUR);
}

// Whether an aromatic nitrogen gives one electron to its ring, as in pyridine, its N-oxide and its salts with a
// substituent. Its bonds in the ring are aromatic.
bool is_pyridine_like(const Molecule &mol, const Atom &atom) {
  return atom.number == NITROGEN && atom.aromatic && multiple_bonds(mol, atom) == 2 &&
         ((atom.charge == 0 && atom.total_degree() == 2) || (atom.charge == 1 && atom.total_degree() == 3));
}

// Whether a changed atom gives to every ring what it gave before, though its bonds outside of rings are others.
bool gives_alike(const Making &m, std::uint16_t index) {
  const auto &after = m.product.atoms[index];
  const auto &before = m.parent.atoms[m.work.parent_of[index]];
  if (is_carbonyl_like(m.parent, before)) {
    return is_carbonyl_like(m.product, after);
  }
  return is_pyridine_like(m.parent, before) && is_pyridine_like(m.product, after) && keeps_multiple_bonds(m, before);
}

// A changed atom takes part in an aromatic ring as before, or in none before and after.
bool atom_holds(const Making &m, std::uint16_t index) {
  const auto &after = m.product.atoms[index];
  const auto origin = m.work.parent_of[index];
  const auto &before = m.parent.atoms[origin];
  if (after.aromatic != before.aromatic) {
    return false;
  }
  if (is_alike(m, index) || gives_alike(m, index)) {
    return true;
  }
  if (before.aromatic) {
    return false;
  }
  return !after.in_ring || is_saturated_carbon(m.product, after) ||
         has_only_saturated_rings(m, origin);
}

// Sets of atoms that bonds join.
class Joined {
 public:
  explicit Joined(std::size_t atoms) : of_(atoms) { std::iota(of_.begin(), of_.end(), 0); }

  // False: they were joined before, so the bond closes a ring.
  bool join(const Bond &bond) {
    const auto begin = find(bond.begin), end = find(bond.end);
    of_[begin] = end;
    return begin != end;
  }

 private:
  std::uint16_t find(std::uint16_t atom) {
    while (of_[atom] != atom) {
      atom = of_[atom] = of_[of_[atom]];
    }
    return atom;
  }

  std::vector<std::uint16_t> of_;
};

}  // namespace

// The atoms and bonds of the product already have its Kekulé structure and aromaticity, because no ring that is or
// could become aromatic was changed: see docs/chemistry.md for the argument.
bool Edit::rings_hold(const Making &m) const {
  bool opened = false, closed = false;
  if (!lost_bonds_hold(m, opened)) {
    return false;
  }
  if ((opened || !keeps_rings(m)) && (find_rings(m.product) != 1 || !new_bonds_hold(m, closed))) {
    return false;
  }
  if (!template_bonds_hold(m)) {
    return false;
  }
  for (std::uint16_t i = 0; i < m.product.atoms.size(); ++i) {
    if (m.work.parent_of[i] != NO_INDEX && is_changed(m, i) && !atom_holds(m, i)) {
      return false;
    }
  }
  return !(opened || closed) || double_bonds_hold(m);
}

// Where no ring of the parent is opened: whether the edit closes none, which is so if every bond that it makes leads to new
// atoms that hang on the parent. The product then is connected, and what is in a ring is so in the parent. Sets that for what
// the template made; the rest has it from the parent.
bool Edit::keeps_rings(const Making &m) const {
  if (!hangs_) {
    return false;
  }
  for (std::uint16_t i = 0; i < atoms_.size(); ++i) {
    const auto origin = m.work.parent_of[i];
    m.product.atoms[i].in_ring = origin != NO_INDEX && m.parent.atoms[origin].in_ring;
  }
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    auto &bond = m.product.bonds[i];
    const auto before = bond_before(m, bond);
    bond.in_ring = own_ring_[i] || (before != NO_INDEX && m.parent.bonds[before].in_ring);
    if (own_ring_[i]) {
      m.product.atoms[bond.begin].in_ring = m.product.atoms[bond.end].in_ring = true;
    } else if (before == NO_INDEX && m.work.parent_of[bond.begin] != NO_INDEX &&
               m.work.parent_of[bond.end] != NO_INDEX) {
      return false;
    }
  }
  return true;
}

// Every ring that the edit closes has a saturated carbon in it, so it can't be aromatic; and it leaves the rings that
// RDKit finds as they are.
bool Edit::new_bonds_hold(const Making &m, bool &ring_closed) const {
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    if (!is_new_in_ring(m, i)) {
      continue;
    }
    ring_closed = true;
    const auto &bond = m.product.bonds[i];
    if ((!is_saturated_carbon(m.product, m.product.atoms[bond.begin]) &&
         !is_saturated_carbon(m.product, m.product.atoms[bond.end])) ||
        !closes_apart(m, i)) {
      return false;
    }
  }
  return !ring_closed || closes_one_ring(m);
}

// Whether a bond of the product that the template made closes a ring with atoms of the parent.
bool Edit::is_new_in_ring(const Making &m, std::size_t index) const {
  return is_new_in_ring(m.parent, m.product, m.work, index);
}

bool Edit::is_new_in_ring(const Molecule &parent, const Molecule &product, const Workspace &work,
                          std::size_t index) const {
  const auto &bond = product.bonds[index];
  return bond.in_ring && !own_ring_[index] && bond_before(parent, work, bond) == NO_INDEX;
}

// Whether the shortest ring through a new bond shares at most one bond with the rings of the parent, and one with those
// of new atoms. Breadth first from one end of the bond to the other.
bool Edit::closes_apart(const Making &m, std::size_t index) const {
  const auto &closing = m.product.bonds[index];
  const auto was_in_ring = [&](const Bond &bond) {
    const auto before = bond_before(m, bond);
    return before != NO_INDEX && m.parent.bonds[before].in_ring;
  };
  // Per atom: the distance, and how many bonds of such rings a shortest path has.
  std::array<std::uint16_t, ATOMS_MAX> distance, old_bonds, own_bonds;
  std::fill_n(distance.begin(), m.product.atoms.size(), NO_INDEX);
  std::vector<std::uint16_t> queue{closing.begin};
  distance[closing.begin] = old_bonds[closing.begin] = own_bonds[closing.begin] = 0;
  for (std::size_t head = 0; distance[closing.end] == NO_INDEX; ++head) {
    const auto from = queue[head];
    const auto &atom = m.product.atoms[from];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto by = atom.bonds[i];
      const auto to = atom.neighbours[i];
      if (by == index || !m.product.bonds[by].in_ring || distance[to] != NO_INDEX) {
        continue;
      }
      distance[to] = distance[from] + 1;
      old_bonds[to] = old_bonds[from] + was_in_ring(m.product.bonds[by]);
      own_bonds[to] = own_bonds[from] + (by < own_ring_.size() && own_ring_[by]);
      queue.push_back(to);
    }
  }
  return old_bonds[closing.end] < 2 && own_bonds[closing.end] < 2;
}

// All new bonds in rings are in one ring together.
bool Edit::closes_one_ring(const Making &m) const {
  Joined joined(m.product.atoms.size());
  for (std::size_t i = 0; i < m.product.bonds.size(); ++i) {
    if (i >= bonds_.size() || !is_new_in_ring(m, i)) {
      joined.join(m.product.bonds[i]);
    }
  }
  unsigned int rings = 0;
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    rings += is_new_in_ring(m, i) && !joined.join(m.product.bonds[i]);
  }
  return rings < 2;
}

// An aromatic bond of the template between atoms of the parent is one that the parent has. A double bond to which
// the template gives stereo is in no ring, since RDKit removes it in small ones.
bool Edit::template_bonds_hold(const Making &m) const {
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    const auto &bond = m.product.bonds[i];
    if (bond.stereo != NO_STEREO && bond.in_ring) {
      return false;
    }
    if (bond.type != AROMATIC || own_ring_[i]) {
      continue;
    }
    const auto before = bond_before(m, bond);
    if (before == NO_INDEX || m.parent.bonds[before].type != AROMATIC) {
      return false;
    }
  }
  return true;
}

// The rings of the parent all of whose bonds are left, those of new atoms, and the one that the edit closes: see
// condition 7 in docs/chemistry.md. A ring that the edit closes has a saturated carbon.
bool Edit::count_rings(const Parent &parent, const Molecule &product, const Workspace &work,
                       RingCounts &counts, bool &same) const {
  counts = own_rings_;
  same = true;
  for (std::size_t i = 0; i < parent.rings.size(); ++i) {
    bool is_kept = true, is_aromatic = true;
    for (const auto bond : parent.rings.bonds(i)) {
      const auto kept = kept_bond(product, work, parent.mol.bonds[bond]);
      is_kept &= kept != NO_INDEX;
      is_aromatic &= kept != NO_INDEX && product.bonds[kept].type == AROMATIC;
    }
    same &= is_kept;
    counts.all += is_kept;
    counts.aromatic += is_aromatic;
  }
  for (std::size_t i = 0; i < bonds_.size(); ++i) {
    if (is_new_in_ring(parent.mol, product, work, i)) {
      ++counts.all;
      same = false;
      break;
    }
  }
  // No molecule has fewer rings than bonds that close one.
  return counts.all + product.atoms.size() >= product.bonds.size() + 1;
}

RingCounts count_rings(const Molecule &mol, const Rings &rings) {
  RingCounts counts;
  for (std::size_t i = 0; i < rings.size(); ++i) {
    ++counts.all;
    counts.aromatic +=
        std::ranges::all_of(rings.bonds(i), [&](auto bond) { return mol.bonds[bond].type == AROMATIC; });
  }
  return counts;
}

}  // namespace molsieve::edit
