//! A check of a disk: whether a job's user can write so much there. The daemon opens nothing of a user, so it starts
//! `molsieve check-space` for that, which becomes the user, reads a [`SpaceQuestion`] from its standard input, and writes
//! a [`SpaceAnswer`] to its standard output, each one line of JSON.

use serde::{Deserialize, Serialize};

use super::RunAs;

/// Longest answer.
pub const ANSWER_BYTES_MAX: u64 = 1 << 10;

/// What is to be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpaceQuestion {
    /// The user to become first; none if the daemon is not root.
    pub run_as: Option<RunAs>,
    /// A path on the file system.
    pub path: String,
    /// Bytes that must be free.
    pub needed_bytes: u64,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpaceAnswer {
    /// Whether the user can write so much.
    pub enough: bool,
    /// Bytes that are free.
    pub free_bytes: u64,
}
