#include "molsieve/src/chem/model/valence.h"

#include <GraphMol/PeriodicTable.h>

#include <algorithm>

namespace molsieve {

namespace {

constexpr int NUMBER_MAX = 118;

std::array<ElementValences, NUMBER_MAX + 1> read_elements() {
  std::array<ElementValences, NUMBER_MAX + 1> elements{};
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
  return (effective > SULFUR && (atom.number == PHOSPHORUS || atom.number == SULFUR)) ||
         (effective > SELENIUM && atom.number == SELENIUM);
}

int bond_halves(const Molecule &mol, const Atom &atom) {
  int sum = 0;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    sum += halves(mol.bonds[atom.bonds[i]].type);
  }
  return sum;
}

// Below zero: more than the element permits.
int explicit_valence(const Molecule &mol, const Atom &atom) {
  const int effective = effective_number(atom);
  const auto &own = valences_of(atom.number);
  const auto &as = valences_of(effective);
  int sum = bond_halves(mol, atom) + 2 * atom.explicit_hydrogens;
  const int normal = as.default_valence();
  // The bonds of an aromatic atom may add up to three halves too much, as those of pyrrole's nitrogen do.
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
int implicit_hydrogens(const Molecule &mol, const Atom &atom) {
  if (atom.no_implicit) {
    return 0;
  }
  int effective = effective_number(atom);
  int used = atom.explicit_valence;
  const int normal = valences_of(effective).default_valence();
  if (effective == 0 || normal == -1) {
    return 0;
  }
  if (may_be_hypervalent(atom, effective)) {
    effective = atom.number;
    used -= atom.charge;
  }
  const auto &as = valences_of(effective);
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

const ElementValences &valences_of(int number) {
  static const auto elements = read_elements();
  return elements[number];
}

bool is_aromatic(const Molecule &mol, const Atom &atom) {
  return atom.aromatic || any_bond(mol, atom, [](const Bond &bond) {
           return bond.aromatic || bond.type == AROMATIC;
         });
}

bool complete_valence(const Molecule &mol, Atom &atom) {
  const int valence = explicit_valence(mol, atom);
  atom.explicit_valence = static_cast<std::int8_t>(valence);
  const int hydrogens = valence < 0 ? -1 : implicit_hydrogens(mol, atom);
  atom.implicit_hydrogens = static_cast<std::int8_t>(hydrogens);
  return hydrogens >= 0;
}

bool is_radical(const Molecule &mol, const Atom &atom) {
  if (!atom.no_implicit) {
    return false;
  }
  const auto &own = valences_of(atom.number);
  const int valence = bond_halves(mol, atom) / 2 + atom.explicit_hydrogens;
  int later = 8 - own.outer_electrons - valence + atom.charge;
  if (later < 0) {
    later = 0;
    for (int i = 0; own.valence_count > 1 && i < own.valence_count; ++i) {
      if (own.valences[i] - valence + atom.charge >= 0) {
        later = own.valences[i] - valence + atom.charge;
        break;
      }
    }
  }
  const int earlier = own.outer_electrons - valence - atom.charge;
  return later != 0 && earlier != 0;
}

bool needs_cleanup(const Molecule &mol, const Atom &atom) {
  if (atom.charge != 0) {
    return false;
  }
  switch (atom.number) {
    case NITROGEN: return bond_halves(mol, atom) > 9;
    case PHOSPHORUS: return atom.degree == 3 && bond_halves(mol, atom) > 8;
    case CHLORINE: case BROMINE: case IODINE: return bond_halves(mol, atom) > 2;
    default: return false;
  }
}

bool may_need_cleanup(const Atom &atom) {
  switch (atom.number) {
    case NITROGEN: return atom.valence() > 4;
    case PHOSPHORUS: return atom.valence() > 3 && atom.degree < 4;
    case FLUORINE: case CHLORINE: case BROMINE: case IODINE: return atom.valence() > 1;
    default: return false;
  }
}

}  // namespace molsieve
