//! How jobs become faster with threads. Real jobs: the code that `molsieve run` and `dedup` run, in this process, with
//! files in a temporary folder.
//!
//! | job | input | measures |
//! |---|---|---|
//! | derive | molecules, a rule | all of a job |
//! | derive without chemistry | the same or more; workers copy slots that a run before has filled | source, ring, sieve, sink, settling |
//! | dedup | a SMILES file; the same rows in a Parquet file | all of a deduplication |
//!
//! A job's time is that of [`pipeline::run`](crate::pipeline::run): from the start of its threads to the manifest, with
//! every fsync. It does not include the start of the program and the plan. Each job runs once with each number of
//! threads, then again with each, and so on, so that whatever else the machine does falls on all of them. All runs must
//! write the same bytes; without chemistry, those that the run which filled the slots has written. Beside the jobs, the
//! chemistry alone is measured on one core: what a job of one thread could reach.

mod job;
mod library;
mod report;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{chemistry, error::BenchError, input::RULE, measure::Effort, report::Report};
use crate::{
    chem::RdKit,
    machine::{self, FileSystem},
    pipeline::{KeptSlots, RowOrigin},
    sieve::EngineChoice,
    store::{StoreError, disk},
    units::counted,
};
use job::{Files, Made};
use library::Generator;
pub use report::{JobKind, JobScaling, Limit, Scaling, ScalingPoint, SerialPart};
use report::{RunTimes, points, words};

/// Molecules that a thread derives products from in about a second, with the built-in rule.
const PARENTS_PER_SECOND: f64 = 20_000.0;
/// The job without chemistry has so many times the molecules, because it takes less time for each.
const FACTOR_WITHOUT_CHEMISTRY: f64 = 16.0;
/// Rows that a thread deduplicates in about a second.
const DEDUP_ROWS_PER_SECOND: f64 = 300_000.0;
/// Fewest rows of a generated library.
const ROWS_MIN: u64 = 1_000;
/// The slots that are kept may take this fraction of the memory that the process may use. The jobs may take a half.
const KEPT_MEMORY_DIVISOR: u64 = 4;

/// What is to be measured.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalingSelection {
    /// Engines; empty for the engine cpu.
    pub engines: Vec<EngineChoice>,
    /// Numbers of threads; empty for 1, 2, 4 … and the number of processors.
    pub threads: Vec<usize>,
    /// How many times each job runs with each number of threads.
    pub rounds: usize,
    /// About the time of a job with all threads, for a generated library.
    pub effort: Effort,
    /// The library, in place of a generated one.
    pub input: Option<PathBuf>,
    /// Rules, in place of the built-in one.
    pub rules: Option<PathBuf>,
}

/// Measures how jobs become faster with threads. Calls `say` with the name of each measurement before it starts.
pub fn scaling(
    rdkit: RdKit,
    selection: &ScalingSelection,
    stop: &AtomicBool,
    say: &mut dyn FnMut(&str),
) -> Result<Report, BenchError> {
    let threads = numbers_of_threads(&selection.threads, machine::processors());
    let folder = TemporaryFolder::new()?;
    let files = folder.files(selection);
    say("the library");
    make_files(selection, threads.last().copied().unwrap_or(1), &files)?;
    let mut run = ScalingRun {
        files,
        threads,
        rounds: selection.rounds.max(1),
        stop,
        say,
    };
    let engines = match selection.engines.as_slice() {
        [] => &[EngineChoice::Cpu],
        engines => engines,
    };
    let mut jobs = Vec::new();
    for engine in engines {
        jobs.extend(run.measure_engine(*engine)?);
    }
    let named = |path: &Option<PathBuf>, built_in: &str| match path {
        Some(path) => path.display().to_string(),
        None => built_in.to_owned(),
    };
    (run.say)("RDKit on one core");
    let mut report = Report::new(rdkit, selection.effort);
    report.chemistry = Some(chemistry::measure(rdkit, selection.effort)?);
    report.scaling = Some(Scaling {
        input: named(&selection.input, "made from the shipped natural products"),
        rules: named(&selection.rules, "[cH:1]>>[c:1]F"),
        file_system: FileSystem::of(&folder.0).map_or("unknown".into(), |on| on.kind),
        rounds: run.rounds,
        jobs,
    });
    Ok(report)
}

/// The numbers of threads to measure, the least first.
fn numbers_of_threads(named: &[usize], processors: usize) -> Vec<usize> {
    let mut threads = match named {
        [] => {
            let powers = (0..usize::BITS).map(|power| 1 << power);
            let below = powers.take_while(|threads| *threads < processors);
            below.chain([processors]).collect()
        }
        named => named.to_vec(),
    };
    threads.sort_unstable();
    threads.dedup();
    threads
}

/// Writes the inputs of all jobs.
fn make_files(
    selection: &ScalingSelection,
    threads_max: usize,
    files: &Files,
) -> Result<(), BenchError> {
    let rows = |per_second: f64| {
        let rows = per_second * selection.effort.seconds * threads_max as f64;
        (rows as u64).max(ROWS_MIN)
    };
    match &selection.input {
        None => {
            let generator = Generator::new();
            generator.write_file(&files.library, rows(PARENTS_PER_SECOND), false)?;
            let more = rows(FACTOR_WITHOUT_CHEMISTRY * PARENTS_PER_SECOND);
            generator.write_file(&files.large_library, more, false)?;
            generator.write_file(&files.smiles, rows(DEDUP_ROWS_PER_SECOND), true)?;
        }
        Some(input) => {
            if library::to_smiles_file(input, &files.smiles)? == 0 {
                return Err(BenchError::NoSmiles(input.clone()));
            }
        }
    }
    if selection.rules.is_none() {
        write(&files.rules, RULE)?;
    }
    library::to_parquet_file(&files.smiles, &files.parquet)
}

