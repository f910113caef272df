//! Quotas and recent use, one case each.

use std::collections::HashMap;

use super::{
    node::{Arrival, HALF_LIFE_MS, SimulatedNode},
    properties::bound_ms,
    *,
};
use crate::daemon::quota::{Amount, QuotaTable};

const MINUTE: Millis = 60_000;

/// A quota of so many threads for one user.
fn threads_of(uid: u32, threads: u64) -> Arc<QuotaRules> {
    let table = QuotaTable {
        threads: Some(Amount::Absolute(threads)),
        ..QuotaTable::default()
    };
    Arc::new(QuotaRules {
        users: HashMap::from([(uid, table)]),
        ..QuotaRules::default()
    })
}

fn limited(threads: u64, jobs: impl IntoIterator<Item = Waiting>) -> Queue {
    let mut queue = queue(jobs);
    queue.set_policy(threads_of(1, threads), HALF_LIFE_MS, 0);
    queue
}

#[test]
fn a_quota_holds_jobs_back_and_others_start() {
    let jobs = [job(1, 1, 3), job(2, 1, 3), job(3, 2, 4), job(4, 1, 1)];
    let mut queue = limited(4, jobs);
    // Job 2 would exceed the quota; job 4 does not.
    assert_eq!(ids(&queue.round(&NODE, &[], 0)), [1, 3, 4]);
    assert_eq!(queue.reserved, None);
    assert_eq!(queue.get(JobId(2)).unwrap().passed, 1);
    let first = running(job(1, 1, 3));
    assert!(queue.round(&NODE, &[first], 0).is_empty());
    assert_eq!(ids(&queue.round(&NODE, &[], 0)), [2]);
}

#[test]
fn a_job_that_the_quota_holds_is_passed_eight_times_by_its_user() {
    let small = (2..=20).map(|id| job(id, 1, 1));
    let others = (30..=31).map(|id| job(id, 2, 1));
    let mut queue = limited(12, small.chain([job(1, 1, 12)]).chain(others));
    let already = [running(job(100, 1, 1))];
    let mut started = ids(&queue.round(&NODE, &already, 0));
    started.sort_unstable();
    assert_eq!(started, [2, 3, 4, 5, 6, 7, 8, 9, 30, 31]);
    assert_eq!(queue.reserved, None, "the node is for others");
    assert!(queue.round(&NODE, &already, 0).is_empty());
    assert_eq!(ids(&queue.round(&NODE, &[], 0)), [1]);
}

#[test]
fn a_job_above_the_quota_alone_and_an_exempt_one() {
    let exempt = Waiting {
        exempt: true,
        ..job(3, 1, 8)
    };
    let mut queue = limited(4, [job(1, 1, 5), job(2, 1, 4), exempt]);
    // Job 1 delays nobody, and starts once the quota is raised.
    assert_eq!(ids(&queue.round(&NODE, &[], 0)), [2, 3]);
    assert!(queue.round(&NODE, &[], 0).is_empty());
    queue.set_policy(threads_of(1, 5), HALF_LIFE_MS, 0);
    assert_eq!(ids(&queue.round(&NODE, &[], 0)), [1]);
}

#[test]
fn a_gpu_above_the_quota_is_not_taken_if_it_is_not_needed() {
    let budget = Resources { gpus: 2, ..NODE };
    let table = QuotaTable {
        gpus: Some(Amount::Percent(50)),
        ..QuotaTable::default()
    };
    let with = |id, gpu| {
        let mut job = job(id, 1, 1);
        job.demand.gpu = gpu;
        job
    };
    let jobs = [
        with(1, GpuDemand::IfFree),
        with(2, GpuDemand::IfFree),
        with(3, GpuDemand::One),
    ];
    let mut queue = queue(jobs);
    let rules = QuotaRules {
        each: table,
        ..QuotaRules::default()
    };
    queue.set_policy(Arc::new(rules), HALF_LIFE_MS, 0);
    let grants = queue.round(&budget, &[], 0);
    let grants: Vec<_> = grants.iter().map(|grant| (grant.id.0, grant.gpu)).collect();
    assert_eq!(grants, [(1, true), (2, false)]);
}

#[test]
fn the_user_with_the_smaller_recent_use_comes_first_also_after_a_restart() {
    let one_at_a_time = Resources { threads: 1, ..NODE };
    let mut before = queue([job(1, 1, 1)]);
    assert_eq!(ids(&before.round(&one_at_a_time, &[], 0)), [1]);
    let first = [running(job(1, 1, 1))];
    assert!(before.round(&one_at_a_time, &first, 60 * MINUTE).is_empty());
    let stored = before.take_changed_use(60 * MINUTE);
    assert_eq!((stored.len(), stored[0].uid), (1, 1));
    let mut after = queue([job(2, 1, 1), job(3, 2, 1)]);
    after.restore_use(stored);
    assert_eq!(ids(&after.round(&one_at_a_time, &[], 60 * MINUTE)), [3]);
}

/// A user floods the node for hours; then two others come. Their first jobs start as soon as a job ends, and the others
/// soon after.
#[test]
fn three_users_of_whom_one_floods() {
    const RUNS_MS: Millis = 10 * MINUTE;
    let mut node = SimulatedNode::new(Resources { threads: 4, ..NODE });
    let arrival = |id, uid, submitted_at| Arrival {
        waiting: Waiting {
            ready_at: submitted_at,
            ..job(id, uid, 1)
        },
        submitted_at,
        runs_ms: RUNS_MS,
    };
    let mut arrivals: Vec<_> = (1..=400).map(|id| arrival(id, 1, 0)).collect();
    let late = 300 * MINUTE + 1;
    arrivals.extend((0..8).map(|n| arrival(1_000 + n, 2 + n as u32 % 2, late)));
    node.run_all(&arrivals);
    for (place, id) in (1_000..1_008).enumerate() {
        let waited = node.started[&JobId(id)] - late;
        assert!(waited <= bound_ms(RUNS_MS, place / 2, 2));
        // The first of each starts at the next end. Then the user who has flooded gets one place of four.
        let expected = if place < 2 { RUNS_MS } else { 3 * RUNS_MS };
        assert!(waited <= expected, "{id} waited {waited} ms");
    }
}

/// The heavy user is slowed down, but not starved: one start of 17.
#[test]
fn a_heavy_user_is_overdue_after_sixteen_starts_of_another() {
    let one_at_a_time = Resources { threads: 1, ..NODE };
    let light = (1..=40).map(|id| job(id, 2, 1));
    let mut queue = queue(light.chain([job(100, 1, 1), job(101, 1, 1)]));
    let heavy = RecentUse {
        uid: 1,
        share: 1.0,
        at: 0,
    };
    queue.restore_use(vec![heavy]);
    let order: Vec<u64> = (0..34)
        .flat_map(|_| ids(&queue.round(&one_at_a_time, &[], 0)))
        .collect();
    let places: Vec<_> = (0..order.len())
        .filter(|place| order[*place] >= 100)
        .collect();
    assert_eq!(places, [16, 33]);
}
