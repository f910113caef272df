//! What is asked of the daemon, and what it says.

use crate::daemon::view::{JobView, NodeView};

/// A request to the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Cancel a job.
    Cancel(u64),
    /// Set the priority of a job.
    Priority(u64, i32),
    /// Remove an ended job from the list.
    Remove(u64),
    /// The last lines of the log of a job.
    Log(u64),
}

/// What the daemon has said.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// Its jobs and its node.
    Listing(Box<Listing>),
    /// It does not answer; why.
    Lost(String),
    /// The last lines of a log, or why there are none.
    Log(u64, Result<Vec<String>, String>),
    /// A request is done; a line about it.
    Done(Request, String),
    /// A request was refused, or got no answer; why.
    Refused(Request, String),
}

/// A poll.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listing {
    /// Jobs of all states.
    pub(super) jobs: Vec<JobView>,
    /// The node.
    pub(super) node: NodeView,
}
