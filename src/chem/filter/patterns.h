// Whether patterns match one molecule at a time. A pattern with an element that the molecule lacks is not searched for. The
// answers are those of RDKit's HasSubstructMatch.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "molsieve/src/chem/match/kind.h"
#include "molsieve/src/chem/match/plan.h"
#include "molsieve/src/chem/match/target.h"
#include "molsieve/src/chem/rules/sites.h"

namespace molsieve::filter {

class Patterns {
 public:
  Patterns();

  // Adds a pattern and returns its number. `smarts`: the text of its atoms, in their order; empty: not known.
  std::size_t add(const std::string &smarts, RDKit::ROMOL_SPTR pattern);

  void begin(const RDKit::ROMol &mol);
  bool matches(std::size_t number);
  // The same by RDKit's own search.
  bool matches_by_rdkit(std::size_t number) const;

 private:
  struct Pattern {
    std::string smarts;
    RDKit::ROMOL_SPTR mol;
    Elements elements;
    std::optional<match::Plan> plan;
    std::uint64_t searched = 0;  // the number of the molecule that `found` belongs to
    bool found = false;
  };

  bool search(Pattern &pattern);

  // By pointer: kinds refer to it.
  std::unique_ptr<match::Kinds> kinds_;
  match::Target target_;
  bool has_target_ = false;
  std::vector<Pattern> patterns_;
  const RDKit::ROMol *mol_ = nullptr;
  std::uint64_t molecules_ = 0;
  Elements elements_;
};

}  // namespace molsieve::filter
