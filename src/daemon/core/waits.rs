//! The jobs that wait, by what they wait for.

use super::{held::Held, oversized::Oversized, space::SpaceQueue};
use crate::daemon::{
    job::{Job, Resources},
    schedule::{Queue, Waiting},
};

/// The jobs that wait.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Those that the scheduler may start.
    pub(super) queue: Queue,
    /// Those that wait for disk space.
    pub(super) space: SpaceQueue,
    /// Those that wait for other jobs.
    held: Held,
    /// Of all these, those that are too large for the budget.
    pub(super) oversized: Oversized,
}

impl Waits {
    /// Takes notice of a job as it is now. Returns whether it waits.
    pub(super) fn note(&mut self, job: &Job, budget: &Resources) -> bool {
        self.oversized.note(job, budget);
        let otherwise = self.space.note(job) | self.held.note(job);
        match Waiting::of(job) {
            Some(waiting) => {
                self.queue.insert(waiting);
                true
            }
            None => {
                self.queue.remove(job.id);
                otherwise
            }
        }
    }

    /// Takes notice of the budget as it is now.
    pub(super) fn look_at_budget(&mut self, budget: &Resources) {
        self.oversized.look(&self.queue, budget);
    }

    /// Number of jobs that wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len() + self.space.len() + self.held.len()
    }

    /// Number of jobs of a user that wait.
    pub(super) fn count_of(&self, uid: u32) -> u64 {
        self.queue.count_of(uid) + self.space.count_of(uid) + self.held.count_of(uid)
    }
}
