//! The queued jobs that wait for other jobs. The scheduler's queue gets a job once it waits for none.

use std::collections::HashSet;

use crate::daemon::job::{Job, JobId};

/// Numbers of the jobs that wait for others. They count as waiting: 16 bytes for each.
#[derive(Debug, Default)]
pub(super) struct Held {
    jobs: HashSet<JobId>,
}

impl Held {
    /// Adds or removes a job, as its stored state says.
    pub(super) fn note(&mut self, job: &Job) {
        if Self::holds(job) {
            self.jobs.insert(job.id);
        } else {
            self.jobs.remove(&job.id);
        }
    }

    /// Whether a job waits for others.
    pub(super) fn holds(job: &Job) -> bool {
        job.course.state.is_waiting() && !job.course.waits_for.is_empty()
    }

    /// Number of jobs that wait for others.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }
}
