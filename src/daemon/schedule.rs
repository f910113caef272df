//! Scheduling: which waiting jobs start next. Pure.
//!
//! - Running jobs together never exceed the node's budget of memory, threads and GPUs, and those of one user
//!   never the user's quota. A budget or quota that was reduced stops nothing that runs.
//! - Jobs of one priority form a level. The highest level is served first. A level that has jobs and is not
//!   served rises by one for each [`AGEING_MS`], and returns to its own priority when one of its jobs starts:
//!   a stream of urgent jobs can slow other jobs down, but not starve them.
//! - Within a level, the user with the smallest score comes first. The score is the user's recent use (`recent`)
//!   plus the dominant share of the user's running jobs: the largest of their shares of memory, threads and GPUs.
//!   Sources: HTCondor's user priorities; Ghodsi et al., Dominant Resource Fairness, NSDI 2011. Of users with
//!   equal scores, the one served longest ago comes first, then the smaller job number.
//! - A user is overdue after [`OVERTAKEN_MAX`] starts of others for each other user of the level since one of the
//!   user's own jobs started there; rounds in which the user's own quota held the first job back do not count.
//!   Overdue users come before all others, the one served longest ago first.
//! - Jobs of one user in one level are served in the order of their numbers.
//! - Later jobs that fit may pass a job that does not fit yet, at most [`PASSES_MAX`] times. Then the node is
//!   reserved for it: nothing else starts before it. One job holds the reservation at a time, the first in
//!   the order above. A reservation counts as a pass of the jobs before it in the order that did not fit.
//! - A job that its user's quota holds back reserves nothing, and others pass it freely, because they take nothing
//!   of that quota. Later jobs of the same user may pass it, [`PASSES_MAX`] times in all; then they wait for it.
//! - A job that does not fit the budget, or its user's quota alone, is left out until it does.
//!
//! Bound of the waiting time. Let D be the longest run time of a job, N the number of waiting jobs of the same
//! user and level with smaller numbers, and U the number of other users. Let there be one level, and let budget and
//! quotas stay as they are. The user's first job is the one of the N + 1 with the smallest number.
//!
//! 1. While a job waits, starts are at most D apart. Without a start for D, every job has ended; then the
//!    node is empty and no quota is used, so the next round starts the holder of the reservation or the
//!    first in the order.
//! 2. Each of the N + 1 jobs starts once, and while it is the first it is passed at most `PASSES_MAX` times. These events
//!    divide the time into at most (N + 1) (`PASSES_MAX` + 1) intervals. In an interval no job of the user starts.
//! 3. So in an interval the quota holds the user's first job back for at most D: then all that the user runs has ended.
//! 4. In the rest of the interval others start at most (`OVERTAKEN_MAX` + 1) U + 1 jobs. After `OVERTAKEN_MAX` U the
//!    user is overdue. Then only overdue users served longer ago come before, each once, because who is served is
//!    served last; and the holder of a reservation that was made before. Every other start passes the user's first
//!    job, which was considered before and did not fit. That of a holder was counted when its reservation was made;
//!    nothing else starts between.
//! 5. An interval ends at most D after the last of these starts.
//!
//! So the job starts within D (N + 1) (`PASSES_MAX` + 1) ((`OVERTAKEN_MAX` + 1) U + 3). With several levels, each comes
//! first at least once in (highest priority − its priority + 1) × [`AGEING_MS`]. A user with the smallest score does not
//! wait for others to be overdue: the first job of a user who is new starts before all others that wait, unless one of
//! them is overdue or holds the reservation.
//!
//! Cost: a round considers each waiting job at most once, because a job that does not fit at one point of a
//! round does not fit later in it. With n jobs of u users and s starts that takes n + (u + s) log u + s u steps. A
//! round ends early when the node is full or reserved.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    gpus::GpusLeft,
    job::{Demand, Job, JobId, Millis, Resources},
    quota::{Quota, QuotaRules, Used},
};

mod node;
mod recent;
mod round;
mod skipped;
mod walk;

pub(super) use node::device_bytes;
pub(super) use recent::RecentUse;

