//! The disk space that a job waits for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::timestamp;
use crate::daemon::job::SpaceWait;

/// The disk space that a job waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = SpaceWait)]
pub struct SpaceWaitView {
    /// A directory on the file system that is full.
    pub path: String,
    /// Free bytes with which the job continues.
    pub needed_bytes: u64,
    /// Bytes that were free when the daemon last checked.
    pub free_bytes: u64,
    /// Whether a quota is used up, and not the file system.
    pub quota: bool,
    /// Time since which the job waits.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

impl From<&SpaceWait> for SpaceWaitView {
    fn from(wait: &SpaceWait) -> Self {
        let shortage = &wait.shortage;
        Self {
            path: shortage.path.clone(),
            needed_bytes: shortage.needed_bytes,
            free_bytes: shortage.free_bytes,
            quota: shortage.quota,
            since: timestamp(wait.since),
        }
    }
}
