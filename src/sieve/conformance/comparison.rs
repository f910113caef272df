//! Compares an engine with fastbloom.

use std::collections::{HashSet, VecDeque};

use fastbloom::BloomFilter;

use super::report::{Batch, Coverage, Disagreement, Location};
use crate::{
    key::Key,
    sieve::{
        engine::{Engine, Tally},
        error::EngineError,
        filter::FilterShape,
        first_rows::FirstRows,
    },
    slot::{Slot, SlotLayout, Verdict},
};

/// An engine and the oracle.
pub(super) struct Comparison {
    engine: Box<dyn Engine>,
    /// Marks every other slot, where the engine wants that.
    first_rows: Option<FirstRows>,
    shape: FilterShape,
    oracle: BloomFilter,
    /// Slots that the engine does not hold.
    slots: Vec<Slot>,
    /// What is expected of those that it holds, the oldest first.
    begun: VecDeque<Expected>,
    pub coverage: Coverage,
}

/// The oracle's result for a slot.
struct Expected {
    place: Location,
    rows: Vec<(Key, Verdict)>,
}

impl Comparison {
    pub fn new(
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
            first_rows: (engine.wants_marked_slots()).then(|| FirstRows::new(layout.rows_max)),
            engine,
            shape,
            oracle: BloomFilter::with_num_bits(shape.bits)
                .seed(&0)
                .hashes(shape.hashes),
            coverage: Coverage::default(),
        })
    }

    /// Gives the engine a slot. The result is compared when no slot is left for another batch: so the engine holds as
    /// many slots as it can.
    pub fn sieve(&mut self, case: &'static str, batch: &Batch) -> Result<(), Disagreement> {
        if self.slots.is_empty() {
            self.compare_oldest()?;
        }
        let Some(mut slot) = self.slots.pop() else {
            return Err(Disagreement::Slots { more: false });
        };
        fill(&mut slot, batch);
        if let Some(first_rows) = &mut self.first_rows
            && self.coverage.slots.is_multiple_of(2)
        {
            first_rows.mark_slot(&mut slot);
        }
        self.engine.begin(slot)?;
        self.begun.push_back(Expected {
            place: Location {
                shape: self.shape,
                case,
                slot: self.coverage.slots,
                row: 0,
            },
            rows: judge(&mut self.oracle, batch),
        });
        self.coverage.slots += 1;
        self.coverage.rows += batch.len() as u64;
        Ok(())
    }

    /// Finishes a slot and compares it; false if the engine holds none.
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

    /// Finishes and compares all slots that the engine holds.
    fn compare_all(&mut self) -> Result<(), Disagreement> {
        while self.compare_oldest()? {}
        Ok(())
    }

    pub fn insert(&mut self, keys: &[[u64; 2]]) -> Result<(), Disagreement> {
        self.compare_all()?;
        self.engine.insert(keys)?;
        keys.iter().for_each(|key| {
            self.oracle.insert_hash(key[0]);
        });
        self.coverage.inserted += keys.len() as u64;
        Ok(())
    }

    pub fn compare_filters(&mut self) -> Result<(), Disagreement> {
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

fn compare_row(
    slot: &Slot,
    place: Location,
    key: Key,
    verdict: Verdict,
) -> Result<(), Disagreement> {
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

/// Keys and verdicts by the contract, row by row.
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
    // What an engine does not write must not look right because an earlier slot wrote it.
    columns.key.fill([u64::MAX; 2]);
    columns.verdict.fill(u8::MAX);
    slot.set_filled(batch.len(), end);
}
