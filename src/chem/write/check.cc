#include "molsieve/src/chem/write/check.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "molsieve/src/chem/edit/edit.h"
#include "molsieve/src/chem/parse/parse.h"
#include "molsieve/src/chem/write/smiles.h"

namespace molsieve {

namespace {

using Order = std::vector<std::uint16_t>;

Order random_order(unsigned int count, std::mt19937 &random) {
  Order order(count);
  std::iota(order.begin(), order.end(), std::uint16_t{0});
  // std::shuffle differs from one library to the next.
  for (unsigned int i = count; i > 1; --i) {
    std::swap(order[i - 1], order[random() % i]);
  }
  return order;
}

// The molecule with atom i as atom atoms[i] and bond j as bond bonds[j]. The bonds of an atom stay in their order, by which
// its chirality is given.
void reorder(const Molecule &from, const Order &atoms, const Order &bonds, Molecule &to) {
  to = from;
  for (unsigned int i = 0; i < from.atoms.size(); ++i) {
    auto &atom = to.atoms[atoms[i]] = from.atoms[i];
    for (unsigned int j = 0; j < atom.degree; ++j) {
      atom.bonds[j] = bonds[atom.bonds[j]];
      atom.neighbours[j] = atoms[atom.neighbours[j]];
    }
  }
  for (unsigned int i = 0; i < from.bonds.size(); ++i) {
    auto &bond = to.bonds[bonds[i]] = from.bonds[i];
    bond.begin = atoms[bond.begin];
    bond.end = atoms[bond.end];
    for (auto &stereo : bond.stereo_atoms) {
      stereo = stereo == NO_INDEX ? NO_INDEX : atoms[stereo];
    }
  }
}

}  // namespace

std::unique_ptr<std::string> settled_text_differs(const std::string &smiles, unsigned int orders, bool &settled) {
  auto differs = std::make_unique<std::string>();
  parse::Drafted drafted;
  const auto parent = std::make_unique<edit::Parent>();
  auto &mol = parent->mol;
  const auto writer = std::make_unique<write::SmilesWriter>();
  std::string text;
  settled = false;
  if (!drafted.read_flat(smiles, mol, parent->rings) || find_rings(mol) != 1 || !edit::confirm_stereo(mol) ||
      !writer->write(mol, text)) {
    return differs;
  }
  settled = writer->is_settled();
  std::mt19937 random(static_cast<unsigned int>(smiles.size()));
  const auto other = std::make_unique<Molecule>();
  for (unsigned int i = 0; i < orders; ++i) {
    reorder(mol, random_order(mol.atoms.size(), random), random_order(mol.bonds.size(), random), *other);
    std::string other_text;
    const bool is_written = writer->write(*other, other_text);
    if ((settled || (is_written && writer->is_settled())) && other_text != text) {
      *differs = text + "\n" + other_text;
      break;
    }
  }
  return differs;
}

}  // namespace molsieve
