// Valences, hydrogens, radicals and electrons, as RDKit counts them.
#include <GraphMol/PeriodicTable.h>

#include <algorithm>

#include "molsieve/src/chem/parse/flat.h"

namespace molsieve::flat {

namespace {

constexpr int NUMBER_MAX = 118;

std::array<Element, NUMBER_MAX + 1> read_elements() {
  std::array<Element, NUMBER_MAX + 1> elements{};
  const auto *table = RDKit::PeriodicTable::getTable();
  for (int number = 0; number <= NUMBER_MAX; ++number) {
    auto &element = elements[number];
    const auto &valences = table->getValenceList(number);
    element.valence_count = static_cast<std::uint8_t>(
        std::min(valences.size(), element.valences.size()));
    std::copy_n(valences.begin(), element.valence_count, element.valences.begin());
    element.outer_electrons = static_cast<std::int8_t>(table->getNouterElecs(number));
  }
  return elements;
}

// The element with as many electrons.
int effective_number(const Atom &atom) {
  return std::clamp(atom.number - atom.charge, 0, NUMBER_MAX);
}

bool may_be_hypervalent(const Atom &atom, int effective) {
  return (effective > 16 && (atom.number == 15 || atom.number == 16)) ||
         (effective > 34 && atom.number == 34);
}

int bond_halves(const Molecule &mol, const Atom &atom) {
  int sum = 0;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    sum += halves(mol.bonds[atom.bonds[i]].order);
  }
  return sum;
}

}  // namespace

const Element &element(int number) {
  static const auto elements = read_elements();
  return elements[number];
}

// Whether RDKit might write a group in another way, such as N(=O)=O with charges.
bool needs_cleanup(const Molecule &mol) {
  for (unsigned int i = 0; i < mol.atom_count; ++i) {
    const auto &atom = mol.atoms[i];
    if (atom.charge != 0) {
      continue;
    }
    switch (atom.number) {
      case 7:
        if (bond_halves(mol, atom) > 9) {
          return true;
        }
        break;
      case 15:
        if (atom.degree == 3 && bond_halves(mol, atom) > 8) {
          return true;
        }
        break;
      case 17: case 35: case 53:
        if (bond_halves(mol, atom) > 2) {
          return true;
        }
        break;
      default:
        break;
    }
  }
  return false;
}

bool is_aromatic(const Molecule &mol, const Atom &atom) {
  if (atom.aromatic) {
    return true;
  }
  for (unsigned int i = 0; i < atom.degree; ++i) {
    const auto &bond = mol.bonds[atom.bonds[i]];
    if (bond.aromatic || bond.order == Order::AROMATIC) {
      return true;
    }
  }
  return false;
}

namespace {

// Below zero: more than the element permits.
int explicit_valence(const Molecule &mol, const Atom &atom) {
  const int effective = effective_number(atom);
  const auto &own = element(atom.number);
  const auto &as = element(effective);
  int sum = bond_halves(mol, atom) + 2 * atom.explicit_hs;
  const int normal = as.default_valence();
  // An aromatic atom may look as if it had up to three halves too much, such as pyrrole's nitrogen.
  if (normal >= 0 && sum > 2 * normal && is_aromatic(mol, atom)) {
    int nearest = normal;
    for (int i = 0; i < as.valence_count && as.valences[i] != -1 && 2 * as.valences[i] <= sum;
         ++i) {
      nearest = as.valences[i];
    }
    if (sum - 2 * nearest <= 3) {
      sum = 2 * nearest;
    }
  }
  const int valence = (sum + 1) / 2;
  int permitted = as.last_valence();
  int offset = 0;
  if (may_be_hypervalent(atom, effective)) {
    permitted = own.last_valence();
    offset = -atom.charge;
  }
  return permitted >= 0 && valence + offset > permitted ? -1 : valence;
}

// Below zero: there is no such state. Needs the explicit valence.
int implicit_valence(const Molecule &mol, const Atom &atom) {
  if (atom.no_implicit) {
    return 0;
  }
  int effective = effective_number(atom);
  int used = atom.explicit_valence;
  const int normal = element(effective).default_valence();
  if (effective == 0 || normal == -1) {
    return 0;
  }
  if (may_be_hypervalent(atom, effective)) {
    effective = atom.number;
    used -= atom.charge;
  }
  const auto &as = element(effective);
  const auto end = as.valences.begin() + as.valence_count;
  if (is_aromatic(mol, atom)) {
    if (used <= normal) {
      return normal - used;
    }
    return std::find(as.valences.begin(), end, used) != end ? 0 : -1;
  }
  const auto larger =
      std::find_if(as.valences.begin(), end, [used](int v) { return v < 0 || v >= used; });
  if (larger != end && *larger >= 0) {
    return *larger - used;
  }
  return as.last_valence() == -1 ? 0 : -1;
}

}  // namespace

// False: there is no such state.
bool set_valence(const Molecule &mol, Atom &atom) {
  const int expl = explicit_valence(mol, atom);
  atom.explicit_valence = static_cast<std::int8_t>(expl);
  const int impl = expl < 0 ? -1 : implicit_valence(mol, atom);
  atom.implicit_valence = static_cast<std::int8_t>(impl);
  return impl >= 0;
}

bool set_valences(Molecule &mol) {
  return std::all_of(mol.atoms.begin(), mol.atoms.begin() + mol.atom_count,
                     [&](Atom &atom) { return set_valence(mol, atom); });
}

// Only atoms in brackets can have radical electrons. To be asked while bonds are single or double.
bool has_radicals(const Molecule &mol) {
  for (unsigned int i = 0; i < mol.atom_count; ++i) {
    const auto &atom = mol.atoms[i];
    if (!atom.no_implicit) {
      continue;
    }
    const auto &own = element(atom.number);
    const int valence = bond_halves(mol, atom) / 2 + atom.explicit_hs;
    int later = 8 - own.outer_electrons - valence + atom.charge;
    if (later < 0) {
      later = 0;
      if (own.valence_count > 1) {
        for (int v = 0; v < own.valence_count; ++v) {
          if (own.valences[v] - valence + atom.charge >= 0) {
            later = own.valences[v] - valence + atom.charge;
            break;
          }
        }
      }
    }
    const int earlier = own.outer_electrons - valence - atom.charge;
    if (earlier >= 0) {
      later = std::min(later, earlier);
    }
    if (later != 0) {
      return true;
    }
  }
  return false;
}

// The electrons an atom can give to a pi system, -1 if it can't be part of one.
int pi_electrons(const Atom &atom) {
  const auto &own = element(atom.number);
  const int normal = own.default_valence();
  const int degree = atom.total_degree();
  if (normal <= 1 || degree > 3) {
    return -1;
  }
  const int lone = std::max(own.outer_electrons - normal - atom.charge, 0);
  const int electrons = normal - degree + lone;
  if (electrons > 1 && atom.explicit_valence - atom.degree > 1) {
    return 1;
  }
  return electrons;
}

// Hydrogens that an aromatic atom would lose, such as pyrrole's, become explicit. Outside rings no
// bond has changed since the valences were set.
bool adjust_hydrogens(Molecule &mol) {
  for (unsigned int i = 0; i < mol.atom_count; ++i) {
    auto &atom = mol.atoms[i];
    if (atom.rings == 0) {
      continue;
    }
    const int before = atom.implicit();
    if (!set_valence(mol, atom)) {
      return false;
    }
    if (atom.implicit_valence < before) {
      atom.explicit_hs =
          static_cast<std::uint8_t>(atom.explicit_hs + before - atom.implicit_valence);
      if (!set_valence(mol, atom)) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace molsieve::flat
