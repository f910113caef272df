// Recognises products: the parent itself, what it has given before, and what RDKit makes in another way.
#include <GraphMol/SmilesParse/SmilesWrite.h>

#include <algorithm>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/canonical.h"
#include "molsieve/src/chem/parent.h"
#include "molsieve/src/chem/parse/parse.h"
#include "molsieve/src/chem/timer.h"
#include "molsieve/src/chem/transformer.h"

namespace molsieve {

namespace {

// A match is compared with so many others of its rule.
constexpr std::size_t GIVEN_MAX = 32;

}  // namespace

// Whether the product is its own parent.
bool Transformer::is_unchanged(std::size_t atoms, ParentReport &report) {
  auto &p = *parent_;
  if (atoms != p.atoms) {
    return false;
  }
  if (!keys_) {
    parent_smiles();
    return p.smiles == p.canonical;
  }
  identify(report);
  const Timer timer(report.key_ns);
  if (!p.has_own_key) {
    p.has_own_key = !p.text.empty() && direct_key(**keys_, as_bytes(p.text), p.own_key_low, p.own_key_high);
  }
  if (!p.has_own_key) {
    parent_smiles();
    canonical_key(**keys_, as_bytes(p.canonical), p.own_key_low, p.own_key_high);
    p.has_own_key = true;
  }
  return p.key_low == p.own_key_low && p.key_high == p.own_key_high;
}

// Sets the key of the product, unless it was set when it was written.
void Transformer::identify(ParentReport &report) {
  auto &p = *parent_;
  if (!keys_) {
    product_key(as_bytes(p.smiles), p.key_low, p.key_high);
  } else if (!p.has_key) {
    const Timer timer(report.key_ns);
    p.key_reason = canonical_key(**keys_, as_bytes(p.smiles), p.key_low, p.key_high);
    p.has_key = true;
  }
}

// Whether a product of the current match was given before at another site, since equal parts of the parent can be exchanged so
// that one match becomes the other.
bool Transformer::repeats(std::size_t product, ParentReport &report) {
  const auto &p = *parent_;
  if (p.given.empty()) {
    return false;
  }
  const Timer timer(report.react_ns);
  const auto &matches = *p.matches;
  return std::ranges::any_of(p.given, [&](const Parent::Given &given) {
    return given.product == product && exchange_.leads(flat_.mol, matches[given.site], matches[p.site]);
  });
}

// Remembers the product, which was made on the flat molecule, for repeats().
void Transformer::remember_given(std::size_t product) {
  auto &p = *parent_;
  if (p.is_given && p.is_settled && !p.combined && p.given.size() < GIVEN_MAX &&
      !rules_[p.rule].edits[product]->makes_stereo()) {
    p.given.push_back({p.site, product});
  }
}

// Whether the parent has not given the product before, and may give it. If not, the product is counted.
bool Transformer::is_new(ParentReport &report) {
  auto &p = *parent_;
  if (p.smiles.size() > settings_->product_bytes_max) {
    add_cap(report, Cap::Length);
    count_capped(report);
    return false;
  }
  identify(report);
  p.is_given = true;
  auto &seen = p.combined ? seen_combined_ : seen_;
  if (!seen.insert(p.key_low, p.key_high)) {
    ++report.symmetric;
    count(RuleCount::Made);
    return false;
  }
  if (seen.size() > settings_->products_per_parent_max) {
    add_cap(report, Cap::Products);
    count_capped(report);
    if (p.combined) {
      leave_out_rest(report);
    } else {
      p.full = true;
    }
    return false;
  }
  return true;
}

// Makes the product with RDKit too, after it was made on the flat molecule. Throws if the SMILES differ.
void Transformer::check(ParentReport &report) {
  auto &p = *parent_;
  std::string expected = "no valid molecule";
  try {
    if (!p.made) {
      p.made = &make_with_rdkit(p.product - 1, report);
    }
    expected = RDKit::MolToSmiles(*p.made);
  } catch (const std::exception &) {
  }
  if (!is_same_molecule(expected)) {
    throw std::runtime_error("the fast way gives " + p.smiles + ", the reference " + expected +
                             "; please report it, and use the reference way (--chemistry reference)");
  }
  p.is_checked = true;
  ++report.checked;
}

// Whether the pending product is the molecule of this canonical SMILES.
bool Transformer::is_same_molecule(const std::string &expected) {
  const auto &p = *parent_;
  if (!keys_ || expected == p.smiles) {
    return expected == p.smiles;
  }
  std::uint64_t low = 0, high = 0;
  canonical_key(**keys_, as_bytes(expected), low, high);
  if (low != p.key_low || high != p.key_high) {
    return false;
  }
  const auto rewritten = [](const std::string &smiles) {
    return RDKit::MolToSmiles(*read_smiles(smiles, parse::with_rdkit));
  };
  const auto canonical = rewritten(p.smiles);
  // RDKit's own SMILES may change when RDKit reads it.
  return canonical == expected || canonical == rewritten(expected);
}

}  // namespace molsieve
