//! What the stages count and the progress display shows.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    checkpoint::Checkpoint,
    control::{Kept, Stuck},
    times::{Times, seconds},
};
use crate::{account::Counts, report::manifest::Stages, ring::RingState};

/// The state of a running job.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Time since the start.
    pub elapsed: Duration,
    /// Counts of what the sink has written.
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
    /// Set when the job stops and one of its threads does not end in time. The caller must then end the process; the
    /// run can be resumed.
    pub stuck: Option<Stuck>,
    /// Keys and rows that settling has read, and how many it has to read; `None` before it begins.
    pub settled: Option<(u64, u64)>,
}

/// See the module's documentation.
pub(super) struct Meters {
    /// Rows that the source has read.
    pub(super) rows_read: AtomicU64,
    /// Rows that `--canonical` left as they were.
    pub(super) left_as_written: AtomicU64,
    /// Checkpoints taken by this process.
    pub(super) checkpoints: AtomicU64,
    pub(super) times: Times,
    /// Items that settling has read, and how many it has to read.
    pub(super) settled: AtomicU64,
    pub(super) to_settle: AtomicU64,
    written: Mutex<Written>,
    kept: Mutex<Kept>,
    started: Instant,
    /// Time the run took before this process.
    before: Duration,
}

/// What the sink has written.
#[derive(Clone, Copy, Default)]
pub(super) struct Written {
    pub(super) counts: Counts,
    pub(super) bytes: u64,
    pub(super) parts: u64,
}

impl Meters {
    /// Meters at zero, or those that a checkpoint has kept.
    pub(super) fn new(begun: Option<&Checkpoint>) -> Self {
        let counts = begun.map(|begun| begun.account.counts).unwrap_or_default();
        let before = begun.map_or(0.0, |begun| begun.elapsed_seconds);
        let times = begun.map(|begun| Times::after(&begun.stages, begun.chemistry));
        Self {
            rows_read: AtomicU64::new(counts.parents_read),
            left_as_written: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            times: times.unwrap_or_default(),
            settled: AtomicU64::new(0),
            to_settle: AtomicU64::new(0),
            written: Mutex::new(Written {
                counts,
                ..Written::default()
            }),
            kept: Mutex::default(),
            started: Instant::now(),
            before: seconds(before),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.before + self.started.elapsed()
    }

    pub(super) fn set_written(&self, written: Written) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = written;
    }

    /// What the last checkpoint keeps.
    pub(super) fn kept(&self) -> Kept {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_kept(&self, kept: Kept) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    pub(super) fn snapshot(&self, ring: RingState) -> Snapshot {
        let written = *self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let to_settle = self.to_settle.load(Relaxed);
        Snapshot {
            elapsed: self.elapsed(),
            counts: written.counts,
            rows_read: self.rows_read.load(Relaxed),
            ring,
            stages: self.times.stages(),
            bytes_written: written.bytes,
            parts: written.parts,
            stuck: None,
            settled: (to_settle > 0)
                .then(|| (self.settled.load(Relaxed).min(to_settle), to_settle)),
        }
    }
}
