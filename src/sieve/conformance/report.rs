//! What was compared, and where an engine and the oracle differ.

use std::fmt;

use crate::{
    key::Key,
    sieve::{
        engine::Tally, error::EngineError, filter::FilterShape, structure_key::device::KeyOutcome,
    },
    slot::Verdict,
};

/// Rows of one slot.
pub type Batch = Vec<Vec<u8>>;

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Engines made, each with another filter.
    pub filters: u64,
    /// Slots sieved.
    pub slots: u64,
    /// Rows in them.
    pub rows: u64,
    /// Keys inserted directly.
    pub inserted: u64,
}

/// The engine and the oracle differ, or the engine fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// On a key.
    #[error("{place}: the key is {found}, not {expected}")]
    Key {
        /// Where.
        place: Location,
        /// The oracle's.
        expected: Key,
        /// The engine's.
        found: Key,
    },
    /// On a verdict.
    #[error("{place}: the verdict is {found}, not {} ({expected:?})", *expected as u8)]
    Verdict {
        /// Where.
        place: Location,
        /// The oracle's.
        expected: Verdict,
        /// The byte the engine wrote.
        found: u8,
    },
    /// On a tally.
    #[error("{place}: the tally is {found:?}, not {expected:?}")]
    Tally {
        /// Where.
        place: Location,
        /// The oracle's.
        expected: Tally,
        /// The engine's.
        found: Tally,
    },
    /// On how many slots the engine holds: it returns more or fewer than were begun.
    #[error("the engine returns {} slots than were begun", if *more { "more" } else { "fewer" })]
    Slots {
        /// Whether it is more.
        more: bool,
    },
    /// On the filter's bits, after all batches.
    #[error("a filter of {} bits and {} hashes: its bits differ from fastbloom's, first in word {word:?}", shape.bits, shape.hashes)]
    Filter {
        /// The filter.
        shape: FilterShape,
        /// The first word that differs; `None` if the number of words differs.
        word: Option<usize>,
    },
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A device's structure keys differ from those of the CPU, or the device fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMismatch {
    /// On a row.
    #[error("for {text} the device returns {found}, and the CPU {expected}")]
    Row {
        /// The text.
        text: String,
        /// The CPU's outcome.
        expected: KeyOutcome,
        /// The device's outcome.
        found: KeyOutcome,
    },
    /// The device leaves more molecules to the CPU than its limit on atoms explains.
    #[error("the device finds {too_large} of {shipped} natural products too large")]
    TooLarge {
        /// How many.
        too_large: usize,
        /// Of how many.
        shipped: usize,
    },
    /// The device failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A row of a slot, or the slot itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The filter.
    pub shape: FilterShape,
    /// What the batch tests.
    pub case: &'static str,
    /// Slots sieved before with this filter.
    pub slot: u64,
    /// The row; 0 for the slot itself.
    pub row: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (case, row, slot) = (self.case, self.row, self.slot);
        let FilterShape { bits, hashes } = self.shape;
        write!(f, "{case}, row {row} of slot {slot}, ")?;
        write!(f, "a filter of {bits} bits and {hashes} hashes")
    }
}
