//! What a job may take of a GPU's memory, before it is planned.

use crate::{
    config::{Dedup, JobSettings, Task},
    limits::{
        CUDA_CONTEXT_BYTES, DEDUP_BATCH_PARENTS_MAX, FILTER_BITS_MIN, FILTER_BUDGET_DIVISOR,
        KEY_DEVICES_MAX, SLOT_BYTES_DEFAULT_MAX,
    },
    sieve::{
        FilterShape,
        structure_key::{KeyBatch, KeyRoom},
    },
    units::ByteSize,
};

/// Slots that are on the device at a time.
const LANES: u64 = 3;
/// Bytes on the device for each byte of a slot: its text, and columns of which a row of a slot has no fewer bytes.
const PER_SLOT_BYTE: u64 = 2;

/// Most memory of a GPU that a job with these settings and this memory budget takes. The filter is no larger on a device than
/// in the budget.
pub fn device_bytes_max(settings: &JobSettings, memory: ByteSize) -> u64 {
    let bits_max = 8 * (memory.0 as usize / FILTER_BUDGET_DIVISOR);
    let dedup = settings.dedup.unwrap_or(Dedup::Exact);
    let rate = settings.false_positive_rate.unwrap_or(dedup.default_rate());
    let shape = |products| FilterShape::for_items(products, rate, FILTER_BITS_MIN, bits_max);
    let filter = settings.expected_products.map(shape);
    let filter = filter.map_or(bits_max / 8, FilterShape::bytes) as u64;
    let slot = settings.slot_size.map(|size| size.0);
    let slot = slot.unwrap_or(SLOT_BYTES_DEFAULT_MAX as u64);
    let keys = match settings.task {
        Some(Task::Dedup) => {
            let batch = KeyBatch::bytes(KeyRoom::for_batches(DEDUP_BATCH_PARENTS_MAX));
            let threads = settings
                .threads
                .map_or(KEY_DEVICES_MAX, |threads| threads.get());
            (threads.min(KEY_DEVICES_MAX) * batch) as u64
        }
        Some(Task::Derive) | None => 0,
    };
    CUDA_CONTEXT_BYTES + filter + LANES * PER_SLOT_BYTE * slot + keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_what_a_large_job_takes() {
        let of = |settings: JobSettings, gib: u64| device_bytes_max(&settings, ByteSize(gib << 30));
        let any = of(JobSettings::default(), 64);
        assert!((17 << 30..18 << 30).contains(&any), "{any}");
        let few = JobSettings {
            expected_products: Some(1_000),
            ..JobSettings::default()
        };
        let few = of(few, 64);
        assert!((1 << 30..(1 << 30) + (32 << 20)).contains(&few), "{few}");
    }
}
