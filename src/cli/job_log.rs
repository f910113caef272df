//! What a job process of the daemon writes to standard error. The daemon keeps it as the job's log.
//!
//! The log says what `molsieve run` shows: plan, summary, warnings and errors. Progress is a line every ten minutes, so
//! that the log of a long job stays short. Each entry begins with its time.

use std::time::{Duration, Instant};

use super::{events, plan, progress, say_aside};
use crate::pipeline::{Job, Snapshot};

/// Time between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(600);

/// The log of a job of the daemon.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobLog {
    /// When the last line of progress was written.
    shown: Instant,
}

impl JobLog {
    /// Begins the log of a job process.
    pub(super) fn begin(resumes: bool) -> Self {
        let log = Self {
            shown: Instant::now(),
        };
        let how = if resumes { "continues" } else { "starts" };
        log.say(&format!(
            "molsieve {} {how} the job as process {}",
            env!("CARGO_PKG_VERSION"),
            std::process::id()
        ));
        log
    }

    /// Writes the plan of the job.
    pub(super) fn planned(&self, job: &Job) {
        self.say(&format!("the plan\n{}", plan::plan(job)));
    }

    /// Writes how far the job is, if it is time.
    pub(super) fn show(&mut self, job: &Job, snapshot: &Snapshot) {
        if self.shown.elapsed() >= PROGRESS_EVERY {
            self.shown = Instant::now();
            let progress = events::progress(job, &Snapshot::default(), snapshot);
            self.say(&progress::line(&progress));
        }
    }

    /// Writes an entry.
    pub(super) fn say(&self, text: &str) {
        say_aside(&format!("{:.0} {text}", jiff::Timestamp::now()));
    }
}
