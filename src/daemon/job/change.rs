//! Changes of a job by its user.

use std::num::NonZeroUsize;

use serde_json::Value;

use super::{Demand, Job, Submission};
use crate::units::ByteSize;

/// What to change of a job that has not ended; a field that is not set stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobChange {
    /// The new priority, -10 to 10.
    pub priority: Option<i32>,
    /// The new memory budget. Only of a job that waits.
    pub memory: Option<ByteSize>,
    /// The new number of chemistry workers. Only of a job that waits.
    pub threads: Option<NonZeroUsize>,
}

impl JobChange {
    /// Whether a job is already as the change would make it.
    pub fn is_made(&self, job: &Job) -> bool {
        let submission = &job.submission;
        let priority = self.priority.unwrap_or(submission.priority);
        priority == submission.priority && self.demand(submission.demand) == submission.demand
    }

    /// The resources that a job needs after the change.
    pub fn demand(&self, before: Demand) -> Demand {
        let threads = self.threads.map(|threads| u32::try_from(threads.get()));
        Demand {
            memory_bytes: self.memory.map_or(before.memory_bytes, |memory| memory.0),
            threads: threads.map_or(before.threads, |threads| threads.unwrap_or(u32::MAX)),
            ..before
        }
    }

    /// Whether it changes the resources that the job needs.
    pub fn is_of_resources(&self) -> bool {
        self.memory.is_some() || self.threads.is_some()
    }
}

impl Submission {
    /// Makes a change. The settings change with it, so that the next job process gets them.
    pub(super) fn change(&mut self, change: JobChange) {
        let JobChange {
            priority,
            memory,
            threads,
        } = change;
        self.priority = priority.unwrap_or(self.priority);
        self.demand = change.demand(self.demand);
        // Settings that can't be read are no object; they fail the job when it starts.
        let Value::Object(settings) = &mut self.settings else {
            return;
        };
        if let Some(memory) = memory.and_then(|memory| serde_json::to_value(memory).ok()) {
            settings.insert("memory".into(), memory);
        }
        if let Some(threads) = threads {
            settings.insert("threads".into(), threads.get().into());
        }
    }
}
