//! The sink: slots of real products into Parquet parts.
//!
//! The slots have products of the shipped library by all shipped rules, as the workers fill them, and
//! products of these, with keys and verdicts from the CPU engine. Rows that are not *new* are skipped, as in a job.
//! Rows per second count the rows written; bytes are those of the published parts, after compression.
//!
//! `write` writes the slots: columns, encoding, compression, SHA-256 and the full row groups, without closing the
//! part. `write_and_publish` adds the last row group, the footer, fsync, the rename and the fsync of the directory,
//! for one part of all slots. Both count the same bytes, so the rate of `write` includes a last row group that only
//! `write_and_publish` writes.
//!
//! Caveat: the files go to `TMPDIR` (or `/tmp`), whose file system determines the cost of fsync. The benchmark prints
//! it. A tmpfs is faster than a disk, a network file system slower. Without `O_DIRECT`, writes before the fsync go to
//! the page cache.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that can't go on stops there"
)]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use molsieve::{
    cores::Cores,
    limits::ROW_GROUP_BYTES_MIN,
    property::PropertySet,
    sieve::{CpuEngine, Engine, FilterShape},
    slot::Slot,
    store::{Existing, OutputDir},
    table::sink::{
        Encoders, Part, PartSettings, ProductSink, SinkSettings, parquet_file::ParquetSettings,
    },
};

/// Enough for more than one row group.
const SLOTS: usize = 6;
/// A filter for 10^6 keys, more than the slots have: no row is lost to a false positive.
const FILTER: FilterShape = FilterShape {
    bits: 8 * (8 << 20),
    hashes: 30,
};

/// The part of a pass that is reported.
type Stage = fn(&Pass) -> Duration;

/// The time and the size of writing all slots once.
struct Pass {
    write: Duration,
    publish: Duration,
    parts: Vec<Part>,
}

fn sink(criterion: &mut Criterion) {
    let slots = sieved(common::slots_of_products(SLOTS));
    let place = tempfile::tempdir().unwrap();
    let first = pass(&place, &slots);
    let rows = first.parts.iter().map(|part| part.rows).sum();
    let bytes = first.parts.iter().map(|part| part.file.bytes).sum();
    let (made, smiles_bytes) = common::rows_and_bytes(&slots);
    eprintln!(
        "{SLOTS} slots, {made} rows, {smiles_bytes} bytes of SMILES; {rows} rows written, {bytes} bytes; {}",
        common::file_system(place.path())
    );
    let mut group = criterion.benchmark_group("sink");
    group.throughput(Throughput::ElementsAndBytes {
        elements: rows,
        bytes,
    });
    let stages: [(&str, Stage); 2] = [
        ("write", |pass| pass.write),
        ("write_and_publish", |pass| pass.write + pass.publish),
    ];
    for (name, stage) in stages {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|passes| (0..passes).map(|_| stage(&pass(&place, &slots))).sum());
        });
    }
    group.finish();
}

fn sieved(slots: Vec<Slot>) -> Vec<Slot> {
    let mut engine = CpuEngine::new(FILTER, common::layout().rows_max, &Cores::new(1)).unwrap();
    let sieved = |slot| engine.sieve(slot).unwrap().0;
    slots.into_iter().map(sieved).collect()
}

/// Writes all slots into an output directory that is made before and removed after the timing.
fn pass(place: &tempfile::TempDir, slots: &[Slot]) -> Pass {
    let path = place.path().join("out");
    let output = OutputDir::open(&path, Existing::Refuse).unwrap();
    let encoders = Arc::new(Encoders::new(1, &Cores::new(1)).unwrap());
    let mut sink = ProductSink::new(&output, settings(), None, encoders, None).unwrap();
    let began = Instant::now();
    slots
        .iter()
        .for_each(|slot| sink.write(slot, |_| Ok(())).unwrap());
    let write = began.elapsed();
    sink.close_part().unwrap();
    let publish = began.elapsed() - write;
    let parts = sink.parts().to_vec();
    drop(sink);
    output.finish().unwrap();
    std::fs::remove_dir_all(&path).unwrap();
    Pass {
        write,
        publish,
        parts,
    }
}

/// The smallest row group, so that some are written before the part is closed.
fn settings() -> SinkSettings {
    let rules = common::shipped_rules();
    SinkSettings {
        rule_names: rules.rules().iter().map(|rule| rule.name.clone()).collect(),
        properties: PropertySet::NONE,
        key_column: "key",
        molecules: false,
        step: None,
        reagents: None,
        kept: None,
        parts: PartSettings::parquet(ParquetSettings::new(ROW_GROUP_BYTES_MIN)),
        duplicates: false,
        inputs: false,
    }
}

criterion_group! { name = benches; config = common::criterion(); targets = sink }
criterion_main!(benches);
