//! The way of a molecule: source → workers → ring → sieve → sink.
//!
//! Threads of a job:
//!
//! | thread | what it does | waits for |
//! |---|---|---|
//! | `chem-0` … | takes a batch of parents, fills slots with their products | a free slot |
//! | `sieve` | takes slots in input order, has the engine judge them | a filled slot |
//! | `sieve-0` … | the cpu engine's pool | work |
//! | `sink` | encodes what remains, publishes parts | a judged slot |
//! | the caller's | watches: stop requests, progress | 100 ms |
//!
//! Workers decode their batches themselves, one at a time under a lock: decoding takes under a
//! hundredth of the chemistry's time, and a queue less is a bound less. The hand-over from sieve to
//! sink passes permits, never payload of its own.
//!
//! The first error stops the ring; everybody hears of it there and winds up. What was published
//! before stays valid.

mod manifest;
mod sinking;
mod workers;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

pub use manifest::{CappedParent, Manifest, Stages};
pub use sinking::Counts;

use crate::{
    chem::{ChemistryError, ChemistryTimes, RdKit},
    config::JobSpec,
    limits::STAGE_STACK_BYTES,
    plan::Plan,
    ring::{Permit, Ring, RingState},
    rules::RuleSet,
    sieve::{CpuEngine, Engine, Tally, ThreadsError},
    store::{Existing, OutputDir, StoreError},
    table::{
        sink::SinkError,
        source::{Library, SourceError},
    },
};

/// A job that is ready to run: everything that can be known before work has been checked.
pub struct Job {
    /// Its settings.
    pub spec: JobSpec,
    /// Its rules; none for a cleaning job.
    pub rules: RuleSet,
    /// Its inputs.
    pub library: Library,
    /// Its plan.
    pub plan: Plan,
    /// RDKit, warmed up.
    pub rdkit: RdKit,
    /// The settings as resolved, to be written as `job.toml`.
    pub job_toml: String,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PipelineError {
    /// An input turned out to be unreadable on the way.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// RDKit failed.
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
    /// Rows can't be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The output directory can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine can't start.
    #[error(transparent)]
    Engine(#[from] ThreadsError),
    /// A thread can't be started.
    #[error("cannot start a thread: {0}")]
    Spawn(String),
    /// A thread of the job panicked: a fault of molsieve.
    #[error("the thread {0} failed; this is a fault in molsieve, please report it")]
    Panicked(String),
}

/// How a job ended.
#[derive(Debug)]
pub enum Outcome {
    /// Everything is written; the manifest says what.
    Done(Box<Manifest>),
    /// It was asked to stop; what was published before is valid and stays.
    Stopped {
        /// Parts published.
        parts: usize,
        /// Rows in them.
        rows: u64,
    },
}

/// Where a running job stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Snapshot {
    /// Time since the start.
    pub elapsed: Duration,
    /// What is through the sink.
    pub counts: Counts,
    /// Rows read from the inputs.
    pub rows_read: u64,
    /// The ring.
    pub ring: RingState,
    /// Work done per stage, added over threads.
    pub stages: Stages,
    /// Bytes written.
    pub bytes_written: u64,
    /// Parts published.
    pub parts: u64,
}

/// What the stages share.
pub(crate) struct Shared<'a> {
    job: &'a Job,
    ring: std::sync::Arc<Ring>,
    /// Set when the job is to end early, for whatever reason.
    stopping: AtomicBool,
    failure: Mutex<Option<PipelineError>>,
    rows_read: AtomicU64,
    counts: Mutex<Counts>,
    bytes_written: AtomicU64,
    parts: AtomicU64,
    times: Times,
}

/// Nanoseconds of work per stage.
#[derive(Default)]
pub(crate) struct Times {
    source: AtomicU64,
    chemistry: AtomicU64,
    /// Sums of the transformers of workers that have ended.
    chemistry_split: Mutex<ChemistryTimes>,
    sieve: AtomicU64,
    sink: AtomicU64,
}

/// Runs a job to its end, or until `stop` is set. `watch` is called about ten times a second with
/// where the job stands.
pub fn run(
    job: &Job,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&Snapshot),
) -> Result<Outcome, PipelineError> {
    let started = Instant::now();
    let existing = if job.spec.overwrite {
        Existing::Overwrite
    } else {
        Existing::Refuse
    };
    let engine = CpuEngine::new(job.plan.filter, job.plan.slot.rows_max, sieve_threads(job))?;
    let output = OutputDir::create(&job.spec.output, existing)?;
    let shared = Shared {
        job,
        ring: Ring::new(job.plan.slots, &job.plan.slot),
        stopping: AtomicBool::new(false),
        failure: Mutex::new(None),
        rows_read: AtomicU64::new(0),
        counts: Mutex::new(Counts::default()),
        bytes_written: AtomicU64::new(0),
        parts: AtomicU64::new(0),
        times: Times::default(),
    };
    let outcome = run_stages(&shared, &output, engine, stop, started, watch);
    // Whatever happened, nothing unfinished stays; an earlier error counts for more.
    let closed = output.close();
    let outcome = outcome?;
    closed?;
    Ok(outcome)
}

fn sieve_threads(job: &Job) -> usize {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    job.plan.threads.min(cpus)
}

