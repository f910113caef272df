//! What a client can ask of the daemon. Bytes from the socket become one [`Action`] at the edge, in
//! `api`; nothing behind it sees JSON that could be wrong.

use super::job::{JobId, Mode, State};
use crate::config::JobSettings;

/// Who asks, as the socket tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Whether this user may see and stop every job.
    pub admin: bool,
}

/// A request that has been understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Take a job.
    Submit(Box<SubmitRequest>),
    /// Jobs, newest first.
    List(ListQuery),
    /// One job.
    Show(JobId),
    /// Stop a job for good.
    Cancel(JobId),
    /// Forget a job that has ended.
    Forget(JobId),
    /// What happens to a job, from after the state event `after` on.
    Events {
        /// The job.
        id: JobId,
        /// Number of the last event the client has; 0 for none.
        after: u64,
    },
    /// What its workers have said.
    Log {
        /// The job.
        id: JobId,
        /// Whether to wait for more until the job has ended.
        follow: bool,
    },
    /// The node and what is admitted on it.
    Node,
    /// The OpenAPI document.
    OpenApi,
    /// Whether the daemon is alive.
    Health,
    /// Whether it takes jobs.
    Ready,
    /// Figures for Prometheus.
    Metrics,
}

/// A job as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SubmitRequest {
    /// Its settings; paths are absolute.
    pub settings: JobSettings,
    /// What its user calls it.
    pub name: Option<String>,
    /// -10 to 10.
    pub priority: i32,
    /// What to do with an output directory that holds something.
    pub mode: Mode,
    /// The user's key for it.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListQuery {
    /// Only those in one of these states; all if empty.
    pub states: Vec<State>,
    /// Only those of this user.
    pub uid: Option<u32>,
    /// Only those with smaller numbers.
    pub before: Option<JobId>,
    /// At most so many, 1 to 1,000.
    pub limit: u32,
}
