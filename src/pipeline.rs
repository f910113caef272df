//! The way of a molecule: source → workers → ring → sieve → sink.
//!
//! Threads of a job:
//!
//! | thread | what it does | waits for |
//! |---|---|---|
//! | `chem-0` … | takes a batch of parents, fills slots with their products | a free slot |
//! | `sieve` | takes slots in input order, has the engine judge them | a filled slot; the oldest in the engine |
//! | `sieve-0` … | the cpu engine's pool | work |
//! | `sink` | encodes what remains, publishes parts | a judged slot |
//! | the caller's | watches: stop requests, progress | 100 ms |
//!
//! Workers decode their batches themselves, one at a time under a lock: decoding takes under a
//! hundredth of the chemistry's time, and a queue less is a bound less. The hand-over from sieve to
//! sink passes permits, never payload of its own.
//!
//! When the input is read, ring and engine give their memory back and the *maybe* rows are settled
//! ([`crate::settle`]); the sink's files go on.
//!
//! The first error stops the ring; everybody hears of it there and winds up. What the last checkpoint
//! ([`checkpoint`]) says stays, and `--resume` goes on from it.

mod attempt;
mod by_rule;
mod canonical;
mod check;
mod checkpoint;
mod earlier;
mod identify;
mod in_work;
mod manifest;
mod sinking;
mod workers;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

pub use crate::account::Counts;
pub use attempt::run;
pub use checkpoint::{CHECKPOINT, Checkpoint, Identity, JOB};
pub use earlier::{EarlierRun, EarlierRunError};

use attempt::{Input, watched};
use check::Checks;
use in_work::{InWork, Poisoned};
use sinking::Sinking;

use crate::{
    chem::{ChemistryError, ChemistryTimes, RdKit},
    config::JobSpec,
    limits::STAGE_STACK_BYTES,
    plan::Plan,
    report::manifest::{MANIFEST, Manifest, Stages},
    ring::{Berth, Permit, Ring, RingState},
    rules::RuleSet,
    settle::decide::DecideError,
    sieve::{Engine, EngineError, Tally, structure_key::KeyDevices},
    store::{OutputDir, StoreError, WORK_DIR, sealed},
    table::{
        sink::SinkError,
        source::{Library, SourceError},
    },
    trial::TrialError,
};

/// A job that is ready to run: everything that can be known before work has been checked.
pub struct Job {
    /// Its settings.
    pub spec: JobSpec,
    /// Its rules; none for a cleaning job.
    pub rules: RuleSet,
    /// Its inputs.
    pub library: Library,
    /// Earlier runs whose products are left out.
    pub earlier: Vec<EarlierRun>,
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
    /// Parents that were being processed when the run was interrupted can't be tried.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// The output directory can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The *maybe* rows can't be settled.
    #[error(transparent)]
    Settle(#[from] DecideError),
    /// The products of an earlier run can't be read.
    #[error(transparent)]
    Exclude(#[from] EarlierRunError),
    /// What is to be resumed is another run.
    #[error("--resume: this is not the run that was begun: {0}; --overwrite starts it again")]
    Changed(String),
    /// The engine can't start, or failed on the way.
    #[error(transparent)]
    Engine(#[from] EngineError),
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
    /// It was asked to stop and can go on from its last checkpoint.
    Stopped {
        /// What is not made again.
        kept: Kept,
        /// Bytes free on the disk, if there were too few to go on.
        free: Option<u64>,
    },
    /// RDKit exceeded the time limit on a parent. The run can be resumed from its last checkpoint, which
    /// tries that parent alone.
    TimedOut {
        /// The parent.
        row: u64,
    },
}

/// How far a run is, as far as can be seen in its output directory: equal values mean that the run got
/// no further.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    phase: Option<checkpoint::Phase>,
    poisoned: usize,
}

impl Standing {
    /// That of the run in an output directory.
    pub fn of(output: &std::path::Path) -> Self {
        let work = output.join(WORK_DIR);
        // A file that can't be read is the next attempt's to report.
        let checkpoint: Option<Checkpoint> = sealed::read(&work, CHECKPOINT).ok().flatten();
        let poisoned: Option<Poisoned> = sealed::read(&work, in_work::POISONED).ok().flatten();
        Self {
            phase: checkpoint.map(|checkpoint| checkpoint.phase),
            poisoned: poisoned.map_or(0, |poisoned| poisoned.len()),
        }
    }
}

/// What a checkpoint keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Parts published.
    pub parts: usize,
    /// Rows in them.
    pub rows: u64,
    /// Rows of the part under way.
    pub rows_under_way: u64,
}

/// Where a running job stands.
#[derive(Clone, Debug, Default)]
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
    /// Set when the job stops and one of its threads does not come to its end in time. Whoever watches
    /// must then end the process; the run can be gone on with.
    pub stuck: Option<Stuck>,
    /// Keys and rows that settling has looked at, and how many it has to; none before it begins.
    pub settled: Option<(u64, u64)>,
}

