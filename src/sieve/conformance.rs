//! The conformance body: what every engine must agree on with fastbloom, which is the oracle.
//!
//! [`conform`] makes an engine for each of a list of filters and sends it batch after batch: all
//! lengths, sizes about the edges of tasks and blocks, repeats, keys that collide where an engine might
//! be tempted to look at a part of them, random rows. Keys, verdicts, tallies and the filter's bits must
//! be exactly the oracle's. An engine has as many slots in hand as it takes. The body is part of the
//! program, not of its tests: a machine's own devices can be put to it.
//!
//! Rows are bytes here, not SMILES: to an engine a key is a function of a row's bytes.
//!
//! [`conform_on_keys`] does the same to a device that makes structure keys; there the CPU's are the oracle.

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
use crate::{key::Key, slot::SlotLayout};

/// Makes an engine with an empty filter for slots of the smallest layout.
pub type Make<'a> =
    dyn FnMut(FilterShape, &SlotLayout) -> Result<Box<dyn Engine>, EngineError> + 'a;

/// Puts engines to the body, with `random_slots` slots of random rows per filter.
pub fn conform(make: &mut Make<'_>, random_slots: u64) -> Result<Coverage, Disagreement> {
    conform_on(make, &batches::SHAPES, random_slots)
}

/// A twelfth of [`conform`]: one filter, without random rows.
pub fn conform_on_one_filter(make: &mut Make<'_>) -> Result<Coverage, Disagreement> {
    conform_on(make, &[batches::SHAPE_OF_MANY_HASHES], 0)
}

fn conform_on(
    make: &mut Make<'_>,
    shapes: &[FilterShape],
    random_slots: u64,
) -> Result<Coverage, Disagreement> {
    let layout = SlotLayout::smallest(false);
    let mut account = Coverage::default();
    for &shape in shapes {
        let mut trial = Comparison::new(make(shape, &layout)?, shape, &layout)?;
        batches::each(&layout, random_slots, &mut |case, batch| {
            trial.sieve(case, batch)
        })?;
        for count in batches::insert_counts(&layout) {
            trial.insert(&batches::random_keys(count))?;
        }
        // What was inserted must be seen by all that follow, and what is sieved after it inserted.
        let rows = batches::numbered(1_000_000..1_001_000 + 2 * layout.rows_max);
        let keys: Vec<_> = rows.iter().map(|row| Key::of(row).words()).collect();
        trial.insert(&keys)?;
        for inserted in rows.chunks(1_000).take(3) {
            trial.sieve("inserted before", &inserted.to_vec())?;
        }
        trial.sieve("after inserting", &batches::numbered(0..1_000))?;
        trial.compare_filters()?;
        account.filters += 1;
        account.slots += trial.account.slots;
        account.rows += trial.account.rows;
        account.inserted += trial.account.inserted;
    }
    Ok(account)
}

/// Inserts `count` keys into one filter and compares its bits.
pub fn conform_on_inserts(
    make: &mut Make<'_>,
    shape: FilterShape,
    count: usize,
) -> Result<(), Disagreement> {
    let layout = SlotLayout::smallest(false);
    let mut trial = Comparison::new(make(shape, &layout)?, shape, &layout)?;
    trial.insert(&batches::random_keys(count))?;
    trial.compare_filters()
}
