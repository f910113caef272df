//! The trait of an engine, and the tally of a slot.

use std::time::Duration;

use super::error::EngineError;
use crate::slot::{HostMemory, Slot, Verdict};

/// Computes keys and verdicts, and holds the filter.
///
/// After an error an engine can't be used again: the contents of its slots and of the filter are unknown, and the
/// slots that it holds are dropped with it.
pub trait Engine: Send {
    /// The engine's name as on the command line: `cpu`, `cuda`, `wgpu`.
    fn name(&self) -> &'static str;

    /// How many slots may be begun before one of them is finished.
    fn slots_begun_max(&self) -> usize {
        1
    }

    /// Whether it is faster with slots whose repeats are marked ([`FirstRows`](super::FirstRows)). Every engine accepts
    /// both kinds.
    fn wants_marked_slots(&self) -> bool {
        false
    }

    /// Takes a slot and starts to write its key and verdict columns and to insert its new keys.
    ///
    /// # Panics
    /// May panic if `slots_begun_max` slots are begun and not finished.
    fn begin(&mut self, slot: Slot) -> Result<(), EngineError>;

    /// Waits for the oldest slot that is begun and not finished, and returns it. `None` if there is none.
    fn finish(&mut self) -> Result<Option<(Slot, Tally)>, EngineError>;

    /// How long `begin` has waited for a core since the last call.
    fn take_waited(&mut self) -> Duration {
        Duration::ZERO
    }

    /// Begins and finishes one slot. No other slot may be begun.
    fn sieve(&mut self, slot: Slot) -> Result<(Slot, Tally), EngineError> {
        self.begin(slot)?;
        let finished = self.finish()?;
        Ok(finished.expect("a slot was begun"))
    }

    /// Inserts the keys of earlier rows, as their 64-bit words. No slot may be begun and not finished.
    fn insert(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError>;

    /// Allocates memory for a slot that the engine copies from fast.
    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        Ok(HostMemory::pageable(bytes))
    }

    /// The filter's bits, as fastbloom's `as_slice` returns them. No slot may be begun and not finished.
    fn filter_words(&mut self) -> Result<Vec<u64>, EngineError>;
}

/// Places of the open-addressed table that finds the first rows of a slot: a power of two, at least
/// twice the rows.
pub(super) fn table_len(rows_max: usize) -> usize {
    (2 * rows_max).next_power_of_two()
}

/// How many rows of a slot got which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows that are kept.
    pub new: u64,
    /// Rows that the filter may have seen.
    pub maybe: u64,
    /// Rows with the key of an earlier row of the slot.
    pub duplicate: u64,
}

impl Tally {
    /// Counts one row.
    pub(super) fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::New => self.new += 1,
            Verdict::Maybe => self.maybe += 1,
            Verdict::Duplicate => self.duplicate += 1,
        }
    }
}
