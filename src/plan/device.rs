//! What a job may take of a GPU's memory, before it is planned.

use crate::{
    limits::{
        CUDA_CONTEXT_BYTES, DEDUP_BATCH_PARENTS_MAX, FILTER_BUDGET_DIVISOR, KEY_DEVICES_MAX,
        SLOT_BYTES_DEFAULT_MAX,
    },
    sieve::structure_key::{KeyBatch, KeyRoom},
    units::ByteSize,
};

/// Slots that are on the device at a time.
const LANES: u64 = 3;
/// Bytes on the device for each byte of a slot: its text, and columns of which a row of a slot has no fewer bytes.
const PER_SLOT_BYTE: u64 = 2;

/// Most memory of a GPU that a job with this memory budget and so many threads takes, whatever else its settings are: the
/// filter is no larger on a device than in the budget.
pub fn device_bytes_max(memory: ByteSize, threads: u32) -> u64 {
    let filter = memory.0 / FILTER_BUDGET_DIVISOR as u64;
    let slots = LANES * PER_SLOT_BYTE * SLOT_BYTES_DEFAULT_MAX as u64;
    let batch = KeyBatch::bytes(KeyRoom::for_batches(DEDUP_BATCH_PARENTS_MAX)) as u64;
    let keys = u64::from(threads).min(KEY_DEVICES_MAX as u64) * batch;
    CUDA_CONTEXT_BYTES + filter + slots + keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_what_a_large_job_takes() {
        let any = device_bytes_max(ByteSize(64 << 30), 16);
        assert!((17 << 30..18 << 30).contains(&any), "{any}");
        let few = device_bytes_max(ByteSize(256 << 20), 1);
        assert!((1 << 30..(1 << 30) + (128 << 20)).contains(&few), "{few}");
    }
}
