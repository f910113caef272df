//! Random schedules with quotas: submissions, ends, cancellations, changes of quotas and of the budget. The node
//! checks each start: neither budget nor quota is exceeded. As long as budget and quotas stay as they are, the bound
//! of the waiting time holds.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{
    node::{Arrival, SimulatedNode},
    properties::{RUNS_MS_MAX, bound_ms, budgets, demands},
    *,
};
use crate::daemon::quota::{Amount, QuotaGroup, QuotaTable};

const USERS: u32 = 4;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Submit {
        uid: u32,
        demand: Demand,
        exempt: bool,
        runs_ms: Millis,
    },
    Cancel(usize),
    Quotas(QuotaRules),
    Budget(Resources),
}

fn amounts(most: u64) -> impl Strategy<Value = Option<Amount<u64>>> {
    prop_oneof![
        2 => Just(None),
        3 => (0..=most).prop_map(|number| Some(Amount::Absolute(number))),
        3 => (0..=100u32).prop_map(|percent| Some(Amount::Percent(percent))),
        1 => Just(Some(Amount::Unlimited)),
    ]
}

fn tables() -> impl Strategy<Value = QuotaTable> {
    (amounts(4), amounts(16), amounts(64), amounts(2)).prop_map(
        |(running, threads, memory, gpus)| QuotaTable {
            waiting: None,
            running: running.filter(|amount| !matches!(amount, Amount::Percent(_))),
            threads,
            memory: memory.map(|amount| match amount {
                Amount::Absolute(bytes) => Amount::Absolute(bytes.into()),
                Amount::Percent(percent) => Amount::Percent(percent),
                Amount::Unlimited => Amount::Unlimited,
            }),
            gpus,
        },
    )
}

fn quotas() -> impl Strategy<Value = QuotaRules> {
    let users = prop::collection::hash_map(0..USERS, tables(), 0..3);
    (tables(), users, tables()).prop_map(|(each, users, table)| QuotaRules {
        each,
        users: HashMap::from_iter(users),
        groups: vec![QuotaGroup {
            gid: 0,
            members: vec![1],
            table,
        }],
    })
}

fn submissions() -> impl Strategy<Value = Step> {
    let whole = Resources {
        memory_bytes: 64,
        threads: 16,
        gpus: 2,
    };
    let exempt = prop_oneof![9 => Just(false), 1 => Just(true)];
    (0..USERS, demands(whole), exempt, 1..=RUNS_MS_MAX).prop_map(
        |(uid, demand, exempt, runs_ms)| Step::Submit {
            uid,
            demand,
            exempt,
            runs_ms,
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<(Millis, Step)>> {
    let step = prop_oneof![
        12 => submissions(),
        1 => any::<usize>().prop_map(Step::Cancel),
        1 => quotas().prop_map(Step::Quotas),
        1 => budgets().prop_map(Step::Budget),
    ];
    prop::collection::vec((prop_oneof![Just(0), 0..=300 as Millis], step), 1..80)
}

fn arrival(node: &SimulatedNode, id: u64, uid: u32, demand: Demand, runs_ms: Millis) -> Arrival {
    Arrival {
        waiting: Waiting {
            demand,
            ready_at: node.now,
            ..job(id, uid, 1)
        },
        submitted_at: node.now,
        runs_ms,
    }
}

/// Plays rounds until a time: at each end of a job.
fn play_until(node: &mut SimulatedNode, until: Millis) {
    loop {
        node.round();
        let next = node.running.iter().map(|(_, end)| *end).min();
        match next.filter(|end| *end <= until) {
            Some(end) => node.now = end,
            None => break,
        }
    }
    node.now = until;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn neither_quota_nor_budget_is_exceeded_and_all_that_can_run_starts(
        budget in budgets(),
        rules in quotas(),
        steps in steps(),
    ) {
        let mut node = SimulatedNode::new(budget);
        node.set_quotas(rules);
        let mut id = 0;
        for (pause, step) in steps {
            let next = node.now + pause;
            play_until(&mut node, next);
            match step {
                Step::Submit { uid, demand, exempt, runs_ms } => {
                    id += 1;
                    let mut arrival = arrival(&node, id, uid, demand, runs_ms);
                    arrival.waiting.exempt = exempt;
                    node.submit(arrival);
                }
                Step::Cancel(place) => {
                    let waiting = node.waiting.len().max(1);
                    if let Some(id) = node.waiting.keys().nth(place % waiting).copied() {
                        node.waiting.remove(&id);
                        node.queue.remove(id);
                    }
                }
                Step::Quotas(rules) => node.set_quotas(rules),
                Step::Budget(budget) => node.set_budget(budget),
            }
            node.round();
        }
        // From here on nothing changes: what can run starts within the bound.
        let users = USERS as usize - 1;
        let waiting: Vec<Waiting> = node.waiting.values().map(|next| next.waiting).collect();
        let from = node.now;
        play_until(&mut node, from + bound_ms(RUNS_MS_MAX, waiting.len(), users));
        for (place, job) in waiting.iter().enumerate() {
            if !node.can_run(job) {
                prop_assert!(node.waiting.contains_key(&job.id));
                continue;
            }
            let before = waiting[..place].iter().filter(|other| other.uid == job.uid);
            let bound = bound_ms(RUNS_MS_MAX, before.count(), users);
            let waited = node.started.get(&job.id).map(|started| started - from);
            prop_assert!(waited.is_some_and(|waited| waited <= bound), "{job:?}: {waited:?}");
        }
        for count in 0..USERS {
            let own = node.waiting.values().filter(|next| next.waiting.uid == count).count();
            prop_assert_eq!(node.queue.count_of(count), own as u64);
        }
    }
}
