//! One round of scheduling: considers levels, users and jobs in order, each once.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, btree_map::Values},
};

use super::{AGEING_MS, Grant, Level, PASSES_MAX, Running, Turns, Waiting, fits_node};
use crate::daemon::job::{Demand, GpuDemand, JobId, Millis, Resources};

/// The result of a round.
#[derive(Default)]
pub(super) struct RoundResult {
    /// Jobs to start, in this order.
    pub grants: Vec<Grant>,
    /// Passed jobs, and how often each was passed.
    pub passed: Vec<(JobId, u32)>,
    /// Priorities of the served levels, and when.
    pub served: Vec<(i32, Millis)>,
    /// The job that the node is reserved for from now on.
    pub reserved: Option<JobId>,
}

/// Runs a round. `holder` is the job that the node is reserved for.
pub(super) fn play(
    levels: &BTreeMap<i32, Level>,
    turns: &mut Turns,
    holder: Option<Waiting>,
    mut node: Node,
    now: Millis,
) -> RoundResult {
    let mut result = RoundResult::default();
    let mut walk = Walk::new(levels, &node, turns, now);
    let mut skipped = Skipped::default();
    let holder = holder.filter(|holder| fits_node(&holder.demand, &node.budget));
    let mut first = holder.as_ref();
    while !node.is_full()
        && let Some(waiting) = first.take().or_else(|| walk.next(&node, turns))
    {
        let is_holder = holder.is_some_and(|holder| holder.id == waiting.id);
        if is_holder && !result.grants.is_empty() || !fits_node(&waiting.demand, &node.budget) {
            continue;
        }
        match node.take(waiting.uid, &waiting.demand) {
            Some(gpu) => {
                result.grants.push(Grant {
                    id: waiting.id,
                    gpu,
                });
                result.served.push((waiting.priority, now));
                walk.served(waiting.priority);
                turns.take(waiting.uid);
                skipped.pass();
            }
            None => skipped.push(waiting),
        }
        result.reserved = skipped.has_had_enough();
        if result.reserved.is_some() {
            break;
        }
    }
    // On a full node, the holder keeps the reservation.
    if result.grants.is_empty() {
        result.reserved = result.reserved.or(holder.map(|holder| holder.id));
    }
    result.passed = skipped.passes();
    result
}

/// Jobs of a round that did not fit, and how often each was passed since.
#[derive(Default)]
struct Skipped {
    /// Each with the number of passes before it was considered.
    jobs: Vec<(JobId, u32)>,
    passes: u32,
    /// The job that reaches its limit first, and the number of passes at which it does.
    limit: Option<(JobId, u32)>,
}

impl Skipped {
    fn push(&mut self, waiting: &Waiting) {
        self.jobs.push((waiting.id, self.passes));
        let enough = self.passes + PASSES_MAX.saturating_sub(waiting.passed);
        if self.limit.is_none_or(|(_, limit)| enough < limit) {
            self.limit = Some((waiting.id, enough));
        }
    }

    fn pass(&mut self) {
        self.passes += 1;
    }

    fn has_had_enough(&self) -> Option<JobId> {
        let (id, limit) = self.limit?;
        (self.passes >= limit).then_some(id)
    }

    fn passes(self) -> Vec<(JobId, u32)> {
        let passes = |(id, before)| (id, self.passes - before);
        let jobs = self.jobs.into_iter().map(passes);
        jobs.filter(|(_, passes)| *passes > 0).collect()
    }
}

/// The waiting jobs in order; the order changes as jobs start.
struct Walk<'a> {
    levels: Vec<WalkedLevel<'a>>,
    now: Millis,
}

struct WalkedLevel<'a> {
    priority: i32,
    since: Millis,
    /// Share, last turn (both may have grown since), next job and uid; the first in order on top.
    next: BinaryHeap<Reverse<(Share, u64, JobId, u32)>>,
    lines: HashMap<u32, Values<'a, JobId, Waiting>>,
}

impl<'a> Walk<'a> {
    fn new(levels: &'a BTreeMap<i32, Level>, node: &Node, turns: &Turns, now: Millis) -> Self {
        let walked = levels.iter().map(|(&priority, level)| {
            let mut next = Vec::with_capacity(level.lines.len());
            let lines = level.lines.iter().map(|(&uid, line)| {
                if let Some(id) = line.keys().next() {
                    next.push(Reverse((node.share(uid), turns.last(uid), *id, uid)));
                }
                (uid, line.values())
            });
            WalkedLevel {
                priority,
                since: level.since,
                lines: lines.collect(),
                next: next.into(),
            }
        });
        Self {
            levels: walked.collect(),
            now,
        }
    }

