//! A job of a scaling run: as `molsieve run` and `dedup` prepare and run it, with files that are removed afterwards.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Instant,
};

use super::report::{JobKind, RunTimes};
use crate::{
    bench::error::BenchError,
    config::{JobSettings, Task},
    machine,
    pipeline::{self, Job, Outcome, RowOrigin, Snapshot},
    report::manifest::{Manifest, ManifestFile},
    sieve::EngineChoice,
    store::disk,
};

/// The files of a scaling run.
pub(super) struct Files {
    pub library: PathBuf,
    /// For the job without chemistry.
    pub large_library: PathBuf,
    pub rules: PathBuf,
    pub smiles: PathBuf,
    pub parquet: PathBuf,
    pub output: PathBuf,
}

impl Files {
    /// The job of this kind with so many threads.
    pub fn job(
        &self,
        kind: JobKind,
        engine: EngineChoice,
        threads: usize,
        row_origin: &RowOrigin,
    ) -> Result<Job, BenchError> {
        let (task, input, rules) = match kind {
            JobKind::Derive => (Task::Derive, &self.library, vec![self.rules.clone()]),
            JobKind::NoChemistry => (Task::Derive, &self.large_library, vec![self.rules.clone()]),
            JobKind::DedupSmiles => (Task::Dedup, &self.smiles, Vec::new()),
            JobKind::DedupParquet => (Task::Dedup, &self.parquet, Vec::new()),
        };
        let settings = JobSettings {
            task: Some(task),
            input: vec![input.clone()],
            rules,
            output: Some(self.output.clone()),
            engine: Some(engine),
            threads: NonZeroUsize::new(threads),
            ..JobSettings::default()
        };
        let mut job = Job::prepare(settings.check()?, None).map_err(Box::new)?;
        job.row_origin = row_origin.clone();
        Ok(job)
    }
}

/// What every run of a job makes, whatever its number of threads.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Made {
    pub engine: String,
    pub rows_read: u64,
    pub rows: u64,
    files: Vec<ManifestFile>,
}

impl Made {
    fn of(manifest: Manifest) -> Self {
        let counts = manifest.counts;
        Self {
            engine: manifest.engine,
            rows_read: counts.parents_read,
            rows: counts.products_unique + counts.products_duplicate,
            files: manifest.files,
        }
    }

    pub fn rows_written(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub fn bytes_written(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Runs a job once and removes what it has written.
pub(super) fn run(job: &Job, stop: &AtomicBool) -> Result<(RunTimes, Made), BenchError> {
    let mut last = Snapshot::default();
    let (began, cpu_began) = (Instant::now(), machine::process_cpu_time());
    let outcome = pipeline::run(job, stop, &mut |snapshot| last.clone_from(snapshot));
    let seconds = began.elapsed().as_secs_f64();
    let cpu = machine::process_cpu_time().saturating_sub(cpu_began);
    disk::remove(&job.spec.output)?;
    let manifest = match outcome? {
        Outcome::Done(manifest) => *manifest,
        Outcome::Stopped {
            disk_full: Some(_), ..
        } => return Err(BenchError::DiskFull(folder(job))),
        Outcome::Stopped { .. } => return Err(BenchError::Stopped),
        Outcome::TimedOut { row } => return Err(BenchError::TimedOut(row)),
    };
    if let Some(reason) = manifest.engine_lost {
        return Err(BenchError::EngineLost(reason));
    }
    let times = RunTimes {
        seconds,
        cpu_seconds: cpu.as_secs_f64(),
        serial: last.serial,
    };
    Ok((times, Made::of(manifest)))
}

fn folder(job: &Job) -> PathBuf {
    let output = &job.spec.output;
    output.parent().unwrap_or(Path::new(".")).into()
}