/// How often a waiting job may be passed by later ones.
pub const PASSES_MAX: u32 = 8;
/// How many jobs of each other user of the level may start before a user is overdue.
pub const OVERTAKEN_MAX: u32 = 16;
/// Waiting time that counts as much as one step of priority.
pub const AGEING_MS: Millis = 30 * 60 * 1_000;

/// A waiting job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Its number.
    pub id: JobId,
    /// Its user.
    pub uid: u32,
    /// The user's primary group.
    pub gid: u32,
    /// Whether no quota holds it: an admin submitted it.
    pub exempt: bool,
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
    /// Which one, by its place among the GPUs for jobs.
    pub place: Option<usize>,
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
    /// The users who have waiting jobs.
    users: HashMap<u32, WaitingUser>,
    /// The job that the node is reserved for.
    reserved: Option<JobId>,
    turns: Turns,
    recent: recent::Recent,
    quotas: Arc<QuotaRules>,
}

/// A user who has waiting jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WaitingUser {
    /// The number of them.
    pub jobs: u64,
    /// The user's primary group, as the last one says.
    pub gid: u32,
    /// Whether no quota holds the last one.
    pub exempt: bool,
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
    lines: BTreeMap<u32, Line>,
    /// When it was served last, else when it got its first job.
    since: Millis,
}

/// The jobs of one user in a level, at least one.
#[derive(Debug, Default)]
struct Line {
    jobs: BTreeMap<JobId, Waiting>,
    /// Starts of other users' jobs in the level since one of these.
    overtaken: u32,
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
    /// The job as a waiting one; none if it does not wait, or waits for something else.
    pub fn of(job: &Job) -> Option<Self> {
        // A job that waits for disk space or for other jobs is no candidate.
        let course = &job.course;
        let waits =
            course.state.is_waiting() && course.space.is_none() && course.waits_for_jobs.is_empty();
        waits.then(|| Self {
            id: job.id,
            uid: job.submission.uid,
            gid: job.submission.gid,
            exempt: job.submission.exempt,
            priority: job.submission.priority,
            demand: job.submission.demand,
            ready_at: job.course.retry_at.unwrap_or(job.submitted_at),
            passed: 0,
        })
    }

    fn quota(&self, rules: &QuotaRules, budget: &Resources) -> Quota {
        match self.exempt {
            true => Quota::UNLIMITED,
            false => rules.of(self.uid, self.gid, budget),
        }
    }
}

impl Queue {
    /// Sets quotas, and the half-life of recent use from `now` on.
    pub fn set_policy(&mut self, quotas: Arc<QuotaRules>, half_life_ms: Millis, now: Millis) {
        self.quotas = quotas;
        self.recent.set_half_life(half_life_ms, now);
    }

    /// Adds a job; replaces one with the same number.
    pub fn insert(&mut self, waiting: Waiting) {
        self.remove(waiting.id);
        let user = self.users.entry(waiting.uid).or_default();
        *user = WaitingUser {
            jobs: user.jobs + 1,
            gid: waiting.gid,
            exempt: waiting.exempt,
        };
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
        let removed = match self.positions.remove(&id)? {
            QueuePosition::Later(ready_at) => self.later.remove(&(ready_at, id)),
            QueuePosition::Line { priority, uid } => {
                let level = self.levels.get_mut(&priority)?;
                let line = level.lines.get_mut(&uid)?;
                let waiting = line.jobs.remove(&id);
                if line.jobs.is_empty() {
                    level.lines.remove(&uid);
                }
                if level.lines.is_empty() {
                    self.levels.remove(&priority);
                }
                waiting
            }
        };
        let uid = removed?.uid;
        if let Some(user) = self.users.get_mut(&uid) {
            user.jobs -= 1;
            if user.jobs == 0 {
                self.users.remove(&uid);
            }
        }
        removed
    }

