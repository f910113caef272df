//! A job as the daemon stores it, and the states it goes through.
//!
//! ```text
//! queued ──► starting ──► running ──► done | failed
//!    │           │            │
//!    │           └────────────┴──► stopping ──► cancelled | interrupted | done | failed
//!    │           └────────────┴──► interrupted ──► starting …
//!    └──► cancelled ◄── interrupted
//! ```
//!
//! Everything here is pure: an event goes in, the changed job comes out. Times are milliseconds since 1970,
//! UTC.

mod change;
mod notify;
mod options;
mod space;
mod transitions;
mod waits;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::report::event::{Progress, Shortage};

pub use self::{
    change::JobChange,
    notify::{Notify, NotifyTarget},
    options::{Label, SubmitOptions},
    space::SpaceWait,
    waits::WaitsFor,
};

/// Number of a job: 1, 2, 3 … in the order of submission.
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

/// State of a job; done, failed and cancelled are final.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits to be started.
    #[default]
    Queued,
    /// Its process has been started and plans.
    Starting,
    /// Its process works.
    Running,
    /// Its process was asked to stop.
    Stopping,
    /// Its output is complete.
    Done,
    /// It failed; `error` says why.
    Failed,
    /// Its user cancelled it, or a job that it was to wait for has failed or was cancelled.
    Cancelled,
    /// Its process ended early; the daemon resumes it.
    Interrupted,
}

impl State {
    /// Every state, in the order of a job's life.
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

    /// Whether the job occupies resources: it has a process, or is about to have one.
    pub fn holds_process(self) -> bool {
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

/// What to do with an output directory that is not empty: refuse it, replace what an earlier job wrote
/// there, or resume that job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Refuse it.
    #[default]
    Refuse,
    /// Replace what an earlier job wrote there.
    Overwrite,
    /// Resume it.
    Resume,
}

/// Whether a job needs a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GpuDemand {
    /// No GPU.
    None,
    /// A GPU if one is free when the job starts.
    IfFree,
    /// One GPU.
    One,
}

/// Resources that a job occupies while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Demand {
    /// Memory budget.
    pub memory_bytes: u64,
    /// Chemistry workers.
    pub threads: u32,
    /// A GPU.
    pub gpu: GpuDemand,
}

/// Memory, threads and GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resources {
    /// Memory.
    pub memory_bytes: u64,
    /// Chemistry workers.
    pub threads: u32,
    /// GPUs.
    pub gpus: u32,
}

/// Identifies a process even after its id is reused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot, from `/proc/PID/stat`.
    pub started_ticks: u64,
    /// The boot, from `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}

/// Why a job process was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// The user cancelled the job.
    Cancel,
    /// The daemon stops; it resumes the job when it is back.
    Drain,
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// As it was submitted; its priority, memory and threads may have been changed since.
    pub submission: Submission,
    /// When it was submitted.
    pub submitted_at: Millis,
    /// The part that changes.
    pub course: Course,
}

/// The part of a job that changes. The store keeps it as JSON, also as it was after earlier events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Its state.
    pub state: State,
    /// The jobs that it still waits for, while it is queued.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for_jobs: Vec<JobId>,
    /// Why its process was asked to stop, if it was.
    pub ending: Option<Ending>,
    /// When it was first started.
    pub started_at: Option<Millis>,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// Processes started for it.
    pub attempts: u32,
    /// Consecutive interruptions without progress.
    pub failures: u32,
    /// Rows read at its last interruption.
    pub rows_reached: u64,
    /// If it is interrupted: when it may be resumed.
    pub retry_at: Option<Millis>,
    /// Whether a process was allowed to write into the output directory.
    pub begun: bool,
    /// Whether a process has taken over the output directory for this job.
    pub opened: bool,
    /// Exit code of its last process.
    pub exit_code: Option<i32>,
    /// Why it failed, or why it was interrupted last.
    pub error: Option<String>,
    /// Its process, while there is one.
    /// The stored name is older than the field's.
    #[serde(rename = "worker")]
    pub process: Option<ProcessIdentity>,
    /// The last progress event of its last process, once that process has ended; in answers, also that of its
    /// present process.
    #[serde(deserialize_with = "readable")]
    pub progress: Option<Box<Progress>>,
    /// The disk space that it waits for, if it is interrupted because a disk is full.
    #[serde(default)]
    pub space: Option<SpaceWait>,
    /// How often the disk was found full since the job last made progress.
    #[serde(default)]
    pub space_checks: u32,
    /// Number of its last state event, from 1.
    pub seq: u64,
}

