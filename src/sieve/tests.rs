//! The conformance body: every engine runs it, fastbloom itself is the oracle.

use fastbloom::BloomFilter;
use proptest::prelude::*;

use super::*;
use crate::{
    key::Key,
    limits::SLOT_BYTES_MIN,
    slot::{SlotLayout, Verdict},
};

fn layout() -> SlotLayout {
    SlotLayout::new(SLOT_BYTES_MIN, false).unwrap()
}

/// What the contract says, written out row by row over a plain fastbloom filter.
struct Oracle(BloomFilter);

impl Oracle {
    fn new(shape: FilterShape) -> Self {
        Self(
            BloomFilter::with_num_bits(shape.bits)
                .seed(&0)
                .hashes(shape.hashes),
        )
    }

    fn sieve(&mut self, rows: &[Vec<u8>]) -> Vec<Verdict> {
        let keys: Vec<_> = rows.iter().map(|row| Key::of(row)).collect();
        let verdicts: Vec<_> = (0..keys.len())
            .map(|i| {
                if keys[..i].contains(&keys[i]) {
                    Verdict::Duplicate
                } else if self.0.contains_hash(keys[i].words()[0]) {
                    Verdict::Maybe
                } else {
                    Verdict::New
                }
            })
            .collect();
        for (key, verdict) in keys.iter().zip(&verdicts) {
            if *verdict == Verdict::New {
                self.0.insert_hash(key.words()[0]);
            }
        }
        verdicts
    }
}

fn fill(slot: &mut Slot, rows: &[Vec<u8>]) {
    slot.clear();
    let columns = slot.columns_mut();
    let mut end = 0;
    for (i, row) in rows.iter().enumerate() {
        columns.text[end..end + row.len()].copy_from_slice(row);
        end += row.len();
        columns.text_end[i] = end as u32;
    }
    slot.set_filled(rows.len(), end);
}

/// Sieves the batches one by one and compares keys, verdicts, tallies and the filter's bits.
fn conform(engine: &mut dyn Engine, shape: FilterShape, batches: &[Vec<Vec<u8>>]) {
    let mut oracle = Oracle::new(shape);
    let mut slot = Slot::new(layout());
    for rows in batches {
        fill(&mut slot, rows);
        let tally = engine.sieve(&mut slot);
        let expected = oracle.sieve(rows);
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(slot.key(i), Key::of(row), "key of row {i}");
            assert_eq!(slot.verdict(i), expected[i], "verdict on row {i}");
        }
        let count = |v| expected.iter().filter(|e| **e == v).count() as u64;
        let counted = Tally {
            new: count(Verdict::New),
            maybe: count(Verdict::Maybe),
            duplicate: count(Verdict::Duplicate),
        };
        assert_eq!(tally, counted);
    }
    assert_eq!(
        engine.filter_words(),
        oracle.0.as_slice(),
        "the filters differ in their bits"
    );
}

fn cpu(shape: FilterShape) -> CpuEngine {
    CpuEngine::new(shape, layout().rows_max, 2).unwrap()
}

const SHAPES: [FilterShape; 4] = [
    FilterShape {
        bits: 64,
        hashes: 1,
    },
    FilterShape {
        bits: 1_024,
        hashes: 7,
    },
    FilterShape {
        bits: 64 * 1_001,
        hashes: 13,
    },
    FilterShape {
        bits: 1 << 24,
        hashes: 30,
    },
];

#[test]
fn every_length_and_the_edges_of_tasks_conform() {
    let lengths: Vec<Vec<u8>> = (0..300).map(|n| vec![b'C'; n]).collect();
    let row = |i: usize| format!("C{}", i * i).into_bytes();
    let sizes = [0, 1, 2, 511, 512, 513, 1_024, 1_025];
    let mut batches = vec![lengths.clone(), lengths];
    batches.extend(sizes.map(|n| (0..n).map(row).collect()));
    batches.push(vec![row(1); 700]);
    batches.push((0..700).map(|i| row(i % 350)).collect());
    for shape in SHAPES {
        conform(&mut cpu(shape), shape, &batches);
    }
}

#[test]
fn a_wrong_bit_is_seen() {
    let shape = SHAPES[2];
    let batches = vec![vec![b"CCO".to_vec()]];
    let mut engine = cpu(FilterShape {
        hashes: shape.hashes + 1,
        ..shape
    });
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        conform(&mut engine, shape, &batches);
    }));
    assert!(
        outcome.is_err(),
        "the conformance body must notice a filter with one hash more"
    );
}

#[test]
fn a_filter_is_as_large_as_it_must_be_and_no_larger_than_it_may() {
    let shape = FilterShape::for_items(1_000_000, 1e-6, 1_024, usize::MAX >> 8);
    assert!(shape.false_positive_rate(1_000_000) < 1.05e-6, "{shape:?}");
    assert!(shape.false_positive_rate(1_100_000) > 1e-6);
    let capped = FilterShape::for_items(1_000_000, 1e-6, 1_024, 1 << 20);
    assert_eq!(capped.bits, 1 << 20);
    assert_eq!(FilterShape::for_items(1, 0.5, 1_024, 1 << 20).bits, 1_024);
    // Against fastbloom's own arithmetic.
    let oracle = Oracle::new(shape);
    let ratio = oracle.0.expected_false_pos(1_000_000) / shape.false_positive_rate(1_000_000);
    assert!((0.999..1.001).contains(&ratio), "{ratio}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn random_batches_conform(
        batches in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(b'A'..b'D', 0..6), 0..200), 1..6),
        shape in prop::sample::select(&SHAPES[..]),
    ) {
        conform(&mut cpu(shape), shape, &batches);
    }
}
