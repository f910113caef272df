//! The trait of an engine's steps, and how an engine reads the filter.

use crate::{
    sieve::{error::EngineError, filter::FilterShape},
    slot::{HostMemory, Slot},
};

/// See the documentation of [`super`].
pub trait Steps {
    /// Allocates memory for a slot that the engine copies from fast.
    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError>;

    /// Copies the text of a slot's rows and their ends to where the engine hashes them: on a GPU into its memory, on the
    /// CPU into other memory.
    fn load_rows(&mut self, slot: &Slot) -> Result<(), EngineError>;

    /// Copies keys and verdicts of the loaded rows into a slot.
    fn unload_rows(&mut self, slot: &mut Slot) -> Result<(), EngineError>;

    /// Computes the keys of the loaded rows.
    fn hash_rows(&mut self, passes: u32) -> Result<(), EngineError>;

    /// Loads distinct keys, at most as many as a slot has rows.
    fn load_keys(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError>;

    /// Looks the loaded keys up. Returns how many of them the filter may have seen, summed over all passes.
    fn look_up(&mut self, passes: u32) -> Result<u64, EngineError>;

    /// Inserts the loaded keys.
    fn insert(&mut self, passes: u32) -> Result<(), EngineError>;

    /// Overwrites the filter with random bits, half of them set, as in a filter that holds the keys that it is made for.
    fn fill_at_random(&mut self) -> Result<(), EngineError>;

    /// For each loaded key, reads as many random words of the filter as a key has bits.
    fn read_at_random(&mut self, passes: u32) -> Result<(), EngineError>;

    /// For each loaded key, sets as many random bits of the filter, atomically, as a key has.
    fn add_at_random(&mut self, passes: u32) -> Result<(), EngineError>;

    /// How look-ups read the filter.
    fn access(&self) -> Access;
}

/// How an engine reads the filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Access {
    /// Bits that a look-up reads without waiting in between, batch by batch; the last number repeats. A look-up
    /// ends with the first batch that has a bit that is not set.
    pub batches: &'static [u32],
    /// Bytes of a word.
    pub word_bytes: u32,
}

impl Access {
    /// Of fastbloom, which reads one bit after the other.
    pub const CPU: Self = Self {
        batches: &[1],
        word_bytes: 8,
    };
    /// Of `kernels/sieve.cu`.
    pub const CUDA: Self = Self {
        batches: &PROBE_BATCHES,
        word_bytes: 8,
    };
    /// Of `shaders/sieve.wgsl`, which has no words of 64 bits.
    pub const WGPU: Self = Self {
        batches: &[1],
        word_bytes: 4,
    };
}

/// Batches of the look-ups of `kernels/sieve.cu`. While one warp waits, the other warps keep the memory of a GPU busy.
/// So accesses matter more than rounds. In a half-full filter with 30 bits a key:
///
/// | batches | accesses of an absent key | rounds of a warp of absent keys | rounds of a present key |
/// |---|---|---|---|
/// | 1 | 2.00 | 6.36 | 30 |
/// | 1, 1, 2, 4 | 2.27 | 4.00 | 10 |
/// | 1, 1, 2, 4, 8 | 2.28 | 3.99 | 7 |
/// | 1, 2, 4 | 2.53 | 3.22 | 9 |
/// | 1, 1, 4 | 2.57 | 3.43 | 9 |
/// | 2 | 2.67 | 3.43 | 15 |
/// | 4 | 4.27 | 2.00 | 8 |
pub const PROBE_BATCHES: [u32; 4] = [1, 1, 2, 4];

/// Average accesses to the filter of one look-up of an absent key, where a share `set` of the bits is set. A present
/// key takes one access for each of its bits.
pub fn accesses_of_absent(shape: FilterShape, set: f64, batches: &[u32]) -> f64 {
    let (mut accesses, mut done) = (0.0, 0);
    while done < shape.hashes {
        let batch = next_batch(batches, done, shape.hashes);
        accesses += f64::from(batch) * set.powi(done as i32);
        done += batch;
    }
    accesses
}

/// Bits of the batch after the first `done` bits.
fn next_batch(batches: &[u32], done: u32, hashes: u32) -> u32 {
    let mut begins = 0;
    for batch in batches.iter().copied() {
        if begins == done {
            return batch.min(hashes - done);
        }
        begins += batch;
    }
    batches.last().map_or(1, |batch| *batch).min(hashes - done)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/it/conformance` counts the accesses that the kernel makes.
    #[test]
    fn accesses_are_those_of_the_table() {
        let shape = FilterShape {
            bits: 1 << 20,
            hashes: 30,
        };
        let figures: [(&[u32], f64); 7] = [
            (&[1], 2.00),
            (&PROBE_BATCHES, 2.27),
            (&[1, 1, 2, 4, 8], 2.28),
            (&[1, 2, 4], 2.53),
            (&[1, 1, 4], 2.57),
            (&[2], 2.67),
            (&[4], 4.27),
        ];
        for (batches, accesses) in figures {
            let found = accesses_of_absent(shape, 0.5, batches);
            assert!((found - accesses).abs() < 0.005, "{batches:?}: {found}");
        }
        let of_choice = |set| accesses_of_absent(shape, set, &PROBE_BATCHES);
        assert_eq!(of_choice(0.0), 1.0);
        assert!((of_choice(1.0) - 30.0).abs() < 1e-9);
    }
}
