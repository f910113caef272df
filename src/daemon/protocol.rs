//! What the daemon and a worker say to each other, version 1.
//!
//! A worker's standard input is one end of a socket pair, and its lifeline: the daemon writes an
//! [`Assignment`], then, once it may write into the output directory, [`GO`], each a line of JSON. Its end at
//! any time means that the daemon is gone; the worker then stops as on SIGTERM.
//!
//! On standard output a worker writes the events that `molsieve run --json` prints and `alive`
//! ([`Event`](crate::report::event::Event)), one JSON object a line. Its standard error is for people.
//!
//! Constraints: an order has at most [`ASSIGNMENT_BYTES_MAX`] bytes; a line of a worker that is longer than
//! [`EVENT_BYTES_MAX`](crate::report::event::EVENT_BYTES_MAX) is skipped, never stored (only `done` can be
//! longer: its manifest names every file, and the exit code says how the job ended).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::job::Mode;
use crate::config::JobSettings;

/// The version of everything here.
pub const VERSION: u64 = 1;
/// Longest order, with its line end.
pub const ASSIGNMENT_BYTES_MAX: u64 = 1 << 20;
/// Longest line that follows an order.
pub const LINE_BYTES_MAX: u64 = 1 << 10;
/// Time between two signs of life of a worker.
pub const ALIVE_EVERY: Duration = Duration::from_secs(5);
/// The line that lets a worker write.
pub const GO: &str = "{\"go\":true}\n";

/// The user as whom a worker does its job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAs {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// The user's name, by which the other groups are found.
    pub name: String,
}

/// What a worker is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    version: u64,
    /// The job.
    pub settings: JobSettings,
    /// What to do with an output directory that holds something.
    pub mode: Mode,
    /// Whom to become first; nobody else if the daemon is not root.
    pub run_as: Option<RunAs>,
}

/// Why a line of the daemon can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    /// It is of another protocol.
    #[error("the order is of version {0}, not {VERSION}; daemon and worker are not of one release")]
    Version(u64),
    /// It is longer than [`ASSIGNMENT_BYTES_MAX`].
    #[error("the order is longer than {ASSIGNMENT_BYTES_MAX} bytes")]
    TooLong,
    /// It is no order.
    #[error("there is no order that can be read: {0}")]
    Unreadable(String),
}

impl Assignment {
    /// An order of this version. A mode in the settings counts for nothing.
    pub fn new(settings: JobSettings, mode: Mode, run_as: Option<RunAs>) -> Self {
        Self {
            version: VERSION,
            settings,
            mode,
            run_as,
        }
    }

    /// Reads an order. Its version is looked at first, so that another one is told by its name.
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
        let order = serde_json::to_string(self).expect("settings can be written as JSON");
        order + "\n"
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
    #[derive(Deserialize)]
    struct Go {
        go: bool,
    }
    serde_json::from_slice(line).is_ok_and(|Go { go }| go)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_arrives_as_it_was_given() {
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
        let order = Assignment::new(settings, Mode::Resume, Some(ada));
        assert_eq!(order.line().lines().count(), 1);
        let read = Assignment::parse(order.line().as_bytes()).unwrap();
        assert_eq!(read, order);
        let settings = read.settings();
        assert!(settings.resume && !settings.overwrite);
    }

    #[test]
    fn another_version_is_told_by_its_name_whatever_else_is_in_it() {
        let order = br#"{"version":2,"what":"else"}"#;
        assert_eq!(Assignment::parse(order), Err(AssignmentError::Version(2)));
    }

    #[test]
    fn what_is_wrong_in_an_order_is_named() {
        let order = br#"{"version":1,"settings":{"inputt":[]},"mode":"refuse","run_as":null}"#;
        let error = Assignment::parse(order).unwrap_err().to_string();
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
