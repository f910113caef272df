//! Time that the stages work.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{chem::ChemistryTimes, report::manifest::Stages};

/// Nanoseconds of work per stage.
#[derive(Default)]
pub(super) struct Times {
    pub(super) source: AtomicU64,
    pub(super) chemistry: AtomicU64,
    /// Of the batches that are done.
    chemistry_split: Mutex<ChemistryTimes>,
    pub(super) sieve: AtomicU64,
    pub(super) sink: AtomicU64,
    pub(super) settle: AtomicU64,
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
        }
    }

    /// Adds the time that `work` takes to a stage.
    pub(super) fn measure<T>(&self, stage: &AtomicU64, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        stage.fetch_add(began.elapsed().as_nanos() as u64, Relaxed);
        result
    }

    /// Adds the chemistry of a batch.
    pub(super) fn add_chemistry(&self, of_batch: ChemistryTimes) {
        let split = &self.chemistry_split;
        *split.lock().unwrap_or_else(PoisonError::into_inner) += of_batch;
    }

    pub(super) fn stages(&self) -> Stages {
        let seconds = |stage: &AtomicU64| Duration::from_nanos(stage.load(Relaxed)).as_secs_f64();
        Stages {
            source: seconds(&self.source),
            chemistry: seconds(&self.chemistry),
            sieve: seconds(&self.sieve),
            sink: seconds(&self.sink),
            settle: seconds(&self.settle),
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