/// A thread that does not come to its end in time: a worker inside RDKit, or one at work on a large
/// run's keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stuck {
    /// The parent that RDKit has had for too long, if that is why the job stops.
    pub timed_out: Option<u64>,
    /// The error, if that is why.
    pub error: Option<PipelineError>,
}

/// Time that threads have to come to their end once a job stops.
const RETURN_TIME_MAX: Duration = Duration::from_secs(2);

/// What the stages share.
pub(crate) struct Shared<'a> {
    job: &'a Job,
    ring: Arc<Ring>,
    /// Name of the engine.
    engine: &'static str,
    /// Why it is not the one that was chosen.
    engine_lost: Option<String>,
    /// With `dedup`: the devices of the engine that make its keys, where it has any.
    key_devices: Option<KeyDevices>,
    /// Set when the job is to end early, for whatever reason.
    stopping: AtomicBool,
    stopping_since: OnceLock<Instant>,
    /// Set once the sieve has passed on the last slot of the input.
    all_judged: AtomicBool,
    failure: Mutex<Option<PipelineError>>,
    in_work: InWork,
    poisoned: Poisoned,
    /// With `--check`.
    checks: Option<Checks>,
    /// Rows that `--canonical` left as they were.
    left_as_written: AtomicU64,
    /// The parent that has had its time.
    timed_out: Mutex<Option<u64>>,
    rows_read: AtomicU64,
    counts: Mutex<Counts>,
    bytes_written: AtomicU64,
    parts: AtomicU64,
    /// Checkpoints taken by this process.
    checkpoints: AtomicU64,
    /// As of the last checkpoint.
    checkpoint: Mutex<Kept>,
    /// Set while a job that stops takes its checkpoint.
    is_saving: AtomicBool,
    /// When it had it.
    saved: OnceLock<Instant>,
    /// Bytes free on the disk, once there are too few to go on.
    disk_full: Mutex<Option<u64>>,
    /// Progress of settling.
    settled: AtomicU64,
    to_settle: AtomicU64,
    started: Instant,
    /// Time the run took before this process.
    before: Duration,
    times: Times,
}

/// Nanoseconds of work per stage.
#[derive(Default)]
pub(crate) struct Times {
    source: AtomicU64,
    chemistry: AtomicU64,
    /// Of the batches that are done.
    chemistry_split: Mutex<ChemistryTimes>,
    sieve: AtomicU64,
    sink: AtomicU64,
    settle: AtomicU64,
}

fn run_stages<'a>(
    shared: &'a Shared<'a>,
    output: &'a OutputDir,
    begun: Option<&Checkpoint>,
    mut input: Option<Input>,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&Snapshot),
) -> Result<Outcome, PipelineError> {
    let sinking = watched(stop, watch, || {
        let engine = input.as_mut().map(|input| &mut input.engine);
        Sinking::begin(shared, output, begun, engine)
    })?;
    let sinking = match input {
        Some(input) => read(shared, sinking, input, stop, watch)?,
        None => Some(sinking),
    };
    shared.ring.release();
    let settled = thread::scope(|scope| {
        let settled = sinking.map(|sinking| {
            shared.spawn(scope, "settle".into(), move || {
                if shared.is_stopping() {
                    return Ok(sinking);
                }
                sinking.settle()
            })
        });
        let settled = settled.transpose()?;
        if let Some(settled) = &settled {
            shared.watch_until(&|| settled.is_finished(), stop, watch);
        }
        Ok::<_, PipelineError>(settled.and_then(|settled| settled.join().ok().flatten()))
    })?;
    watch(&shared.snapshot());
    if let Some(error) = shared
        .failure
        .lock()
        .unwrap_or_else(|p| p.into_inner())
        .take()
    {
        return Err(error);
    }
    if let Some(row) = *shared.timed_out.lock().unwrap_or_else(|p| p.into_inner()) {
        return Ok(Outcome::TimedOut { row });
    }
    if shared.is_stopping() {
        let kept = *shared.checkpoint.lock().unwrap_or_else(|p| p.into_inner());
        let free = *shared.disk_full.lock().unwrap_or_else(|p| p.into_inner());
        return Ok(Outcome::Stopped { kept, free });
    }
    let sinking = settled.ok_or_else(|| PipelineError::Panicked("sink".into()))?;
    let sunk = sinking.finish()?;
    let chemistry = shared.times.chemistry();
    let manifest = Manifest::new(shared, chemistry, sunk);
    output.write(MANIFEST, manifest.to_json().as_bytes())?;
    Ok(Outcome::Done(Box::new(manifest)))
}

