use super::*;
use crate::daemon::job::GpuDemand;

mod fair;
mod node;
mod properties;
mod random;

const NODE: Resources = Resources {
    memory_bytes: 1 << 40,
    threads: 16,
    gpus: 0,
};

fn job(id: u64, uid: u32, threads: u32) -> Waiting {
    Waiting {
        id: JobId(id),
        uid,
        gid: uid,
        exempt: false,
        priority: 0,
        demand: Demand {
            memory_bytes: u64::from(threads),
            threads,
            gpu: GpuDemand::None,
        },
        ready_at: 0,
        passed: 0,
    }
}

fn queue(jobs: impl IntoIterator<Item = Waiting>) -> Queue {
    let mut queue = Queue::default();
    jobs.into_iter().for_each(|job| queue.insert(job));
    queue
}

fn running(waiting: Waiting) -> Running {
    Running {
        id: waiting.id,
        uid: waiting.uid,
        demand: waiting.demand,
        gpu: waiting.demand.gpu == GpuDemand::One,
    }
}

fn ids(grants: &[Grant]) -> Vec<u64> {
    grants.iter().map(|grant| grant.id.0).collect()
}

#[test]
fn a_job_fits_the_node_up_to_its_last_byte_and_thread() {
    let budget = Resources {
        memory_bytes: 100,
        threads: 4,
        gpus: 0,
    };
    let fits = |memory_bytes, threads, gpu| {
        let demand = Demand {
            memory_bytes,
            threads,
            gpu,
        };
        fits_node(&demand, &budget)
    };
    assert!(fits(100, 4, GpuDemand::None));
    assert!(fits(100, 4, GpuDemand::IfFree));
    assert!(!fits(101, 4, GpuDemand::None));
    assert!(!fits(100, 5, GpuDemand::None));
    assert!(!fits(1, 1, GpuDemand::One));
}

#[test]
fn higher_priority_first_then_the_user_with_less_then_the_older_job() {
    let urgent = Waiting {
        priority: 1,
        ..job(9, 1, 1)
    };
    let mut queue = queue([
        job(1, 1, 1),
        job(2, 1, 1),
        job(3, 2, 1),
        job(4, 3, 1),
        urgent,
    ]);
    let already = [running(job(100, 3, 2))];
    let grants = queue.round(&NODE, &already, 0);
    // User 2 has nothing; then user 1 has less than user 3; then as much, and the later turn.
    assert_eq!(ids(&grants), [9, 3, 1, 4, 2]);
    assert_eq!(queue.len(), 0);
}

#[test]
fn a_changed_priority_counts_at_once_and_the_passes_stay() {
    let one_at_a_time = Resources { threads: 1, ..NODE };
    let late = 20 * AGEING_MS;
    let often_passed = Waiting {
        passed: 7,
        ..job(4, 1, 1)
    };
    let mut queue = queue([job(1, 1, 1), job(2, 1, 1), job(3, 1, 1), often_passed]);
    let next = |queue: &mut Queue| ids(&queue.round(&one_at_a_time, &[], late));
    assert_eq!(next(&mut queue), [1]);
    let with = |id, priority| Waiting {
        priority,
        ..job(id, 1, 1)
    };
    // The last comes first, and the first comes last, although it has waited for so long.
    queue.replace(with(4, 1), late);
    queue.replace(with(2, -1), late);
    assert_eq!(queue.get(JobId(4)).unwrap().passed, 7);
    assert_eq!(
        [next(&mut queue), next(&mut queue), next(&mut queue)],
        [[4], [3], [2]]
    );
}

#[test]
fn a_gpu_is_taken_if_free_and_waited_for_if_needed() {
    let budget = Resources { gpus: 1, ..NODE };
    let with = |id, gpu| {
        let mut job = job(id, 1, 1);
        job.demand.gpu = gpu;
        job
    };
    let mut queue = queue([
        with(1, GpuDemand::IfFree),
        with(2, GpuDemand::One),
        with(3, GpuDemand::IfFree),
    ]);
    let grants = queue.round(&budget, &[], 0);
    let expected = [(1, Some(0)), (3, None)].map(|(id, place)| Grant {
        id: JobId(id),
        gpu: place.is_some(),
        place,
    });
    assert_eq!(grants, expected);
    let first = Running {
        gpu: true,
        ..running(with(1, GpuDemand::IfFree))
    };
    assert!(queue.round(&budget, &[first], 0).is_empty());
    assert_eq!(ids(&queue.round(&budget, &[], 0)), [2]);
}

#[test]
fn after_eight_passes_the_node_is_reserved() {
    let small = (2..=20).map(|id| job(id, 1, 1));
    let mut queue = queue(small.chain([job(1, 1, 16)]));
    let running = [running(job(100, 2, 1))];
    assert_eq!(
        ids(&queue.round(&NODE, &running, 0)),
        [2, 3, 4, 5, 6, 7, 8, 9]
    );
    assert_eq!(queue.reserved, Some(JobId(1)));
    assert!(queue.round(&NODE, &running, 0).is_empty());
    // The reservation goes with the job, whether it is started or cancelled.
    queue.remove(JobId(1));
    assert_eq!(queue.round(&NODE, &running, 0).len(), 11);
}

#[test]
fn a_job_waits_until_it_is_ready() {
    let late = Waiting {
        ready_at: 500,
        ..job(1, 1, 1)
    };
    let mut queue = queue([late, job(2, 1, 1)]);
    assert_eq!(queue.next_wake(0), Some(0));
    assert_eq!(ids(&queue.round(&NODE, &[], 499)), [2]);
    assert_eq!(queue.next_wake(499), Some(500));
    assert_eq!(ids(&queue.round(&NODE, &[], 500)), [1]);
    assert_eq!(queue.next_wake(500), None);
}

#[test]
fn a_node_that_has_shrunk_starts_what_fits_it() {
    let mut queue = queue([job(1, 1, 17), job(2, 1, 8)]);
    let running = [running(job(100, 1, 12)), running(job(101, 1, u32::MAX))];
    assert!(queue.round(&NODE, &running, 0).is_empty());
    assert_eq!(ids(&queue.round(&NODE, &[], 0)), [2]);
    assert_eq!((queue.len(), queue.reserved), (1, None));
}

#[test]
fn demands_beyond_all_numbers_are_not_admitted() {
    let mut huge = job(1, 1, u32::MAX);
    huge.demand.memory_bytes = u64::MAX;
    let budget = Resources {
        memory_bytes: u64::MAX,
        threads: u32::MAX,
        gpus: 0,
    };
    let mut queue = queue([
        huge,
        Waiting {
            id: JobId(2),
            ..huge
        },
    ]);
    assert_eq!(ids(&queue.round(&budget, &[], 0)), [1]);
    assert!(
        queue
            .round(&budget, &[running(huge), running(huge)], 0)
            .is_empty()
    );
}
