#include "molsieve/src/chem/draw/depictor.h"

#include <GraphMol/ChemReactions/ReactionRunner.h>
#include <GraphMol/MolOps.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>
#include <RDGeneral/types.h>

#include <algorithm>

#include "molsieve/src/chem/canonical.h"
#include "molsieve/src/chem/describe/describe.h"
#include "molsieve/src/chem/draw.rs.h"
#include "molsieve/src/chem/draw/change.h"
#include "molsieve/src/chem/draw/picture.h"
#include "molsieve/src/chem/parse/parse.h"

namespace molsieve {

namespace {

// Outcomes of a rule that are looked at for the product of a row.
constexpr unsigned int OUTCOMES_MAX = 1'000;

std::unique_ptr<RDKit::RWMol> read(const std::string &smiles) { return read_smiles(smiles, parse::with_rdkit); }

RDKit::ROMOL_SPTR with_hydrogens_if_asked(const CompiledRule &rule, const RDKit::ROMOL_SPTR &mol) {
  return rule.add_hydrogens ? RDKit::ROMOL_SPTR(RDKit::MolOps::addHs(*mol)) : mol;
}

// The order in which RDKit has just written the atoms of a molecule.
std::vector<unsigned int> written_order(const RDKit::ROMol &mol) {
  std::vector<unsigned int> order;
  mol.getPropIfPresent(RDKit::common_properties::_smilesAtomOutputOrder, order);
  return order;
}

std::string without_stereo(const RDKit::ROMol &mol) { return RDKit::MolToSmiles(mol, false); }

}  // namespace

// The product as it stands in the row.
struct Depictor::Row {
  std::string text;       // as written
  std::string canonical;  // by RDKit
  std::string flat;       // without stereo
  RDKit::ROMOL_SPTR mol;
  RDKit::ROMOL_SPTR parent;
  RDKit::ROMOL_SPTR reacting_parent;  // with hydrogens if the rule asks for them
};

// The product as RDKit's reaction runner makes it.
struct Depictor::Made {
  RDKit::ROMOL_SPTR product;
  std::uint8_t place = 0;
  bool exact = false;  // else it has other stereo than the row

  // Takes the molecule of an outcome that is the row's. True: nothing better can be found.
  bool take(const RDKit::MOL_SPTR_VECT &outcome, const CompiledRule &rule, const Row &row) {
    for (const auto &made : outcome) {
      try {
        auto &mol = static_cast<RDKit::RWMol &>(*made);
        RDKit::MolOps::sanitizeMol(mol);
        if (rule.add_hydrogens) {
          RDKit::MolOps::removeHs(mol);
        }
        const auto text = RDKit::MolToSmiles(mol);
        exact = text == row.text || text == row.canonical;
        if (exact || (!product && without_stereo(mol) == row.flat)) {
          product = made;
        }
      } catch (const std::exception &) {
        // RDKit can't sanitize this one, so it is not the row's.
      }
      if (exact) {
        return true;
      }
    }
    return false;
  }

