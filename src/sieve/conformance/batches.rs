//! The batches and filters of the conformance checks.

use std::ops::Range;

use super::{
    preimage::row_of_key,
    report::{Batch, Disagreement},
};
use crate::{sieve::filter::FilterShape, slot::SlotLayout};

const fn shape(bits: usize, hashes: u32) -> FilterShape {
    FilterShape { bits, hashes }
}

/// From the smallest filter on; numbers of hashes around those that an engine might batch.
pub(super) const SHAPES: [FilterShape; 12] = [
    shape(64, 1),
    shape(128, 3),
    shape(1_024, 7),
    shape(64 * 1_001, 2),
    shape(64 * 1_001, 4),
    shape(64 * 1_001, 5),
    shape(64 * 1_001, 8),
    SHAPE_OF_MANY_HASHES,
    shape(64 * 65_537, 9),
    shape(1 << 20, 40),
    shape(1 << 24, 30),
    shape((1 << 24) + 64, 1),
];

/// Its number of hashes is no multiple of those that an engine might batch.
pub(super) const SHAPE_OF_MANY_HASHES: FilterShape = shape(64 * 1_001, 13);

/// Sizes around the edges of warps, workgroups, blocks and tasks.
const SIZES: [usize; 19] = [
    0, 1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 255, 256, 257, 511, 512, 513, 1_025,
];

/// Bytes that a block of 256 rows in `kernels/sieve.cu` stages at most.
const STAGE_BYTES: usize = 20_480;

/// Takes a batch, and what it tests.
pub(super) type Take<'a> = dyn FnMut(&'static str, &Batch) -> Result<(), Disagreement> + 'a;

/// Gives every batch to `take`.
pub(super) fn each(
    layout: &SlotLayout,
    random_slots: u64,
    take: &mut Take<'_>,
) -> Result<(), Disagreement> {
    lengths_and_sizes(layout, take)?;
    repeats(layout, take)?;
    take("long rows among short ones", &long_among_short(layout))?;
    for (case, keys) in colliding() {
        let rows = keys.into_iter().map(|key| row_of_key(key).to_vec());
        take(case, &rows.collect())?;
    }
    let mut random = Random::new(random_slots);
    (0..random_slots).try_for_each(|_| take("random rows", &random_batch(&mut random)))
}

fn lengths_and_sizes(layout: &SlotLayout, take: &mut Take<'_>) -> Result<(), Disagreement> {
    let rows_max = layout.rows_max;
    let lengths: Batch = (0..=300).map(|n| patterned(n, n)).collect();
    take("every length", &lengths)?;
    take("every length again", &lengths)?;
    take("every length, all zeroes", &zeroes())?;
    for size in SIZES.into_iter().chain([rows_max - 1, rows_max]) {
        let from = size * size;
        take("sizes", &numbered(from..from + size))?;
    }
    for bytes in [
        STAGE_BYTES - 1,
        STAGE_BYTES,
        STAGE_BYTES + 1,
        STAGE_BYTES + 16,
    ] {
        take("blocks around the size of the stage", &of_bytes(bytes))?;
    }
    Ok(())
}

fn repeats(layout: &SlotLayout, take: &mut Take<'_>) -> Result<(), Disagreement> {
    let rows_max = layout.rows_max;
    let same = vec![b"C1CC1".to_vec(); rows_max];
    take("a slot of one row many times", &same)?;
    take("a slot of empty rows", &vec![Vec::new(); rows_max])?;
    take("repeats", &numbered_modulo(700, 350))?;
    let far = numbered_modulo(rows_max, rows_max / 2 + 1);
    take("repeats in far blocks", &far)?;
    take("repeats across block edges", &across_edges())?;
    take("what was there before", &numbered_modulo(1_024, 1_024))
}

/// How many keys are inserted at a time.
pub(super) fn insert_counts(layout: &SlotLayout) -> [usize; 7] {
    [0, 1, 255, 256, 257, layout.rows_max, layout.rows_max + 1]
}

pub(super) fn random_keys(count: usize) -> Vec<[u64; 2]> {
    let mut words = Random::new(count as u64);
    (0..count).map(|_| [words.next(), words.next()]).collect()
}

/// Distinct rows.
pub(super) fn numbered(numbers: Range<usize>) -> Batch {
    numbers.map(numbered_row).collect()
}

fn numbered_row(number: usize) -> Vec<u8> {
    format!("C{number}O").into_bytes()
}

fn numbered_modulo(rows: usize, distinct: usize) -> Batch {
    let number = |row| (1 << 30) + row % distinct;
    (0..rows).map(number).map(numbered_row).collect()
}

/// `length` bytes of all values, which differ from those of another `start`.
fn patterned(length: usize, start: usize) -> Vec<u8> {
    (0..length)
        .map(|i| ((start + i) * 37 % 251) as u8)
        .collect()
}

fn zeroes() -> Batch {
    (0..=300).map(|n| vec![0; n]).collect()
}

/// The first and last rows of blocks are repeats of each other.
fn across_edges() -> Batch {
    let mut batch = numbered(5_000_000..5_001_025);
    for edge in [64, 256, 512, 768, 1_024] {
        batch[edge] = batch[edge - 1].clone();
    }
    batch[1_023] = batch[0].clone();
    batch
}

/// Two blocks of 256 rows with so many bytes each, the second with any alignment.
fn of_bytes(bytes: usize) -> Batch {
    let mut batch = Batch::new();
    for block in 0..2 {
        let mut left = bytes;
        for row in 0..256 {
            let length = if row == 255 { left } else { left / (256 - row) };
            batch.push(patterned(length, 1_000 * block + row));
            left -= length;
        }
    }
    batch
}

/// Blocks that fit a stage and blocks that do not, alternating, as many as the slot holds.
fn long_among_short(layout: &SlotLayout) -> Batch {
    let mut batch = Batch::new();
    let mut left = layout.text_bytes_max;
    for row in 0..layout.rows_max {
        let length = if row / 100 % 4 == 1 {
            300 - row % 7
        } else {
            row % 11
        };
        if length > left {
            break;
        }
        left -= length;
        batch.push(patterned(length, row));
    }
    batch
}

/// Distinct keys that are equal in one of their words, or in its low bits; each of them twice.
fn colliding() -> [(&'static str, Vec<[u64; 2]>); 5] {
    const ROWS: u64 = 600;
    let mut random = Random::new(7);
    let mut keys = |key: &dyn Fn(u64, u64) -> [u64; 2]| {
        let mut keys: Vec<_> = (0..ROWS).map(|i| key(i, random.next())).collect();
        keys.extend_from_within(..);
        keys
    };
    [
        (
            "keys with the same second word",
            keys(&|_, r| [r, 0x1234_5678_9abc_def0]),
        ),
        (
            "keys with the same first word",
            keys(&|_, r| [0xfeed_0123_4567_89ab, r]),
        ),
        (
            "keys with the same low words",
            keys(&|i, r| [i << 32 | 5, r << 32 | 9]),
        ),
        (
            "keys that fill the table's last places",
            keys(&|i, r| [r, r << 32 | (u32::MAX as u64 - i % 3)]),
        ),
        (
            "keys at the ends of the filter",
            keys(&|i, r| [if i % 2 == 0 { i } else { u64::MAX - i }, r]),
        ),
    ]
}

/// Few distinct rows, so that they repeat in the slot and in later slots.
fn random_batch(random: &mut Random) -> Batch {
    let rows = random.below(400);
    let row = |_| {
        let length = random.below(7);
        (0..length).map(|_| b'A' + random.below(3) as u8).collect()
    };
    (0..rows).map(row).collect()
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers in every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
