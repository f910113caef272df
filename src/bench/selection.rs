//! What is to be measured.

use serde::Serialize;

use super::measure::Effort;
use crate::sieve::EngineChoice;

/// What is to be measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Engines, all of which must be there; none: whatever is there.
    pub engines: Vec<EngineChoice>,
    /// How long.
    pub effort: Effort,
    /// No filter above this size.
    pub filter_bytes_max: Option<u64>,
    /// These parts only; none: all.
    pub only: Vec<Part>,
}

/// A part of what can be measured. What its shares are shares of comes with it.
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
