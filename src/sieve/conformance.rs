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
mod preimage;
mod keys;

use std::{
    collections::{HashSet, VecDeque},
    fmt,
};

use fastbloom::BloomFilter;

pub use preimage::row_of_key;
pub use keys::{conform_on_keys, key_room, natural_products};

use super::{Engine, EngineError, FilterShape, Tally, structure_key::KeyOutcome};
use crate::{
    key::Key,
    slot::{Slot, SlotLayout, Verdict},
};

/// Rows of one slot.
pub type Batch = Vec<Vec<u8>>;

/// Makes an engine with an empty filter for slots of the smallest layout.
pub type Make<'a> =
    dyn FnMut(FilterShape, &SlotLayout) -> Result<Box<dyn Engine>, EngineError> + 'a;

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Engines made, each with another filter.
    pub filters: u64,
    /// Slots sieved.
    pub slots: u64,
    /// Rows in them.
    pub rows: u64,
    /// Keys inserted beside them.
    pub inserted: u64,
}

/// The engine and the oracle do not agree, or the engine fails.
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
    /// On how many slots the engine has: it gives back more or fewer than were begun.
    #[error("the engine gives back {} slots than were begun", if *more { "more" } else { "fewer" })]
    Slots {
        /// Whether it is more.
        more: bool,
    },
    /// On the filter's bits, after all batches.
    #[error("a filter of {} bits and {} hashes: its bits differ from fastbloom's, first in word {word:?}", shape.bits, shape.hashes)]
    Filter {
        /// The filter.
        shape: FilterShape,
        /// The first word that differs; none if it is their number.
        word: Option<usize>,
    },
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A device's structure keys are not those of the CPU, or it fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMismatch {
    /// On a row.
    #[error("of {text} it says {found}, and the engine cpu {expected}")]
    Row {
        /// The text.
        text: String,
        /// What the CPU says.
        expected: KeyOutcome,
        /// What the device says.
        found: KeyOutcome,
    },
    /// It leaves more to the CPU than its size can account for.
    #[error("it finds {too_large} of {shipped} natural products too large")]
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
    /// What the batch is about.
    pub case: &'static str,
    /// Slots sieved before with this filter.
    pub slot: u64,
    /// The row; 0 for the slot itself.
    pub row: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shape: FilterShape { bits, hashes },
            case,
            slot,
            row,
        } = self;
        write!(
            f,
            "{case}, row {row} of slot {slot}, a filter of {bits} bits and {hashes} hashes"
        )
    }
}

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

/// An engine and the oracle beside it.
struct Comparison {
    engine: Box<dyn Engine>,
    shape: FilterShape,
    oracle: BloomFilter,
    /// Slots that the engine does not have.
    slots: Vec<Slot>,
    /// What is expected of those it has, the oldest first.
    begun: VecDeque<Expected>,
    account: Coverage,
}

/// What the oracle says of a slot.
struct Expected {
    place: Location,
    rows: Vec<(Key, Verdict)>,
}

impl Comparison {
    fn new(
        engine: Box<dyn Engine>,
        shape: FilterShape,
        layout: &SlotLayout,
    ) -> Result<Self, EngineError> {
        let slot = |_| {
            let memory = engine.slot_memory(layout.bytes)?;
            Ok(Slot::within(layout.clone(), memory))
        };
        let slots = (0..engine.slots_begun_max()).map(slot);
        Ok(Self {
            slots: slots.collect::<Result<_, EngineError>>()?,
            begun: VecDeque::new(),
            engine,
            shape,
            oracle: BloomFilter::with_num_bits(shape.bits)
                .seed(&0)
                .hashes(shape.hashes),
            account: Coverage::default(),
        })
    }

