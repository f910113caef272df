//! Keys and the CPU engine, compared with fastbloom alone.
//!
//! The rows are four full slots of distinct canonical SMILES, so every row is *new*: it is hashed, looked up and
//! inserted, the most expensive verdict. Each pass starts with an empty filter, allocated and zeroed outside the
//! timing; a second pass over the same filter would find every row and insert none. A key has 30 bits, as at the
//! default rate of 10^-9.
//!
//! `bare` is a loop over `fastbloom::BloomFilter` (the one without atomics) on one thread: key, look-up,
//! insertion if not found. It does less than the engine, which also finds the repeats within a slot,
//! stores keys and verdicts, and counts. If the engine is faster on one thread, that is because it prefetches the
//! words of several keys in parallel before it sets bits in them.
//!
//! In a nearly empty filter a look-up of an absent key reads one bit, in a full one two on average. An insertion sets
//! 30, so the difference is small. The filter of 1 MiB ends about half as full as it is made for, the larger ones
//! nearly empty. The cost of a cache miss depends on the machine's caches and pages, and on other processes.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that can't go on stops there"
)]

mod common;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fastbloom::BloomFilter;
use molsieve::{
    cores::Cores,
    key::Key,
    sieve::{CpuEngine, Engine, FilterShape},
    slot::{Slot, text_range},
};

const SLOTS: usize = 4;
/// Bits per key for a rate of false positives of 10^-9.
const HASHES: u32 = 30;
const FILTERS: [(&str, usize); 3] = [("1MiB", 1 << 20), ("64MiB", 64 << 20), ("1GiB", 1 << 30)];

fn sieve(criterion: &mut Criterion) {
    let mut slots = common::full_slots_of_distinct_smiles(SLOTS);
    let (rows, bytes) = common::rows_and_bytes(&slots);
    eprintln!("{rows} distinct canonical SMILES, {bytes} bytes, in {SLOTS} full slots");
    keys(criterion, &slots);
    for (name, filter_bytes) in FILTERS {
        let shape = FilterShape {
            bits: 8 * filter_bytes,
            hashes: HASHES,
        };
        let mut group = criterion.benchmark_group(format!("sieve/{name}"));
        group.throughput(Throughput::ElementsAndBytes {
            elements: rows,
            bytes,
        });
        // A pass is short, and making a filter takes long: few passes for each sample.
        group.measurement_time(Duration::from_secs(2));
        group.bench_function("bare", |bencher| {
            bencher.iter_custom(|passes| (0..passes).map(|_| bare_pass(shape, &slots)).sum());
        });
        for threads in [1, 2] {
            group.bench_function(format!("cpu/{threads}"), |bencher| {
                bencher.iter_custom(|passes| {
                    (0..passes)
                        .map(|_| engine_pass(shape, threads, &mut slots))
                        .sum()
                });
            });
        }
        group.finish();
    }
}

/// Keys alone, row by row, over the slots' text.
fn keys(criterion: &mut Criterion, slots: &[Slot]) {
    let (rows, bytes) = common::rows_and_bytes(slots);
    let mut group = criterion.benchmark_group("key");
    group.throughput(Throughput::ElementsAndBytes {
        elements: rows,
        bytes,
    });
    group.bench_function("of", |bencher| {
        bencher.iter(|| {
            for slot in slots {
                for_each_smiles(slot, |smiles| {
                    black_box(Key::of(smiles));
                });
            }
        });
    });
    group.finish();
}

fn bare_pass(shape: FilterShape, slots: &[Slot]) -> Duration {
    let mut filter = BloomFilter::from_vec(touched_words(shape))
        .seed(&0)
        .hashes(shape.hashes);
    let mut new = 0;
    let began = Instant::now();
    for slot in slots {
        for_each_smiles(slot, |smiles| {
            let [hash, _] = Key::of(smiles).words();
            if !filter.contains_hash(hash) {
                filter.insert_hash(hash);
                new += 1;
            }
        });
    }
    let elapsed = began.elapsed();
    black_box(&filter);
    all_new(new, slots);
    elapsed
}

/// Zeroes whose pages are allocated. `with_num_bits` of the filter without atomics allocates memory that the kernel
/// zeroes page by page at the first write, which would be most of the time of a pass. The engine's filter, with
/// atomics, writes its zeroes itself.
fn touched_words(shape: FilterShape) -> Vec<u64> {
    (0..shape.bits / 64).map(|_| black_box(0)).collect()
}

fn engine_pass(shape: FilterShape, threads: usize, slots: &mut Vec<Slot>) -> Duration {
    let rows_max = slots[0].layout().rows_max;
    let mut engine = CpuEngine::new(shape, rows_max, &Cores::new(threads)).unwrap();
    let began = Instant::now();
    let sieved = slots.drain(..).map(|slot| engine.sieve(slot).unwrap());
    let (sieved, tallies): (Vec<_>, Vec<_>) = sieved.unzip();
    let elapsed = began.elapsed();
    *slots = sieved;
    all_new(tallies.iter().map(|tally| tally.new).sum(), slots);
    elapsed
}

/// Checks that the pass did its work: nearly no row was found in the filter.
fn all_new(new: u64, slots: &[Slot]) {
    let (rows, _) = common::rows_and_bytes(slots);
    assert!(
        1_000 * new >= 999 * rows,
        "only {new} of {rows} rows were new"
    );
}

fn for_each_smiles(slot: &Slot, mut work: impl FnMut(&[u8])) {
    let columns = slot.columns();
    (0..slot.rows()).for_each(|row| work(&columns.text[text_range(columns.text_end, row)]));
}

criterion_group! { name = benches; config = common::criterion(); targets = sieve }
criterion_main!(benches);
