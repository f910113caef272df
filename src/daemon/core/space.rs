//! Jobs that wait for disk space: when the disk of each is checked again, one check at a time.

use std::collections::{BTreeMap, HashMap};

use super::message::SpaceCheck;
use crate::daemon::job::{Job, JobId, Millis};

/// The jobs that wait for disk space.
#[derive(Debug, Default)]
pub(super) struct SpaceQueue {
    by_time: BTreeMap<(Millis, JobId), SpaceCheck>,
    /// When the disk of each is checked, and its user.
    times: HashMap<JobId, (Millis, u32)>,
    /// The job whose disk is being checked.
    checked: Option<JobId>,
}

impl SpaceQueue {
    /// Adds a job that waits for space; removes one that does not. Returns whether it waits.
    pub(super) fn note(&mut self, job: &Job) -> bool {
        let id = job.id;
        if let Some((at, _)) = self.times.remove(&id) {
            self.by_time.remove(&(at, id));
        }
        let Some(space) = job.course.space.as_ref() else {
            return false;
        };
        let at = job.course.retry_at.unwrap_or_default();
        let check = SpaceCheck {
            id,
            uid: job.submission.uid,
            path: space.shortage.path.clone(),
            needed_bytes: space.shortage.needed_bytes,
        };
        self.times.insert(id, (at, job.submission.uid));
        self.by_time.insert((at, id), check);
        true
    }

    /// Number of jobs that wait for space.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// Number of jobs of a user that wait for space.
    pub(super) fn count_of(&self, uid: u32) -> u64 {
        let of_user = |(_, user): &&(Millis, u32)| *user == uid;
        self.times.values().filter(of_user).count() as u64
    }

    /// When the next check is due; none while one is under way.
    pub(super) fn next_wake(&self, now: Millis) -> Option<Millis> {
        let ((at, _), _) = self.by_time.first_key_value()?;
        self.checked.is_none().then_some((*at).max(now))
    }

    /// The check to start now.
    pub(super) fn next_check(&mut self, now: Millis) -> Option<SpaceCheck> {
        let ((_, id), check) = self.by_time.first_key_value()?;
        if self.next_wake(now)? > now {
            return None;
        }
        let check = check.clone();
        self.checked = Some(*id);
        Some(check)
    }

    /// The check of this job's disk has ended.
    pub(super) fn checked(&mut self, id: JobId) {
        self.checked.take_if(|checked| *checked == id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        daemon::job::{SpaceWait, State, Submission},
        report::event::Shortage,
    };

    fn job(id: u64, check_at: Option<Millis>) -> Job {
        let mut job = Job::new(JobId(id), Submission::plain(), 0);
        job.course.state = State::Interrupted;
        job.course.retry_at = check_at;
        job.course.space = check_at.map(|_| SpaceWait {
            shortage: Shortage::default(),
            since: 0,
        });
        job
    }

    #[test]
    fn one_disk_is_checked_at_a_time_and_the_longest_due_first() {
        let mut queue = SpaceQueue::default();
        for (id, at) in [(1, 30), (2, 10), (3, 20)] {
            assert!(queue.note(&job(id, Some(at))));
        }
        assert_eq!((queue.len(), queue.next_wake(5)), (3, Some(10)));
        assert_eq!(queue.next_check(9), None);
        assert_eq!(queue.next_check(50).unwrap().id, JobId(2));
        assert_eq!((queue.next_wake(50), queue.next_check(50)), (None, None));
        // It is full still.
        queue.note(&job(2, Some(100)));
        queue.checked(JobId(2));
        assert_eq!(queue.next_wake(50), Some(50));
        // A job that is cancelled waits no longer.
        assert!(!queue.note(&job(3, None)));
        assert_eq!(queue.next_check(50).unwrap().id, JobId(1));
        assert!(!queue.note(&job(1, None)));
        queue.checked(JobId(1));
        assert_eq!((queue.len(), queue.next_wake(50)), (1, Some(100)));
    }
}
