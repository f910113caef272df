//! The sieve: gives every product of a slot a key and a verdict.
//!
//! Contract, the same for every engine, bit for bit:
//! 1. The key of a row is [`Key::of`] its SMILES, or stands in the slot already ([`Slot::keys_given`]).
//! 2. Of equal keys in a slot only the first row goes on; the others are [`Verdict::Duplicate`].
//! 3. All first rows are looked up in the filter *as it stood before the slot*: [`Verdict::Maybe`] if
//!    the filter says it may have seen the key, else [`Verdict::New`].
//! 4. Then all *new* keys are inserted.
//!
//! So the answer depends on the order in which slots are begun and on nothing else, least of all on
//! threads.
//!
//! A slot is begun and later finished. An engine may have several in hand in between: on a GPU one is
//! copied in while the kernels of another run and a third is copied out.
//!
//! The filter is a `fastbloom` filter: its 64-bit source hash is the first word of the key, its bits
//! are fastbloom's bits. An engine holds no policy; what becomes of *maybe* rows is the pipeline's
//! business.
//!
//! | module | what |
//! |---|---|
//! | `cpu` | the reference: fastbloom itself |
//! | [`gpu`] | the order of work on a GPU, whichever it is |
//! | [`cuda`] | an NVIDIA GPU |
//! | [`mod@wgpu`] | any GPU, through wgpu |
//! | `choose` | which of them a job runs on |
//! | [`structure_key`] | structure keys on a device, before the sieve |
//! | [`steps`] | the steps of an engine one by one, to be timed |
//! | [`conformance`] | what every engine must agree on with fastbloom, as a body that any engine runs |

mod choose;
pub mod conformance;
mod cpu;
pub mod cuda;
mod error;
pub mod gpu;
pub mod steps;
pub mod structure_key;
pub mod wgpu;

pub(crate) use choose::named_adapter;
pub use choose::{ADAPTER_VARIABLE, Chosen, EngineChoice, choose};
pub use cpu::CpuEngine;
pub use error::EngineError;

#[cfg(doc)]
use crate::key::Key;
use crate::slot::{HostMemory, Slot, Verdict};

/// Computes keys and verdicts, and holds the filter.
///
/// After an error an engine is of no more use: what slots and the filter hold is not known, and the slots
/// that it has in hand go with it when it is dropped.
pub trait Engine: Send {
    /// The engine's name as on the command line: `cpu`, `cuda`, `wgpu`.
    fn name(&self) -> &'static str;

    /// How many slots may be begun before one of them is finished.
    fn slots_begun_max(&self) -> usize {
        1
    }

    /// Takes a slot and begins to write its key and verdict columns and to insert its new keys.
    ///
    /// # Panics
    /// May panic if `slots_begun_max` slots are begun and not finished.
    fn begin(&mut self, slot: Slot) -> Result<(), EngineError>;

    /// Waits for the slot that was begun first of those not finished, and gives it back. `None`: there is
    /// none.
    fn finish(&mut self) -> Result<Option<(Slot, Tally)>, EngineError>;

    /// A slot alone, from its beginning to its end. Nothing else may be begun.
    fn sieve(&mut self, slot: Slot) -> Result<(Slot, Tally), EngineError> {
        self.begin(slot)?;
        let finished = self.finish()?;
        Ok(finished.expect("a slot was begun"))
    }

    /// Inserts keys that were let through before, by their words. No slot may be begun and not finished.
    fn insert(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError>;

    /// Memory for a slot from which the engine copies well.
    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        Ok(HostMemory::pageable(bytes))
    }

    /// The filter's bits, as fastbloom's `as_slice` gives them. No slot may be begun and not finished.
    fn filter_words(&mut self) -> Result<Vec<u64>, EngineError>;
}

/// Places of the open-addressed table that finds the first rows of a slot: a power of two, at least
/// twice the rows.
fn table_len(rows_max: usize) -> usize {
    (2 * rows_max).next_power_of_two()
}

/// How many rows of a slot got which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows that go on.
    pub new: u64,
    /// Rows the filter may have seen.
    pub maybe: u64,
    /// Rows equal to an earlier one of the slot.
    pub duplicate: u64,
}

impl Tally {
    /// Counts one row.
    fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::New => self.new += 1,
            Verdict::Maybe => self.maybe += 1,
            Verdict::Duplicate => self.duplicate += 1,
        }
    }
}

/// Size of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterShape {
    /// Bits, a multiple of 64.
    pub bits: usize,
    /// Bits set per key.
    pub hashes: u32,
}

impl FilterShape {
    /// The smallest filter that holds `items` keys at a rate of false positives of `rate`, or the
    /// largest that fits `bits_max`, with the number of hashes that suits it.
    ///
    /// Size: `-n ln p / (ln 2)^2`; hashes: `m/n ln 2` (Bloom 1970; as in fastbloom's builder).
    pub fn for_items(items: u64, rate: f64, bits_min: usize, bits_max: usize) -> Self {
        let items = items.max(1) as f64;
        let ln_2 = std::f64::consts::LN_2;
        let wanted = (items * -rate.ln() / (ln_2 * ln_2)).ceil();
        let bits = (wanted.min(bits_max as f64) as usize).clamp(bits_min, bits_max.max(bits_min));
        let bits = bits.div_ceil(64) * 64;
        let hashes = (bits as f64 / items * ln_2)
            .round()
            .clamp(1.0, f64::from(HASHES_MAX));
        Self {
            bits,
            hashes: hashes as u32,
        }
    }

    /// Bytes of the filter.
    pub fn bytes(self) -> usize {
        self.bits / 8
    }

    /// The rate of false positives once `items` keys are in: `(1 - e^(-kn/m))^k`.
    pub fn false_positive_rate(self, items: u64) -> f64 {
        let k = f64::from(self.hashes);
        (-(-k * items as f64 / self.bits as f64).exp_m1()).powf(k)
    }
}

/// More hashes than this buy nothing: the rate is then below 10^-12.
const HASHES_MAX: u32 = 40;

#[cfg(test)]
mod tests;
