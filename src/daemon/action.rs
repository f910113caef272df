//! Requests as checked values.

use super::job::{JobId, Label, Mode, State, SubmitOptions};
use crate::config::JobSettings;

/// The user behind a request, as the kernel reports it for the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Whether this user may see and stop every job.
    pub admin: bool,
}

/// A job to submit.
#[derive(Clone, Debug, PartialEq)]
pub struct SubmitRequest {
    /// Its settings; paths are absolute.
    pub settings: JobSettings,
    /// Name that its user gives to it.
    pub name: Option<String>,
    /// -10 to 10.
    pub priority: i32,
    /// What to do with an output directory that is not empty.
    pub mode: Mode,
    /// Labels, jobs to wait for, retries, notification.
    pub options: SubmitOptions,
    /// The user's idempotency key.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListQuery {
    /// Only jobs in one of these states; all if empty.
    pub states: Vec<State>,
    /// Only jobs of this user.
    pub uid: Option<u32>,
    /// Only jobs with all of these labels.
    pub labels: Vec<Label>,
    /// Only jobs with smaller numbers.
    pub before: Option<JobId>,
    /// Maximum number of jobs, 1 to 1,000.
    pub limit: u32,
}

/// What to do with many jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// Stop for good those that have not ended.
    Cancel,
    /// Forget those that have ended.
    Forget,
}

impl Bulk {
    /// Whether it does something with jobs in this state.
    pub fn acts_on(self, state: State) -> bool {
        match self {
            Self::Cancel => !state.is_final(),
            Self::Forget => state.is_final(),
        }
    }

    /// The states of the jobs that it does something with.
    pub fn states(self) -> impl Iterator<Item = State> {
        State::ALL
            .into_iter()
            .filter(move |state| self.acts_on(*state))
    }
}
