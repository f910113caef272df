//! The sink: slots of real products into Parquet parts.
//!
//! The slots hold products of the shipped library by all shipped rules, as the workers fill them, and
//! products of these, with keys and verdicts from the CPU engine; rows that are not *new* are passed over, as in a job.
//! Rows per second count the rows written; bytes are those of the published parts, so they say what the
//! disk sees, after compression.
//!
//! `write` is the writing of the slots: columns, encoding, compression, SHA-256 and the row groups
//! that are full, without what follows when a part is closed. `write_and_publish` adds the last row
//! group, the footer, fsync, the rename and the fsync of the directory, for one part of all slots.
//! The bytes are the same for both, so `write` is credited with a last row group that only
//! `write_and_publish` puts on the disk.
//!
//! Caveat: the files go to `TMPDIR` (or `/tmp`), and whatever that is decides what fsync costs. The
//! benchmark prints it. Where it was written that was ext4 on a virtual disk (`/dev/vda`); a tmpfs
//! flatters, a network file system does the opposite. Without `O_DIRECT`, writes before the fsync go
//! to the page cache.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that can't go on stops there"
)]

mod common;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use molsieve::{
    limits::ROW_GROUP_BYTES_MIN,
    sieve::{CpuEngine, Engine, FilterShape},
    slot::Slot,
    store::{Existing, OutputDir},
    table::sink::{Part, ProductSink, SinkSettings},
};

/// Enough for more than one row group.
const SLOTS: usize = 6;
/// For 10^6 keys and more than the slots have: no row is lost to a false positive.
const FILTER: FilterShape = FilterShape {
    bits: 8 * (8 << 20),
    hashes: 30,
};

/// What of a pass is reported.
type Stage = fn(&Pass) -> Duration;

/// What writing all slots once took.
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
    let mut engine = CpuEngine::new(FILTER, common::layout().rows_max, 1).unwrap();
    let sieved = |slot| engine.sieve(slot).unwrap().0;
    slots.into_iter().map(sieved).collect()
}

/// Writes all slots into an output directory that is made before and removed behind the timing.
fn pass(place: &tempfile::TempDir, slots: &[Slot]) -> Pass {
    let path = place.path().join("out");
    let output = OutputDir::open(&path, Existing::Refuse).unwrap();
    let mut sink = ProductSink::new(&output, settings(), None, Vec::new(), None).unwrap();
    let began = Instant::now();
    slots.iter().for_each(|slot| sink.write(slot).unwrap());
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

/// The smallest row group, so that some are written on the way.
fn settings() -> SinkSettings {
    let rules = common::shipped_rules();
    SinkSettings {
        rule_names: rules.rules().iter().map(|rule| rule.name.clone()).collect(),
        properties: false,
        key_column: "key",
        molecules: false,
        row_group_bytes: ROW_GROUP_BYTES_MIN,
    }
}

criterion_group! { name = benches; config = common::criterion(); targets = sink }
criterion_main!(benches);
