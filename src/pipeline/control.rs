//! How a job ends, and how it ends early: on request, for an error, for a parent that takes too long, for a full disk.
//!
//! The first error counts; later ones are its consequence. Stopping stops the ring, so that no stage waits for a slot.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use super::error::PipelineError;
use crate::{limits::STAGE_STACK_BYTES, report::manifest::Manifest, ring::Ring, store::plain};

/// Time that threads have to end once a job stops.
pub(super) const RETURN_TIME_MAX: Duration = Duration::from_secs(2);

/// A thread that does not end in time: a worker inside RDKit, or a thread that reads a large run's keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stuck {
    /// The parent that RDKit has had for too long, if that is why the job stops.
    pub timed_out: Option<u64>,
    /// The disk, if it is full and that is why.
    pub disk_full: Option<DiskFull>,
    /// The error, if that is why.
    pub error: Option<PipelineError>,
}

/// A disk with too little space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskFull {
    /// Bytes that are free.
    pub free: u64,
    /// Free bytes with which the job can continue.
    pub needed: u64,
}

/// What a checkpoint keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Parts published.
    pub parts: usize,
    /// Rows in them.
    pub rows: u64,
    /// Rows of the part that is being written.
    pub rows_under_way: u64,
}

/// How a job ended.
#[derive(Debug)]
pub enum Outcome {
    /// Everything is written; the manifest says what.
    Done(Box<Manifest>),
    /// The job was asked to stop and can be resumed from its last checkpoint.
    Stopped {
        /// What is not made again.
        kept: Kept,
        /// The disk, if the job stopped because it is full.
        disk_full: Option<DiskFull>,
    },
    /// RDKit exceeded the time limit on a parent. The run can be resumed from its last checkpoint; the resumed run
    /// tries that parent alone.
    TimedOut {
        /// The parent.
        row: u64,
    },
}

/// Whether and why the job ends early.
pub(super) struct Control {
    pub(super) ring: Arc<Ring>,
    stopping: AtomicBool,
    stopping_since: OnceLock<Instant>,
    reasons: Mutex<Reasons>,
    /// Set while a job that stops takes its checkpoint.
    is_saving: AtomicBool,
    /// When it had it.
    saved: OnceLock<Instant>,
    /// CPU time that a parent may use without giving a product.
    pub(super) parent_timeout: Duration,
}

/// Why the job ends early. All empty: on request.
#[derive(Clone, Default)]
pub(super) struct Reasons {
    /// The first error.
    pub(super) failure: Option<PipelineError>,
    /// The parent that exceeded its time.
    pub(super) timed_out: Option<u64>,
    /// The disk, once it is full.
    pub(super) disk_full: Option<DiskFull>,
}

impl Control {
    pub(super) fn new(ring: Arc<Ring>, parent_timeout: Duration) -> Self {
        Self {
            ring,
            stopping: AtomicBool::new(false),
            stopping_since: OnceLock::new(),
            reasons: Mutex::default(),
            is_saving: AtomicBool::new(false),
            saved: OnceLock::new(),
            parent_timeout,
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Ends the job at its last checkpoint.
    pub(super) fn stop(&self) {
        self.stopping_since.get_or_init(Instant::now);
        self.stopping.store(true, Relaxed);
        self.ring.stop();
    }

    /// Ends the job with an error.
    pub(super) fn fail(&self, error: PipelineError) {
        self.lock().failure.get_or_insert(error);
        self.stop();
    }

    /// Ends the job because RDKit exceeded the time limit on this parent. `in-work` names it, so the resumed run tries
    /// it alone.
    pub(super) fn time_out(&self, row: u64) {
        self.lock().timed_out = Some(row);
        self.stop();
    }

    /// Ends the job because the disk is full.
    pub(super) fn stop_for_full_disk(&self, disk: DiskFull) {
        self.lock().disk_full = Some(disk);
        self.stop();
    }

    /// Why the job ends early, so far.
    pub(super) fn reasons(&self) -> Reasons {
        self.lock().clone()
    }

    /// Whether a job that stops is to take a checkpoint: one that was asked to stop, or that continues on another
    /// engine. A job that fails otherwise keeps its last checkpoint.
    pub(super) fn may_save(&self) -> bool {
        let failure = &self.lock().failure;
        let continues = matches!(failure, None | Some(PipelineError::Engine(_)));
        self.is_stopping() && continues
    }

    /// Takes the checkpoint of a job that stops. That may take longer than [`RETURN_TIME_MAX`].
    pub(super) fn saving<T>(&self, save: impl FnOnce() -> T) -> T {
        self.is_saving.store(true, Relaxed);
        let saved = save();
        self.saved.get_or_init(Instant::now);
        self.is_saving.store(false, Relaxed);
        saved
    }

    /// Set once threads have had their time to end; for a caller that knows that some have not.
    pub(super) fn stuck(&self) -> Option<Stuck> {
        if self.is_saving.load(Relaxed) {
            return None;
        }
        let since = self.saved.get().or(self.stopping_since.get())?;
        let reasons = self.lock();
        let time_max = match reasons.failure {
            // The job may continue in this process, so a parent has all its time.
            Some(PipelineError::Engine(_)) => self.parent_timeout,
            _ => RETURN_TIME_MAX,
        };
        (since.elapsed() > time_max).then(|| Stuck {
            timed_out: reasons.timed_out,
            disk_full: reasons.disk_full,
            error: reasons.failure.clone(),
        })
    }

    /// Starts a stage. Its error, or its panic, becomes the job's. The calling thread is woken when the stage ends.
    pub(super) fn spawn<'scope, T: Send + 'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        name: String,
        stage: impl FnOnce() -> Result<T, PipelineError> + Send + 'scope,
    ) -> Result<thread::ScopedJoinHandle<'scope, Option<T>>, PipelineError> {
        let panicked = PipelineError::Panicked(name.clone());
        let body = move || {
            let result = catch_unwind(AssertUnwindSafe(stage)).unwrap_or(Err(panicked));
            result.map_err(|error| self.fail(error)).ok()
        };
        spawn(scope, name, body).inspect_err(|_| self.stop())
    }

    fn lock(&self) -> MutexGuard<'_, Reasons> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a thread with the stack of a stage. The calling thread is woken when the thread ends.
pub(super) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    name: String,
    body: impl FnOnce() -> T + Send + 'scope,
) -> Result<thread::ScopedJoinHandle<'scope, T>, PipelineError> {
    let watcher = thread::current();
    let body = move || {
        let done = body();
        watcher.unpark();
        done
    };
    thread::Builder::new()
        .name(name)
        .stack_size(STAGE_STACK_BYTES)
        .spawn_scoped(scope, body)
        .map_err(|error| PipelineError::Spawn(plain(&error)))
}