  // Per atom of the row's molecule, the atom of the product. Reads the row's molecule from the product's own text if that is
  // the same molecule: RDKit tells the order of the atoms in it. Without stereo, the same text has the same order in both.
  std::vector<unsigned int> atoms_in(Row &row) const {
    if (exact) {
      row.mol = read(RDKit::MolToSmiles(*product));
      return written_order(*product);
    }
    without_stereo(*product);
    without_stereo(*row.mol);
    const auto in_product = written_order(*product), in_row = written_order(*row.mol);
    std::vector<unsigned int> atoms(in_product.size());
    for (std::size_t i = 0; i < atoms.size() && in_row.size() == atoms.size(); ++i) {
      atoms[in_row[i]] = in_product[i];
    }
    return atoms;
  }
};

Depictor::Depictor() : in_parents_(OUTCOMES_MAX, false), in_reagents_(OUTCOMES_MAX, false) {}
Depictor::~Depictor() = default;

void Depictor::add_rule(rust::Str smirks, rust::Slice<const rust::String> exclude, rust::Str require,
                        bool add_hydrogens, rust::Slice<const std::uint8_t> parent) {
  const RuleText text{std::string(smirks),
                      {exclude.begin(), exclude.end()},
                      std::string(require),
                      add_hydrogens,
                      {parent.begin(), parent.end()}};
  rules_.push_back(compile_rule(text, in_parents_, in_reagents_, false));
}

Pictures Depictor::draw(const Drawn &drawn) {
  const draw::Size size{drawn.width, drawn.height};
  Row row;
  row.text = std::string(drawn.smiles);
  row.mol = read(row.text);
  Pictures pictures{};
  if (drawn.parent.empty()) {
    draw::lay_out(*row.mol);
    pictures.product = draw::svg_of(*row.mol, {}, std::string(drawn.legend), size);
    return pictures;
  }
  row.parent = read(std::string(drawn.parent));
  row.canonical = RDKit::MolToSmiles(*row.mol);
  row.flat = without_stereo(*row.mol);
  draw::lay_out(*row.parent);
  Made made;
  draw::Change change;
  change.origin.assign(row.mol->getNumAtoms(), -1);
  if (find_made(drawn, row, made)) {
    const auto order = made.atoms_in(row);
    if (order.size() == row.mol->getNumAtoms()) {
      const auto made_change = draw::find_change(*made.product, *row.parent, made.place);
      change = draw::moved(made_change, *made.product, *row.mol, order);
      pictures.highlighted = change.product.any() || change.parent.any();
    }
    change.origin.resize(row.mol->getNumAtoms(), -1);
  }
  draw::lay_out_beside(*row.mol, *row.parent, change.origin);
  pictures.product = draw::svg_of(*row.mol, change.product, std::string(drawn.legend), size);
  pictures.parent = draw::svg_of(*row.parent, change.parent, std::string(drawn.parent_legend), size);
  return pictures;
}

// Has RDKit make the product of a row again. False: it makes no such product.
bool Depictor::find_made(const Drawn &drawn, Row &row, Made &made) {
  if (drawn.rule >= rules_.size()) {
    return false;
  }
  const auto &rule = rules_[drawn.rule];
  row.reacting_parent = with_hydrogens_if_asked(rule, row.parent);
  for (const auto place : rule.parent) {
    const bool had = made.product != nullptr;
    const bool found = rule.combines() ? try_combination(rule, place, drawn, row, made)
                                       : try_sites(rule, place, drawn.site, row, made);
    if (found || (!had && made.product)) {
      made.place = place;
    }
    if (found) {
      break;
    }
  }
  return made.product != nullptr;
}

// Looks at the site of the row first. At the others only if it gives another molecule there.
bool Depictor::try_sites(const CompiledRule &rule, std::uint8_t place, std::uint16_t site, Row &row, Made &made) {
  auto &finder = in_parents_.of(rule.add_hydrogens);
  finder.begin({nullptr, [&row]() -> const RDKit::ROMol & { return *row.reacting_parent; }});
  bool capped = false;
  const auto matches = finder.find(rule.reactants[place].in_parent, capped);
  const auto take = [&](const RDKit::MatchVectType &match) {
    return made.take(
        RDKit::ReactionRunnerUtils::generateOneProductSet(*rule.reaction, {row.reacting_parent}, {match}), rule, row);
  };
  if (site < matches.size() && (take(matches[site]) || made.product)) {
    return true;
  }
  return std::ranges::any_of(matches, take);
}

bool Depictor::try_combination(const CompiledRule &rule, std::uint8_t place, const Drawn &drawn, Row &row,
                               Made &made) {
  RDKit::MOL_SPTR_VECT reactants;
  auto reagent = drawn.reagents.begin();
  for (std::size_t i = 0; i < rule.reactants.size(); ++i) {
    if (i == place) {
      reactants.push_back(row.reacting_parent);
    } else if (reagent != drawn.reagents.end()) {
      reactants.push_back(with_hydrogens_if_asked(rule, RDKit::ROMOL_SPTR(read(std::string(*reagent++)))));
    }
  }
  if (reactants.size() != rule.reactants.size()) {
    return false;
  }
  const auto outcomes = rule.reaction->runReactants(reactants, OUTCOMES_MAX);
  return std::ranges::any_of(outcomes, [&](const auto &outcome) { return made.take(outcome, rule, row); });
}

std::unique_ptr<Depictor> new_depictor() { return std::make_unique<Depictor>(); }

bool describe_smiles(rust::Str smiles, std::uint32_t properties, rust::Slice<double> values) {
  try {
    const auto mol = read(std::string(smiles));
    describe::Values described;
    describe::describe_with_rdkit(*mol, describe::PropertySet(properties), described);
    for (std::size_t i = 0; i < values.size() && i < describe::PROPERTIES_MAX; ++i) {
      values[i] = properties >> i & 1 ? described[i] : 0.0;
    }
    return true;
  } catch (const std::exception &) {
    return false;
  }
}

}  // namespace molsieve
