//! The queued jobs that wait for other jobs. The scheduler's queue gets a job once it waits for none.

use std::collections::HashMap;

use crate::daemon::job::{Job, JobId};

/// The jobs that wait for others, and the user of each.
#[derive(Debug, Default)]
pub(super) struct Held {
    jobs: HashMap<JobId, u32>,
}

impl Held {
    /// Adds or removes a job, as its stored state says. Returns whether it waits for others.
    pub(super) fn note(&mut self, job: &Job) -> bool {
        let waits = job.course.state.is_waiting() && !job.course.waits_for_jobs.is_empty();
        if waits {
            self.jobs.insert(job.id, job.submission.uid);
        } else {
            self.jobs.remove(&job.id);
        }
        waits
    }

    /// Number of jobs that wait for others.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Number of jobs of a user that wait for others.
    pub(super) fn count_of(&self, uid: u32) -> u64 {
        self.jobs.values().filter(|user| **user == uid).count() as u64
    }
}
