#include "molsieve/src/chem/draw/change.h"

#include <RDGeneral/types.h>

#include <algorithm>

namespace molsieve::draw {

namespace {

constexpr int NO_ATOM = -1;

// The parent's atom that an atom of the product was.
int origin_of(const RDKit::Atom &atom, int place, unsigned int parent_atoms) {
  int from = 0, reactant = place;
  atom.getPropIfPresent(RDKit::common_properties::reactantIdx, reactant);
  if (reactant != place || !atom.getPropIfPresent(RDKit::common_properties::reactantAtomIdx, from)) {
    return NO_ATOM;
  }
  return static_cast<unsigned int>(from) < parent_atoms ? from : NO_ATOM;
}

bool differs(const RDKit::Atom &a, const RDKit::Atom &b) {
  return a.getAtomicNum() != b.getAtomicNum() || a.getFormalCharge() != b.getFormalCharge() ||
         a.getIsotope() != b.getIsotope() || a.getTotalNumHs(true) != b.getTotalNumHs(true);
}

Marks unmarked(const RDKit::ROMol &mol) {
  return {std::vector<Mark>(mol.getNumAtoms()), std::vector<Mark>(mol.getNumBonds())};
}

void raise(Mark &mark, Mark to) { mark = std::max(mark, to); }

class Comparison {
 public:
  Comparison(const RDKit::ROMol &product, const RDKit::ROMol &parent, int place)
      : product_(product), parent_(parent), kept_(parent.getNumAtoms(), NO_ATOM) {
    change_.product = unmarked(product);
    change_.parent = unmarked(parent);
    for (const auto *atom : product.atoms()) {
      const auto from = origin_of(*atom, place, parent.getNumAtoms());
      change_.origin.push_back(from);
      if (from != NO_ATOM) {
        kept_[from] = static_cast<int>(atom->getIdx());
      }
    }
  }

  Change run() {
    compare_atoms();
    compare_bonds_of_product();
    compare_bonds_of_parent();
    if (!change_.product.any() && !change_.parent.any()) {
      mark_template();
    }
    return std::move(change_);
  }

 private:
  void mark_changed(int product_atom) {
    raise(change_.product.atoms[product_atom], Mark::Changed);
    raise(change_.parent.atoms[change_.origin[product_atom]], Mark::Changed);
  }

  void compare_atoms() {
    for (const auto *atom : product_.atoms()) {
      const auto from = change_.origin[atom->getIdx()];
      if (from == NO_ATOM) {
        change_.product.atoms[atom->getIdx()] = Mark::Added;
      } else if (differs(*atom, *parent_.getAtomWithIdx(from))) {
        mark_changed(static_cast<int>(atom->getIdx()));
      }
    }
    for (unsigned int i = 0; i < kept_.size(); ++i) {
      if (kept_[i] == NO_ATOM) {
        change_.parent.atoms[i] = Mark::Removed;
      }
    }
  }

  void compare_bonds_of_product() {
    for (const auto *bond : product_.bonds()) {
      const int ends[] = {static_cast<int>(bond->getBeginAtomIdx()), static_cast<int>(bond->getEndAtomIdx())};
      const int from[] = {change_.origin[ends[0]], change_.origin[ends[1]]};
      if (from[0] == NO_ATOM || from[1] == NO_ATOM) {
        change_.product.bonds[bond->getIdx()] = Mark::Added;
        for (const auto end : ends) {
          if (change_.origin[end] != NO_ATOM) {
            mark_changed(end);
          }
        }
        continue;
      }
      const auto *before = parent_.getBondBetweenAtoms(from[0], from[1]);
      if (before && before->getBondType() == bond->getBondType()) {
        continue;
      }
      change_.product.bonds[bond->getIdx()] = before ? Mark::Changed : Mark::Added;
      if (before) {
        change_.parent.bonds[before->getIdx()] = Mark::Changed;
      }
      mark_changed(ends[0]);
      mark_changed(ends[1]);
    }
  }

  void compare_bonds_of_parent() {
    for (const auto *bond : parent_.bonds()) {
      const int now[] = {kept_[bond->getBeginAtomIdx()], kept_[bond->getEndAtomIdx()]};
      const bool both = now[0] != NO_ATOM && now[1] != NO_ATOM;
      if (both && product_.getBondBetweenAtoms(now[0], now[1])) {
        continue;
      }
      change_.parent.bonds[bond->getIdx()] = Mark::Removed;
      for (const auto end : now) {
        if (end != NO_ATOM) {
          mark_changed(end);
        }
      }
    }
  }

  // Where only stereo has changed: the atoms of the rule's template.
  void mark_template() {
    for (const auto *atom : product_.atoms()) {
      if (atom->hasProp(RDKit::common_properties::reactionMapNum) && change_.origin[atom->getIdx()] != NO_ATOM) {
        mark_changed(static_cast<int>(atom->getIdx()));
      }
    }
  }

  const RDKit::ROMol &product_, &parent_;
  std::vector<int> kept_;  // per atom of the parent: the product's atom
  Change change_;
};

}  // namespace

bool Marks::any() const {
  const auto is_marked = [](Mark mark) { return mark != Mark::None; };
  return std::ranges::any_of(atoms, is_marked) || std::ranges::any_of(bonds, is_marked);
}

Change find_change(const RDKit::ROMol &product, const RDKit::ROMol &parent, int place) {
  return Comparison(product, parent, place).run();
}

Change moved(const Change &change, const RDKit::ROMol &product, const RDKit::ROMol &to,
             const std::vector<unsigned int> &product_atom) {
  Change result;
  result.parent = change.parent;
  result.product = unmarked(to);
  for (const auto *atom : to.atoms()) {
    const auto was = product_atom[atom->getIdx()];
    result.product.atoms[atom->getIdx()] = change.product.atoms[was];
    result.origin.push_back(change.origin[was]);
  }
  for (const auto *bond : to.bonds()) {
    const auto *was = product.getBondBetweenAtoms(product_atom[bond->getBeginAtomIdx()],
                                                  product_atom[bond->getEndAtomIdx()]);
    if (was) {
      result.product.bonds[bond->getIdx()] = change.product.bonds[was->getIdx()];
    }
  }
  return result;
}

}  // namespace molsieve::draw
