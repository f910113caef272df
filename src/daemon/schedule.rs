//! Which waiting jobs are started next: admission, pure.
//!
//! - What runs never sums to more than the node's budget of memory, threads and GPUs.
//! - Jobs of a priority form a level. The highest level comes first. A level that has jobs and is not
//!   served rises by one for each [`AGEING_MS`], and falls back to its own priority when one of its jobs
//!   is started: a stream of urgent jobs can slow others, but not keep them out.
//! - Within a level, the user whose running jobs have the smallest dominant share (the largest of the
//!   user's parts of memory, threads and GPUs) comes first. Source: Ghodsi et al., Dominant Resource
//!   Fairness, NSDI 2011. Where two have the same, the one whose turn is longer ago comes first (on a
//!   node for one job at a time nobody who waits has a share), then the smaller job number.
//! - A user's jobs of a level come in the order of their numbers.
//! - A job that does not fit just now is passed by later ones that do, [`PASSES_MAX`] times at most.
//!   Then the node is reserved for it: nothing else starts before it has. One job holds the
//!   reservation at a time, the first in the order above.
//!
//! How long a job can wait. Let D be the longest time a job runs, N the number of its user's waiting jobs
//! of its level with smaller numbers, and U the number of other users. Three kinds of events bring it
//! forward: one of the N is started; it is passed; a user whose turn is longer ago is served. Of the
//! first two there are at most N + `PASSES_MAX`; between two of them, and before the first, at most U of
//! the third. While there is no event, within D its user's share is 0, so that only those three stand
//! before it; within another D whoever holds the reservation has started; and within a third it has,
//! since nothing may pass it. So, with one level, it is started within
//! 3 D (N + `PASSES_MAX` + 1) (U + 1). A level among others comes first at least once in as many
//! [`AGEING_MS`] as the highest priority lies above it, and one more.
//!
//! Cost: a round looks at each waiting job at most once, for what does not fit at one point of a round
//! does not fit later in it. With n jobs of u users that is n + u log u steps. A round ends early when
//! the node is full or reserved.

use std::collections::{BTreeMap, HashMap};

use super::{
    core::Resources,
    job::{Demand, GpuDemand, Job, JobId, Millis},
};

mod round;

/// How often a waiting job may be passed by later ones.
pub const PASSES_MAX: u32 = 8;
/// Waiting time that counts as much as one step of priority.
pub const AGEING_MS: Millis = 30 * 60 * 1_000;

/// A job that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub id: JobId,
    /// Its user.
    pub uid: u32,
    /// Higher goes first.
    pub priority: i32,
    /// What it takes of the node.
    pub demand: Demand,
    /// It is not started before: when it was submitted, or may go on.
    pub ready_at: Millis,
    /// How often later ones have passed it.
    pub passed: u32,
}

/// A job that has a worker or is about to have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its number.
    pub id: JobId,
    /// Its user.
    pub uid: u32,
    /// What it was admitted with.
    pub demand: Demand,
    /// Whether it has a GPU.
    pub gpu: bool,
}

/// A job to start now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The job.
    pub id: JobId,
    /// Whether it has a GPU.
    pub gpu: bool,
}

/// The jobs that wait.
#[derive(Debug, Default)]
pub struct Queue {
    /// Those that may start, by priority.
    levels: BTreeMap<i32, Level>,
    /// Those that may not yet, by when they may.
    later: BTreeMap<(Millis, JobId), Waiting>,
    /// Where each stands.
    positions: HashMap<JobId, QueuePosition>,
    /// The job that the node is reserved for.
    reserved: Option<JobId>,
    turns: Turns,
}

/// Whose turn was when. Kept for each user who has ever had a job here: 16 bytes.
#[derive(Debug, Default)]
struct Turns {
    last: HashMap<u32, u64>,
    count: u64,
}

impl Turns {
    /// A new user stands behind those who wait already, but not behind the one whose turn was last.
    fn enter(&mut self, uid: u32) {
        self.last.entry(uid).or_insert(self.count.saturating_sub(1));
    }

    fn take(&mut self, uid: u32) {
        self.count += 1;
        self.last.insert(uid, self.count);
    }

    fn last(&self, uid: u32) -> u64 {
        self.last.get(&uid).copied().unwrap_or(0)
    }
}

/// The jobs of one priority; there is at least one.
#[derive(Debug)]
struct Level {
    lines: BTreeMap<u32, BTreeMap<JobId, Waiting>>,
    /// When it was served last, or else got its first job.
    since: Millis,
}

#[derive(Clone, Copy, Debug)]
enum QueuePosition {
    Later(Millis),
    Line { priority: i32, uid: u32 },
}

