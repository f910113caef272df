//! What the process of a notification gets through its standard input: one line of JSON, then the end of the file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ASSIGNMENT_BYTES_MAX, AssignmentError, RunAs};
use crate::daemon::{job::Notify, view::JobView};

/// A notification of the end of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notification {
    /// Whom to notify.
    pub notify: Notify,
    /// The job.
    pub job: Box<JobView>,
    /// The daemon's socket.
    pub socket: PathBuf,
    /// The user to become first; none if the daemon is not root.
    pub run_as: Option<RunAs>,
}

impl Notification {
    /// Reads a line that [`Notification::line`] has made.
    pub fn parse(line: &[u8]) -> Result<Self, AssignmentError> {
        if line.len() as u64 > ASSIGNMENT_BYTES_MAX {
            return Err(AssignmentError::TooLong);
        }
        serde_json::from_slice(line).map_err(|error| AssignmentError::Unreadable(error.to_string()))
    }

    /// The line to send.
    pub fn line(&self) -> Result<String, AssignmentError> {
        match serde_json::to_string(self) {
            Ok(line) => Ok(line + "\n"),
            Err(error) => Err(AssignmentError::Unreadable(error.to_string())),
        }
    }
}