fn write(path: &Path, text: &str) -> Result<(), StoreError> {
    std::fs::write(path, text).map_err(|error| StoreError::io(path, "write", &error))
}

/// What all jobs of a scaling run have in common.
struct ScalingRun<'a> {
    files: Files,
    threads: Vec<usize>,
    rounds: usize,
    stop: &'a AtomicBool,
    say: &'a mut dyn FnMut(&str),
}

impl ScalingRun<'_> {
    /// All jobs on an engine.
    fn measure_engine(&mut self, engine: EngineChoice) -> Result<Vec<JobScaling>, BenchError> {
        let work = RowOrigin::Work;
        Ok(vec![
            self.measure(JobKind::Derive, engine, &work, None)?,
            self.measure_without_chemistry(engine)?,
            self.measure(JobKind::DedupSmiles, engine, &work, None)?,
            self.measure(JobKind::DedupParquet, engine, &work, None)?,
        ])
    }

    /// Runs a derive job once and keeps its slots; then measures it with these.
    fn measure_without_chemistry(
        &mut self,
        engine: EngineChoice,
    ) -> Result<JobScaling, BenchError> {
        let kind = JobKind::NoChemistry;
        (self.say)("the slots for the job without chemistry");
        let bytes_max = machine::memory_limit().0 / KEPT_MEMORY_DIVISOR;
        let kept = Arc::new(KeptSlots::new(bytes_max));
        let threads = self.threads.last().copied().unwrap_or(1);
        let keep = RowOrigin::WorkAndKeep(Arc::clone(&kept));
        let job = self.files.job(kind, engine, threads, &keep)?;
        let (_, made) = job::run(&job, self.stop)?;
        if !kept.is_complete() {
            return Err(BenchError::TooManyProducts(bytes_max));
        }
        self.measure(kind, engine, &RowOrigin::Kept(kept), Some(&made))
    }

    /// One job with each number of threads. `expected` is what it must make, if that is known.
    fn measure(
        &mut self,
        kind: JobKind,
        engine: EngineChoice,
        row_origin: &RowOrigin,
        expected: Option<&Made>,
    ) -> Result<JobScaling, BenchError> {
        let job = |threads: &usize| self.files.job(kind, engine, *threads, row_origin);
        let jobs = self
            .threads
            .iter()
            .map(job)
            .collect::<Result<Vec<_>, _>>()?;
        let mut runs: Vec<(usize, Vec<RunTimes>)> =
            self.threads.iter().map(|n| (*n, Vec::new())).collect();
        let mut expected = expected.cloned();
        for round in 1..=self.rounds {
            for (job, (threads, runs)) in jobs.iter().zip(&mut runs) {
                if self.stop.load(Relaxed) {
                    return Err(BenchError::Stopped);
                }
                let with = counted(*threads as u64, "thread");
                (self.say)(&format!("{}, {with}, round {round}", kind.name()));
                let (times, made) = job::run(job, self.stop)?;
                if *expected.get_or_insert_with(|| made.clone()) != made {
                    return Err(BenchError::Differs {
                        kind,
                        threads: *threads,
                    });
                }
                runs.push(times);
            }
        }
        let made = expected.ok_or(BenchError::Stopped)?;
        let points = points(made.rows, &runs);
        Ok(JobScaling {
            job: kind,
            rows_read: made.rows_read,
            rows: made.rows,
            rows_written: made.rows_written(),
            bytes_written: made.bytes_written(),
            engine: made.engine,
            words: words(&points),
            points,
        })
    }
}

/// A folder for the files of all jobs, removed at the end.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> Result<Self, StoreError> {
        let name = format!("molsieve-bench-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Fails if the folder exists: it then belongs to someone else.
        std::fs::create_dir(&path).map_err(|error| StoreError::io(&path, "create", &error))?;
        Ok(Self(path))
    }

    fn files(&self, selection: &ScalingSelection) -> Files {
        let file = |name: &str| self.0.join(name);
        let unless = |named: &Option<PathBuf>, name: &str| match named {
            Some(path) => path.clone(),
            None => file(name),
        };
        Files {
            library: unless(&selection.input, "library.smi"),
            large_library: unless(&selection.input, "large.smi"),
            rules: unless(&selection.rules, "rules.toml"),
            smiles: file("dedup.smi"),
            parquet: file("dedup.parquet"),
            output: file("out"),
        }
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = disk::remove(&self.0) {
            tracing::warn!("{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_powers_of_two_and_all_processors() {
        let threads = |processors| numbers_of_threads(&[], processors);
        assert_eq!(threads(1), [1]);
        assert_eq!(threads(2), [1, 2]);
        assert_eq!(threads(16), [1, 2, 4, 8, 16]);
        assert_eq!(threads(24), [1, 2, 4, 8, 16, 24]);
        assert_eq!(numbers_of_threads(&[6, 2, 6], 16), [2, 6]);
    }
}
