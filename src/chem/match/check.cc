#include "molsieve/src/chem/match/check.h"

#include <GraphMol/SmilesParse/SmilesParse.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <sstream>

#include "molsieve/src/chem/parse/parse.h"

namespace molsieve {

namespace {

std::unique_ptr<RDKit::ROMol> read_pattern(const std::string &smarts) {
  try {
    return std::unique_ptr<RDKit::ROMol>(RDKit::SmartsToMol(smarts));
  } catch (const std::exception &) {
    return nullptr;
  }
}

std::string written(const std::vector<RDKit::MatchVectType> &matches) {
  std::ostringstream out;
  out << matches.size();
  for (const auto &match : matches) {
    out << " (";
    for (const auto &[query, atom] : match) {
      out << ' ' << query << ':' << atom;
    }
    out << " )";
  }
  return out.str().substr(0, 400);
}

}  // namespace

MatchCheck::MatchCheck(const std::string &patterns, std::uint32_t matches_max) : kinds_(matches_max) {
  settings_.uniquify = false;
  settings_.maxMatches = matches_max;
  settings_.maxRecursiveMatches = matches_max;
  std::istringstream lines(patterns);
  for (std::string smarts; std::getline(lines, smarts);) {
    auto mol = read_pattern(smarts);
    if (!mol) {
      unreadable_ += smarts + '\n';
    } else if (auto plan = kinds_.plan(smarts, *mol)) {
      patterns_.push_back({smarts, std::move(mol), std::move(*plan)});
    } else {
      left_to_rdkit_ += smarts + '\n';
    }
  }
}

std::unique_ptr<std::string> MatchCheck::compare(const std::string &smiles) {
  std::unique_ptr<RDKit::RWMol> mol;
  try {
    mol = parse::fast(smiles);
  } catch (const std::exception &) {
  }
  std::string difference;
  if (!mol) {
    return std::make_unique<std::string>();
  }
  if (parent_.read(*mol) && target_.read(parent_.mol, parent_.rings)) {
    ++flat_;
    difference = compare_in(*mol, smiles);
  }
  if (difference.empty() && target_.read(*mol)) {
    ++not_flat_;
    difference = compare_in(*mol, smiles);
  }
  return std::make_unique<std::string>(std::move(difference));
}

// Compares the matches in a molecule that the target has read.
std::string MatchCheck::compare_in(const RDKit::ROMol &mol, const std::string &smiles) {
  std::vector<RDKit::MatchVectType> ours;
  for (auto &pattern : patterns_) {
    const auto found = pattern.plan.find(target_, settings_.maxMatches, ours);
    if (found == match::Found::UNKNOWN) {
      ++unknown_;
      continue;
    }
    ++searches_;
    matches_ += ours.size();
    const auto theirs = RDKit::SubstructMatch(mol, *pattern.mol, settings_);
    if (ours != theirs) {
      return pattern.smarts + " in " + smiles + "\nmolsieve: " + written(ours) + "\nRDKit:    " + written(theirs);
    }
  }
  return {};
}

std::unique_ptr<MatchCheck> new_match_check(const std::string &patterns, std::uint32_t matches_max) {
  return std::make_unique<MatchCheck>(patterns, matches_max);
}

}  // namespace molsieve
