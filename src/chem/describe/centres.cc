// Possible stereo centres, specified or not, as RDKit's legacy perception finds them: see parse/stereo.cc for the whole.
// The stereo of the molecule is confirmed already, so that a second round of ranks finds the rest.
#include "molsieve/src/chem/describe/describe.h"

#include <algorithm>

#include "molsieve/src/chem/model/cip.h"

namespace molsieve::describe {

namespace {

enum class Answer : std::uint8_t { No, Yes, Unknown };

bool has_aromatic_bond(const Molecule &mol, const Atom &atom) {
  return any_bond(mol, atom, [](const Bond &bond) { return bond.type == AROMATIC; });
}

// A nitrogen of three neighbours without hydrogen is one only in a ring of three or as a bridgehead, both of which need
// three bonds or two neighbours in rings; RDKit decides.
Answer may_nitrogen_be_centre(const Molecule &mol, const Atom &atom) {
  unsigned int in_ring = 0;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    in_ring += mol.bonds[atom.bonds[i]].in_ring;
  }
  if (in_ring < 2 || has_aromatic_bond(mol, atom)) {
    return Answer::No;
  }
  if (in_ring == 3) {
    return Answer::Unknown;
  }
  for (unsigned int i = 0; i < atom.degree; ++i) {
    for (unsigned int j = i + 1; j < atom.degree; ++j) {
      if (mol.bond_between(atom.neighbours[i], atom.neighbours[j]) != NO_INDEX) {
        return Answer::Unknown;
      }
    }
  }
  return Answer::No;
}

Answer may_be_centre(const Molecule &mol, const Atom &atom) {
  const int neighbours = atom.total_degree();
  if (neighbours > 4 || neighbours < 3 || (atom.degree < 3 && atom.number != PHOSPHORUS)) {
    return Answer::No;
  }
  if (atom.degree != 3 || atom.hydrogens() == 1) {
    return Answer::Yes;
  }
  switch (atom.number) {
    case NITROGEN:
      return may_nitrogen_be_centre(mol, atom);
    case PHOSPHORUS:
      return Answer::Yes;
    case SULFUR: case SELENIUM:
      return atom.explicit_valence == 4 || (atom.explicit_valence == 3 && atom.charge == 1) ? Answer::Yes
                                                                                           : Answer::No;
    default:
      return Answer::No;
  }
}

// R and S of every centre with chirality, which ranking by stereo needs.
void set_cip_codes(Molecule &mol) {
  for (auto &atom : mol.atoms) {
    atom.cip_code = atom.chirality == NO_CHIRALITY ? '\0' : cip_code(mol, atom);
  }
}

}  // namespace

bool count_centres(Molecule &mol, unsigned int &centres) {
  std::array<std::uint16_t, ATOMS_MAX> possible;
  unsigned int count = 0;
  for (std::uint16_t i = 0; i < mol.atoms.size(); ++i) {
    const auto answer = may_be_centre(mol, mol.atoms[i]);
    if (answer == Answer::Unknown || mol.atoms[i].isotope != 0) {
      return false;
    }
    if (answer == Answer::Yes) {
      possible[count++] = i;
    }
  }
  centres = 0;
  if (count == 0) {
    return true;
  }
  if (!rank_by_cip(mol)) {
    return false;
  }
  const auto ties = [&](std::uint16_t index) { return neighbours_tie(mol, mol.atoms[index]); };
  auto *const end = std::partition(possible.data(), possible.data() + count, ties);
  const auto tied = static_cast<unsigned int>(end - possible.data());
  centres = count - tied;
  if (tied == 0 || !(mol.has_chirality || mol.has_stereo)) {
    return true;
  }
  set_cip_codes(mol);
  if (!rank_by_cip_and_stereo(mol)) {
    return false;
  }
  centres += tied - static_cast<unsigned int>(std::count_if(possible.data(), end, ties));
  return true;
}

}  // namespace molsieve::describe
