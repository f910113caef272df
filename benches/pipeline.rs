//! A whole job: the shipped library through five rules, from the CSV file to the manifest.
//!
//! It times [`pipeline::run`]: starting threads, compiling the rules in each worker, reading,
//! chemistry, sieve, sink, fsync and the manifest. It does not time RDKit's warm-up, opening the library, the
//! sample and the plan, which happen once before, and the removal of the output. Throughput counts the rows
//! written. The library is small, so the fixed costs of a job (rules, files, fsync) count more here than in a job
//! of millions of parents: the products per second are a lower bound. Output goes to `TMPDIR` (or `/tmp`); its
//! file system is printed.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that can't go on stops there"
)]

mod common;

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::atomic::AtomicBool,
    thread,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use molsieve::{
    config::{Dedup, JobSettings},
    pipeline::{self, Job, Outcome},
    units::ByteSize,
};

const RULES: [&str; 5] = [
    "aromatic_fluorination",
    "phenol_o_methylation",
    "alcohol_acetylation",
    "acid_methyl_ester",
    "ketone_reduction",
];
const MEMORY: ByteSize = ByteSize(1 << 30);

fn whole_job(criterion: &mut Criterion) {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("out");
    let rules = place.path().join("rules.toml");
    std::fs::write(&rules, common::shipped_rules_text(&RULES)).unwrap();
    eprintln!("output on {}", common::file_system(place.path()));
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let mut threads = vec![1, cpus];
    threads.dedup();
    let mut group = criterion.benchmark_group("pipeline/five_rules");
    for threads in threads {
        let job = job(&rules, &output, threads);
        let (_, products) = run(&job);
        group.throughput(Throughput::Elements(products));
        group.bench_function(format!("threads/{threads}"), |bencher| {
            bencher.iter_custom(|jobs| (0..jobs).map(|_| run(&job).0).sum());
        });
    }
    group.finish();
}

/// The job as `molsieve run` prepares it. `rules` is the file of its rules.
fn job(rules: &Path, output: &Path, threads: usize) -> Job {
    let settings = JobSettings {
        input: vec![common::library_file()],
        rules: vec![rules.into()],
        output: Some(output.into()),
        threads: NonZeroUsize::new(threads),
        memory: Some(MEMORY),
        dedup: Some(Dedup::Bloom),
        ..JobSettings::default()
    };
    Job::prepare(settings.check().unwrap(), None).unwrap()
}

/// Runs the job into a directory that does not exist yet. Returns its time and the rows written.
fn run(job: &Job) -> (Duration, u64) {
    let began = Instant::now();
    let outcome = pipeline::run(job, &AtomicBool::new(false), &mut |_| {}).unwrap();
    let elapsed = began.elapsed();
    std::fs::remove_dir_all(&job.spec.output).unwrap();
    match outcome {
        Outcome::Done(manifest) => (elapsed, manifest.counts.products_unique),
        Outcome::Stopped { .. } => unreachable!("nobody asked the job to stop"),
        Outcome::TimedOut { .. } => unreachable!("the shipped molecules take no such time"),
    }
}

criterion_group! { name = benches; config = common::criterion(); targets = whole_job }
criterion_main!(benches);