/// The stored progress; none if it is that of another version.
fn readable<'de, D: Deserializer<'de>>(stored: D) -> Result<Option<Box<Progress>>, D::Error> {
    let stored = Option::<serde_json::Value>::deserialize(stored)?;
    Ok(stored.and_then(|stored| serde_json::from_value(stored).ok()))
}

/// A job as it is submitted and checked. Of it change only the priority, the memory and the threads. The store keeps what is skipped here
/// in columns of its own, and the rest as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The user who submits it.
    #[serde(skip)]
    pub uid: u32,
    /// The user's primary group.
    pub gid: u32,
    /// Whether quotas do not hold: an admin submits it.
    #[serde(default)]
    pub exempt: bool,
    /// Name that its user gives to it.
    pub name: Option<String>,
    /// The settings, as JSON with the keys of a job file; paths are absolute, memory and threads are set.
    #[serde(skip)]
    pub settings: serde_json::Value,
    /// What to do with an output directory that is not empty.
    pub mode: Mode,
    /// -10 to 10; higher goes first.
    #[serde(skip)]
    pub priority: i32,
    /// Resources that it occupies while it runs.
    pub demand: Demand,
    /// Labels, jobs to wait for, retries, notification.
    #[serde(default)]
    pub options: SubmitOptions,
    /// The user's idempotency key, and a digest of the body submitted with it; none in a stored job.
    #[serde(skip)]
    pub idempotency: Option<(String, [u8; 32])>,
}

#[cfg(test)]
impl Submission {
    /// A submission with nothing special.
    pub(super) fn plain() -> Self {
        Self {
            uid: 1,
            gid: 1,
            exempt: false,
            name: None,
            settings: serde_json::json!({ "input": ["/a"], "output": "/o" }),
            mode: Mode::Refuse,
            priority: 0,
            demand: Demand {
                memory_bytes: 1 << 30,
                threads: 2,
                gpu: GpuDemand::None,
            },
            options: SubmitOptions::default(),
            idempotency: None,
        }
    }
}

/// An event in the life of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum JobEvent {
    /// The scheduler starts it.
    Admitted,
    /// It cannot be started: what the store holds of it cannot be read.
    Unreadable(String),
    /// Its process exists.
    Spawned(ProcessIdentity),
    /// Its process could not be started.
    NotSpawned(String),
    /// Its process has planned and may now write.
    Begun,
    /// Its process has taken over the output directory.
    Opened,
    /// Its user cancels it.
    CancelAsked,
    /// Its user changes it.
    Changed(JobChange),
    /// A job that it waits for has ended in this state.
    DependencyEnded(JobId, State),
    /// The daemon stops.
    DrainAsked,
    /// Its process has ended.
    Ended(ProcessEnd),
    /// A starting daemon found that its process is gone.
    Orphaned,
    /// The disk has the space that it waits for.
    SpaceFound,
}

/// How a job process ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessEnd {
    /// Its exit code; none if a signal ended it.
    pub exit_code: Option<i32>,
    /// The last error that it reported, or what ended it.
    pub reason: Option<String>,
    /// Rows that were finished when it ended.
    pub rows_read: u64,
    /// Its last progress event.
    pub progress: Option<Box<Progress>>,
    /// What the job lacks, if a disk is full.
    pub shortage: Option<Shortage>,
}

/// How often and when an interrupted job is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Consecutive interruptions without progress after which a job fails.
    pub failures_max: u32,
    /// Delay after the first interruption; doubled for each further one.
    pub first_delay_ms: Millis,
    /// Longest delay.
    pub delay_ms_max: Millis,
}

/// An event that the state of the job does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("job {id}: event {event} is not possible in state {state}")]
pub struct Impossible {
    /// The job.
    pub id: JobId,
    /// Its state.
    pub state: State,
    /// The event.
    pub event: &'static str,
}

#[cfg(test)]
mod tests;
