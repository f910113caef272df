#include "molsieve/src/chem/edit/edit.h"

#include <algorithm>

#include "molsieve/src/chem/model/read.h"
#include "molsieve/src/chem/model/valence.h"

namespace molsieve::edit {

namespace {

enum Role : std::uint8_t { UNTOUCHED, MAPPED, SKIPPED };

}  // namespace

bool Parent::read(const RDKit::ROMol &from) {
  rings.read(*from.getRingInfo());
  return read_molecule(from, mol) && is_covered();
}

bool Parent::is_covered() const { return std::ranges::none_of(mol.atoms, may_need_cleanup); }

bool Edit::apply(const Parent &parent, const RDKit::MatchVectType &match, bool confirm, Molecule &product,
                 Workspace &work) const {
  const Making m{parent, parent.mol, match, product, work};
  return parent.mol.atoms.size() + atoms_.size() <= ATOMS_MAX && begin(m) && add_rest(m) &&
         complete_atoms(m) && carry_stereo(m) && rings_hold(m) &&
         (confirm ? confirm_stereo(product) : states_stereo(product));
}

// Begins the product with the template, whose mapped atoms take over properties of the parent's.
bool Edit::begin(const Making &m) const {
  const auto size = m.parent.atoms.size();
  std::fill_n(m.work.product_of.begin(), size, NO_INDEX);
  std::fill_n(m.work.parent_of.begin(), size + atoms_.size(), NO_INDEX);
  std::fill_n(m.work.role.begin(), size, UNTOUCHED);
  std::fill_n(m.work.visited.begin(), size, false);
  m.product.clear();
  for (const auto &atom : atoms_) {
    m.product.atoms.push_back(atom.atom);
  }
  for (const auto &bond : bonds_) {
    if (!m.product.add_bond(bond.begin, bond.end, bond.type)) {
      return false;
    }
    m.product.bonds.back().stereo = bond.stereo;
    m.product.bonds.back().stereo_atoms = bond.stereo_atoms;
  }
  m.product.has_chirality = has_chirality_;
  m.product.has_stereo = has_stereo_;
  for (const auto &[query, index] : m.match) {
    const auto place = becomes_[query];
    m.work.role[index] = place == NO_INDEX ? SKIPPED : MAPPED;
    if (place == NO_INDEX) {
      continue;
    }
    m.work.product_of[index] = place;
    m.work.parent_of[place] = index;
    if (!take_over(atoms_[place], m.parent.atoms[index], m.product.atoms[place])) {
      return false;
    }
  }
  return true;
}

bool Edit::take_over(const TemplateAtom &from, const Atom &original, Atom &atom) {
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

// Adds the rest of the parent, breadth first from each mapped atom in the order of the match.
bool Edit::add_rest(const Making &m) const {
  for (const auto &pair : m.match) {
    const auto start = static_cast<std::uint16_t>(pair.second);
    if (m.work.role[start] != MAPPED) {
      continue;
    }
    m.work.queue.assign(1, start);
    for (std::size_t i = 0; i < m.work.queue.size(); ++i) {
      if (!add_around(m, m.work.queue[i])) {
        return false;
      }
    }
  }
  return true;
}

bool Edit::add_around(const Making &m, std::uint16_t from) const {
  m.work.visited[from] = true;
  const auto &atom = m.parent.atoms[from];
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto neighbour = atom.neighbours[i];
    if (!m.work.visited[neighbour] && m.work.role[neighbour] != SKIPPED &&
        !add_neighbour(m, from, i)) {
      return false;
    }
  }
  return true;
}

bool Edit::add_neighbour(const Making &m, std::uint16_t from, unsigned int place) const {
  const auto neighbour = m.parent.atoms[from].neighbours[place];
  const auto &bond = m.parent.bonds[m.parent.atoms[from].bonds[place]];
  if (m.work.role[from] == MAPPED && m.work.role[neighbour] == MAPPED) {
    // Between mapped atoms the template decides, unless neither of its sides has a bond there.
    const auto a = m.work.product_of[from], b = m.work.product_of[neighbour];
    return m.product.bond_between(a, b) != NO_INDEX || breaks_bond(a, b) || copy_bond(m, bond);
  }
  if (m.work.product_of[neighbour] == NO_INDEX) {
    const auto index = static_cast<std::uint16_t>(m.product.atoms.size());
    m.product.atoms.push_back(m.parent.atoms[neighbour]);
    m.product.atoms.back().degree = 0;
    m.work.product_of[neighbour] = index;
    m.work.parent_of[index] = neighbour;
    m.work.queue.push_back(neighbour);
  }
  return copy_bond(m, bond);
}

bool Edit::breaks_bond(std::uint16_t a, std::uint16_t b) const {
  return std::ranges::any_of(joined_, [&](const auto &pair) {
    return (pair.first == a && pair.second == b) || (pair.first == b && pair.second == a);
  });
}

bool Edit::copy_bond(const Making &m, const Bond &bond) {
  const auto begin = m.work.product_of[bond.begin], end = m.work.product_of[bond.end];
  if (bond.type == AROMATIC) {
    m.product.atoms[begin].aromatic = m.product.atoms[end].aromatic = true;
  }
  if (!m.product.add_bond(begin, end, bond.type)) {
    return false;
  }
  m.product.bonds.back().in_ring = bond.in_ring;
  return true;
}

bool Edit::is_changed(const Making &m, std::uint16_t index) const {
  return index < atoms_.size() ||
         m.product.atoms[index].degree != m.parent.atoms[m.work.parent_of[index]].degree;
}

namespace {

// Completes the valence of an atom. False: RDKit rejects the atom, gives it unpaired electrons, or would rewrite the
// group it is in. Of aromatic atoms RDKit asks the latter two in Kekulé form: see Edit::rings_hold.
bool complete(Molecule &product, std::uint16_t index) {
  auto &atom = product.atoms[index];
  return atom.degree <= PRODUCT_DEGREE_MAX && std::abs(atom.charge) <= CHARGE_MAX &&
         complete_valence(product, atom) && (atom.aromatic || !is_radical(product, atom)) &&
         !may_need_cleanup(atom);
}

}  // namespace

// Hydrogens, valence and chirality of every atom.
bool Edit::complete_atoms(const Making &m) const {
  for (std::uint16_t i = 0; i < m.product.atoms.size(); ++i) {
    if (is_changed(m, i) && !complete(m.product, i)) {
      return false;
    }
    const auto origin = m.work.parent_of[i];
    if (origin != NO_INDEX && m.parent.atoms[origin].chirality != NO_CHIRALITY &&
        !carry_chirality(m, i)) {
      return false;
    }
  }
  return true;
}

}  // namespace molsieve::edit
