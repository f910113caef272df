// For tests: compares the search for patterns with RDKit's.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "molsieve/src/chem/edit/edit.h"
#include "molsieve/src/chem/match/kind.h"
#include "molsieve/src/chem/match/plan.h"
#include "molsieve/src/chem/match/target.h"

namespace molsieve {

class SearchCheck {
 public:
  // `smarts`: one a line. At most `matches_max` matches of each are compared.
  SearchCheck(const std::string &smarts, std::uint32_t matches_max);

  // Compares the matches of every pattern in a molecule: in the flat molecule, and in what is read from RDKit's. Gives
  // the first difference, or nothing.
  std::unique_ptr<std::string> compare(const std::string &smiles);

  // SMARTS that are left to RDKit, one a line.
  const std::string &left_to_rdkit() const { return left_to_rdkit_; }
  std::size_t patterns() const { return patterns_.size(); }
  // Searches that were compared, matches that they found, and searches that were left to RDKit at its limit.
  std::uint64_t searches() const { return searches_; }
  std::uint64_t matches() const { return matches_; }
  std::uint64_t at_limit() const { return at_limit_; }

 private:
  struct Pattern {
    std::string smarts;
    std::unique_ptr<RDKit::ROMol> mol;
    match::Plan plan;
  };

  void add(const std::string &smarts, bool merge_hydrogens);
  std::string compare_in(const RDKit::ROMol &mol, const std::string &smiles);

  RDKit::SubstructMatchParameters settings_;
  match::Kinds kinds_;
  match::Target target_;
  edit::Parent parent_;
  std::vector<Pattern> patterns_;
  std::string left_to_rdkit_;
  std::uint64_t searches_ = 0, matches_ = 0, at_limit_ = 0;
};

std::unique_ptr<SearchCheck> new_search_check(const std::string &smarts, std::uint32_t matches_max);

// The SMARTS of RDKit's catalogues of alerts, one a line.
std::unique_ptr<std::string> catalogue_smarts();

}  // namespace molsieve
