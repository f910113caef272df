#include "molsieve/src/chem/match/check.h"

#include <GraphMol/SmilesParse/SmilesParse.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <sstream>

#include "molsieve/src/chem/filter/alerts.h"
#include "molsieve/src/chem/parse/parse.h"

namespace molsieve {

namespace {

// Nothing if RDKit can't read it.
std::unique_ptr<RDKit::ROMol> read_pattern(const std::string &smarts, bool merge_hydrogens) {
  try {
    return std::unique_ptr<RDKit::ROMol>(RDKit::SmartsToMol(smarts, 0, merge_hydrogens));
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

SearchCheck::SearchCheck(const std::string &smarts, std::uint32_t matches_max) : kinds_(matches_max) {
  settings_.uniquify = false;
  settings_.maxMatches = matches_max;
  settings_.maxRecursiveMatches = matches_max;
  std::istringstream lines(smarts);
  for (std::string line; std::getline(lines, line);) {
    add(line, false);
    // As catalogues of alerts read it: hydrogens belong to the atoms that they are on.
    if (line.find('H') != std::string::npos || line.find("#1]") != std::string::npos) {
      add(line, true);
    }
  }
}

void SearchCheck::add(const std::string &smarts, bool merge_hydrogens) {
  auto mol = read_pattern(smarts, merge_hydrogens);
  if (!mol) {
    return;
  }
  if (auto plan = kinds_.plan(smarts, *mol)) {
    patterns_.push_back({smarts, std::move(mol), std::move(*plan)});
  } else if (!merge_hydrogens) {
    left_to_rdkit_ += smarts + '\n';
  }
}

std::unique_ptr<std::string> SearchCheck::compare(const std::string &smiles) {
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
    difference = compare_in(*mol, smiles);
  }
  if (difference.empty() && target_.read(*mol)) {
    difference = compare_in(*mol, smiles);
  }
  return std::make_unique<std::string>(std::move(difference));
}

// Compares the matches in a molecule that the target has read.
std::string SearchCheck::compare_in(const RDKit::ROMol &mol, const std::string &smiles) {
  std::vector<RDKit::MatchVectType> ours;
  for (auto &pattern : patterns_) {
    const auto found = pattern.plan.find(target_, settings_.maxMatches, ours);
    if (found == match::Found::UNKNOWN) {
      ++at_limit_;
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

std::unique_ptr<SearchCheck> new_search_check(const std::string &smarts, std::uint32_t matches_max) {
  return std::make_unique<SearchCheck>(smarts, matches_max);
}

std::unique_ptr<std::string> catalogue_smarts() {
  auto lines = std::make_unique<std::string>();
  for (const auto &smarts : filter::catalogue_smarts()) {
    *lines += smarts + '\n';
  }
  return lines;
}

}  // namespace molsieve
