//! What a job process reported that explains its end.

use std::{io, os::unix::process::ExitStatusExt, process::ExitStatus};

use nix::sys::signal::Signal;

use crate::{
    daemon::job::ProcessEnd,
    report::event::{Progress, Shortage},
    store::plain,
};

/// What a job process reported.
#[derive(Default)]
pub(super) struct Report {
    /// The error that it reported.
    pub(super) reason: Option<String>,
    /// Why the daemon killed it.
    pub(super) killed: Option<String>,
    /// The last line that is not an event, and why.
    pub(super) unreadable: Option<String>,
    /// What the job lacks, if a disk is full.
    pub(super) shortage: Option<Shortage>,
    rows_through: u64,
    progress: Option<Box<Progress>>,
}

/// Longest reason that is kept.
const REASON_BYTES_MAX: usize = 8 << 10;

impl Report {
    /// Takes a progress event.
    pub(super) fn progress(&mut self, progress: Box<Progress>) {
        // Rows that the sink has written count; rows that were only read are read again.
        self.rows_through = progress.counts.parents_read;
        self.progress = Some(progress);
    }

    /// How the process ended.
    pub(super) fn end(&mut self, status: io::Result<ExitStatus>) -> ProcessEnd {
        let exit_code = status.as_ref().ok().and_then(ExitStatus::code);
        let signal = match &status {
            Ok(status) => status.signal().map(by_signal),
            Err(error) => Some(format!("cannot wait for the job process: {}", plain(error))),
        };
        let reported = self.reason.take().or(self.unreadable.take());
        let mut reason = self.killed.take().or(signal).or(reported);
        if let Some(reason) = &mut reason {
            let end = reason.floor_char_boundary(REASON_BYTES_MAX);
            reason.truncate(end);
        }
        ProcessEnd {
            exit_code,
            reason: reason.filter(|_| !matches!(exit_code, Some(0 | 4))),
            rows_read: self.rows_through,
            progress: self.progress.take(),
            shortage: self.shortage.take(),
        }
    }
}

fn by_signal(number: i32) -> String {
    let name = Signal::try_from(number).map_or("a signal", Signal::as_str);
    format!("the job process was ended by {name}")
}
