//! What a device must do to compute structure keys: the room that it needs, its calls, and what it returns.

use std::fmt;

use crate::{
    identity::Reason,
    key::Key,
    limits::{PARENT_BATCH_BYTES_MAX, PARENT_SMILES_BYTES_MAX},
    sieve::{
        error::EngineError,
        rows::{Keyed, Texts},
    },
    slot::HostMemory,
};

/// What a device must have room for at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRoom {
    /// Most rows.
    pub rows_max: usize,
    /// Most bytes of their text.
    pub text_bytes_max: usize,
}

impl KeyRoom {
    /// Room for the SMILES of a batch of so many parents. The row that exceeds a batch's limit is still part of
    /// it.
    pub fn for_batches(parents_max: usize) -> Self {
        let batch_bytes_max = PARENT_BATCH_BYTES_MAX + PARENT_SMILES_BYTES_MAX;
        Self {
            rows_max: parents_max,
            text_bytes_max: batch_bytes_max.min(parents_max * PARENT_SMILES_BYTES_MAX),
        }
    }
}

/// A device that computes structure keys.
///
/// After an error it can't be used again.
pub trait KeyDevice: Send {
    /// The name of its engine.
    fn name(&self) -> &'static str;

    /// Allocates memory for texts and outcomes that the device copies from and to fast.
    fn host_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        Ok(HostMemory::pageable(bytes))
    }

    /// Writes a key and a status for each row, and returns when they are complete. [`KeyOutcome::of`] decodes a
    /// status.
    ///
    /// # Panics
    /// If the batch is larger than the device's room, or if the slices differ in length.
    fn compute_keys(&mut self, texts: Texts<'_>, to: &mut Keyed<'_>) -> Result<(), EngineError>;
}

/// What a device returns for a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOutcome {
    /// Its key.
    Key(Key),
    /// RDKit has to compute the key.
    Reason(Reason),
    /// The CPU has to compute the key: the molecule is too large for the device.
    TooLarge,
}

impl fmt::Display for KeyOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "{key}"),
            Self::Reason(reason) => write!(f, "\"{reason}\""),
            Self::TooLarge => f.write_str("\"too large\""),
        }
    }
}

impl KeyOutcome {
    /// Decodes what a device writes: status 0 for a key, 1 + the number of a reason, and any other status for a
    /// molecule that is too large.
    pub fn of(status: u8, key: [u64; 2]) -> Self {
        match status {
            0 => Self::Key(Key::from_words(key)),
            _ => match Reason::ALL.get(usize::from(status) - 1) {
                Some(&reason) => Self::Reason(reason),
                None => Self::TooLarge,
            },
        }
    }
}
