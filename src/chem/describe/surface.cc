#include "molsieve/src/chem/describe/describe.h"

namespace molsieve::describe {

namespace {

// What RDKit's table distinguishes.
struct Surroundings {
  unsigned int neighbours = 0, hydrogens = 0;
  unsigned int singles = 0, doubles = 0, triples = 0, aromatics = 0;
  int charge = 0;
  bool in_ring_of_three = false;
};

Surroundings surroundings(const Molecule &mol, const Atom &atom) {
  Surroundings s;
  s.neighbours = atom.degree;
  s.hydrogens = static_cast<unsigned int>(atom.hydrogens());
  s.charge = atom.charge;
  s.in_ring_of_three = is_in_ring_of_three(mol, atom);
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto type = mol.bonds[atom.bonds[i]].type;
    s.singles += type == SINGLE;
    s.doubles += type == DOUBLE;
    s.triples += type == TRIPLE;
    s.aromatics += type == AROMATIC;
  }
  return s;
}

constexpr double NOT_LISTED = -1;

// A nitrogen with one neighbour.
double end_nitrogen(const Surroundings &s) {
  if (s.charge == 0) {
    if (s.hydrogens == 0 && s.triples == 1) return 23.79;
    if (s.hydrogens == 1 && s.doubles == 1) return 23.85;
    if (s.hydrogens == 2 && s.singles == 1) return 26.02;
  } else if (s.charge == 1) {
    if (s.hydrogens == 2 && s.doubles == 1) return 25.59;
    if (s.hydrogens == 3 && s.singles == 1) return 27.64;
  }
  return NOT_LISTED;
}

double nitrogen_of_two(const Surroundings &s) {
  if (s.charge == 0) {
    if (s.hydrogens == 0 && s.singles == 1 && s.doubles == 1) return 12.36;
    if (s.hydrogens == 0 && s.triples == 1 && s.doubles == 1) return 13.60;
    if (s.hydrogens == 1 && s.singles == 2) return s.in_ring_of_three ? 21.94 : 12.03;
    if (s.hydrogens == 0 && s.aromatics == 2) return 12.89;
    if (s.hydrogens == 1 && s.aromatics == 2) return 15.79;
  } else if (s.charge == 1) {
    if (s.hydrogens == 0 && s.triples == 1 && s.singles == 1) return 4.36;
    if (s.hydrogens == 1 && s.doubles == 1 && s.singles == 1) return 13.97;
    if (s.hydrogens == 2 && s.singles == 2) return 16.61;
    if (s.hydrogens == 1 && s.aromatics == 2) return 14.14;
  }
  return NOT_LISTED;
}

double nitrogen_of_three(const Surroundings &s) {
  if (s.hydrogens == 0 && s.charge == 0) {
    if (s.singles == 3) return s.in_ring_of_three ? 3.01 : 3.24;
    if (s.singles == 1 && s.doubles == 2) return 11.68;
    if (s.aromatics == 3) return 4.41;
    if (s.singles == 1 && s.aromatics == 2) return 4.93;
    if (s.doubles == 1 && s.aromatics == 2) return 8.39;
  } else if (s.hydrogens == 0 && s.charge == 1) {
    if (s.singles == 2 && s.doubles == 1) return 3.01;
    if (s.aromatics == 3) return 4.10;
    if (s.singles == 1 && s.aromatics == 2) return 3.88;
  } else if (s.hydrogens == 1 && s.charge == 1 && s.singles == 3) {
    return 4.44;
  }
  return NOT_LISTED;
}

double nitrogen(const Surroundings &s) {
  switch (s.neighbours) {
    case 1: return end_nitrogen(s);
    case 2: return nitrogen_of_two(s);
    case 3: return nitrogen_of_three(s);
    case 4: return s.hydrogens == 0 && s.singles == 4 && s.charge == 1 ? 0.0 : NOT_LISTED;
    default: return NOT_LISTED;
  }
}

double oxygen(const Surroundings &s) {
  if (s.neighbours == 1) {
    if (s.hydrogens == 0 && s.charge == 0 && s.doubles == 1) return 17.07;
    if (s.hydrogens == 1 && s.charge == 0 && s.singles == 1) return 20.23;
    if (s.hydrogens == 0 && s.charge == -1 && s.singles == 1) return 23.06;
  } else if (s.neighbours == 2 && s.hydrogens == 0 && s.charge == 0) {
    if (s.singles == 2) return s.in_ring_of_three ? 12.53 : 9.23;
    if (s.aromatics == 2) return 13.14;
  }
  return NOT_LISTED;
}

// An atom that the table does not list.
double estimate(const Surroundings &s, double base, double per_neighbour) {
  const int neighbours = static_cast<int>(s.neighbours), hydrogens = static_cast<int>(s.hydrogens);
  const double area = base - neighbours * per_neighbour + hydrogens * 1.5;
  return area < 0 ? 0 : area;
}

}  // namespace

bool is_in_ring_of_three(const Molecule &mol, const Atom &atom) {
  if (!atom.in_ring) {
    return false;
  }
  for (unsigned int i = 0; i < atom.degree; ++i) {
    for (unsigned int j = i + 1; j < atom.degree; ++j) {
      if (mol.bond_between(atom.neighbours[i], atom.neighbours[j]) != NO_INDEX) {
        return true;
      }
    }
  }
  return false;
}

double polar_surface(const Molecule &mol) {
  double sum = 0;
  for (const auto &atom : mol.atoms) {
    if (atom.number != NITROGEN && atom.number != OXYGEN) {
      continue;
    }
    const auto s = surroundings(mol, atom);
    const bool is_nitrogen = atom.number == NITROGEN;
    const double area = is_nitrogen ? nitrogen(s) : oxygen(s);
    sum += area >= 0 ? area : is_nitrogen ? estimate(s, 30.5, 8.2) : estimate(s, 28.5, 8.6);
  }
  return sum;
}

}  // namespace molsieve::describe
