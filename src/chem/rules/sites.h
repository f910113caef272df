// Where rules apply in a parent.
#pragma once

#include <GraphMol/RDKitBase.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "molsieve/src/chem/edit/edit.h"
#include "molsieve/src/chem/match/kind.h"
#include "molsieve/src/chem/match/plan.h"
#include "molsieve/src/chem/match/target.h"

namespace molsieve {

// Elements in a molecule, or needed by a pattern.
struct Elements {
  std::bitset<128> aliphatic, aromatic, any;

  // The elements that every match of the pattern has.
  static Elements of_query(const RDKit::ROMol &query);
  static Elements of_molecule(const RDKit::ROMol &mol);
  static Elements of_target(const match::Target &target);
  bool has(const Elements &needed) const;
};

// The patterns of one rule, as indices into a SiteFinder.
struct SiteQuery {
  std::size_t reactant = 0;
  std::vector<std::size_t> exclude;
  std::optional<std::size_t> require;
};

// A molecule to be searched.
struct Searched {
  const edit::Parent *flat = nullptr;                // null: there is none
  std::function<const RDKit::ROMol &()> rdkit;       // is called only where RDKit's molecule is needed
};

// Searches for patterns in one molecule at a time. Rules with the same reactant share its matches, and every exclude or
// require SMARTS is evaluated once. A pattern with an element that the molecule lacks is not searched for at all.
// Belongs to one thread.
class SiteFinder {
 public:
  // `own_search`: molsieve searches for the patterns that it covers. The sites are the same.
  SiteFinder(unsigned int sites_max, bool own_search);

  // Adds a reactant template that was read from this SMARTS; equal texts are one pattern.
  std::size_t add_reactant(const std::string &smarts, RDKit::ROMOL_SPTR pattern);
  // The index of a SMARTS, or nothing if RDKit cannot read it. Throws what RDKit throws.
  std::optional<std::size_t> add_query(const std::string &smarts);
  // Whether RDKit has to search for a pattern of a rule, whatever the molecule.
  bool needs_rdkit(const SiteQuery &query) const;

  // What is given must live until the next molecule.
  void begin(Searched searched);
  // The sites of a rule, in RDKit's order, until the next call. `capped`: a pattern has more matches than `sites_max`.
  const std::vector<RDKit::MatchVectType> &find(const SiteQuery &query, bool &capped);

  // Searches so far.
  struct Searches {
    std::uint64_t own = 0, by_rdkit = 0;
  };
  Searches searches() const { return searches_; }

 private:
  // A pattern and how it is searched for.
  struct Pattern {
    RDKit::ROMOL_SPTR mol;
    RDKit::SubstructMatchParameters settings;
    Elements elements;
    std::optional<match::Plan> plan;
  };
  struct Reactant {
    std::string smarts;
    Pattern pattern;
    bool evaluated = false;
    bool capped = false;
    std::vector<RDKit::MatchVectType> matches;
  };
  struct Query {
    std::string smarts;
    Pattern pattern;
    bool evaluated = false;
    bool capped = false;
    bool any = false;
    std::vector<char> atoms;  // by index: whether it is in a match
  };

  Pattern pattern_of(const std::string &smarts, RDKit::ROMOL_SPTR mol, const RDKit::SubstructMatchParameters &settings);
  std::vector<RDKit::MatchVectType> search_with_rdkit(const Pattern &pattern);
  Reactant &evaluated(std::size_t index);
  const Query &covered(std::size_t index);
  void cover(Query &query);

  unsigned int sites_max_;
  bool own_search_;
  match::Kinds kinds_;
  match::Target target_;
  bool has_target_ = false;
  std::vector<Reactant> reactants_;
  std::vector<Query> queries_;
  std::vector<RDKit::MatchVectType> sites_;  // found last, unless they are all matches of a reactant
  Searched searched_;
  Elements elements_;
  Searches searches_;
};

}  // namespace molsieve
