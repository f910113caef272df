//! One round of admission: the levels, lines and jobs in their order, each looked at once.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, btree_map::Values},
};

use super::{AGEING_MS, Grant, Level, PASSES_MAX, Running, Turns, Waiting, fits_node};
use crate::daemon::{
    core::Resources,
    job::{Demand, GpuDemand, JobId, Millis},
};

/// What a round comes to.
#[derive(Default)]
pub(super) struct RoundResult {
    /// Jobs to start, in this order.
    pub grants: Vec<Grant>,
    /// Jobs that were passed, and how often.
    pub passed: Vec<(JobId, u32)>,
    /// Priorities of the levels that were served, and when.
    pub served: Vec<(i32, Millis)>,
    /// The job that the node is reserved for from now on.
    pub reserved: Option<JobId>,
}

/// Plays a round. `holder` is the job that the node is reserved for.
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
    // On a full node, what holds the reservation keeps it.
    if result.grants.is_empty() {
        result.reserved = result.reserved.or(holder.map(|holder| holder.id));
    }
    result.passed = skipped.passes();
    result
}

/// The jobs a round has looked at that did not fit, and how often each was passed since.
#[derive(Default)]
struct Skipped {
    /// Each with the number of passes before it was looked at.
    jobs: Vec<(JobId, u32)>,
    passes: u32,
    /// The first of those that may be passed least often, and at how many passes it has had enough.
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

/// The waiting jobs in their order, which changes as jobs are started.
struct Walk<'a> {
    levels: Vec<WalkedLevel<'a>>,
    now: Millis,
}

struct WalkedLevel<'a> {
    priority: i32,
    since: Millis,
    /// A user's share and last turn (both may have grown since) and next job, the first in order on top.
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

    /// The next job in order; each comes once.
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
    /// Its priority, raised for the time it has not been served.
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

/// A part of the node, of 2^32.
type Share = u64;

/// What of the node is taken, and by whom.
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
            // A budget may be smaller than when they were started: then nothing is free.
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

    /// Takes what a job needs, if all of it is free, and tells whether that is with a GPU.
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
