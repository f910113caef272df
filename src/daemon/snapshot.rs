//! What the core tells the rest of the daemon about jobs.

use std::{collections::BTreeMap, sync::Arc};

use super::job::{Job, JobId, Resources, State};
use crate::report::event::Progress;

/// Notice of a change. It says that something has changed; what has changed is read from the core.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The state of a job changed, or another stored part of it; `Core::history` has the details. The notice
    /// holds no more than the state, because slow readers keep notices in memory and jobs can be large.
    State(JobId, State),
    /// The process of a job reported progress.
    Progress(JobId, Arc<Progress>),
    /// The log of a job grew; `Core::log` has the text.
    Log(JobId),
}

/// A submitted job.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// Whether it is new: false if the same body was submitted before with the same key.
    pub new: bool,
}

/// What the core has admitted and counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Resources that running jobs occupy.
    pub admitted: Resources,
    /// Number of waiting jobs.
    pub waiting: u64,
    /// Number of those that need more than the node has for jobs.
    pub too_large: u64,
    /// Number of jobs by state.
    pub jobs: BTreeMap<State, u64>,
    /// Number of jobs that have ended since the daemon's start, by state.
    pub ended: BTreeMap<State, u64>,
    /// Number of job processes that were interrupted since the daemon's start.
    pub interruptions: u64,
}
