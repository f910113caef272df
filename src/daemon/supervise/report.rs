//! What a worker has said that tells how it ended.

use std::{io, os::unix::process::ExitStatusExt, process::ExitStatus};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{daemon::job::ProcessEnd, report::event::Progress, store::plain};

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Report {
    /// Why it ends, in its own words.
    pub(super) reason: Option<String>,
    /// Why it was killed.
    pub(super) killed: Option<String>,
    rows_through: u64,
    progress: Option<Value>,
}

/// Longest reason that is kept.
const REASON_BYTES_MAX: usize = 8 << 10;

impl Report {
    /// Takes the last progress, and the object that reported it.
    pub(super) fn progress(&mut self, progress: &Progress, object: &Value) {
        // Rows that the sink has written count; rows that are only read are read again.
        self.rows_through = progress.counts.parents_read;
        self.progress = Some(object.clone());
    }

    /// How the worker ended.
    pub(super) fn end(&mut self, status: io::Result<ExitStatus>) -> ProcessEnd {
        let exit_code = status.as_ref().ok().and_then(ExitStatus::code);
        let signal = match &status {
            Ok(status) => status.signal().map(by_signal),
            Err(error) => Some(format!("the worker can't be waited for: {}", plain(error))),
        };
        let mut reason = self.killed.take().or(signal).or(self.reason.take());
        if let Some(reason) = &mut reason {
            let end = reason.floor_char_boundary(REASON_BYTES_MAX);
            reason.truncate(end);
        }
        ProcessEnd {
            exit_code,
            reason: reason.filter(|_| !matches!(exit_code, Some(0 | 4))),
            rows_read: self.rows_through,
            progress: self.progress.take(),
        }
    }
}

fn by_signal(number: i32) -> String {
    let name = Signal::try_from(number).map_or("a signal", Signal::as_str);
    format!("the worker was ended by {name}")
}
