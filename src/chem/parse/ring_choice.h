// The choice among the rings that were found, as RDKit makes it.
#pragma once

#include "molsieve/src/chem/parse/draft.h"

#include <vector>

namespace molsieve::parse {

class RingChoice {
 public:
  void start(Draft &mol);
  // Chooses among the rings from `first` on, which are those of one fragment: of more rings than the `expected`
  // independent ones the smaller; of equal ones those with most bonds in rings chosen before. False: there are fewer.
  bool choose(unsigned int first, unsigned int expected);
  // Adds the rings that could replace a chosen one, and removes all others from the molecule.
  void finish();

 private:
  void choose_among_equals(const unsigned int *rings, unsigned int count, BondSet &covered,
                           std::bitset<RINGS_MAX> &kept) const;
  void add_replacements();
  void keep_chosen();

  Draft *molecule_ = nullptr;
  std::vector<unsigned int> chosen_, extra_;
};

}  // namespace molsieve::parse