/// Reads the input: workers, sieve and sink until the last slot is written.
fn read<'a>(
    shared: &'a Shared<'a>,
    sinking: Sinking<'a>,
    input: Input,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&Snapshot),
) -> Result<Option<Sinking<'a>>, PipelineError> {
    let Input { dispenser, engine } = input;
    let dispenser = Mutex::new(dispenser);
    let (judged, to_sink) = mpsc::sync_channel::<(Permit, Tally)>(shared.job.plan.slots);
    thread::scope(|scope| {
        let dispenser = &dispenser;
        let mut stages = Vec::new();
        for i in 0..shared.job.plan.threads {
            stages.push(shared.spawn(scope, format!("chem-{i}"), move || {
                workers::work(shared, dispenser, i)
            })?);
        }
        stages.push(shared.spawn(scope, "sieve".into(), move || judge(shared, engine, judged))?);
        let sink = shared.spawn(scope, "sink".into(), move || sinking.sink(&to_sink))?;
        shared.watch_until(&|| sink.is_finished(), stop, watch);
        // Of a job that stops, the part under way goes before anybody is waited for.
        let sunk = sink.join().ok().flatten();
        let sunk = sunk.filter(|_| shared.all_judged.load(Relaxed) && !shared.is_stopping());
        let ended = || stages.iter().all(|stage| stage.is_finished());
        shared.watch_until(&ended, stop, watch);
        stages.into_iter().for_each(|stage| drop(stage.join()));
        Ok::<_, PipelineError>(sunk.filter(|_| !shared.is_stopping()))
    })
}

/// The sieve's thread: slots in input order to the engine and on to the sink. It has as many in the engine
/// as that takes, and waits for another only when it has none: those it has may be all there are.
fn judge(
    shared: &Shared<'_>,
    mut engine: Box<dyn Engine>,
    judged: mpsc::SyncSender<(Permit, Tally)>,
) -> Result<(), PipelineError> {
    let begun_max = engine.slots_begun_max();
    let mut begun: VecDeque<Berth> = VecDeque::with_capacity(begun_max);
    let (times, ring) = (&shared.times, &shared.ring);
    loop {
        let next = match begun.len() {
            0 => ring.next(),
            count if count < begun_max => ring.next_now(),
            _ => Ok(None),
        };
        let Ok(next) = next else {
            break; // the job stops
        };
        if let Some(permit) = next {
            let (berth, slot) = permit.split();
            times.measure(&times.sieve, || engine.begin(slot))?;
            begun.push_back(berth);
            continue;
        }
        let Some(berth) = begun.pop_front() else {
            // Said before the channel closes: that it closes may have another cause.
            shared.all_judged.store(true, Relaxed);
            break;
        };
        let finished = times.measure(&times.sieve, || engine.finish())?;
        let (slot, tally) = finished.expect("a slot is begun for every berth");
        if judged.send((berth.with(slot), tally)).is_err() {
            break; // the sink has failed and said so
        }
    }
    Ok(())
}

impl<'a> Shared<'a> {
    fn new(
        job: &'a Job,
        begun: Option<&Checkpoint>,
        ring: Arc<Ring>,
        in_work: InWork,
        poisoned: Poisoned,
    ) -> Self {
        let counts = begun.map(|begun| begun.account.counts).unwrap_or_default();
        let before = begun.map_or(0.0, |begun| begun.elapsed_seconds);
        Self {
            job,
            ring,
            engine: job.plan.engine.name(),
            engine_lost: None,
            key_devices: None,
            stopping: AtomicBool::new(false),
            stopping_since: OnceLock::new(),
            all_judged: AtomicBool::new(false),
            failure: Mutex::new(None),
            in_work,
            poisoned,
            checks: Checks::new(job.spec.check, job.rdkit),
            left_as_written: AtomicU64::new(0),
            timed_out: Mutex::new(None),
            rows_read: AtomicU64::new(counts.parents_read),
            counts: Mutex::new(counts),
            bytes_written: AtomicU64::new(0),
            parts: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            checkpoint: Mutex::default(),
            is_saving: AtomicBool::new(false),
            saved: OnceLock::new(),
            disk_full: Mutex::new(None),
            settled: AtomicU64::new(0),
            to_settle: AtomicU64::new(0),
            started: Instant::now(),
            before: sinking::seconds(before),
            times: begun.map(Times::behind).unwrap_or_default(),
        }
    }

