//! What the core tells the rest of the daemon about jobs.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    job::{Job, JobId, Resources, State},
    quota::{Quota, Used},
};
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

/// The jobs that one request has cancelled or forgotten.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selected {
    /// The jobs, newest first, and their states after that.
    pub jobs: Vec<(JobId, State)>,
    /// Where the next request continues; none if there are no more.
    pub next_before: Option<JobId>,
}

/// State and exit code of a job.
pub type End = (JobId, State, Option<i32>);

/// What the core has admitted and counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Resources that running jobs occupy.
    pub admitted: Resources,
    /// Number of waiting jobs.
    pub waiting: u64,
    /// Number of those that wait for disk space.
    pub waiting_for_space: u64,
    /// Number of those that need more than the node has for jobs.
    pub too_large: u64,
    /// The GPU of each running job that has one, by its place among the GPUs for jobs.
    pub gpu_places: Vec<usize>,
    /// Whether the disk of the state directory is full.
    pub state_full: bool,
    /// Bytes of that disk that are kept for what a full disk must not prevent.
    pub reserve_bytes: u64,
    /// Number of jobs by state.
    pub jobs: BTreeMap<State, u64>,
    /// Number of jobs that have ended since the daemon's start, by state.
    pub ended: BTreeMap<State, u64>,
    /// Number of job processes that were interrupted since the daemon's start.
    pub interruptions: u64,
}

/// Whose quota is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The user.
    pub uid: u32,
    /// The user's primary group; without it, that of a waiting job counts.
    pub gid: Option<u32>,
    /// Whether the user is known to be an admin.
    pub admin: bool,
}

/// A user's quota and what it is used for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// The user.
    pub uid: u32,
    /// Whether no quota holds.
    pub exempt: bool,
    /// The quota.
    pub quota: Quota,
    /// What the user has waiting and running.
    pub used: Used,
    /// The user's recent use of the node, 0 to 1.
    pub recent_use: f64,
}
