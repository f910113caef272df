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

class MatchCheck {
 public:
  // `patterns`: SMARTS, one a line. At most `matches_max` matches of each are compared.
  MatchCheck(const std::string &patterns, std::uint32_t matches_max);

  // Compares the matches of every pattern in a molecule. Gives the first difference, or nothing.
  std::unique_ptr<std::string> compare(const std::string &smiles);

  // The patterns that RDKit can't read, and those that are left to it, one a line.
  const std::string &unreadable() const { return unreadable_; }
  const std::string &left_to_rdkit() const { return left_to_rdkit_; }
  // Searches that were compared, matches that they found, and those that were left to RDKit on the way.
  std::uint64_t searches() const { return searches_; }
  std::uint64_t matches() const { return matches_; }
  std::uint64_t unknown() const { return unknown_; }
  // Molecules that were compared as flat molecules, and those that had to be read from RDKit's.
  std::uint64_t flat() const { return flat_; }
  std::uint64_t not_flat() const { return not_flat_; }

 private:
  struct Pattern {
    std::string smarts;
    std::unique_ptr<RDKit::ROMol> mol;
    match::Plan plan;
  };

  std::string compare_in(const RDKit::ROMol &mol, const std::string &smiles);

  RDKit::SubstructMatchParameters settings_;
  match::Kinds kinds_;
  match::Target target_;
  edit::Parent parent_;
  std::vector<Pattern> patterns_;
  std::string unreadable_, left_to_rdkit_;
  std::uint64_t searches_ = 0, matches_ = 0, unknown_ = 0, flat_ = 0, not_flat_ = 0;
};

std::unique_ptr<MatchCheck> new_match_check(const std::string &patterns, std::uint32_t matches_max);

}  // namespace molsieve