    /// The next job in order, each once.
    fn next(&mut self, node: &Node, turns: &Turns) -> Option<&'a Waiting> {
        let now = self.now;
        let levels = self
            .levels
            .iter_mut()
            .filter(|level| !level.next.is_empty());
        levels
            .max_by_key(|level| (level.rank(now), level.priority))?
            .next(node, turns)
    }

    fn served(&mut self, priority: i32) {
        let mut levels = self.levels.iter_mut();
        if let Some(level) = levels.find(|level| level.priority == priority) {
            level.since = self.now;
        }
    }
}

impl<'a> WalkedLevel<'a> {
    /// Its priority, raised by the time since it was served.
    fn rank(&self, now: Millis) -> Millis {
        Millis::from(self.priority) + now.saturating_sub(self.since).max(0) / AGEING_MS
    }

    fn next(&mut self, node: &Node, turns: &Turns) -> Option<&'a Waiting> {
        loop {
            let Reverse((share, turn, id, uid)) = self.next.pop()?;
            let now = (node.share(uid), turns.last(uid));
            if now > (share, turn) {
                self.next.push(Reverse((now.0, now.1, id, uid)));
                continue;
            }
            let line = self.lines.get_mut(&uid)?;
            let waiting = line.next()?;
            if let Some(after) = line.clone().next() {
                self.next.push(Reverse((share, turn, after.id, uid)));
            }
            return Some(waiting);
        }
    }
}

/// A share of the node, in units of 2^-32.
type Share = u64;

/// The resources of the node in use, and by whom.
pub(super) struct Node {
    budget: Resources,
    free: Resources,
    users: HashMap<u32, Use>,
}

#[derive(Clone, Copy, Default)]
struct Use {
    memory_bytes: u64,
    threads: u64,
    gpus: u64,
}

impl Node {
    pub fn new(budget: &Resources, running: &[Running]) -> Self {
        let mut node = Self {
            budget: *budget,
            free: *budget,
            users: HashMap::new(),
        };
        for job in running {
            // The budget may be smaller than when they started; then nothing is free.
            node.free.memory_bytes = node
                .free
                .memory_bytes
                .saturating_sub(job.demand.memory_bytes);
            node.free.threads = node.free.threads.saturating_sub(job.demand.threads);
            node.free.gpus = node.free.gpus.saturating_sub(job.gpu.into());
            node.charge(job.uid, &job.demand, job.gpu);
        }
        node
    }

    fn is_full(&self) -> bool {
        self.free.memory_bytes == 0 || self.free.threads == 0
    }

    /// Occupies what a job needs, if all of it is free. Returns whether that includes a GPU.
    fn take(&mut self, uid: u32, demand: &Demand) -> Option<bool> {
        let gpu = match demand.gpu {
            GpuDemand::None => false,
            GpuDemand::IfFree => self.free.gpus > 0,
            GpuDemand::One => true,
        };
        self.free = Resources {
            memory_bytes: self.free.memory_bytes.checked_sub(demand.memory_bytes)?,
            threads: self.free.threads.checked_sub(demand.threads)?,
            gpus: self.free.gpus.checked_sub(gpu.into())?,
        };
        self.charge(uid, demand, gpu);
        Some(gpu)
    }

    fn charge(&mut self, uid: u32, demand: &Demand, gpu: bool) {
        let user = self.users.entry(uid).or_default();
        user.memory_bytes = user.memory_bytes.saturating_add(demand.memory_bytes);
        user.threads += u64::from(demand.threads);
        user.gpus += u64::from(gpu);
    }

    /// A user's dominant share.
    fn share(&self, uid: u32) -> Share {
        let Some(user) = self.users.get(&uid) else {
            return 0;
        };
        part(user.memory_bytes, self.budget.memory_bytes)
            .max(part(user.threads, self.budget.threads.into()))
            .max(part(user.gpus, self.budget.gpus.into()))
    }
}

fn part(of: u64, whole: u64) -> Share {
    let part = (u128::from(of) << 32) / u128::from(whole.max(1));
    part.try_into().unwrap_or(Share::MAX)
}