    /// Number of waiting jobs.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// The waiting jobs, in no order.
    pub fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        let lines = self.levels.values().flat_map(|level| level.lines.values());
        self.later
            .values()
            .chain(lines.flat_map(|line| line.jobs.values()))
    }

    /// Number of waiting jobs of a user.
    pub fn count_of(&self, uid: u32) -> u64 {
        self.user(uid).map_or(0, |user| user.jobs)
    }

    /// A user who has waiting jobs.
    pub fn user(&self, uid: u32) -> Option<WaitingUser> {
        self.users.get(&uid).copied()
    }

    /// A user's recent use, 0 to 1.
    pub fn recent_use(&self, uid: u32, now: Millis) -> f64 {
        self.recent.of(uid, now)
    }

    /// Takes up recent use that was stored.
    pub fn restore_use(&mut self, stored: Vec<RecentUse>) {
        self.recent.restore(stored);
    }

    /// Recent use that has changed since the last call, for the store; a share of 0 is forgotten.
    pub fn take_changed_use(&mut self, now: Millis) -> Vec<RecentUse> {
        self.recent.take_changed(now)
    }

    /// A waiting job.
    pub fn get(&self, id: JobId) -> Option<&Waiting> {
        match self.positions.get(&id)? {
            QueuePosition::Later(ready_at) => self.later.get(&(*ready_at, id)),
            QueuePosition::Line { priority, uid } => {
                let level = self.levels.get(priority)?;
                level.lines.get(uid)?.jobs.get(&id)
            }
        }
    }

    /// When the next job with a later start may start. Until then a round can start something only after a job
    /// was added, has ended or was removed.
    pub fn next_wake(&self, now: Millis) -> Option<Millis> {
        let (ready_at, _) = *self.later.first_key_value()?.0;
        Some(ready_at.max(now))
    }

    /// The same as [`Self::round_on`], with GPUs that are all fit and take one job each.
    #[cfg(test)]
    pub fn round(&mut self, budget: &Resources, running: &[Running], now: Millis) -> Vec<Grant> {
        let mut gpus = GpusLeft::plain(budget.gpus);
        let taken = running.iter().filter(|job| job.gpu).count();
        (0..taken).for_each(|place| gpus.take(place, 0));
        self.round_on(budget, gpus, running, now)
    }

    /// Removes and returns the jobs to start now, besides those that are `running`, on GPUs that have so much left. The
    /// caller starts them, and passes them as running to the next round.
    ///
    /// A job that does not fit the node at all, because the budget was reduced or no GPU is fit for it, waits and
    /// delays no other job.
    pub fn round_on(
        &mut self,
        budget: &Resources,
        gpus: GpusLeft,
        running: &[Running],
        now: Millis,
    ) -> Vec<Grant> {
        self.promote(now);
        let mut node = node::Node::new(budget, gpus, running);
        self.recent.occupy(&node.shares(), now);
        let holder = self.reserved.and_then(|id| self.get(id)).copied();
        let order = node::Order {
            turns: &mut self.turns,
            recent: &self.recent,
            quotas: &self.quotas,
            now,
        };
        let result = round::play(&self.levels, order, holder, &mut node);
        self.recent.occupy(&node.shares(), now);
        for (id, passes) in result.passed {
            if let Some(waiting) = self.get_mut(id) {
                waiting.passed = (waiting.passed + passes).min(PASSES_MAX);
            }
        }
        for (priority, since, overtaken) in result.levels {
            if let Some(level) = self.levels.get_mut(&priority) {
                level.since = since;
                for (uid, overtaken) in overtaken {
                    if let Some(line) = level.lines.get_mut(&uid) {
                        line.overtaken = overtaken;
                    }
                }
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
            level.lines.entry(uid).or_default().jobs.insert(id, waiting);
        }
    }

    fn get_mut(&mut self, id: JobId) -> Option<&mut Waiting> {
        let QueuePosition::Line { priority, uid } = *self.positions.get(&id)? else {
            return None;
        };
        let level = self.levels.get_mut(&priority)?;
        level.lines.get_mut(&uid)?.jobs.get_mut(&id)
    }
}

/// What the running jobs of a user occupy.
pub(super) fn used_by(uid: u32, running: impl IntoIterator<Item = Running>) -> Used {
    let mut used = Used::default();
    let own = running.into_iter().filter(|job| job.uid == uid);
    own.for_each(|job| used.add(&job.demand, job.gpu));
    used
}

#[cfg(test)]
mod tests;
