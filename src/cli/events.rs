//! What the events of a running job say.

use std::time::Duration;

use crate::{
    machine,
    pipeline::{Job, Snapshot},
    report::{
        event::{Progress, RingProgress, Settling},
        manifest::Stages,
    },
};

/// How far a job is. The busiest stage is that of the time since `last`.
pub(super) fn progress(job: &Job, last: &Snapshot, now: &Snapshot) -> Progress {
    Progress {
        elapsed_seconds: now.elapsed.as_secs_f64(),
        remaining_seconds: remaining(now).map(|left| left.as_secs_f64()),
        step: now.step as u64,
        steps: job.spec.steps() as u64,
        parents: now.rows.0,
        parents_exact: now.rows.1,
        rows_read: now.rows_read,
        earlier_rows: now.counts_before.parents_read,
        counts: {
            let mut counts = now.counts_before;
            counts += now.counts;
            counts
        },
        products_per_second: rate(now),
        memory_bytes: machine::memory_bytes(),
        memory_budget_bytes: job.spec.memory.0,
        ring: RingProgress {
            slots: now.ring.slots as u64,
            free: now.ring.free as u64,
            workers_waiting: now.ring.waiting as u64,
        },
        busiest: busiest(job, last, now),
        bytes_written: now.bytes_written,
        parts: now.parts,
        settling: now.settled.map(|(done, of)| Settling { done, of }),
    }
}

/// Products made per second since the start of the step.
fn rate(now: &Snapshot) -> u64 {
    (now.counts.products_worked_out() as f64 / now.step_elapsed.as_secs_f64().max(1e-3)) as u64
}

/// Time until the last row of the step, at the mean rate so far; unknown in the first seconds.
fn remaining(now: &Snapshot) -> Option<Duration> {
    let done = now.counts.parents_read;
    let left = now.rows.0.checked_sub(done)?;
    if done == 0 || left == 0 || now.step_elapsed < Duration::from_secs(2) {
        return None;
    }
    Some(now.step_elapsed.mul_f64(left as f64 / done as f64))
}

/// The stage that was busiest between two snapshots, with its share of the time it could have used.
fn busiest(job: &Job, before: &Snapshot, now: &Snapshot) -> String {
    let wall = (now.elapsed - before.elapsed).as_secs_f64().max(1e-3);
    let share = |stage: fn(&Stages) -> f64, threads: usize| {
        (stage(&now.stages) - stage(&before.stages)) / wall / threads as f64
    };
    let shares = [
        ("chemistry", share(|s| s.chemistry, job.plan.threads)),
        ("source", share(|s| s.source, 1)),
        ("sieve", share(|s| s.sieve, 1)),
        ("sink", share(|s| s.sink, 1)),
        ("settle", share(|s| s.settle, 1)),
    ];
    let busiest = shares.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    busiest.map_or_else(String::new, |(name, share)| {
        format!("{name} ({:.0} %)", 100.0 * share.min(1.0))
    })
}
