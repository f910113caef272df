//! Jobs of a round that could not start, and how often each was passed since.

use super::{PASSES_MAX, Waiting};
use crate::daemon::job::JobId;

/// The jobs that did not fit, in the order in which they were considered.
#[derive(Default)]
pub(super) struct Skipped {
    jobs: Vec<SkippedJob>,
    passes: u32,
    /// The smallest `enough` of all jobs.
    limit: Option<u32>,
}

/// A job that did not fit.
#[derive(Clone, Copy)]
pub(super) struct SkippedJob {
    pub id: JobId,
    pub uid: u32,
    /// How many jobs of the round were considered before it.
    pub place: usize,
    /// Number of passes of the round before it was considered.
    before: u32,
    /// Number of passes of the round at which it may not be passed any more.
    enough: u32,
}

impl Skipped {
    pub fn push(&mut self, waiting: &Waiting, place: usize) {
        let enough = self.passes + PASSES_MAX.saturating_sub(waiting.passed);
        self.jobs.push(SkippedJob {
            id: waiting.id,
            uid: waiting.uid,
            place,
            before: self.passes,
            enough,
        });
        self.limit = Some(self.limit.map_or(enough, |limit| limit.min(enough)));
    }

    /// A later job has started.
    pub fn pass(&mut self) {
        self.passes += 1;
    }

    /// The first job that may not be passed any more, of those that `counts` admits.
    pub fn had_enough(&self, counts: impl Fn(&SkippedJob) -> bool) -> Option<SkippedJob> {
        self.limit.filter(|limit| self.passes >= *limit)?;
        let enough = |job: &&SkippedJob| self.passes >= job.enough && counts(job);
        self.jobs.iter().find(enough).copied()
    }

    /// The passed jobs, and how often each was passed. A new reservation counts as a pass of the jobs before its
    /// holder.
    pub fn passes(&self, holder: Option<SkippedJob>) -> impl Iterator<Item = (JobId, u32)> {
        let jobs = self.jobs.iter().map(move |job| {
            let by_holder = holder.is_some_and(|holder| job.place < holder.place);
            (job.id, self.passes - job.before + u32::from(by_holder))
        });
        jobs.filter(|(_, passes)| *passes > 0)
    }
}
