//! What a manifest says of reagents.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::reject::RejectCode;

/// A sample of the combinations of parents with reagents.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestSample {
    /// The step, from 1.
    pub step: u64,
    /// Combinations drawn. A parent that does not match its reactant gives no product.
    pub drawn: u64,
    /// All combinations of parents and reagents.
    pub combinations: f64,
}

/// A set of reagents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestReagents {
    /// The file.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Rows that can't be used.
    pub rejected: u64,
    /// Molecules that match no rule.
    pub without_match: u64,
    /// The first of the rows that can't be used.
    pub rejects: Vec<RejectedReagent>,
    /// The rules that take the set.
    pub rules: Vec<ReagentUse>,
}

/// A row of a set of reagents that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedReagent {
    /// 0-based row of the set.
    pub row: u64,
    /// Its id.
    pub id: String,
    /// The code of the reason.
    pub code: RejectCode,
    /// Why it can't be used.
    pub reason: String,
}

/// A rule that takes reagents from a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReagentUse {
    /// Its name.
    pub rule: String,
    /// The reactant, from 1.
    pub reactant: u8,
    /// Molecules of the set that match it.
    pub matching: u64,
}

impl ManifestReagents {
    /// A set of which nothing is read yet.
    pub fn of(path: &Path) -> Self {
        Self {
            path: path.display().to_string(),
            ..Self::default()
        }
    }

    /// Adds a rule that takes the set; `reactant` counts from 0.
    pub fn note_rule(&mut self, rule: &str, reactant: u8, matching: u64) {
        self.rules.push(ReagentUse {
            rule: rule.to_owned(),
            reactant: reactant + 1,
            matching,
        });
    }
}
