//! Random mixes of jobs on a simulated node. The node checks each round (see there): nothing is
//! over-committed, jobs of equal demand stay in order, nothing that fits is left out.

use std::collections::HashSet;

use proptest::prelude::*;

use super::{
    node::{Arrival, SimulatedNode},
    *,
};

pub const RUNS_MS_MAX: Millis = 1_000;

pub fn budgets() -> impl Strategy<Value = Resources> {
    (1..=64u64, 1..=16u32, 0..=2u32).prop_map(|(memory_bytes, threads, gpus)| Resources {
        memory_bytes,
        threads,
        gpus,
    })
}

/// A job that fits the node: small ones are frequent, whole nodes come too.
pub fn demands(budget: Resources) -> impl Strategy<Value = Demand> {
    let up_to = |most: u64| prop_oneof![3 => 1..=most.div_ceil(4), 2 => 1..=most, 1 => Just(most)];
    let mut gpus = vec![GpuDemand::None, GpuDemand::None, GpuDemand::IfFree];
    if budget.gpus > 0 {
        gpus.push(GpuDemand::One);
    }
    (
        up_to(budget.memory_bytes),
        up_to(budget.threads.into()),
        prop::sample::select(gpus),
    )
        .prop_map(|(memory_bytes, threads, gpu)| Demand {
            memory_bytes,
            threads: threads as u32,
            gpu,
        })
}

fn mixes(
    priorities: std::ops::RangeInclusive<i32>,
    late_ms_max: Millis,
) -> impl Strategy<Value = (Resources, Vec<Arrival>)> {
    let one = move |budget| {
        let late = prop_oneof![9 => Just(0), 1 => 0..=late_ms_max];
        let gap = prop_oneof![Just(0), 0..=200 as Millis];
        let runs = 1..=RUNS_MS_MAX;
        (
            0..4u32,
            priorities.clone(),
            demands(budget),
            gap,
            late,
            runs,
        )
    };
    let many = move |budget| (Just(budget), prop::collection::vec(one(budget), 1..120));
    budgets().prop_flat_map(many).prop_map(|(budget, jobs)| {
        let (mut id, mut at) = (0, 0);
        let arrivals = jobs
            .into_iter()
            .map(|(uid, priority, demand, gap, late, runs_ms)| {
                id += 1;
                at += gap;
                Arrival {
                    waiting: Waiting {
                        id: JobId(id),
                        uid,
                        gid: uid,
                        exempt: false,
                        priority,
                        demand,
                        ready_at: at + late,
                        passed: 0,
                    },
                    submitted_at: at,
                    runs_ms,
                }
            });
        (budget, arrivals.collect())
    })
}

/// The bound of the module: longest run time, waiting jobs of the user before the job, other users.
pub fn bound_ms(runs_ms_max: Millis, before: usize, others: usize) -> Millis {
    let foreign = (OVERTAKEN_MAX as usize + 1) * others + 3;
    runs_ms_max * ((before + 1) * (PASSES_MAX as usize + 1) * foreign) as Millis
}

/// Checks each job's wait against the bound that the module derives, and how many later jobs of its own
/// line were started before it.
fn check_waits(node: &SimulatedNode, arrivals: &[Arrival]) {
    let users: HashSet<_> = arrivals.iter().map(|arrival| arrival.waiting.uid).collect();
    for (place, arrival) in arrivals.iter().enumerate() {
        let Waiting { id, uid, .. } = arrival.waiting;
        let started = node.started[&id];
        let stands_before = |other: &&Arrival| {
            other.waiting.uid == uid && node.started[&other.waiting.id] > arrival.submitted_at
        };
        let before = arrivals[..place].iter().filter(stands_before).count();
        let waited = started - arrival.submitted_at;
        assert!(
            waited <= bound_ms(RUNS_MS_MAX, before, users.len() - 1),
            "{id} waited {waited} ms: {before} before"
        );
        let overtakes = |other: &&Arrival| {
            other.waiting.uid == uid && node.started[&other.waiting.id] < started
        };
        let passed = arrivals[place + 1..].iter().filter(overtakes).count();
        assert!(
            passed <= PASSES_MAX as usize,
            "{id} was passed {passed} times"
        );
    }
}

