//! The conformance checks: they compare every engine with fastbloom, which is the oracle.
//!
//! [`conform`] makes an engine for each filter of a list and sends it batch after batch: all lengths, sizes around the
//! edges of tasks and blocks, repeats, keys that are equal in a part of their bits, random rows. Keys, verdicts,
//! tallies and the filter's bits must equal the oracle's. An engine holds as many slots at a time as it can. The
//! checks are part of the program and not of its tests, so that `molsieve doctor` can check a machine's devices.
//!
//! Rows are bytes here, not SMILES: to an engine a key is a function of a row's bytes.
//!
//! [`conform_on_keys`] compares a device that computes structure keys with the CPU.

mod batches;
mod comparison;
mod keys;
mod preimage;
mod report;

use comparison::Comparison;
pub use keys::{conform_on_keys, key_room, natural_products};
pub use preimage::row_of_key;
pub use report::{Batch, Coverage, Disagreement, KeyMismatch, Location};

use super::{engine::Engine, error::EngineError, filter::FilterShape};
use crate::{key::Key, property::PropertySet, slot::SlotLayout};

/// Makes an engine with an empty filter for slots of the smallest layout.
pub type Make<'a> =
    dyn FnMut(FilterShape, &SlotLayout) -> Result<Box<dyn Engine>, EngineError> + 'a;

/// Checks engines, with `random_slots` slots of random rows per filter.
pub fn conform(make: &mut Make<'_>, random_slots: u64) -> Result<Coverage, Disagreement> {
    conform_on(make, &batches::SHAPES, random_slots)
}

/// A short form of [`conform`]: one filter of twelve, without random rows.
pub fn conform_on_one_filter(make: &mut Make<'_>) -> Result<Coverage, Disagreement> {
    conform_on(make, &[batches::SHAPE_OF_MANY_HASHES], 0)
}

fn conform_on(
    make: &mut Make<'_>,
    shapes: &[FilterShape],
    random_slots: u64,
) -> Result<Coverage, Disagreement> {
    let layout = SlotLayout::smallest(PropertySet::NONE);
    let mut coverage = Coverage::default();
    for &shape in shapes {
        let mut comparison = Comparison::new(make(shape, &layout)?, shape, &layout)?;
        batches::each(&layout, random_slots, &mut |case, batch| {
            comparison.sieve(case, batch)
        })?;
        for count in batches::insert_counts(&layout) {
            comparison.insert(&batches::random_keys(count))?;
        }
        // Later look-ups must find the inserted keys, and later slots must still be inserted.
        let rows = batches::numbered(1_000_000..1_001_000 + 2 * layout.rows_max);
        let keys: Vec<_> = rows.iter().map(|row| Key::of(row).words()).collect();
        comparison.insert(&keys)?;
        for inserted in rows.chunks(1_000).take(3) {
            comparison.sieve("inserted before", &inserted.to_vec())?;
        }
        comparison.sieve("after inserting", &batches::numbered(0..1_000))?;
        comparison.compare_filters()?;
        coverage.filters += 1;
        coverage.slots += comparison.coverage.slots;
        coverage.rows += comparison.coverage.rows;
        coverage.inserted += comparison.coverage.inserted;
    }
    Ok(coverage)
}

/// Inserts `count` keys into one filter and compares its bits.
pub fn conform_on_inserts(
    make: &mut Make<'_>,
    shape: FilterShape,
    count: usize,
) -> Result<(), Disagreement> {
    let layout = SlotLayout::smallest(PropertySet::NONE);
    let mut comparison = Comparison::new(make(shape, &layout)?, shape, &layout)?;
    comparison.insert(&batches::random_keys(count))?;
    comparison.compare_filters()
}
