// RDKit's reaction runner sets the directions of the single bonds beside stereo double bonds again. It visits the double
// bonds in the order of a weight, and of their addresses where weights are equal; and the result may depend on the
// order. So the same molecule can give different products in one run. This definition replaces RDKit's own for every
// caller in the process (as in periodic_table.cc) and does the same work in an order that depends on the molecule alone:
// the result is one of those that RDKit can have. Molecules with coordinates, wavy or wedged bonds, which no SMILES has,
// are passed to RDKit's own definition.
#include <GraphMol/Bond.h>
#include <GraphMol/MolOps.h>
#include <GraphMol/RDKitBase.h>
#include <GraphMol/RingInfo.h>

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <utility>
#include <vector>

#include "molsieve/src/chem/model/molecule.h"

namespace molsieve {

namespace {

using RDKit::Atom;
using RDKit::Bond;
using RDKit::ROMol;

bool is_single(const Bond &bond) {
  return bond.getBondType() == Bond::SINGLE || bond.getBondType() == Bond::AROMATIC;
}

Bond::BondDir opposite(Bond::BondDir direction) {
  return direction == Bond::ENDUPRIGHT ? Bond::ENDDOWNRIGHT : Bond::ENDUPRIGHT;
}

bool is_wavy_or_wedged(const Bond &bond) {
  int unknown = 0;
  const auto direction = bond.getBondDir();
  return (direction != Bond::NONE && direction != Bond::ENDUPRIGHT &&
          direction != Bond::ENDDOWNRIGHT) ||
         (bond.getPropIfPresent(RDKit::common_properties::_UnknownStereo, unknown) && unknown);
}

class DirectionSetter {
 public:
  explicit DirectionSetter(ROMol &mol)
      : mol_(mol),
        waits_(mol.getNumBonds(), false),
        uses_(mol.getNumBonds(), 0),
        beside_(mol.getNumBonds()) {}

  void run() {
    if (!mol_.getRingInfo()->isSymmSssr()) {
      RDKit::MolOps::symmetrizeSSSR(mol_);
    }
    for (auto *bond : mol_.bonds()) {
      if (is_candidate(*bond)) {
        add(*bond);
      }
    }
    // RDKit's weights are the sums of bond numbers. Where they are equal, its order is that of addresses.
    std::ranges::sort(order_, [](const auto &a, const auto &b) { return a > b; });
    for (const auto &entry : order_) {
      direct(*mol_.getBondWithIdx(entry.second));
    }
  }

 private:
  struct Side {
    Bond *first = nullptr;
    Bond *second = nullptr;
  };

  bool is_candidate(const Bond &bond) const {
    const auto *rings = mol_.getRingInfo();
    return bond.getBondType() == Bond::DOUBLE && bond.getStereo() != Bond::STEREOANY &&
           bond.getBeginAtom()->getDegree() > 1 && bond.getEndAtom()->getDegree() > 1 &&
           (rings->numBondRings(bond.getIdx()) == 0 ||
            rings->minBondRingSize(bond.getIdx()) >= STEREO_RING_MIN);
  }

  void add(const Bond &bond) {
    unsigned int weight = 0;
    for (const auto *end : {bond.getBeginAtom(), bond.getEndAtom()}) {
      for (const auto *single : mol_.atomBonds(end)) {
        if (!is_single(*single)) {
          continue;
        }
        const auto index = single->getIdx();
        ++uses_[index];
        waits_[bond.getIdx()] = true;
        waits_[index] = true;
        weight += index;
        auto &others = beside_[index];
        if (std::ranges::find(others, bond.getIdx()) == others.end()) {
          others.push_back(bond.getIdx());
        }
      }
    }
    const bool in_ring = mol_.getRingInfo()->numBondRings(bond.getIdx()) != 0;
    order_.emplace_back(in_ring ? weight : 10 * weight, bond.getIdx());
  }

  // The single bonds at one end; first the one that already has a direction, or is beside more double bonds.
  Side side(const Bond &bond, const Atom &end) const {
    Side side;
    for (auto *single : mol_.atomBonds(&end)) {
      if (single == &bond || !is_single(*single)) {
        continue;
      }
      const auto index = single->getIdx();
      if (!side.first) {
        side.first = single;
      } else if (waits_[index] && uses_[index] <= uses_[side.first->getIdx()]) {
        side.second = single;
      } else {
        side.second = side.first;
        side.first = single;
      }
    }
    return side;
  }

