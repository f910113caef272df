//! The protocol between the daemon and a job process, version 1.
//!
//! The standard input of a job process is one end of a socket pair. The daemon writes an [`Assignment`], and
//! [`GO`] once the process may write into the output directory, each one line of JSON. End of file at any
//! time means that the daemon is gone; the process then stops as on SIGTERM.
//!
//! On standard output the process writes the events that `molsieve run --json` prints, and `alive`
//! ([`Event`](crate::report::event::Event)), one JSON object per line. Standard error is text for people.
//!
//! Constraints: an assignment has at most [`ASSIGNMENT_BYTES_MAX`] bytes. A line longer than
//! [`EVENT_BYTES_MAX`](crate::report::event::EVENT_BYTES_MAX) is skipped, never stored. Only `done` can be that long, because its manifest names
//! every file; how a job ended follows from the exit code.

mod notification;
pub mod space;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::job::{JobId, Mode};
use crate::config::JobSettings;

pub use notification::Notification;

/// Version of the protocol.
pub const VERSION: u64 = 1;
/// Longest assignment, with its line end.
pub const ASSIGNMENT_BYTES_MAX: u64 = 1 << 20;
/// Longest line after an assignment.
pub const LINE_BYTES_MAX: u64 = 1 << 10;
/// Interval of the `alive` events.
pub const ALIVE_EVERY: Duration = Duration::from_secs(5);
/// The line that allows a job process to write.
pub const GO: &str = "{\"go\":true}\n";

/// The user that a job process becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAs {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// The user's name; the supplementary groups are looked up by it.
    pub name: String,
}

/// What a job process is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    version: u64,
    /// Its number, which is in the name of the job process.
    #[serde(default)]
    pub job: Option<JobId>,
    /// The job.
    pub settings: JobSettings,
    /// What to do with an output directory that is not empty.
    pub mode: Mode,
    /// The user to become first; none if the daemon is not root.
    pub run_as: Option<RunAs>,
}

/// Why an assignment cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    /// It has another protocol version.
    #[error(
        "the assignment has version {0}, not {VERSION}; daemon and job process are of different releases"
    )]
    Version(u64),
    /// It is longer than [`ASSIGNMENT_BYTES_MAX`].
    #[error("the assignment is longer than {ASSIGNMENT_BYTES_MAX} bytes")]
    TooLong,
    /// It is not an assignment.
    #[error("the assignment cannot be read: {0}")]
    Unreadable(String),
}

impl Assignment {
    /// An assignment of this version. A mode in the settings is ignored.
    pub fn new(job: JobId, settings: JobSettings, mode: Mode, run_as: Option<RunAs>) -> Self {
        Self {
            version: VERSION,
            job: Some(job),
            settings,
            mode,
            run_as,
        }
    }

    /// Reads an assignment. The version is checked first, so that another version gives its own error.
    pub fn parse(line: &[u8]) -> Result<Self, AssignmentError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let unreadable = |error: serde_json::Error| AssignmentError::Unreadable(error.to_string());
        if line.len() as u64 > ASSIGNMENT_BYTES_MAX {
            return Err(AssignmentError::TooLong);
        }
        match serde_json::from_slice(line).map_err(unreadable)? {
            Versioned { version: VERSION } => serde_json::from_slice(line).map_err(unreadable),
            Versioned { version } => Err(AssignmentError::Version(version)),
        }
    }

    /// The line to send.
    pub fn line(&self) -> String {
        let line =
            serde_json::to_string(self).expect("settings that were JSON can be written as JSON");
        line + "\n"
    }

    /// The settings with the mode.
    pub fn settings(self) -> JobSettings {
        JobSettings {
            overwrite: self.mode == Mode::Overwrite,
            resume: self.mode == Mode::Resume,
            ..self.settings
        }
    }
}

/// Whether a line from the daemon is [`GO`].
pub fn is_go(line: &[u8]) -> bool {
    serde_json::from_slice(line).is_ok_and(|line: serde_json::Value| line["go"] == true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_survives_the_way() {
        let settings = JobSettings {
            input: vec!["/a.smi".into()],
            output: Some("/out".into()),
            ..JobSettings::default()
        };
        let ada = RunAs {
            uid: 1000,
            gid: 1000,
            name: "ada".into(),
        };
        let assignment = Assignment::new(JobId(17), settings, Mode::Resume, Some(ada));
        assert_eq!(assignment.line().lines().count(), 1);
        let read = Assignment::parse(assignment.line().as_bytes()).unwrap();
        assert_eq!(read, assignment);
        let settings = read.settings();
        assert!(settings.resume && !settings.overwrite);
    }

    #[test]
    fn another_version_is_told_by_its_name_whatever_else_is_in_it() {
        let assignment = br#"{"version":2,"what":"else"}"#;
        assert_eq!(
            Assignment::parse(assignment),
            Err(AssignmentError::Version(2))
        );
    }

    #[test]
    fn what_is_wrong_in_an_assignment_is_named() {
        let assignment = br#"{"version":1,"settings":{"inputt":[]},"mode":"refuse","run_as":null}"#;
        let error = Assignment::parse(assignment).unwrap_err().to_string();
        assert!(error.contains("inputt"), "{error}");
        let long = vec![b' '; ASSIGNMENT_BYTES_MAX as usize + 1];
        assert_eq!(Assignment::parse(&long), Err(AssignmentError::TooLong));
    }

    #[test]
    fn only_a_go_is_a_go() {
        assert!(is_go(GO.as_bytes()));
        for line in ["", "{}", r#"{"go":false}"#, "go"] {
            assert!(!is_go(line.as_bytes()), "{line}");
        }
    }
}
