// Where rules apply in a parent.
#pragma once

#include <GraphMol/RDKitBase.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "molsieve/src/chem/rules/shared_pattern.h"

namespace molsieve {

// Elements in a molecule, or needed by a pattern.
struct Elements {
  std::bitset<128> aliphatic, aromatic, any;

  // The elements that every match of the pattern has.
  static Elements of_query(const RDKit::ROMol &query);
  static Elements of_molecule(const RDKit::ROMol &mol);
  bool has(const Elements &needed) const;
};

// The patterns of one rule, as indices into a SiteFinder.
struct SiteQuery {
  std::size_t reactant = 0;
  std::vector<std::size_t> exclude;
  std::optional<std::size_t> require;
};

// Matches patterns against one parent at a time. Rules with the same reactant share its matches, and every exclude or
// require SMARTS is evaluated once. A pattern with an element that the parent lacks is not matched at all. Belongs to
// one thread, since RDKit locks a mutex for every recursive SMARTS.
class SiteFinder {
 public:
  // `share_atoms`: patterns share the matches of their atoms. The sites are the same.
  SiteFinder(unsigned int sites_max, bool share_atoms);

  // Adds a reactant template that was read from this SMARTS; equal texts are one pattern.
  std::size_t add_reactant(const std::string &smarts, RDKit::ROMOL_SPTR pattern);
  // The index of a SMARTS, or nothing if RDKit cannot read it. Throws what RDKit throws.
  std::optional<std::size_t> add_query(const std::string &smarts);

  void begin(const RDKit::ROMol &parent);
  // Fills `matches` with the sites of a rule, in RDKit's order. True: a pattern has more matches than `sites_max`.
  bool find(const SiteQuery &query, std::vector<RDKit::MatchVectType> &matches);

 private:
  // A pattern and how it is searched for.
  struct Pattern {
    RDKit::ROMOL_SPTR mol;
    RDKit::SubstructMatchParameters settings;
    Elements elements;
    std::optional<SharedPattern> shared;
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
    std::vector<unsigned int> atoms;  // in any match, in ascending order
  };

  Pattern pattern_of(const std::string &smarts, RDKit::ROMOL_SPTR mol, AtomKinds &kinds);
  std::vector<RDKit::MatchVectType> search(Pattern &pattern);
  Reactant &evaluated(std::size_t index);
  const Query &covered(std::size_t index);

  unsigned int sites_max_;
  bool share_atoms_;
  AtomKinds reactant_atoms_;
  AtomKinds query_atoms_;
  std::vector<Reactant> reactants_;
  std::vector<Query> queries_;
  const RDKit::ROMol *parent_ = nullptr;
  std::uint64_t parents_ = 0;
  Elements elements_;
};

}  // namespace molsieve
