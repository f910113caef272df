// Where rules apply in a parent.
#pragma once

#include <GraphMol/ChemReactions/Reaction.h>
#include <GraphMol/RDKitBase.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <bitset>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace molsieve {

// Elements in a molecule, or needed by a pattern: aromatic ones and others apart.
struct Elements {
  std::bitset<128> aliphatic, aromatic, any;

  // What each atom of a pattern certainly asks for.
  static Elements of_query(const RDKit::ROMol &query);
  static Elements of_molecule(const RDKit::ROMol &mol);
  bool has(const Elements &needed) const;
};

// What is looked for on behalf of one rule; indices into a SiteFinder.
struct SiteQuery {
  std::size_t reactant = 0;
  std::vector<std::size_t> exclude;
  std::optional<std::size_t> require;
};

// Matches patterns against one parent at a time. What rules share is looked for once: rules with the
// same reactant share its matches, and every exclude or require SMARTS is evaluated once. A pattern
// that asks for an element which the parent lacks is not looked for at all. Belongs to one thread:
// recursive SMARTS take a lock per query inside RDKit.
class SiteFinder {
 public:
  explicit SiteFinder(unsigned int sites_max) : sites_max_(sites_max) {}

  std::size_t add_reactant(const std::string &smarts, const RDKit::ChemicalReaction &reaction);
  // Gives the index of a SMARTS, or nothing if RDKit cannot read it; what RDKit throws goes through.
  std::optional<std::size_t> add_query(const std::string &smarts);

  void begin(const RDKit::ROMol &parent);
  // Fills `matches` with the sites of a rule, in RDKit's order. True: there are more of something
  // than are looked for.
  bool find(const SiteQuery &query, std::vector<RDKit::MatchVectType> &matches);

 private:
  struct Reactant {
    std::string smarts;
    RDKit::ROMOL_SPTR pattern;
    RDKit::SubstructMatchParameters settings;
    Elements elements;
    bool evaluated = false;
    bool capped = false;
    std::vector<RDKit::MatchVectType> matches;
  };
  struct Query {
    std::string smarts;
    std::unique_ptr<RDKit::RWMol> pattern;
    Elements elements;
    bool evaluated = false;
    bool capped = false;
    std::vector<unsigned int> atoms;  // covered by any match, in ascending order
  };

  Reactant &evaluated(std::size_t index);
  const Query &covered(std::size_t index);

  unsigned int sites_max_;
  std::vector<Reactant> reactants_;
  std::vector<Query> queries_;
  const RDKit::ROMol *parent_ = nullptr;
  Elements elements_;
};

}  // namespace molsieve
