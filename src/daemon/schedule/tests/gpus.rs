//! Which GPU a job gets, and what a GPU that is left out means for the others.

use super::*;
use crate::{
    daemon::gpus::{GpuPolicy, Gpus},
    nvidia::NvidiaDevice,
};

const BUDGET: Resources = Resources { gpus: 4, ..NODE };

fn devices(celsius: [u32; 2]) -> Vec<NvidiaDevice> {
    let device = |(uuid, celsius): (&str, u32)| NvidiaDevice {
        uuid: Some(uuid.into()),
        memory_bytes: Some(24 << 30),
        temperature_celsius: Some(celsius),
        slowdown_celsius: Some(90),
        ..NvidiaDevice::default()
    };
    ["GPU-a", "GPU-b"]
        .into_iter()
        .zip(celsius)
        .map(device)
        .collect()
}

fn gpus(jobs_each: u32, celsius: [u32; 2]) -> Gpus {
    let policy = GpuPolicy {
        jobs_each,
        ..GpuPolicy::default()
    };
    Gpus::choose(policy, 2 * jobs_each, &devices(celsius))
}

/// A queue of jobs, numbered from 1, with so much memory (GiB) and these wishes.
fn queue(jobs: &[(u64, GpuDemand)]) -> Queue {
    let mut queue = Queue::default();
    for (id, (gib, gpu)) in (1..).zip(jobs) {
        let mut job = job(id, 1, 1);
        job.demand.memory_bytes = gib << 30;
        job.demand.gpu = *gpu;
        queue.insert(job);
    }
    queue
}

/// The jobs that a round starts, each with its GPU.
fn started(queue: &mut Queue, left: GpusLeft) -> Vec<(u64, Option<usize>)> {
    let grants = queue.round_on(&BUDGET, left, &[], 0);
    grants
        .iter()
        .map(|grant| (grant.id.0, grant.place))
        .collect()
}

use GpuDemand::{IfFree, None as NoGpu, One};

#[test]
fn each_job_gets_a_gpu_of_its_own_as_long_as_there_are_some() {
    let mut waiting = queue(&[(1, One), (1, NoGpu), (1, IfFree), (1, IfFree), (1, One)]);
    let left = gpus(1, [50, 50]).left([]);
    let expected = [(1, Some(0)), (2, None), (3, Some(1)), (4, None)];
    assert_eq!(started(&mut waiting, left), expected);
    // The one that is left gets what the first one had.
    assert_eq!(
        started(&mut waiting, gpus(1, [50, 50]).left([(1, 0)])),
        [(5, Some(0))]
    );
}

#[test]
fn a_gpu_that_is_left_out_takes_nothing_and_who_needs_it_delays_nobody() {
    let mut waiting = queue(&[(1, One), (1, One), (1, IfFree), (1, NoGpu)]);
    let hot = gpus(1, [95, 50]).left([]);
    assert_eq!(
        started(&mut waiting, hot),
        [(1, Some(1)), (3, None), (4, None)]
    );
    // Both are hot: however often others start, the node is not reserved.
    let mut waiting = queue(&[(1, One)]);
    for id in 10..10 + 3 * u64::from(PASSES_MAX) {
        waiting.insert(job(id, 1, 1));
        let left = gpus(1, [95, 95]).left([]);
        assert_eq!(started(&mut waiting, left), [(id, None)]);
    }
    assert_eq!(
        started(&mut waiting, gpus(1, [95, 50]).left([])),
        [(1, Some(1))]
    );
}

#[test]
fn jobs_share_a_gpu_if_its_memory_holds_both() {
    // With 40 GiB a job may need 10 GiB and a little more than 1 of a GPU that has 24.
    let mut waiting = queue(&[(40, One), (40, One), (40, One), (40, One), (40, IfFree)]);
    let left = gpus(2, [50, 50]).left([]);
    let expected = [
        (1, Some(0)),
        (2, Some(1)),
        (3, Some(0)),
        (4, Some(1)),
        (5, None),
    ];
    assert_eq!(started(&mut waiting, left), expected);
    let mut waiting = queue(&[(60, One), (60, One), (60, One), (4, One)]);
    let left = gpus(2, [50, 50]).left([]);
    let expected = [(1, Some(0)), (2, Some(1)), (4, Some(0))];
    assert_eq!(started(&mut waiting, left), expected);
    // One that no GPU could ever hold is left out.
    let mut waiting = queue(&[(100, One), (1, One)]);
    assert_eq!(
        started(&mut waiting, gpus(2, [50, 50]).left([])),
        [(2, Some(0))]
    );
}