/// One job of half the node's threads a step, for `steps` steps, for each of the users.
fn stream(users: &[u32], steps: u64, priority: i32, step_ms: Millis, threads: u32) -> Vec<Arrival> {
    let per_step = users.len() as u64;
    (0..steps * per_step)
        .map(|index| {
            let submitted_at = (index / per_step) as Millis * step_ms;
            let waiting = Waiting {
                priority,
                ready_at: submitted_at,
                ..job(index + 1, users[(index % per_step) as usize], threads)
            };
            Arrival {
                waiting,
                submitted_at,
                runs_ms: 2 * step_ms,
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn every_job_of_every_mix_is_started((budget, arrivals) in mixes(-3..=3, 5_000)) {
        SimulatedNode::new(budget).run_all(&arrivals);
    }

    #[test]
    fn no_job_waits_longer_than_the_bound((budget, arrivals) in mixes(0..=0, 0)) {
        let mut node = SimulatedNode::new(budget);
        node.run_all(&arrivals);
        check_waits(&node, &arrivals);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Small jobs come faster than the node can do them, beside one that takes all of it.
    #[test]
    fn a_stream_of_small_jobs_does_not_starve_a_large_one(
        users in prop::sample::select(vec![vec![1], vec![1, 2], vec![1, 2, 3, 4, 5]]),
        large_uid in 1..7u32,
        place in 0..300usize,
    ) {
        let mut node = SimulatedNode::new(NODE);
        let mut arrivals = stream(&users, 400, 0, RUNS_MS_MAX / 2, NODE.threads / 4);
        let place = place.min(arrivals.len() - 1);
        let large = &mut arrivals[place].waiting;
        (large.uid, large.demand.threads) = (large_uid, NODE.threads);
        node.run_all(&arrivals);
        check_waits(&node, &arrivals);
    }

    #[test]
    fn two_users_with_endless_queues_run_as_many_jobs(
        threads in 1..6u32,
        ends in prop::collection::vec((1..200 as Millis, 1..=RUNS_MS_MAX), 300),
    ) {
        let mut node = SimulatedNode::new(NODE);
        for (index, (_, runs_ms)) in ends.iter().enumerate() {
            // All of the first user's jobs stand before all of the second's.
            let waiting = job(index as u64 + 1, u32::from(index >= ends.len() / 2), threads);
            node.submit(Arrival { waiting, submitted_at: 0, runs_ms: *runs_ms });
        }
        for (pause, _) in &ends {
            node.round();
            let both = [0, 1].map(|uid| node.waiting.values().any(|next| next.waiting.uid == uid));
            if both != [true, true] {
                break;
            }
            let [first, second] = [0, 1].map(|uid| {
                node.running.iter().filter(|(running, _)| running.uid == uid).count()
            });
            prop_assert!(first.abs_diff(second) <= 1, "{first} and {second}");
            node.now += pause;
        }
    }

    #[test]
    fn one_job_of_a_user_does_not_wait_for_a_thousand_of_another(
        threads in 1..=NODE.threads,
        later in 0..5_000 as Millis,
    ) {
        let mut node = SimulatedNode::new(NODE);
        let many = (1..=1_000).map(|id| Arrival {
            waiting: job(id, 1, threads),
            submitted_at: 0,
            runs_ms: 100 + id as Millis % 7,
        });
        let mut arrivals: Vec<_> = many.collect();
        let waiting = Waiting { ready_at: later, ..job(1_001, 2, threads) };
        arrivals.push(Arrival { waiting, submitted_at: later, runs_ms: 100 });
        node.run_all(&arrivals);
        let started = node.started[&JobId(1_001)];
        prop_assert!(started - later <= 107, "started after {} ms", started - later);
        let between = node.started.iter().filter(|(id, at)| id.0 <= 1_000 && later < **at && **at < started);
        prop_assert_eq!(between.count(), 0);
    }

    /// Urgent jobs come faster than the node can do them, for days, beside one at the lowest priority.
    #[test]
    fn a_stream_of_urgent_jobs_does_not_starve_an_unimportant_one(
        priority in -10..10i32,
        threads in 1..=NODE.threads,
    ) {
        const STEP_MS: Millis = 10 * 60 * 1_000;
        let mut node = SimulatedNode::new(NODE);
        let mut arrivals = stream(&[1, 2], 250, 10, STEP_MS, NODE.threads / 2);
        let place = 20;
        let (id, at) = (arrivals[place].waiting.id, arrivals[place].submitted_at);
        arrivals[place].waiting = Waiting { priority, ready_at: at, ..job(id.0, 3, threads) };
        node.run_all(&arrivals);
        let waited = node.started[&id] - at;
        let steps = Millis::from(10 - priority);
        // One step more, because at equal rank the higher priority goes first.
        let passes = Millis::from(PASSES_MAX) + 1;
        prop_assert!(waited <= (steps + 1) * AGEING_MS + passes * 2 * STEP_MS, "{waited}");
        prop_assert!(waited >= steps * AGEING_MS - 2 * STEP_MS, "{waited}");
    }
}
