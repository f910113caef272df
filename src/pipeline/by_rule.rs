//! What each rule made, counted like [`super::Counts`]: slot by slot, as the slots reach the sink.

use serde::{Deserialize, Serialize};

use crate::{
    report::manifest::RuleCounts,
    rules::RuleSet,
    slot::{Slot, Verdict},
};

/// Per rule, in the order of the rules; empty without rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByRule(Vec<Tally>);

/// Made, unique, unchanged, invalid, capped: a checkpoint has one of these for each of thousands of rules.
type Tally = [u64; 5];

impl ByRule {
    /// Room for this many rules.
    pub(super) fn make_room(&mut self, rules: usize) {
        self.0.resize(rules, Tally::default());
    }

    /// Adds a slot. One of rows that settling brought back has only rows.
    pub(super) fn add(&mut self, slot: &Slot) {
        if self.0.is_empty() {
            return;
        }
        for ([made, _, unchanged, invalid, capped], of_slot) in self.0.iter_mut().zip(&slot.by_rule)
        {
            *made += of_slot.made;
            *unchanged += of_slot.unchanged;
            *invalid += of_slot.invalid;
            *capped += of_slot.capped;
        }
        let columns = slot.columns();
        let rows = columns.rule.iter().zip(columns.verdict).take(slot.rows());
        for (rule, _) in rows.filter(|(_, verdict)| Verdict::of(**verdict) == Verdict::New) {
            if let Some([_, unique, ..]) = self.0.get_mut(usize::from(*rule)) {
                *unique += 1;
            }
        }
    }

    /// With the names of the rules.
    pub(super) fn named(self, rules: &RuleSet) -> Vec<RuleCounts> {
        let rules = rules.rules().iter().zip(self.0);
        rules
            .map(
                |(rule, [made, unique, unchanged, invalid, capped])| RuleCounts {
                    name: rule.name.clone(),
                    made,
                    unique,
                    unchanged,
                    invalid,
                    capped,
                },
            )
            .collect()
    }
}