    /// Shows where the job stands and hears who wants to stop it, until stages have ended.
    fn watch_until(
        &self,
        ended: &dyn Fn() -> bool,
        stop: &AtomicBool,
        watch: &mut dyn FnMut(&Snapshot),
    ) {
        while !ended() {
            if stop.load(Relaxed) && !self.is_stopping() {
                self.stop();
            }
            if !self.is_stopping()
                && let Some(row) = self.in_work.overdue(self.job.spec.parent_timeout)
            {
                // It is in the account of parents in work: whoever resumes tries it alone.
                *self.timed_out.lock().unwrap_or_else(|p| p.into_inner()) = Some(row);
                self.stop();
            }
            watch(&Snapshot {
                stuck: self.stuck(),
                ..self.snapshot()
            });
            let pause = if self.is_stopping() { 20 } else { 100 };
            thread::park_timeout(Duration::from_millis(pause));
        }
    }

    /// What is to be known once threads have had their time to come to an end.
    fn stuck(&self) -> Option<Stuck> {
        if self.is_saving.load(Relaxed) {
            return None;
        }
        let since = self.saved.get().or(self.stopping_since.get())?;
        let failure = self.failure.lock().unwrap_or_else(|p| p.into_inner());
        let time_max = match *failure {
            // The job may go on in this process, so a parent has all its time.
            Some(PipelineError::Engine(_)) => self.job.spec.parent_timeout,
            _ => RETURN_TIME_MAX,
        };
        (since.elapsed() > time_max).then(|| Stuck {
            timed_out: *self.timed_out.lock().unwrap_or_else(|p| p.into_inner()),
            error: failure.clone(),
        })
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Whether a job that stops is to take a checkpoint: one that was asked to, or that goes on without its engine. A
    /// job that fails otherwise leaves what the last checkpoint says.
    fn may_save(&self) -> bool {
        let failure = self.failure.lock().unwrap_or_else(|p| p.into_inner());
        let goes_on = matches!(*failure, None | Some(PipelineError::Engine(_)));
        self.is_stopping() && goes_on
    }

    /// Takes the checkpoint of a job that stops; that may take longer than threads have to come to an end.
    fn saving<T>(&self, save: impl FnOnce() -> T) -> T {
        self.is_saving.store(true, Relaxed);
        let saved = save();
        self.saved.get_or_init(Instant::now);
        self.is_saving.store(false, Relaxed);
        saved
    }

    fn elapsed(&self) -> Duration {
        self.before + self.started.elapsed()
    }

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

    /// Ends the job at its last checkpoint because this many bytes are free on the disk.
    fn stop_for_full_disk(&self, free: u64) {
        *self.disk_full.lock().unwrap_or_else(|p| p.into_inner()) = Some(free);
        self.stop();
    }

    fn stop(&self) {
        self.stopping_since.get_or_init(Instant::now);
        self.stopping.store(true, Relaxed);
        self.ring.stop();
    }

    fn snapshot(&self) -> Snapshot {
        let to_settle = self.to_settle.load(Relaxed);
        Snapshot {
            elapsed: self.elapsed(),
            counts: *self.counts.lock().unwrap_or_else(|p| p.into_inner()),
            rows_read: self.rows_read.load(Relaxed),
            ring: self.ring.state(),
            stages: self.times.stages(),
            bytes_written: self.bytes_written.load(Relaxed),
            parts: self.parts.load(Relaxed),
            stuck: None,
            settled: (to_settle > 0)
                .then(|| (self.settled.load(Relaxed).min(to_settle), to_settle)),
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
            settle: seconds(&self.settle),
        }
    }

    fn chemistry(&self) -> ChemistryTimes {
        *self
            .chemistry_split
            .lock()
            .unwrap_or_else(|p| p.into_inner())
    }

    /// Goes on counting behind what a run took before.
    fn behind(begun: &Checkpoint) -> Self {
        let stages = begun.stages;
        let nanos = |seconds: f64| AtomicU64::new(sinking::seconds(seconds).as_nanos() as u64);
        Self {
            source: nanos(stages.source),
            chemistry: nanos(stages.chemistry),
            chemistry_split: Mutex::new(begun.chemistry),
            sieve: nanos(stages.sieve),
            sink: nanos(stages.sink),
            settle: nanos(stages.settle),
        }
    }
}
