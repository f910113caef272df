// Possible stereo centres, specified or not, as RDKit's legacy perception finds them: see parse/stereo.cc for the whole.
// The stereo of the molecule is confirmed already, so that a second round of ranks finds the rest.
#include "molsieve/src/chem/describe/describe.h"

#include <GraphMol/QueryOps.h>

#include <algorithm>
#include <array>

#include "molsieve/src/chem/model/cip.h"

namespace molsieve::describe {

namespace {

enum class Answer : std::uint8_t { No, Yes, Unknown };

bool is_multiple(const Bond &bond) { return bond.type != SINGLE; }

// Whether the single bonds of a nitrogen are conjugated, as those of an amide or aniline are.
Answer is_conjugated(const Molecule &mol, const Atom &nitrogen) {
  auto answer = Answer::No;
  for (unsigned int i = 0; i < nitrogen.degree; ++i) {
    const auto &neighbour = mol.atoms[nitrogen.neighbours[i]];
    if (!any_bond(mol, neighbour, is_multiple)) {
      continue;
    }
    if (neighbour.number == CARBON && neighbour.charge == 0 && neighbour.total_degree() == 3) {
      return Answer::Yes;
    }
    answer = Answer::Unknown;
  }
  return answer;
}

Answer is_bridgehead(const Origin &origin, std::uint16_t index) {
  if (!origin.parent || origin.parent_of[index] == NO_INDEX) {
    return Answer::Unknown;
  }
  const auto *atom = origin.parent().getAtomWithIdx(origin.parent_of[index]);
  return RDKit::queryIsAtomBridgehead(atom) ? Answer::Yes : Answer::No;
}

// A nitrogen of three neighbours without hydrogen is a centre only in a ring of three or as a bridgehead, and only if it
// is a pyramid.
Answer may_nitrogen_be_centre(const Molecule &mol, const Atom &atom, const Origin &origin, std::uint16_t index) {
  unsigned int in_ring = 0;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    in_ring += mol.bonds[atom.bonds[i]].in_ring;
  }
  if (in_ring < 2 || any_bond(mol, atom, is_multiple)) {
    return Answer::No;
  }
  const bool in_ring_of_three = is_in_ring_of_three(mol, atom);
  if (!in_ring_of_three && in_ring < 3) {
    return Answer::No;
  }
  const auto conjugated = is_conjugated(mol, atom);
  if (conjugated != Answer::No) {
    return conjugated == Answer::Yes ? Answer::No : Answer::Unknown;
  }
  return in_ring_of_three ? Answer::Yes : is_bridgehead(origin, index);
}

Answer may_be_centre(const Molecule &mol, const Origin &origin, std::uint16_t index) {
  const auto &atom = mol.atoms[index];
  const int neighbours = atom.total_degree();
  if (neighbours > 4 || neighbours < 3 || (atom.degree < 3 && atom.number != PHOSPHORUS)) {
    return Answer::No;
  }
  if (atom.degree != 3 || atom.hydrogens() == 1) {
    return Answer::Yes;
  }
  switch (atom.number) {
    case NITROGEN:
      return may_nitrogen_be_centre(mol, atom, origin, index);
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

bool count_centres(Molecule &mol, const Origin &origin, unsigned int &centres) {
  std::array<std::uint16_t, ATOMS_MAX> possible;
  unsigned int count = 0;
  for (std::uint16_t i = 0; i < mol.atoms.size(); ++i) {
    const auto answer = may_be_centre(mol, origin, i);
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