fn run_stages(
    shared: &Shared<'_>,
    output: &OutputDir,
    engine: CpuEngine,
    stop: &AtomicBool,
    started: Instant,
    watch: &mut dyn FnMut(&Snapshot),
) -> Result<Outcome, PipelineError> {
    let dispenser = Mutex::new(workers::Dispenser::new(&shared.job.library)?);
    let (judged, to_sink) = mpsc::sync_channel::<(Permit, Tally)>(shared.job.plan.slots);
    let sunk = thread::scope(|scope| {
        let dispenser = &dispenser;
        let mut stages = Vec::new();
        for i in 0..shared.job.plan.threads {
            stages.push(shared.spawn(scope, format!("chem-{i}"), move || {
                workers::work(shared, dispenser)
            })?);
        }
        stages.push(shared.spawn(scope, "sieve".into(), move || {
            judge(shared, Box::new(engine), judged)
        })?);
        let sink = shared.spawn(scope, "sink".into(), move || {
            sinking::sink(shared, output, &to_sink)
        })?;
        while !sink.is_finished() {
            if stop.load(Relaxed) && !shared.stopping.load(Relaxed) {
                shared.stop();
            }
            watch(&shared.snapshot(started));
            thread::park_timeout(Duration::from_millis(100));
        }
        stages.into_iter().for_each(|stage| drop(stage.join()));
        Ok::<_, PipelineError>(sink.join().ok().flatten())
    })?;
    watch(&shared.snapshot(started));
    if let Some(error) = shared
        .failure
        .lock()
        .unwrap_or_else(|p| p.into_inner())
        .take()
    {
        return Err(error);
    }
    let sunk = sunk.ok_or_else(|| PipelineError::Panicked("sink".into()))?;
    if shared.stopping.load(Relaxed) {
        let rows = sunk.parts.iter().map(|part| part.rows).sum();
        return Ok(Outcome::Stopped {
            parts: sunk.parts.len(),
            rows,
        });
    }
    let chemistry = *shared
        .times
        .chemistry_split
        .lock()
        .unwrap_or_else(|p| p.into_inner());
    let manifest = Manifest::new(shared.job, &shared.snapshot(started), chemistry, sunk);
    output.write("job.toml", shared.job.job_toml.as_bytes())?;
    output.write("manifest.json", manifest.to_json().as_bytes())?;
    Ok(Outcome::Done(Box::new(manifest)))
}

/// The sieve's thread: slots in input order to the engine and on to the sink.
fn judge(
    shared: &Shared<'_>,
    mut engine: Box<dyn Engine>,
    judged: mpsc::SyncSender<(Permit, Tally)>,
) -> Result<(), PipelineError> {
    while let Ok(Some(mut slot)) = shared.ring.next() {
        let tally = shared
            .times
            .measure(&shared.times.sieve, || engine.sieve(&mut slot));
        if judged.send((slot, tally)).is_err() {
            break; // the sink has failed and said so
        }
    }
    Ok(())
}

impl Shared<'_> {
    /// Starts a stage. Its error, or its panic, becomes the job's.
    fn spawn<'scope, T: Send + 'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        name: String,
        stage: impl FnOnce() -> Result<T, PipelineError> + Send + 'scope,
    ) -> Result<thread::ScopedJoinHandle<'scope, Option<T>>, PipelineError> {
        let watcher = thread::current();
        let body = {
            let name = name.clone();
            move || {
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(stage))
                    .unwrap_or_else(|_| Err(PipelineError::Panicked(name)));
                let value = result.map_err(|error| self.fail(error)).ok();
                watcher.unpark();
                value
            }
        };
        thread::Builder::new()
            .name(name)
            .stack_size(STAGE_STACK_BYTES)
            .spawn_scoped(scope, body)
            .map_err(|error| {
                self.stop();
                PipelineError::Spawn(crate::store::plain(&error))
            })
    }

    /// Ends the job with an error. The first one counts; what follows is its consequence.
    fn fail(&self, error: PipelineError) {
        self.failure
            .lock()
            .unwrap_or_else(|p| p.into_inner())
            .get_or_insert(error);
        self.stop();
    }

    fn failed(&self) -> bool {
        self.failure
            .lock()
            .unwrap_or_else(|p| p.into_inner())
            .is_some()
    }

    fn stop(&self) {
        self.stopping.store(true, Relaxed);
        self.ring.stop();
    }

    fn snapshot(&self, started: Instant) -> Snapshot {
        Snapshot {
            elapsed: started.elapsed(),
            counts: *self.counts.lock().unwrap_or_else(|p| p.into_inner()),
            rows_read: self.rows_read.load(Relaxed),
            ring: self.ring.state(),
            stages: self.times.stages(),
            bytes_written: self.bytes_written.load(Relaxed),
            parts: self.parts.load(Relaxed),
        }
    }
}

impl Times {
    fn measure<T>(&self, stage: &AtomicU64, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        stage.fetch_add(began.elapsed().as_nanos() as u64, Relaxed);
        result
    }

    fn stages(&self) -> Stages {
        let seconds = |stage: &AtomicU64| Duration::from_nanos(stage.load(Relaxed)).as_secs_f64();
        Stages {
            source: seconds(&self.source),
            chemistry: seconds(&self.chemistry),
            sieve: seconds(&self.sieve),
            sink: seconds(&self.sink),
        }
    }
}
