//! One round of scheduling: considers levels, users and jobs in order, each once.

use std::collections::{BTreeMap, HashMap};

use super::{
    Grant, Level, Waiting,
    node::{Node, Order, Taken},
    skipped::Skipped,
    walk::{ServedLevel, Walk},
};
use crate::daemon::job::JobId;

/// The result of a round.
#[derive(Default)]
pub(super) struct RoundResult {
    /// Jobs to start, in this order.
    pub grants: Vec<Grant>,
    /// Passed jobs, and how often each was passed.
    pub passed: Vec<(JobId, u32)>,
    /// The served levels.
    pub levels: Vec<ServedLevel>,
    /// The job that the node is reserved for from now on.
    pub reserved: Option<JobId>,
}

/// Runs a round. `holder` is the job that the node is reserved for.
pub(super) fn play(
    levels: &BTreeMap<i32, Level>,
    order: Order<'_>,
    holder: Option<Waiting>,
    node: &mut Node,
) -> RoundResult {
    let mut result = RoundResult::default();
    let mut walk = Walk::new(levels, node, &order);
    let mut skipped = Skipped::default();
    // By user: the jobs that the user's quota holds back.
    let mut held: HashMap<u32, Skipped> = HashMap::new();
    let holder = holder.filter(|holder| {
        let quota = holder.quota(order.quotas, &node.budget);
        node.could_run(&holder.demand) && node.allows(holder, &quota)
    });
    let mut first = holder.as_ref();
    let mut place = 0;
    let mut reserved = None;
    while reserved.is_none()
        && !node.is_full()
        && let Some(waiting) = first.take().or_else(|| walk.next(node, &order))
    {
        place += 1;
        let is_holder = holder.is_some_and(|holder| holder.id == waiting.id);
        let quota = waiting.quota(order.quotas, &node.budget);
        if is_holder && !result.grants.is_empty()
            || !node.could_run(&waiting.demand)
            || !quota.allows_alone(&waiting.demand)
            || waits_for_own(&held, waiting.uid)
        {
            continue;
        }
        match node.take(waiting, &quota) {
            Taken::Room { place } => {
                let (id, gpu) = (waiting.id, place.is_some());
                result.grants.push(Grant { id, gpu, place });
                order.turns.take(waiting.uid);
                walk.served(waiting, node, &order);
                skipped.pass();
                if let Some(held) = held.get_mut(&waiting.uid) {
                    held.pass();
                }
            }
            Taken::NoRoom => skipped.push(waiting, place),
            Taken::Held => held.entry(waiting.uid).or_default().push(waiting, place),
        }
        reserved = skipped.had_enough(|job| !waits_for_own(&held, job.uid));
    }
    result.levels = walk.served_levels();
    let newly = reserved.filter(|job| holder.is_none_or(|holder| holder.id != job.id));
    let of_held = held
        .iter()
        .flat_map(|(uid, held)| held.passes(newly.filter(|holder| holder.uid == *uid)));
    result.passed = skipped.passes(newly).chain(of_held).collect();
    // On a full node, the holder keeps the reservation.
    let kept = holder.filter(|_| result.grants.is_empty());
    result.reserved = reserved.map(|job| job.id).or(kept.map(|holder| holder.id));
    result
}

/// Whether a user's jobs wait for one that the user's quota holds back and that was passed often enough.
fn waits_for_own(held: &HashMap<u32, Skipped>, uid: u32) -> bool {
    held.get(&uid)
        .is_some_and(|held| held.had_enough(|_| true).is_some())
}
