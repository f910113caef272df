#include "molsieve/src/chem/combine/combiner.h"

#include <GraphMol/ChemReactions/ReactionRunner.h>
#include <GraphMol/MolOps.h>

#include <algorithm>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/canonical.h"
#include "molsieve/src/chem/failure.h"
#include "molsieve/src/chem/parse/parse.h"

namespace molsieve {

using RDKit::ROMOL_SPTR;

static_assert(REACTANTS_MAX == static_cast<std::size_t>(Shared::ReactantsMax));
static_assert(NO_REAGENT == static_cast<std::uint32_t>(Shared::NoReagent));

Combiner::Combiner(const TransformerSettings &settings, rust::Box<Combinations> combinations)
    : settings_(std::make_unique<TransformerSettings>(settings)),
      combinations_(std::move(combinations)),
      finders_(settings.sites_max, !settings.reference) {}
Combiner::~Combiner() = default;

void Combiner::begin(const CompiledRule &rule, std::size_t number, std::size_t place, const CombinedParent &parent) {
  rule_ = &rule;
  place_ = place;
  parent_ = parent;
  is_first_ = true;
  for (std::size_t i = 0; i < rule.reactants.size(); ++i) {
    if (i != place) {
      lists_[i] = combinations_->list_of(number, i);
    }
  }
  combinations_->begin(parent.ordinal, number, place);
  if (parent.flat) {
    // All reagents lie behind the parent, wherever it is among the reactants.
    together_.mol = parent.flat->mol;
    together_.rings = parent.flat->rings;
  }
}

bool Combiner::next() {
  std::array<std::uint32_t, REACTANTS_MAX> positions;
  const auto reactants = rule_->reactants.size();
  do {
    if (!combinations_->next({positions.data(), reactants - 1})) {
      return false;
    }
    auto first_changed = reactants;
    std::size_t given = 0;
    for (std::size_t i = 0; i < reactants; ++i) {
      if (i == place_) {
        continue;
      }
      const auto position = positions[given++];
      if (!is_first_ && position == positions_[i]) {
        continue;
      }
      positions_[i] = position;
      reagents_[i] = &reagent_at(i, position);
      first_changed = std::min(first_changed, i);
    }
    lay_down(is_first_ ? 0 : first_changed);
    is_first_ = false;
    count_sites();
  } while (sites_ == 0);
  return true;
}

// The reagent at a place of the list of a reactant.
Reagent &Combiner::reagent_at(std::size_t reactant, std::uint32_t position) {
  const auto place = Place{lists_[reactant]} << 32 | position;
  const auto known = kept_.find(place);
  if (known != kept_.end()) {
    return *known->second;
  }
  auto made = make(reactant, combinations_->reagent_at(lists_[reactant], position));
  auto &reagent = *made;
  const auto bytes = made->bytes();
  if (kept_bytes_ + bytes <= settings_->reagent_bytes_max) {
    kept_bytes_ += bytes;
    kept_.emplace(place, std::move(made));
  } else {
    passing_[reactant] = std::move(made);
  }
  return reagent;
}

std::unique_ptr<Reagent> Combiner::make(std::size_t reactant, std::uint32_t number) {
  auto reagent = std::make_unique<Reagent>();
  reagent->number = number;
  const auto smiles = smiles_of(number);
  ROMOL_SPTR searched;
  reagent->is_flat = !rule_->add_hydrogens && draft(smiles) && flat_.is_covered();
  if (!reagent->is_flat) {
    const auto mol = parse(smiles);
    searched = with_hydrogens_if_asked(mol);
    reagent->is_flat = may_be_flat(smiles) && !rule_->add_hydrogens && flat_.read(*mol);
  }
  auto &finder = finders_.of(rule_->add_hydrogens);
  finder.begin({reagent->is_flat ? &flat_ : nullptr, [&]() -> const RDKit::ROMol & {
                  if (!searched) {
                    searched = parse(smiles);
                  }
                  return *searched;
                }});
  reagent->matches = finder.find(rule_->reactants[reactant].in_reagent, reagent->capped);
  if (reagent->is_flat) {
    reagent->flat.take(flat_);
  } else {
    reagent->mol = searched;
  }
  return reagent;
}

std::string Combiner::smiles_of(std::uint32_t number) const {
  rust::Vec<std::uint8_t> smiles;
  combinations_->read_smiles(number, smiles);
  return {smiles.begin(), smiles.end()};
}

// Whether a product may be made on the flat molecule of this text. RDKit reads text behind a space, such as a CXSMILES
// extension.
bool Combiner::may_be_flat(const std::string &smiles) const {
  return !settings_->reference && smiles.find(' ') == std::string::npos;
}

// Parses to flat arrays, and lays the molecule down. False: RDKit's molecule is needed.
bool Combiner::draft(const std::string &smiles) {
  return may_be_flat(smiles) && drafted_.read_flat(smiles, flat_.mol, flat_.rings);
}

ROMOL_SPTR Combiner::parse(const std::string &smiles) const {
  ROMOL_SPTR mol(read_smiles(smiles, may_be_flat(smiles) ? parse::fast : parse::with_rdkit).release());
  mol->clearAllAtomBookmarks();
  return mol;
}

ROMOL_SPTR Combiner::with_hydrogens_if_asked(ROMOL_SPTR mol) const {
  return rule_->add_hydrogens ? ROMOL_SPTR(RDKit::MolOps::addHs(*mol)) : mol;
}

// Lays down the reagents from a reactant on, behind the parent and the reagents before.
void Combiner::lay_down(std::size_t first_changed) {
  is_flat_ = false;
  if (!parent_.flat) {
    return;
  }
  const auto reactants = rule_->reactants.size();
  if (is_first_ || !is_laid_) {
    first_changed = 0;
  }
  if (first_changed == reactants) {
    is_flat_ = true;
    return;
  }
  auto extent = first_changed == 0 ? extent_of(*parent_.flat) : before_[first_changed];
  cut(together_, extent);
  if (first_changed == 0) {
    together_.mol.has_chirality = parent_.flat->mol.has_chirality;
    together_.mol.has_stereo = parent_.flat->mol.has_stereo;
  }
  is_laid_ = false;
  for (auto i = first_changed; i < reactants; ++i) {
    before_[i] = extent_of(together_);
    first_atom_[i] = i == place_ ? 0 : together_.mol.atoms.size();
    if (i != place_ && (!reagents_[i]->is_flat || !append(together_, reagents_[i]->flat))) {
      return;
    }
  }
  is_flat_ = is_laid_ = true;
}

std::size_t Combiner::matches_of(std::size_t reactant) const {
  return reactant == place_ ? parent_.matches->size() : reagents_[reactant]->matches.size();
}

void Combiner::count_sites() {
  sites_ = 1;
  capped_ = false;
  for (std::size_t i = 0; i < rule_->reactants.size(); ++i) {
    sites_ *= matches_of(i);
    capped_ |= i != place_ && reagents_[i]->capped;
    if (sites_ > settings_->sites_max) {
      sites_ = settings_->sites_max;
      capped_ = true;
    }
  }
}

void Combiner::select(std::size_t site) {
  const auto reactants = rule_->reactants.size();
  for (auto i = reactants; i-- > 0;) {
    const auto matches = matches_of(i);
    site_[i] = site % matches;
    site /= matches;
  }
  if (!is_flat_) {
    return;
  }
  match_.clear();
  int first_query = 0;
  for (std::size_t i = 0; i < reactants; ++i) {
    const auto &matches = i == place_ ? *parent_.matches : reagents_[i]->matches;
    const int first_atom = first_atom_[i];
    for (const auto &[query, atom] : matches[site_[i]]) {
      match_.emplace_back(first_query + query, first_atom + atom);
    }
    first_query += rule_->reactants[i].atoms;
  }
}

RDKit::MOL_SPTR_VECT Combiner::run() {
  RDKit::MOL_SPTR_VECT mols;
  std::vector<RDKit::MatchVectType> matches;
  for (std::size_t i = 0; i < rule_->reactants.size(); ++i) {
    if (i == place_) {
      mols.push_back(parent_.mol());
      matches.push_back((*parent_.matches)[site_[i]]);
      continue;
    }
    auto &reagent = *reagents_[i];
    matches.push_back(reagent.matches[site_[i]]);
    if (reagent.mol) {
      mols.push_back(reagent.mol);
      continue;
    }
    mols.push_back(with_hydrogens_if_asked(parse(smiles_of(reagent.number))));
    const auto before = reagent.bytes();
    reagent.mol = mols.back();
    const auto more = reagent.bytes() - before;
    if (kept_bytes_ + more > settings_->reagent_bytes_max) {
      reagent.mol.reset();
    } else {
      kept_bytes_ += passing_[i].get() == &reagent ? 0 : more;
    }
  }
  return RDKit::ReactionRunnerUtils::generateOneProductSet(*rule_->reaction, mols, matches);
}

void Combiner::write_numbers(rust::Slice<std::uint32_t> to) const {
  std::size_t written = 0;
  for (std::size_t i = 0; i < rule_->reactants.size(); ++i) {
    if (i != place_) {
      to[written++] = reagents_[i]->number;
    }
  }
  std::fill(to.begin() + written, to.end(), NO_REAGENT);
}

void Combiner::read(const std::string &smiles) {
  read_with_hydrogens_.reset();
  read_.reset();
  const bool is_flat = draft(smiles);
  if (!is_flat) {
    read_ = parse(smiles);
  }
  const std::size_t atoms = is_flat ? flat_.mol.atoms.size() : read_->getNumAtoms();
  if (atoms == 0) {
    throw Unusable(Failure::Empty, "the molecule has no atoms");
  }
  if (atoms > settings_->parent_atoms_max) {
    throw Unusable(Failure::TooLarge, "the molecule has " + std::to_string(atoms) + " atoms, at most " +
                                          std::to_string(settings_->parent_atoms_max) + " are allowed");
  }
  finders_.plain.begin({is_flat ? &flat_ : nullptr, [this]() -> const RDKit::ROMol & { return *read_molecule(); }});
}

const ROMOL_SPTR &Combiner::read_molecule() {
  if (!read_) {
    read_.reset(drafted_.make().release());
  }
  return read_;
}

bool Combiner::matches(const CompiledRule &rule, std::size_t place) {
  if (rule.add_hydrogens && !read_with_hydrogens_) {
    read_with_hydrogens_.reset(RDKit::MolOps::addHs(*read_molecule()));
    finders_.with_hydrogens.begin({nullptr, [this]() -> const RDKit::ROMol & { return *read_with_hydrogens_; }});
  }
  bool capped = false;
  return !finders_.of(rule.add_hydrogens).find(rule.reactants[place].in_reagent, capped).empty();
}

}  // namespace molsieve
