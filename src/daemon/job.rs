//! What the daemon knows of a job, and the states a job goes through.
//!
//! ```text
//! queued ──► starting ──► running ──► done | failed
//!    │           │            │
//!    │           └────────────┴──► stopping ──► cancelled | interrupted | done | failed
//!    │           └────────────┴──► interrupted ──► starting …
//!    └──► cancelled ◄── interrupted
//! ```
//!
//! Everything here is pure: what happens to a job goes in, the job as it is then comes out. Times are
//! milliseconds since 1970, UTC.

mod transitions;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A job's number: 1, 2, 3 … in the order of submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since 1970, UTC.
pub type Millis = i64;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for its turn.
    Queued,
    /// Its worker has been started and plans.
    Starting,
    /// Its worker is at work.
    Running,
    /// Its worker was asked to stop.
    Stopping,
    /// Its output is complete.
    Done,
    /// It can't be done; `error` says why.
    Failed,
    /// Its user did not want it any more.
    Cancelled,
    /// Its worker ended before its time; it goes on by itself.
    Interrupted,
}

impl State {
    /// Every state, in the order in which a job may see them.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Starting,
        Self::Running,
        Self::Stopping,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// Its name, as in JSON and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the job has ended for good.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// Whether the job takes its share of the node: it has a worker, or is about to.
    pub fn holds_worker(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Stopping)
    }

    /// Whether the job waits for the scheduler.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Queued | Self::Interrupted)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What to do with an output directory that holds something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Refuse it.
    #[default]
    Refuse,
    /// Replace what an earlier job wrote there.
    Overwrite,
    /// Go on with it.
    Resume,
}

/// Whether a job takes a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuDemand {
    /// It does not.
    None,
    /// It takes one that is free when it starts, and does without otherwise.
    IfFree,
    /// It needs one.
    One,
}

/// What a job takes of the node while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Its memory budget.
    pub memory_bytes: u64,
    /// Its chemistry workers.
    pub threads: u32,
    /// A GPU.
    pub gpu: GpuDemand,
}

/// A process, so that another one with its number is not taken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Process id.
    pub pid: u32,
    /// Its start in ticks since the machine's start, from `/proc/PID/stat`.
    pub started_ticks: u64,
    /// Which start of the machine that is, from `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}

/// Why a worker was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// The user cancels the job.
    Cancel,
    /// The daemon ends, and goes on with the job when it is back.
    Drain,
}

/// What the daemon knows of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// The user who submitted it.
    pub uid: u32,
    /// The user's primary group.
    pub gid: u32,
    /// What its user calls it.
    pub name: Option<String>,
    /// The settings, as JSON with the keys of a job file; paths are absolute, memory and threads are set.
    pub settings: serde_json::Value,
    /// What to do with an output directory that holds something.
    pub mode: Mode,
    /// -10 to 10; higher goes first.
    pub priority: i32,
    /// What it takes of the node.
    pub demand: Demand,
    /// Where it stands.
    pub state: State,
    /// Why its worker was asked to stop, if it was.
    pub ending: Option<Ending>,
    /// When it was submitted.
    pub submitted_at: Millis,
    /// When it was first started.
    pub started_at: Option<Millis>,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// Workers started for it.
    pub attempts: u32,
    /// Interruptions in a row that did not get further.
    pub failures: u32,
    /// Rows read when it was interrupted last.
    pub rows_reached: u64,
    /// When it may go on, if it is interrupted.
    pub retry_at: Option<Millis>,
    /// Whether a worker was allowed to write into the output directory.
    pub begun: bool,
    /// Whether a worker has taken the output directory for this job.
    pub opened: bool,
    /// Exit code of its last worker.
    pub exit_code: Option<i32>,
    /// Why it failed, or was interrupted last.
    pub error: Option<String>,
    /// Its worker, while there is one.
    pub worker: Option<ProcessIdentity>,
    /// What its last worker said of its progress last, once that worker has ended.
    pub progress: Option<serde_json::Value>,
    /// Number of its last state event, from 1.
    pub seq: u64,
}

/// A job as it is submitted and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// The user.
    pub uid: u32,
    /// The user's primary group.
    pub gid: u32,
    /// What the user calls it.
    pub name: Option<String>,
    /// As in [`Job`].
    pub settings: serde_json::Value,
    /// As in [`Job`].
    pub mode: Mode,
    /// As in [`Job`].
    pub priority: i32,
    /// As in [`Job`].
    pub demand: Demand,
    /// The user's key for it, and a digest of what was submitted with it.
    pub idempotency: Option<(String, [u8; 32])>,
}

/// What happens to a job.
#[derive(Clone, Debug, PartialEq)]
pub enum JobEvent {
    /// The scheduler starts it.
    Admitted,
    /// Its worker process exists.
    Spawned(ProcessIdentity),
    /// Its worker could not be started.
    NotSpawned(String),
    /// Its worker has planned and is now allowed to write.
    Begun,
    /// Its worker has taken the output directory.
    Opened,
    /// Its user cancels it.
    CancelAsked,
    /// The daemon ends.
    DrainAsked,
    /// Its worker has ended.
    Ended(ProcessEnd),
    /// A daemon that has just started finds it without a supervisor, and its worker gone.
    Orphaned,
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessEnd {
    /// Its exit code; none if a signal ended it.
    pub exit_code: Option<i32>,
    /// The last thing it said about an error, or what ended it.
    pub reason: Option<String>,
    /// Rows that were through when it ended.
    pub rows_read: u64,
    /// What it said of its progress last.
    pub progress: Option<serde_json::Value>,
}

/// How often and when an interrupted job is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Interruptions in a row without getting further after which a job fails.
    pub failures_max: u32,
    /// Wait after the first; doubled for each further one.
    pub first_delay_ms: Millis,
    /// The longest wait.
    pub delay_ms_max: Millis,
}

/// What happened can't happen to a job in its state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("job {id}: {event} can't happen while it is {state}")]
pub struct Impossible {
    /// The job.
    pub id: JobId,
    /// Where it stands.
    pub state: State,
    /// What was said to have happened.
    pub event: &'static str,
}

#[cfg(test)]
mod tests;
