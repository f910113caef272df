//! Why a request is refused: by the core ([`Refusal`]), and the fixed words for it ([`ErrorCode`]).

use std::{fmt, path::PathBuf};

use serde::Serialize;
use utoipa::ToSchema;

use super::job::{Demand, JobId, Resources, State};
use crate::units::count;

/// Why the core refuses a request.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is no such job, or another user owns it.
    #[error("there is no job {0}")]
    NotFound(JobId),
    /// A job that is not in a final state cannot be forgotten.
    #[error("job {0} has not ended; cancel it first")]
    NotEnded(JobId),
    /// A job that is in a final state cannot be changed.
    #[error("job {0} has ended: it is {1}, and nothing of it can be changed")]
    Ended(JobId, State),
    /// What a job process occupies cannot be changed while it works.
    #[error("job {0} is {1}: its memory and threads can be changed only while it waits")]
    NotWaiting(JobId, State),
    /// The key was used with another job.
    #[error("this Idempotency-Key was used with another job, number {0}")]
    IdempotencyConflict(JobId),
    /// The job does not fit the node even when nothing else runs.
    #[error("the job needs more than the node has for jobs")]
    TooLarge {
        /// What the job needs.
        needs: Demand,
        /// What the node has for jobs.
        node: Resources,
    },
    /// Only admins may do that.
    #[error("{0}")]
    Forbidden(String),
    /// A setting has an invalid value.
    #[error("{field}: {reason}")]
    Invalid {
        /// The setting, for example `settings.memory`.
        field: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// The user's quota does not allow it; the message says the quota and what is used.
    #[error("{0}")]
    Quota(String),
    /// So many jobs of all users wait that only admins may submit more.
    #[error("the queue is full: {} jobs wait; try again later", count(*.0))]
    QueueFull(u64),
    /// The daemon answers too slowly, or it is stopping; a retry may succeed.
    #[error("the daemon is busy or stopping; try again in a moment")]
    Busy,
    /// The job store cannot be read or written.
    #[error("{0}")]
    Store(String),
    /// The disk of the state directory is full.
    #[error(
        "the daemon accepts nothing new: the disk of its state directory {} is full; free some space there",
        .0.display()
    )]
    StateFull(PathBuf),
    /// An answer, or the settings of a job, cannot be written as JSON.
    #[error("cannot write {what} as JSON: {reason}")]
    Encode {
        /// What was being written.
        what: &'static str,
        /// The encoder's message.
        reason: String,
    },
}

impl Refusal {
    /// An error of the JSON encoder.
    pub fn encode(what: &'static str, error: &impl ToString) -> Self {
        Self::Encode {
            what,
            reason: error.to_string(),
        }
    }
}

/// The fixed words for kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Nothing is served at the path, or there is no such job.
    NotFound,
    /// The path does not have this method.
    MethodNotAllowed,
    /// The body is not JSON.
    ContentType,
    /// The body is too large.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTooSlow,
    /// A part of the request is invalid; `field` names it.
    Invalid,
    /// The user may not do that.
    Forbidden,
    /// The job has not ended.
    NotEnded,
    /// The job has ended.
    Ended,
    /// The job does not wait.
    NotWaiting,
    /// The idempotency key was used with another job.
    IdempotencyConflict,
    /// The job does not fit the node.
    TooLarge,
    /// The user's quota does not allow it.
    Quota,
    /// Too many jobs of all users wait.
    QueueFull,
    /// The daemon is busy or stopping.
    Busy,
    /// The job store cannot be read or written.
    Store,
    /// The disk of the state directory is full.
    StateFull,
    /// The answer cannot be written as JSON.
    Encode,
}

impl fmt::Display for ErrorCode {
    /// The word, as in JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
