//! Room in the queue of waiting jobs, for the submissions of one transaction.

use std::{cell::RefCell, collections::HashMap};

use super::waits::Waits;
use crate::{
    daemon::{
        action::Caller,
        admission,
        job::{Job, JobChange, Submission},
        quota::Quota,
        refusal::Refusal,
        settings::ServeSettings,
    },
    limits::{FEW_WAITING_JOBS, WAITING_JOBS_MAX, WAITING_JOBS_OF_ADMINS, WAITING_JOBS_OF_FEW},
    units::{count, counted},
};

/// Waiting jobs from which on only admins may submit.
const FULL: usize = WAITING_JOBS_MAX - WAITING_JOBS_OF_ADMINS;

/// What the queue has room for.
pub(super) struct Room<'a> {
    waits: &'a Waits,
    settings: &'a ServeSettings,
    /// Jobs of the transaction, by user.
    added: RefCell<HashMap<u32, u64>>,
}

impl<'a> Room<'a> {
    pub(super) fn new(waits: &'a Waits, settings: &'a ServeSettings) -> Self {
        Self {
            waits,
            settings,
            added: RefCell::default(),
        }
    }

    /// Why there is no room for a job.
    pub(super) fn refusal(&self, submission: &Submission) -> Option<Refusal> {
        let added = self.added.borrow();
        let uid = submission.uid;
        let own = self.waits.count_of(uid) + added.get(&uid).copied().unwrap_or(0);
        let all = self.waits.len() as u64 + added.values().sum::<u64>();
        if submission.exempt {
            return (all >= WAITING_JOBS_MAX as u64).then_some(Refusal::QueueFull(all));
        }
        let quota = self.quota(submission);
        if own >= quota.waiting {
            let quota = counted(quota.waiting, "waiting job");
            return Some(Refusal::Quota(format!(
                "your quota is {quota}, and {} wait; submit more when some have started, or cancel some",
                count(own)
            )));
        }
        let full = match own < FEW_WAITING_JOBS as u64 {
            true => FULL,
            false => FULL - WAITING_JOBS_OF_FEW,
        };
        (all >= full as u64).then_some(Refusal::QueueFull(all))
    }

    /// Whether the caller may make this change, and the job fits after it.
    pub(super) fn allows(
        &self,
        caller: Caller,
        job: &Job,
        change: &JobChange,
    ) -> Result<(), Refusal> {
        let ServeSettings { quotas, budget, .. } = self.settings;
        admission::check_change(caller, job, change, (budget, quotas))
    }

    /// A job of this user is added.
    pub(super) fn take(&self, uid: u32) {
        *self.added.borrow_mut().entry(uid).or_default() += 1;
    }

    fn quota(&self, submission: &Submission) -> Quota {
        let ServeSettings { quotas, budget, .. } = self.settings;
        quotas.of(submission.uid, submission.gid, budget)
    }
}

/// Whether so many waiting jobs leave room for admins only.
pub(super) fn is_full(waiting: u64) -> bool {
    waiting >= FULL as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::{
        job::{Demand, GpuDemand, JobId},
        schedule::Waiting,
        settings::ServeSettings,
    };

    /// Users have so many waiting jobs.
    fn waits(users: &[(u32, u64)]) -> Waits {
        let mut waits = Waits::default();
        let jobs = users
            .iter()
            .flat_map(|(uid, count)| (0..*count).map(|_| *uid));
        for (id, uid) in (1..).zip(jobs) {
            waits.queue.insert(Waiting {
                id: JobId(id),
                uid,
                gid: uid,
                exempt: false,
                priority: 0,
                demand: Demand {
                    memory_bytes: 1,
                    threads: 1,
                    gpu: GpuDemand::None,
                },
                ready_at: 0,
                passed: 0,
            });
        }
        waits
    }

    fn submission(uid: u32, exempt: bool) -> Submission {
        Submission {
            uid,
            gid: uid,
            exempt,
            ..Submission::plain()
        }
    }

    #[test]
    fn one_user_fills_a_quarter_and_all_together_leave_room_for_admins() {
        let settings = ServeSettings::plain();
        let full = [(1, 5_000), (2, 5_000), (3, 5_000), (4, 3_000)];
        let waits = waits(&full);
        let room = Room::new(&waits, &settings);
        let refused = room.refusal(&submission(1, false));
        assert!(
            matches!(&refused, Some(Refusal::Quota(said)) if said.contains("5,000")),
            "{refused:?}"
        );
        // The next 1,000 are for users who have few.
        let refused = room.refusal(&submission(4, false));
        assert_eq!(refused, Some(Refusal::QueueFull(18_000)));
        for uid in 100..110 {
            for _ in 0..100 {
                assert_eq!(room.refusal(&submission(uid, false)), None);
                room.take(uid);
            }
            let refused = room.refusal(&submission(uid, false));
            assert!(
                matches!(refused, Some(Refusal::QueueFull(_))),
                "{refused:?}"
            );
        }
        let full = Some(Refusal::QueueFull(19_000));
        assert_eq!(room.refusal(&submission(200, false)), full);
        assert!(is_full(19_000) && !is_full(18_999));
        // The last 1,000 are for admins, one of whom is user 1.
        for _ in 0..1_000 {
            assert_eq!(room.refusal(&submission(1, true)), None);
            room.take(1);
        }
        let full = Some(Refusal::QueueFull(20_000));
        assert_eq!(room.refusal(&submission(1, true)), full);
    }

    #[test]
    fn jobs_of_one_transaction_count() {
        let settings = ServeSettings::plain();
        let waits = waits(&[(1, 4_999)]);
        let room = Room::new(&waits, &settings);
        assert_eq!(room.refusal(&submission(1, false)), None);
        room.take(1);
        assert!(room.refusal(&submission(1, false)).is_some());
    }
}
