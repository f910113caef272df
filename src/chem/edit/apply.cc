#include "molsieve/src/chem/edit/edit.h"

#include <algorithm>

#include "molsieve/src/chem/edit/stereo.h"
#include "molsieve/src/chem/model/read.h"
#include "molsieve/src/chem/model/valence.h"

namespace molsieve::edit {

namespace {

enum Role : std::uint8_t { UNTOUCHED, MAPPED, SKIPPED };

}  // namespace

bool Parent::read(const RDKit::ROMol &from) {
  rings = from.getRingInfo();
  if (!read_molecule(from, mol) ||
      std::any_of(mol.atoms.begin(), mol.atoms.end(), may_need_cleanup)) {
    return false;
  }
  certainty = ring_certainty(mol, *rings);
  if (certainty == RingCertainty::Tangled) {
    skeleton = skeleton_of(mol);
  }
  return true;
}

bool Edit::apply(const Parent &parent, const RDKit::MatchVectType &match, Molecule &product,
                 Workspace &work) const {
  return parent.certainty != RingCertainty::Ambiguous &&
         parent.mol.atoms.size() + atoms_.size() <= ATOMS_MAX &&
         begin(parent.mol, match, product, work) && add_rest(parent.mol, match, product, work) &&
         complete_atoms(parent.mol, product, work) && carry_stereo(parent.mol, product, work) &&
         rings_hold(parent, match, product, work) && confirm_stereo(product);
}

// Begins the product with the template, whose mapped atoms take over properties of the parent's.
bool Edit::begin(const Molecule &parent, const RDKit::MatchVectType &match, Molecule &product,
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
  product.has_chirality = has_chirality_;
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
bool Edit::add_rest(const Molecule &parent, const RDKit::MatchVectType &match, Molecule &product,
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

bool Edit::add_around(const Molecule &parent, std::uint16_t from, Molecule &product,
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

bool Edit::add_neighbour(const Molecule &parent, std::uint16_t from, unsigned int place,
                         Molecule &product, Workspace &work) const {
  const auto neighbour = parent.atoms[from].neighbours[place];
  const auto &bond = parent.bonds[parent.atoms[from].bonds[place]];
  if (work.role[from] == MAPPED && work.role[neighbour] == MAPPED) {
    // Between mapped atoms the template decides, unless neither of its sides has a bond there.
    const auto a = work.product_of[from], b = work.product_of[neighbour];
    return product.bond_between(a, b) != NO_INDEX || breaks_bond(a, b) ||
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

bool Edit::breaks_bond(std::uint16_t a, std::uint16_t b) const {
  return std::any_of(joined_.begin(), joined_.end(), [&](const auto &pair) {
    return (pair.first == a && pair.second == b) || (pair.first == b && pair.second == a);
  });
}

bool Edit::copy_bond(const Bond &bond, Molecule &product, const Workspace &work) {
  const auto begin = work.product_of[bond.begin], end = work.product_of[bond.end];
  if (bond.type == AROMATIC) {
    product.atoms[begin].aromatic = product.atoms[end].aromatic = true;
  }
  return product.add_bond(begin, end, bond.type);
}

bool Edit::is_changed(const Molecule &parent, const Molecule &product, const Workspace &work,
                      std::uint16_t index) const {
  return index < atoms_.size() ||
         product.atoms[index].degree != parent.atoms[work.parent_of[index]].degree;
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
bool Edit::complete_atoms(const Molecule &parent, Molecule &product, const Workspace &work) const {
  for (std::uint16_t i = 0; i < product.atoms.size(); ++i) {
    if (is_changed(parent, product, work, i) && !complete(product, i)) {
      return false;
    }
    const auto origin = work.parent_of[i];
    if (origin != NO_INDEX && parent.atoms[origin].chirality != NO_CHIRALITY &&
        !carry_chirality(parent, product, work, i)) {
      return false;
    }
  }
  return true;
}

}  // namespace molsieve::edit