/// Whether a job fits the node when nothing else runs.
pub fn fits_node(demand: &Demand, budget: &Resources) -> bool {
    demand.memory_bytes <= budget.memory_bytes
        && demand.threads <= budget.threads
        && (demand.gpu != GpuDemand::One || budget.gpus > 0)
}

impl Waiting {
    /// The job as it waits; none if it does not.
    pub fn of(job: &Job) -> Option<Self> {
        job.state.is_waiting().then(|| Self {
            id: job.id,
            uid: job.uid,
            priority: job.priority,
            demand: job.demand,
            ready_at: job.retry_at.unwrap_or(job.submitted_at),
            passed: 0,
        })
    }
}

impl Queue {
    /// Lets a job wait. One with its number that waits already is replaced.
    pub fn insert(&mut self, waiting: Waiting) {
        self.remove(waiting.id);
        self.positions
            .insert(waiting.id, QueuePosition::Later(waiting.ready_at));
        self.later.insert((waiting.ready_at, waiting.id), waiting);
    }

    /// Takes a job out: it was cancelled.
    pub fn remove(&mut self, id: JobId) -> Option<Waiting> {
        self.reserved.take_if(|reserved| *reserved == id);
        match self.positions.remove(&id)? {
            QueuePosition::Later(ready_at) => self.later.remove(&(ready_at, id)),
            QueuePosition::Line { priority, uid } => {
                let level = self.levels.get_mut(&priority)?;
                let line = level.lines.get_mut(&uid)?;
                let waiting = line.remove(&id);
                if line.is_empty() {
                    level.lines.remove(&uid);
                }
                if level.lines.is_empty() {
                    self.levels.remove(&priority);
                }
                waiting
            }
        }
    }

    /// Jobs that wait.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// A waiting job.
    pub fn get(&self, id: JobId) -> Option<&Waiting> {
        match self.positions.get(&id)? {
            QueuePosition::Later(ready_at) => self.later.get(&(*ready_at, id)),
            QueuePosition::Line { priority, uid } => {
                self.levels.get(priority)?.lines.get(uid)?.get(&id)
            }
        }
    }

    /// The job that the node is reserved for, if there is one.
    pub fn reserved(&self) -> Option<JobId> {
        self.reserved
    }

    /// When a job that waits for its time may start. Until then a round is worth its while only when a
    /// job comes, ends or is taken out.
    pub fn next_wake(&self, now: Millis) -> Option<Millis> {
        let (ready_at, _) = *self.later.first_key_value()?.0;
        Some(ready_at.max(now))
    }

    /// The jobs to start now, beside those that are `running`. They wait no more; whoever asks starts
    /// them, and counts them as running in the next round.
    ///
    /// A job that does not fit the node at all (its budget may have shrunk) waits for a larger one and
    /// holds nobody up.
    pub fn round(&mut self, budget: &Resources, running: &[Running], now: Millis) -> Vec<Grant> {
        self.promote(now);
        let holder = self.reserved.and_then(|id| self.get(id)).copied();
        let node = round::Node::new(budget, running);
        let result = round::play(&self.levels, &mut self.turns, holder, node, now);
        for (id, passes) in result.passed {
            if let Some(waiting) = self.get_mut(id) {
                waiting.passed += passes;
            }
        }
        for (priority, since) in result.served {
            if let Some(level) = self.levels.get_mut(&priority) {
                level.since = since;
            }
        }
        for grant in &result.grants {
            self.remove(grant.id);
        }
        self.reserved = result.reserved;
        result.grants
    }

    /// Gives the jobs whose time has come their place in line.
    fn promote(&mut self, now: Millis) {
        while let Some(first) = self.later.first_entry()
            && first.key().0 <= now
        {
            let waiting = first.remove();
            let Waiting {
                id,
                uid,
                priority,
                ready_at,
                ..
            } = waiting;
            self.positions
                .insert(id, QueuePosition::Line { priority, uid });
            self.turns.enter(uid);
            let level = self.levels.entry(priority).or_insert_with(|| Level {
                lines: BTreeMap::new(),
                since: ready_at,
            });
            level.lines.entry(uid).or_default().insert(id, waiting);
        }
    }

    fn get_mut(&mut self, id: JobId) -> Option<&mut Waiting> {
        let QueuePosition::Line { priority, uid } = *self.positions.get(&id)? else {
            return None;
        };
        self.levels
            .get_mut(&priority)?
            .lines
            .get_mut(&uid)?
            .get_mut(&id)
    }
}

#[cfg(test)]
mod tests;
