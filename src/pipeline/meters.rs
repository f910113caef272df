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
};
use crate::{
    account::Counts,
    chem::ChemistryTimes,
    machine,
    report::{
        manifest::Stages,
        timeline::{Timeline, TimelinePoint},
    },
    ring::RingState,
    table::sink::Spent,
};

/// The state of a running job.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Time since the start.
    pub elapsed: Duration,
    /// Time since the start of the step.
    pub step_elapsed: Duration,
    /// The step in work; 0 reads what the library itself holds.
    pub step: usize,
    /// Rows of its input, and whether their number is known rather than estimated.
    pub rows: (u64, bool),
    /// Counts of what the sink has written in this step.
    pub counts: Counts,
    /// Counts of the steps before it.
    pub counts_before: Counts,
    /// Rows read from the input of this step.
    pub rows_read: u64,
    /// The ring.
    pub ring: RingState,
    /// Work done per stage, added over threads.
    pub stages: Stages,
    /// CPU time of the parts that one thread at a time does.
    pub serial: SerialTimes,
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
    /// What the sink has written; nothing else is set.
    written: Mutex<Snapshot>,
    kept: Mutex<Kept>,
    timeline: Mutex<Timeline>,
    started: Instant,
    /// Time the run took before this process or step began.
    before: Duration,
    /// Time the run took until the step began.
    before_step: Duration,
}

impl Meters {
    /// Meters at zero, or those that a checkpoint has kept.
    /// `rows`: of the input of step `step`, and whether their number is known.
    pub(super) fn new(begun: Option<&Checkpoint>, step: usize, rows: (u64, bool)) -> Self {
        let zero = Checkpoint::default();
        let begun = begun.unwrap_or(&zero);
        let counts = begun.account.counts;
        Self {
            rows_read: AtomicU64::new(counts.parents_read),
            left_as_written: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            times: Times::after(&begun.stages, begun.chemistry),
            settled: AtomicU64::new(0),
            to_settle: AtomicU64::new(0),
            written: Mutex::new(Snapshot {
                step,
                rows,
                counts,
                counts_before: begun.total_before().counts,
                ..Snapshot::default()
            }),
            kept: Mutex::default(),
            timeline: Mutex::new(begun.timeline.clone()),
            started: Instant::now(),
            before: seconds(begun.elapsed_seconds),
            before_step: begun
                .done
                .last()
                .map_or(Duration::ZERO, |step| seconds(step.elapsed_seconds)),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.before + self.started.elapsed()
    }

    /// Shows the counts, bytes and parts that the sink has written.
    pub(super) fn set_written(&self, counts: Counts, bytes: u64, parts: usize) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        (written.counts, written.bytes_written, written.parts) = (counts, bytes, parts as u64);
    }

    /// What the last checkpoint keeps.
    pub(super) fn kept(&self) -> Kept {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_kept(&self, kept: Kept) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    /// Adds the present state to the timeline, if it is time.
    pub(super) fn note_time(&self, snapshot: &Snapshot) {
        let seconds = snapshot.elapsed.as_secs_f64();
        let mut timeline = self.timeline.lock().unwrap_or_else(PoisonError::into_inner);
        if timeline.is_due(seconds) {
            timeline.add(self.point());
        }
    }

    /// The timeline until now.
    pub(super) fn timeline(&self) -> Timeline {
        let timeline = self.timeline.lock();
        timeline.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The timeline of a job that ends now.
    pub(super) fn whole_timeline(&self) -> Timeline {
        let mut timeline = self.timeline();
        timeline.add(self.point());
        timeline
    }

    fn point(&self) -> TimelinePoint {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = written.counts_before;
        counts += written.counts;
        TimelinePoint {
            seconds: self.elapsed().as_secs_f64(),
            parents: counts.parents_read,
            products: counts.products_made,
            unique: counts.products_unique,
            memory_bytes: machine::memory_bytes(),
        }
    }

    pub(super) fn snapshot(&self, ring: RingState) -> Snapshot {
        let to_settle = self.to_settle.load(Relaxed);
        let settled = || (self.settled.load(Relaxed).min(to_settle), to_settle);
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        Snapshot {
            elapsed: self.elapsed(),
            step_elapsed: self.elapsed().saturating_sub(self.before_step),
            rows_read: self.rows_read.load(Relaxed),
            ring,
            stages: self.times.stages(),
            serial: self.times.serial.seconds(),
            settled: (to_settle > 0).then(settled),
            ..written.clone()
        }
    }
}

/// Nanoseconds of work per stage.
pub(super) struct Times {
    pub(super) source: AtomicU64,
    pub(super) chemistry: AtomicU64,
    /// Of the batches that are done.
    chemistry_split: Mutex<ChemistryTimes>,
    pub(super) sieve: AtomicU64,
    pub(super) sink: AtomicU64,
    pub(super) settle: AtomicU64,
    pub(super) serial: SerialClocks,
}

/// CPU seconds of the parts of a job that one thread at a time does, however many threads there are. The job can't
/// be faster than the slowest of them. What such a thread has a pool do is not in its time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SerialTimes {
    /// Reading and decoding, by one worker at a time.
    pub source: f64,
    /// The thread of the sieve.
    pub sieve: f64,
    /// The thread of the sink.
    pub sink: f64,
    /// The thread that writes the log of the open part's rows.
    pub log: f64,
    /// Settling, which begins when the other parts have ended.
    pub settle: f64,
}

/// Nanoseconds of CPU time of what [`SerialTimes`] lists, since this process began.
#[derive(Default)]
pub(super) struct SerialClocks {
    pub(super) source: AtomicU64,
    pub(super) sieve: AtomicU64,
    pub(super) sink: AtomicU64,
    pub(super) log: AtomicU64,
    pub(super) settle: AtomicU64,
}

impl SerialClocks {
    /// Sets the CPU time that a thread has used.
    pub(super) fn set(clock: &AtomicU64, used: Duration) {
        clock.store(used.as_nanos() as u64, Relaxed);
    }

