//! What is to be measured.

use serde::Serialize;

use super::measure::Effort;
use crate::sieve::EngineChoice;

/// What is to be measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Engines, all of which this machine must have; empty for all that it has.
    pub engines: Vec<EngineChoice>,
    /// The time for each figure.
    pub effort: Effort,
    /// The size of the largest filter, in bytes.
    pub filter_bytes_max: Option<u64>,
    /// Only these parts; empty for all.
    pub only: Vec<Part>,
}

/// A part of what can be measured. Its ceilings are measured with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Copies both ways, random reads and random atomics.
    Ceilings,
    /// Keys of products.
    Hash,
    /// Structure keys.
    Keys,
    /// Look-ups, inserts and the whole sieve, at filters of many sizes.
    Filters,
    /// RDKit on one core.
    Chemistry,
}

impl Selection {
    /// Whether this part is to be measured.
    pub(super) fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}
