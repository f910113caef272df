//! Scheduling: which waiting jobs start next. Pure.
//!
//! - Running jobs together never exceed the node's budget of memory, threads and GPUs.
//! - Jobs of one priority form a level. The highest level is served first. A level that has jobs and is not
//!   served rises by one for each [`AGEING_MS`], and returns to its own priority when one of its jobs starts:
//!   a stream of urgent jobs can slow other jobs down, but not starve them.
//! - Within a level, the user whose running jobs have the smallest dominant share comes first: the largest of
//!   the user's shares of memory, threads and GPUs. Source: Ghodsi et al., Dominant Resource Fairness, NSDI
//!   2011. Of users with equal shares, the one served longest ago comes first (on a node that runs one job at
//!   a time, no waiting user has a share), then the smaller job number.
//! - Jobs of one user in one level are served in the order of their numbers.
//! - Later jobs that fit may pass a job that does not fit yet, at most [`PASSES_MAX`] times. Then the node is
//!   reserved for it: nothing else starts before it. One job holds the reservation at a time, the first in
//!   the order above.
//!
//! Bound of the waiting time. Let D be the longest run time of a job, N the number of waiting jobs of the same
//! user and level with smaller numbers, and U the number of other users. Three kinds of events move a job
//! forward: one of the N starts; another job passes it; a user served longer ago is served. The first two
//! happen at most N + `PASSES_MAX` times; between two of them, and before the first, the third happens at most
//! U times. Without an event, its user's share is 0 within D, so that only those three precede it; within
//! another D the holder of the reservation has started; within a third D the job has started, because nothing
//! may pass it. So with one level it starts within 3 D (N + `PASSES_MAX` + 1) (U + 1). With several levels,
//! each comes first at least once in (highest priority − its priority + 1) × [`AGEING_MS`].
//!
//! Cost: a round considers each waiting job at most once, because a job that does not fit at one point of a
//! round does not fit later in it. With n jobs of u users that takes n + u log u steps. A round ends early when
//! the node is full or reserved.

use std::collections::{BTreeMap, HashMap};

use super::job::{Demand, Job, JobId, Millis, Resources};

mod round;

/// How often a waiting job may be passed by later ones.
pub const PASSES_MAX: u32 = 8;
/// Waiting time that counts as much as one step of priority.
pub const AGEING_MS: Millis = 30 * 60 * 1_000;

/// A waiting job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Its number.
    pub id: JobId,
    /// Its user.
    pub uid: u32,
    /// Higher goes first.
    pub priority: i32,
    /// Resources that it needs.
    pub demand: Demand,
    /// Earliest start: the time of submission, or the end of the retry delay.
    pub ready_at: Millis,
    /// How often later jobs have passed it.
    pub passed: u32,
}

/// A job that has a process, or is about to have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Running {
    /// Its number.
    pub id: JobId,
    /// Its user.
    pub uid: u32,
    /// Resources that it occupies.
    pub demand: Demand,
    /// Whether it has a GPU.
    pub gpu: bool,
}

/// A job to start now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// The job.
    pub id: JobId,
    /// Whether it has a GPU.
    pub gpu: bool,
}

/// The waiting jobs.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Jobs that may start, by priority.
    levels: BTreeMap<i32, Level>,
    /// Jobs that may start later, by time.
    later: BTreeMap<(Millis, JobId), Waiting>,
    /// Where each job is.
    positions: HashMap<JobId, QueuePosition>,
    /// The job that the node is reserved for.
    reserved: Option<JobId>,
    turns: Turns,
}

/// When each user was served. 16 bytes for each user who ever had a job.
#[derive(Debug, Default)]
struct Turns {
    last: HashMap<u32, u64>,
    count: u64,
}

impl Turns {
    /// A new user comes after the waiting users, but not after the one served last.
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

/// The jobs of one priority, at least one.
#[derive(Debug)]
struct Level {
    lines: BTreeMap<u32, BTreeMap<JobId, Waiting>>,
    /// When it was served last, else when it got its first job.
    since: Millis,
}

#[derive(Clone, Copy, Debug)]
enum QueuePosition {
    Later(Millis),
    Line { priority: i32, uid: u32 },
}

/// Whether a job fits the node when nothing else runs.
pub fn fits_node(demand: &Demand, budget: &Resources) -> bool {
    demand.fits(budget)
}

impl Waiting {
    /// The job as a waiting one; none if it does not wait.
    pub fn of(job: &Job) -> Option<Self> {
        job.course.state.is_waiting().then(|| Self {
            id: job.id,
            uid: job.submission.uid,
            priority: job.submission.priority,
            demand: job.submission.demand,
            ready_at: job.course.retry_at.unwrap_or(job.submitted_at),
            passed: 0,
        })
    }
}

impl Queue {
    /// Adds a job; replaces one with the same number.
    pub fn insert(&mut self, waiting: Waiting) {
        self.remove(waiting.id);
        self.positions
            .insert(waiting.id, QueuePosition::Later(waiting.ready_at));
        self.later.insert((waiting.ready_at, waiting.id), waiting);
    }

    /// Replaces a job whose priority, memory or threads were changed. It waits at its new level from now on, and how often it was passed
    /// still counts. If the node was reserved for it, the next round decides anew.
    pub fn replace(&mut self, waiting: Waiting, now: Millis) {
        let passed = self.get(waiting.id).map_or(0, |before| before.passed);
        self.insert(Waiting {
            ready_at: waiting.ready_at.max(now),
            passed,
            ..waiting
        });
    }

    /// Removes a job.
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

    /// Number of waiting jobs.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// The waiting jobs, in no order.
    pub fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        let lines = self.levels.values().flat_map(|level| level.lines.values());
        self.later.values().chain(lines.flat_map(BTreeMap::values))
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

    /// When the next job with a later start may start. Until then a round can start something only after a job
    /// was added, has ended or was removed.
    pub fn next_wake(&self, now: Millis) -> Option<Millis> {
        let (ready_at, _) = *self.later.first_key_value()?.0;
        Some(ready_at.max(now))
    }

    /// Removes and returns the jobs to start now, besides those that are `running`. The caller starts them, and
    /// passes them as running to the next round.
    ///
    /// A job that does not fit the node at all, because the budget was reduced, waits for a larger budget and
    /// delays no other job.
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

    /// Moves jobs whose start time has come to their level.
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
