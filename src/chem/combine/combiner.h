// Combines a parent with reagents, one combination at a time.
#pragma once

#include <GraphMol/ChemReactions/Reaction.h>
#include <GraphMol/RDKitBase.h>
#include <GraphMol/Substruct/SubstructMatch.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "molsieve/src/chem/combine/reagent.h"
#include "molsieve/src/chem/edit/edit.h"
#include "molsieve/src/chem/parse/parse.h"
#include "molsieve/src/chem/rules/compile.h"
#include "rust/cxx.h"

namespace molsieve {

struct Combinations;  // of the bridge: which reagents are combined, in which order
struct TransformerSettings;

// The parent as one reactant of a rule.
struct CombinedParent {
  std::uint64_t ordinal = 0;
  std::function<RDKit::ROMOL_SPTR()> mol;  // gives it with hydrogens as atoms if the rule asks for them
  const edit::Parent *flat = nullptr;      // null: RDKit has to make the products
  const std::vector<RDKit::MatchVectType> *matches = nullptr;
};

class Combiner {
 public:
  Combiner(const TransformerSettings &settings, rust::Box<Combinations> combinations);
  ~Combiner();

  // For the patterns of rules.
  SiteFinders &finders() { return finders_; }

  // Begins the combinations of rule number `number` in which the parent, which has matches, is reactant `place`.
  void begin(const CompiledRule &rule, std::size_t number, std::size_t place, const CombinedParent &parent);
  // Prepares the next combination that has sites. False: there is none left. Throws what RDKit throws.
  bool next();

  // Of the current combination: its sites, and whether they are fewer than there are.
  std::size_t sites() const { return sites_; }
  bool capped() const { return capped_; }
  // Makes a site the current one. They are in RDKit's order: the matches of the last reactant change first.
  void select(std::size_t site);
  // Parent and reagents side by side, and the match of the current site in them; null: RDKit has to make the products.
  const edit::Parent *flat() const { return is_flat_ ? &together_ : nullptr; }
  const RDKit::MatchVectType &match() const { return match_; }
  // What RDKit's reaction runner makes at the current site.
  RDKit::MOL_SPTR_VECT run();
  // Writes the numbers of the reagents, in the order of the reactants.
  void write_numbers(rust::Slice<std::uint32_t> to) const;

  // Parses a molecule as a reagent. Throws Unusable.
  void read(const std::string &smiles);
  // Whether it matches a reactant of a rule.
  bool matches(const CompiledRule &rule, std::size_t place);

 private:
  // A reagent by its list and its place in the list.
  using Place = std::uint64_t;

  Reagent &reagent_at(std::size_t reactant, std::uint32_t position);
  std::unique_ptr<Reagent> make(std::size_t reactant, std::uint32_t number);
  std::string smiles_of(std::uint32_t number) const;
  bool may_be_flat(const std::string &smiles) const;
  RDKit::ROMOL_SPTR parse(const std::string &smiles) const;
  bool draft(const std::string &smiles);
  const RDKit::ROMOL_SPTR &read_molecule();
  RDKit::ROMOL_SPTR with_hydrogens_if_asked(RDKit::ROMOL_SPTR mol) const;
  void lay_down(std::size_t first_changed);
  void count_sites();
  std::size_t matches_of(std::size_t reactant) const;

  const std::unique_ptr<TransformerSettings> settings_;
  rust::Box<Combinations> combinations_;
  SiteFinders finders_;

  const CompiledRule *rule_ = nullptr;
  std::size_t place_ = 0;  // of the parent among the reactants
  CombinedParent parent_;
  bool is_first_ = false;  // no combination was prepared since begin()
  // By reactant; nothing at the parent's place.
  std::array<std::uint32_t, REACTANTS_MAX> lists_{}, positions_{};
  std::array<Reagent *, REACTANTS_MAX> reagents_{};
  std::array<std::size_t, REACTANTS_MAX> site_{};  // the match of each reactant at the current site
  // What is laid down before a reactant's atoms, and with them.
  std::array<Extent, REACTANTS_MAX> before_{};
  std::array<std::uint32_t, REACTANTS_MAX> first_atom_{};
  edit::Parent together_;
  bool is_flat_ = false;
  bool is_laid_ = false;  // of every reagent, as far as all are flat
  std::size_t sites_ = 0;
  bool capped_ = false;
  RDKit::MatchVectType match_;

  // Reagents that are kept, up to a number of bytes, and for each reactant one that is not.
  std::unordered_map<Place, std::unique_ptr<Reagent>> kept_;
  std::size_t kept_bytes_ = 0;
  std::array<std::unique_ptr<Reagent>, REACTANTS_MAX> passing_;
  parse::Drafted drafted_;  // the molecule parsed last
  edit::Parent flat_;       // for one reagent, while it is made
  // The molecule read last; null until RDKit's is needed.
  RDKit::ROMOL_SPTR read_;
  RDKit::ROMOL_SPTR read_with_hydrogens_;
};

}  // namespace molsieve
