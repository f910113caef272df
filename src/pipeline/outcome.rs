//! How a job ends.

use super::control::Kept;
use crate::report::manifest::Manifest;

/// How a job ended.
#[derive(Debug)]
pub enum Outcome {
    /// Everything is written; the manifest says what.
    Done(Box<Manifest>),
    /// The job was asked to stop and can be resumed from its last checkpoint.
    Stopped {
        /// What is not made again.
        kept: Kept,
        /// Bytes free on the disk, if the job stopped because they were too few.
        free: Option<u64>,
    },
    /// RDKit exceeded the time limit on a parent. The run can be resumed from its last checkpoint; the resumed run
    /// tries that parent alone.
    TimedOut {
        /// The parent.
        row: u64,
    },
}
