//! Jobs that wait for disk space: when the disk of each is checked again. One check of a user at a time, and
//! [`CHECKS_MAX`] in all: a disk that does not answer holds up the checks of its user alone.

use std::collections::{BTreeMap, HashMap};

use super::message::SpaceCheck;
use crate::daemon::job::{Job, JobId, Millis};

/// Most checks at a time.
const CHECKS_MAX: usize = 8;

/// The jobs that wait for disk space.
#[derive(Debug, Default)]
pub(super) struct SpaceQueue {
    by_time: BTreeMap<(Millis, JobId), SpaceCheck>,
    /// When the disk of each is checked, and its user.
    times: HashMap<JobId, (Millis, u32)>,
    /// The jobs whose disks are being checked, and their users.
    checked: HashMap<JobId, u32>,
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

    /// When the next check is due; none while no further one may be made.
    pub(super) fn next_wake(&self, now: Millis) -> Option<Millis> {
        let ((at, _), _) = self.next()?;
        Some((*at).max(now))
    }

    /// The first job of a user whose disks are not being checked.
    fn next(&self) -> Option<(&(Millis, JobId), &SpaceCheck)> {
        let is_free = |uid: u32| !self.checked.values().any(|user| *user == uid);
        let mut jobs = self.by_time.iter();
        (self.checked.len() < CHECKS_MAX)
            .then(|| jobs.find(|(_, check)| is_free(check.uid)))
            .flatten()
    }

    /// The check to start now.
    pub(super) fn next_check(&mut self, now: Millis) -> Option<SpaceCheck> {
        let ((at, id), check) = self.next()?;
        if *at > now {
            return None;
        }
        let (id, check) = (*id, check.clone());
        self.checked.insert(id, check.uid);
        Some(check)
    }

    /// The check of this job's disk has ended.
    pub(super) fn checked(&mut self, id: JobId) {
        self.checked.remove(&id);
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
    fn one_disk_of_a_user_is_checked_at_a_time_and_the_longest_due_first() {
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

    #[test]
    fn a_disk_that_does_not_answer_holds_up_its_user_alone() {
        let mut queue = SpaceQueue::default();
        let users = 1..=10_u32;
        for uid in users.clone() {
            for place in 0..2 {
                let mut job = job(u64::from(10 * uid + place), Some(5));
                job.submission.uid = uid;
                queue.note(&job);
            }
        }
        let started: Vec<u32> =
            std::iter::from_fn(|| queue.next_check(9).map(|check| check.uid)).collect();
        assert_eq!(started, users.take(CHECKS_MAX).collect::<Vec<_>>());
        assert_eq!(queue.next_wake(9), None);
        queue.checked(JobId(20));
        assert_eq!(queue.next_check(9).unwrap().id, JobId(20));
        assert_eq!(queue.next_check(9), None);
    }
}