    /// Gives the engine a slot. What it makes of it is compared when there is no slot left for another: so
    /// it has as many in hand as it takes.
    fn sieve(&mut self, case: &'static str, batch: &Batch) -> Result<(), Disagreement> {
        if self.slots.is_empty() {
            self.compare_oldest()?;
        }
        let Some(mut slot) = self.slots.pop() else {
            return Err(Disagreement::Slots { more: false });
        };
        fill(&mut slot, batch);
        self.engine.begin(slot)?;
        self.begun.push_back(Expected {
            place: Location {
                shape: self.shape,
                case,
                slot: self.account.slots,
                row: 0,
            },
            rows: judge(&mut self.oracle, batch),
        });
        self.account.slots += 1;
        self.account.rows += batch.len() as u64;
        Ok(())
    }

    /// Finishes a slot and compares it; false if the engine has none.
    fn compare_oldest(&mut self) -> Result<bool, Disagreement> {
        let finished = self.engine.finish()?;
        let (slot, found, expected) = match (finished, self.begun.pop_front()) {
            (Some((slot, found)), Some(expected)) => (slot, found, expected),
            (None, None) => return Ok(false),
            (given, _) => {
                return Err(Disagreement::Slots {
                    more: given.is_some(),
                });
            }
        };
        let Expected { place, rows } = expected;
        let mut tally = Tally::default();
        for (row, (key, verdict)) in rows.into_iter().enumerate() {
            compare_row(&slot, Location { row, ..place }, key, verdict)?;
            tally.count(verdict);
        }
        if found != tally {
            return Err(Disagreement::Tally {
                place,
                expected: tally,
                found,
            });
        }
        self.slots.push(slot);
        Ok(true)
    }

    /// Finishes and compares all slots that the engine has.
    fn compare_all(&mut self) -> Result<(), Disagreement> {
        while self.compare_oldest()? {}
        Ok(())
    }

    fn insert(&mut self, keys: &[[u64; 2]]) -> Result<(), Disagreement> {
        self.compare_all()?;
        self.engine.insert(keys)?;
        keys.iter().for_each(|key| {
            self.oracle.insert_hash(key[0]);
        });
        self.account.inserted += keys.len() as u64;
        Ok(())
    }

    fn compare_filters(&mut self) -> Result<(), Disagreement> {
        self.compare_all()?;
        let found = self.engine.filter_words()?;
        let expected = self.oracle.as_slice();
        if found == expected {
            return Ok(());
        }
        let word = found.iter().zip(expected).position(|(a, b)| a != b);
        let shape = self.shape;
        Err(Disagreement::Filter { shape, word })
    }
}

fn compare_row(slot: &Slot, place: Location, key: Key, verdict: Verdict) -> Result<(), Disagreement> {
    let (found_key, found_verdict) = (slot.key(place.row), slot.columns().verdict[place.row]);
    if found_key != key {
        return Err(Disagreement::Key {
            place,
            expected: key,
            found: found_key,
        });
    }
    if found_verdict != verdict as u8 {
        return Err(Disagreement::Verdict {
            place,
            expected: verdict,
            found: found_verdict,
        });
    }
    Ok(())
}

/// What the contract says, row by row.
fn judge(filter: &mut BloomFilter, batch: &Batch) -> Vec<(Key, Verdict)> {
    let mut seen = HashSet::new();
    let judge_row = |row: &Vec<u8>| {
        let key = Key::of(row);
        let verdict = if !seen.insert(key) {
            Verdict::Duplicate
        } else if filter.contains_hash(key.words()[0]) {
            Verdict::Maybe
        } else {
            Verdict::New
        };
        (key, verdict)
    };
    let judged: Vec<_> = batch.iter().map(judge_row).collect();
    for (key, verdict) in &judged {
        if *verdict == Verdict::New {
            filter.insert_hash(key.words()[0]);
        }
    }
    judged
}

fn fill(slot: &mut Slot, batch: &Batch) {
    slot.clear();
    let columns = slot.columns_mut();
    let mut end = 0;
    for (i, row) in batch.iter().enumerate() {
        columns.text[end..end + row.len()].copy_from_slice(row);
        end += row.len();
        columns.text_end[i] = end as u32;
    }
    // What an engine leaves undone must not look right because an earlier slot left it there.
    columns.key.fill([u64::MAX; 2]);
    columns.verdict.fill(u8::MAX);
    slot.set_filled(batch.len(), end);
}
