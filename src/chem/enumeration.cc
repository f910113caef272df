// The order in which a transformer goes through rules, combinations, sites and products.
#include <GraphMol/MolOps.h>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/parent.h"
#include "molsieve/src/chem/timer.h"
#include "molsieve/src/chem/transformer.h"

namespace molsieve {

// Makes the next product. It becomes pending, or is counted and dropped. False: there is none left.
bool Transformer::make_next(ParentReport &report) {
  auto &p = *parent_;
  if (p.next_isomer < p.isomers.size()) {
    take_isomer(report);
    return true;
  }
  if (rules_.empty()) {  // the job cleans a library
    if (p.matched) {
      return false;
    }
    p.matched = true;
    take_parent(report);
    return true;
  }
  while (p.product == p.products) {
    if (p.next_site == p.sites) {
      const bool found = next_sites(report);
      if (p.rule < rules_.size()) {
        count_time(report);
      }
      if (!found) {
        return false;
      }
      continue;
    }
    if (p.full && !p.combined) {
      leave_out_rest(report);
      continue;
    }
    p.site = static_cast<std::uint16_t>(p.next_site++);
    p.product = 0;
    p.products = rules_[p.rule].edits.size();
    p.outcome.clear();
    p.has_run = false;
    p.made = nullptr;
    if (p.combined) {
      combiner_.select(p.site);
    }
  }
  take_product(p.product++, report);
  count_time(report);
  return true;
}

// Finds the sites of the next combination of the current rule, or else those of the next rule, which may have none. False:
// there is no further rule.
bool Transformer::next_sites(ParentReport &report) {
  const Timer timer(report.match_ns);
  auto &p = *parent_;
  if (p.combined && next_combination(report)) {
    return true;
  }
  if (!next_place()) {
    return false;
  }
  match(report);
  return true;
}

// Goes to the next reactant of the current rule that the parent can be, or to the next rule.
bool Transformer::next_place() {
  auto &p = *parent_;
  if (p.matched && ++p.place == rules_[p.rule].parent.size()) {
    p.place = 0;
    ++p.rule;
  }
  p.combined = false;
  p.matched = true;
  p.next_site = p.sites = 0;
  return p.rule < rules_.size();
}

// Finds where the current rule matches the parent.
void Transformer::match(ParentReport &report) {
  auto &p = *parent_;
  const auto &rule = rules_[p.rule];
  const auto place = rule.parent[p.place];
  auto &finder = finder_of(rule);
  const auto before = finder.searches();
  bool capped = false;
  p.matches = &finder.find(rule.reactants[place].in_parent, capped);
  report.searches_on_graphs += finder.searches().own - before.own;
  report.searches_by_rdkit += finder.searches().by_rdkit - before.by_rdkit;
  number(RuleCount::Parents) += p.place == 0 && !p.matches->empty();
  if (!rule.combines()) {
    begin_sites(p.matches->size(), capped, report);
    return;
  }
  if (capped) {
    begin_sites(0, true, report);
  }
  p.combined = !p.matches->empty();
  if (p.combined) {
    const auto *flat = is_editable_ && !rule.add_hydrogens ? &flat_ : nullptr;
    const auto mol = [&p, &rule] { return rule.add_hydrogens ? p.with_hydrogens : p.mol(); };
    combiner_.begin(rule, p.rule, place, {ordinal_, mol, flat, p.matches});
  }
}

// Prepares the sites of the next combination. False: there is none left.
bool Transformer::next_combination(ParentReport &report) {
  if (!combiner_.next()) {
    return false;
  }
  seen_combined_.clear();
  begin_sites(combiner_.sites(), combiner_.capped(), report);
  return true;
}

void Transformer::begin_sites(std::size_t sites, bool capped, ParentReport &report) {
  auto &p = *parent_;
  p.next_site = 0;
  p.sites = sites;
  p.given.clear();
  number(RuleCount::Sites) += sites;
  if (capped) {
    add_cap(report, Cap::Sites);
    count_capped(report, rules_[p.rule].edits.size());
  }
}

// The finder of a rule's sites in the parent.
SiteFinder &Transformer::finder_of(const CompiledRule &rule) {
  auto &p = *parent_;
  if (rule.add_hydrogens && !p.with_hydrogens) {
    p.with_hydrogens.reset(RDKit::MolOps::addHs(*p.mol()));
    finders_.with_hydrogens.begin({nullptr, [this]() -> const RDKit::ROMol & { return *parent_->with_hydrogens; }});
  }
  return finders_.of(rule.add_hydrogens);
}

// Leaves out what is left of the current sites, because the cap on products is reached.
void Transformer::leave_out_rest(ParentReport &report) {
  auto &p = *parent_;
  count_capped(report, (p.sites - p.next_site) * rules_[p.rule].edits.size());
  p.next_site = p.sites;
}

}  // namespace molsieve
