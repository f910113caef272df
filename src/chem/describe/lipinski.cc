// Counts that RDKit defines by SMARTS (Lipinski.cpp), as conditions on the flat molecule. There are no hydrogens as
// atoms, so `H` counts all hydrogens of an atom and `D` all its neighbours.
#include "molsieve/src/chem/describe/describe.h"

namespace molsieve::describe {

namespace {

bool is_aliphatic(const Atom &atom, Element element) {
  return atom.number == element && !atom.aromatic;
}

// Whether any neighbour has the property, with the bond to it.
template <typename Property>
bool any_neighbour(const Molecule &mol, const Atom &atom, Property has_property) {
  for (unsigned int i = 0; i < atom.degree; ++i) {
    if (has_property(mol.bonds[atom.bonds[i]], mol.atoms[atom.neighbours[i]])) {
      return true;
    }
  }
  return false;
}

// [O,N,P,S]
bool is_onps(const Atom &atom) {
  return !atom.aromatic && (atom.number == OXYGEN || atom.number == NITROGEN ||
                            atom.number == PHOSPHORUS || atom.number == SULFUR);
}

// *=[O,N,P,S]
bool has_double_bond_to_onps(const Molecule &mol, const Atom &atom) {
  return any_neighbour(mol, atom, [](const Bond &bond, const Atom &other) {
    return bond.type == DOUBLE && is_onps(other);
  });
}

// [N&!H0&v3,N&!H0&+1&v4,O&H1&+0,S&H1&+0,n&H1&+0]
bool is_donor(const Atom &atom) {
  const int hydrogens = atom.hydrogens();
  if (hydrogens == 0) {
    return false;
  }
  switch (atom.number) {
    case NITROGEN:
      if (atom.aromatic) {
        return hydrogens == 1 && atom.charge == 0;
      }
      return atom.valence() == 3 || (atom.charge == 1 && atom.valence() == 4);
    case OXYGEN: case SULFUR:
      return !atom.aromatic && hydrogens == 1 && atom.charge == 0;
    default:
      return false;
  }
}

// $([O,S;H1;v2]-[!$(*=[O,N,P,S])]),$([O,S;H0;v2]),$([O,S;-])
bool is_chalcogen_acceptor(const Molecule &mol, const Atom &atom) {
  if (atom.charge == -1) {
    return true;
  }
  if (atom.valence() != 2) {
    return false;
  }
  if (atom.hydrogens() == 0) {
    return true;
  }
  return atom.hydrogens() == 1 &&
         any_neighbour(mol, atom, [&](const Bond &bond, const Atom &other) {
           return bond.type == SINGLE && !has_double_bond_to_onps(mol, other);
         });
}

// N-*=!@[O,N,P,S], from the nitrogen
bool is_amide_like(const Molecule &mol, const Atom &nitrogen) {
  return any_neighbour(mol, nitrogen, [&](const Bond &bond, const Atom &middle) {
    return bond.type == SINGLE &&
           any_neighbour(mol, middle, [](const Bond &next, const Atom &end) {
             return next.type == DOUBLE && !next.in_ring && is_onps(end);
           });
  });
}

// [$([O,S;H1;v2]-[!$(*=[O,N,P,S])]),$([O,S;H0;v2]),$([O,S;-]),$([N;v3;!$(N-*=!@[O,N,P,S])]),$([nH0X2,o,s;+0])]
bool is_acceptor(const Molecule &mol, const Atom &atom) {
  switch (atom.number) {
    case OXYGEN: case SULFUR:
      return atom.aromatic ? atom.charge == 0 : is_chalcogen_acceptor(mol, atom);
    case NITROGEN:
      if (atom.aromatic) {
        return atom.charge == 0 && atom.hydrogens() == 0 && atom.total_degree() == 2;
      }
      return atom.valence() == 3 && !is_amide_like(mol, atom);
    default:
      return false;
  }
}

bool is_methyl(const Atom &atom) { return is_aliphatic(atom, CARBON) && atom.hydrogens() == 3; }

// C(F)(F)F, the same with Cl and Br, C([CH3])([CH3])[CH3]
bool has_three_alike(const Molecule &mol, const Atom &atom) {
  if (!is_aliphatic(atom, CARBON) || atom.degree < 3) {
    return false;
  }
  unsigned int fluorines = 0, chlorines = 0, bromines = 0, methyls = 0;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto type = mol.bonds[atom.bonds[i]].type;
    if (type == SINGLE || type == AROMATIC) {
      const auto &other = mol.atoms[atom.neighbours[i]];
      fluorines += is_aliphatic(other, FLUORINE);
      chlorines += is_aliphatic(other, CHLORINE);
      bromines += is_aliphatic(other, BROMINE);
      methyls += is_methyl(other);
    }
  }
  return fluorines >= 3 || chlorines >= 3 || bromines >= 3 || methyls >= 3;
}

// [!$(*#*)&!D1&!$(C(F)(F)F)&…&!$([CH3])]
bool may_rotate(const Molecule &mol, const Atom &atom) {
  return atom.degree != 1 && !is_methyl(atom) && !has_three_alike(mol, atom) &&
         !any_bond(mol, atom, [](const Bond &bond) { return bond.type == TRIPLE; });
}

// [#7,O,S!D1]. The patterns with N+ and #7!D1 are special cases of those with this.
bool is_amide_heteroatom(const Atom &atom) {
  return atom.number == NITROGEN || is_aliphatic(atom, OXYGEN) ||
         (is_aliphatic(atom, SULFUR) && atom.degree != 1);
}

// [CD3](=[N,O,S])
bool is_amide_carbon(const Molecule &mol, const Atom &atom) {
  return is_aliphatic(atom, CARBON) && atom.degree == 3 &&
         any_neighbour(mol, atom, [](const Bond &bond, const Atom &other) {
           return bond.type == DOUBLE && is_onps(other) && other.number != PHOSPHORUS;
         });
}

// Either end of $([CD3](=[N,O,S])-!@[#7,O,S!D1])
bool ends_amide_bond(const Molecule &mol, const Atom &atom) {
  const bool heteroatom = is_amide_heteroatom(atom);
  if (!heteroatom && !is_amide_carbon(mol, atom)) {
    return false;
  }
  return any_neighbour(mol, atom, [&](const Bond &bond, const Atom &other) {
    return bond.type == SINGLE && !bond.in_ring &&
           (heteroatom ? is_amide_carbon(mol, other) : is_amide_heteroatom(other));
  });
}

template <typename Counted>
unsigned int count_atoms(const Molecule &mol, Counted is_counted) {
  unsigned int count = 0;
  for (const auto &atom : mol.atoms) {
    count += is_counted(atom);
  }
  return count;
}

}  // namespace

unsigned int count_donors(const Molecule &mol) { return count_atoms(mol, is_donor); }

unsigned int count_acceptors(const Molecule &mol) {
  return count_atoms(mol, [&](const Atom &atom) { return is_acceptor(mol, atom); });
}

// RDKit's strict definition: no bond of an amide or an ester.
unsigned int count_rotatable_bonds(const Molecule &mol) {
  unsigned int count = 0;
  for (const auto &bond : mol.bonds) {
    const auto &begin = mol.atoms[bond.begin], &end = mol.atoms[bond.end];
    count += !bond.in_ring && (bond.type == SINGLE || bond.type == AROMATIC) &&
             may_rotate(mol, begin) && may_rotate(mol, end) &&
             !(ends_amide_bond(mol, begin) && ends_amide_bond(mol, end));
  }
  return count;
}

}  // namespace molsieve::describe
