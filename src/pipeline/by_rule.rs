//! What each rule made, as it stands in the manifest.

use serde::Serialize;

use crate::{account::RuleAccount, rules::RuleSet};

/// What a rule made. `made` includes repeats, which are in no other count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCounts {
    /// The rule.
    pub name: String,
    /// Product molecules made, those included that a cap kept from being made or written.
    pub made: u64,
    /// Rows written.
    pub unique: u64,
    /// Products equal to their parent.
    pub unchanged: u64,
    /// Products that RDKit can't sanitize.
    pub invalid: u64,
    /// Products that a cap kept from being made or written; of sites beyond the cap, at least as many.
    pub capped: u64,
}

/// The accounts of all rules with the names of the rules.
pub(super) fn named(accounts: &[RuleAccount], rules: &RuleSet) -> Vec<RuleCounts> {
    let rules = rules.rules().iter().zip(accounts);
    rules
        .map(|(rule, account)| RuleCounts {
            name: rule.name.clone(),
            made: account.made,
            unique: account.unique,
            unchanged: account.unchanged,
            invalid: account.invalid,
            capped: account.capped,
        })
        .collect()
}
