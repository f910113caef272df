//! A job that a full disk has stopped. It is interrupted, holds no process, memory or threads, and waits until the disk
//! has the space that it needs, for as long as that takes. A full disk is not counted as a failure of the job.
//!
//! The disk is checked after a pause that doubles with each check, from [`PAUSE_MS_MIN`] to [`PAUSE_MS_MAX`]. A job that
//! fails for a full disk though the check has found space, for example because of a quota that the check does not see,
//! waits for the next, longer pause; progress makes the pause short again.

use serde::{Deserialize, Serialize};

use super::{Course, Job, Millis};
use crate::report::event::Shortage;

/// Pause before the first check.
const PAUSE_MS_MIN: Millis = 1_000;
/// Longest pause between two checks.
pub const PAUSE_MS_MAX: Millis = 3 * 60 * 1_000;

/// The disk space that a job waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceWait {
    /// What it lacks, as of the last check.
    pub shortage: Shortage,
    /// Since when it waits.
    pub since: Millis,
}

impl Job {
    /// Notes that a check has found this many bytes free, which are too few. That is no event, because nothing else of
    /// the job changes. Returns false if the job does not wait for space.
    pub fn note_full_disk(&mut self, free_bytes: Option<u64>, now: Millis) -> bool {
        let course = &mut self.course;
        let Some(space) = &mut course.space else {
            return false;
        };
        space.shortage.free_bytes = free_bytes.unwrap_or(space.shortage.free_bytes);
        course.retry_at = Some(course.next_check(now));
        true
    }
}

impl Course {
    /// The process has ended because a disk is full.
    pub(super) fn wait_for_space(
        &mut self,
        shortage: Shortage,
        rows_read: u64,
        reason: String,
        now: Millis,
    ) {
        if rows_read > self.rows_reached {
            self.rows_reached = rows_read;
            (self.failures, self.space_checks) = (0, 0);
        }
        let next_check = self.next_check(now);
        self.wait(reason, next_check);
        self.space = Some(SpaceWait {
            shortage,
            since: now,
        });
    }

    pub(super) fn space_found(&mut self, now: Millis) {
        self.space = None;
        self.retry_at = Some(now);
    }

    /// When the disk, which was just found full, is checked again.
    fn next_check(&mut self, now: Millis) -> Millis {
        let pause = PAUSE_MS_MIN << self.space_checks.min(20);
        self.space_checks = self.space_checks.saturating_add(1);
        now.saturating_add(pause.min(PAUSE_MS_MAX))
    }
}