  static void set(Bond &bond, const Atom &end, Bond::BondDir direction, bool reverse) {
    bond.setBondDir((bond.getBeginAtom() != &end) != reverse ? opposite(direction) : direction);
  }

  // Whether the two single bonds have opposite directions, both seen as beginning at the double bond.
  static bool is_trans(const Bond &bond, const Bond &one, const Bond &two) {
    const auto &references = bond.getStereoAtoms();
    const auto is_other = [&](unsigned int atom) {
      return std::ranges::find(references, static_cast<int>(atom)) ==
             references.end();
    };
    const bool trans =
        bond.getStereo() == Bond::STEREOTRANS || bond.getStereo() == Bond::STEREOE;
    return trans != (is_other(one.getOtherAtomIdx(bond.getBeginAtomIdx())) !=
                     is_other(two.getOtherAtomIdx(bond.getEndAtomIdx())));
  }

  void direct(Bond &bond) {
    if (!waits_[bond.getIdx()]) {
      return;
    }
    waits_[bond.getIdx()] = false;
    const auto &begin = *bond.getBeginAtom(), &end = *bond.getEndAtom();
    const auto one = side(bond, begin), two = side(bond, end);
    if (!one.first || !two.first || bond.getStereo() < Bond::STEREOZ ||
        bond.getStereo() > Bond::STEREOTRANS) {
      return;
    }
    std::vector<unsigned int> next;
    for (const auto *single : {one.first, two.first}) {
      if (waits_[single->getIdx()]) {
        const auto &others = beside_[single->getIdx()];
        std::ranges::copy_if(others, std::back_inserter(next),
                     [&](auto other) { return waits_[other]; });
      }
    }
    direct_firsts(begin, end, *one.first, *two.first, is_trans(bond, *one.first, *two.first));
    direct_second(begin, one);
    direct_second(end, two);
    for (const auto index : next) {
      direct(*mol_.getBondWithIdx(index));
    }
  }

  void direct_firsts(const Atom &begin, const Atom &end, Bond &one, Bond &two, bool trans) {
    const bool one_waits = waits_[one.getIdx()], two_waits = waits_[two.getIdx()];
    if (one_waits && two_waits) {
      set(one, begin, Bond::ENDDOWNRIGHT, false);
      set(two, end, Bond::ENDDOWNRIGHT, trans);
    } else if (two_waits) {
      set(two, end, one.getBondDir(), trans != (one.getBeginAtom() != &begin));
    } else if (one_waits) {
      set(one, begin, two.getBondDir(), trans != (two.getBeginAtom() != &end));
    }
    waits_[one.getIdx()] = false;
    waits_[two.getIdx()] = false;
  }

  void direct_second(const Atom &end, const Side &side) {
    if (side.second && waits_[side.second->getIdx()]) {
      set(*side.second, end, side.first->getBondDir(), side.first->getBeginAtom() == &end);
      waits_[side.second->getIdx()] = false;
    }
  }

  ROMol &mol_;
  std::vector<bool> waits_;                         // per bond, single or double: not done yet
  std::vector<unsigned int> uses_;                  // per single bond: at how many ends of double bonds
  std::vector<std::vector<unsigned int>> beside_;   // per single bond: the double bonds
  std::vector<std::pair<unsigned int, unsigned int>> order_;  // weight and double bond
};

void call_rdkit(ROMol &mol, const RDKit::Conformer *conformer) {
  using SetDirections = void (*)(ROMol &, const RDKit::Conformer *);
  static const auto original = reinterpret_cast<SetDirections>(dlsym(
      RTLD_NEXT,
      "_ZN5RDKit6MolOps31setDoubleBondNeighborDirectionsERNS_5ROMolEPKNS_9ConformerE"));
  if (!original) {
    std::abort();  // RDKit is linked, so its function exists
  }
  original(mol, conformer);
}

}  // namespace

void set_directions(ROMol &mol, const RDKit::Conformer *conformer) {
  bool wavy = false;
  for (const auto *bond : mol.bonds()) {
    wavy |= is_wavy_or_wedged(*bond);
  }
  if (conformer || wavy) {
    call_rdkit(mol, conformer);
  } else {
    DirectionSetter(mol).run();
  }
}

}  // namespace molsieve

namespace RDKit::MolOps {

void setDoubleBondNeighborDirections(ROMol &mol, const Conformer *conf) {
  molsieve::set_directions(mol, conf);
}

}  // namespace RDKit::MolOps
