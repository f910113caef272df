//! The jobs that wait, by what they wait for.

use super::{held::Held, space::SpaceQueue};
use crate::daemon::{
    job::Job,
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
}

impl Waits {
    /// Takes notice of a job as it is now. Returns whether it waits.
    pub(super) fn note(&mut self, job: &Job) -> bool {
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

    /// Number of jobs that wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len() + self.space.len() + self.held.len()
    }

    /// Number of jobs of a user that wait.
    pub(super) fn count_of(&self, uid: u32) -> u64 {
        self.queue.count_of(uid) + self.space.count_of(uid) + self.held.count_of(uid)
    }
}
