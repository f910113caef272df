//! Full disks of jobs.

use super::{CoreLoop, now};
use crate::{
    daemon::{
        core::message::Launch,
        job::{Job, Millis},
        snapshot::Notice,
    },
    units::ByteSize,
};

impl CoreLoop {
    /// Has the disks checked on which jobs wait for space, those that are due.
    pub(super) fn check_space(&mut self) {
        let now = now();
        while self.next_space_check(now).is_some()
            && let Some(check) = self.waits.space.next_check(now)
        {
            // If the supervisor is gone, the daemon is about to stop.
            self.launches.send(Launch::SpaceCheck(check)).ok();
        }
    }

    /// When the next check is due; none while no job would start anyway.
    pub(super) fn next_space_check(&self, now: Millis) -> Option<Millis> {
        let starts_jobs = !self.draining && !self.full_disk.is_full();
        self.waits.space.next_wake(now).filter(|_| starts_jobs)
    }

    /// Updates memory to a committed job whose disk was checked. Unless there is space, only the time of the next check
    /// has changed.
    pub(super) fn note_checked(&mut self, job: &Job) {
        self.waits.note(job, &self.shared.settings().budget);
        if job.course.space.is_some() {
            return;
        }
        let (id, owner) = (job.id, job.submission.uid);
        tracing::info!(job = id.0, owner, "job {id} has disk space again");
        self.publish(Notice::State(id, job.course.state));
    }
}

/// Logs that a job waits for space, if it does.
pub(super) fn log_wait(job: &Job) {
    let Some(space) = &job.course.space else {
        return;
    };
    let (id, owner, shortage) = (job.id, job.submission.uid, &space.shortage);
    let [needed, free] = [shortage.needed_bytes, shortage.free_bytes].map(ByteSize);
    tracing::warn!(
        job = id.0,
        owner,
        path = shortage.path,
        "job {id} waits for disk space: {needed} must be free and {free} are"
    );
}