    /// Adds the CPU time that the calling thread uses for `work`.
    pub(super) fn measure<T>(clock: &AtomicU64, work: impl FnOnce() -> T) -> T {
        let began = machine::thread_cpu_time();
        let result = work();
        let used = machine::thread_cpu_time().saturating_sub(began);
        clock.fetch_add(used.as_nanos() as u64, Relaxed);
        result
    }

    fn seconds(&self) -> SerialTimes {
        SerialTimes {
            source: in_seconds(&self.source),
            sieve: in_seconds(&self.sieve),
            sink: in_seconds(&self.sink),
            log: in_seconds(&self.log),
            settle: in_seconds(&self.settle),
        }
    }
}

fn in_seconds(nanoseconds: &AtomicU64) -> f64 {
    Duration::from_nanos(nanoseconds.load(Relaxed)).as_secs_f64()
}

impl Times {
    /// Times that continue from those of a checkpoint.
    pub(super) fn after(stages: &Stages, chemistry: ChemistryTimes) -> Self {
        let nanos = |time: f64| AtomicU64::new(seconds(time).as_nanos() as u64);
        Self {
            source: nanos(stages.source),
            chemistry: nanos(stages.chemistry),
            chemistry_split: Mutex::new(chemistry),
            sieve: nanos(stages.sieve),
            sink: nanos(stages.sink),
            settle: nanos(stages.settle),
            serial: SerialClocks::default(),
        }
    }

    /// Adds time to a stage.
    pub(super) fn add(&self, stage: &AtomicU64, worked: Duration) {
        stage.fetch_add(worked.as_nanos() as u64, Relaxed);
    }

    /// Adds the time that `work` takes to a stage.
    pub(super) fn measure<T>(&self, stage: &AtomicU64, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        self.add(stage, began.elapsed());
        result
    }

    /// Adds the time that tasks of the sink took, in place of the time that its thread waited for them.
    pub(super) fn add_to_sink(&self, spent: Spent) {
        let nanos = |time: Duration| time.as_nanos() as u64;
        let (work, waited) = (nanos(spent.work), nanos(spent.waited));
        // The wait is in a measurement that is not over, so the sum may not have it yet.
        let replace = |sum: u64| Some((sum + work).saturating_sub(waited));
        let _ = self.sink.fetch_update(Relaxed, Relaxed, replace);
    }

    /// Adds the chemistry of a batch.
    pub(super) fn add_chemistry(&self, of_batch: ChemistryTimes) {
        let split = &self.chemistry_split;
        *split.lock().unwrap_or_else(PoisonError::into_inner) += of_batch;
    }

    pub(super) fn stages(&self) -> Stages {
        Stages {
            source: in_seconds(&self.source),
            chemistry: in_seconds(&self.chemistry),
            sieve: in_seconds(&self.sieve),
            sink: in_seconds(&self.sink),
            settle: in_seconds(&self.settle),
        }
    }

    pub(super) fn chemistry(&self) -> ChemistryTimes {
        let split = &self.chemistry_split;
        *split.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds as a duration; zero for a number that can't be one.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
