//! What each rule made, for the manifest.

use crate::{account::RuleAccount, report::manifest::RuleCounts, rules::RuleSet};

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
