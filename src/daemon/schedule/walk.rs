//! The waiting jobs in order; the order changes as jobs start.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, btree_map::Values},
};

use super::{
    AGEING_MS, Level, Line, OVERTAKEN_MAX, Waiting,
    node::{Node, Order, Share, WHOLE},
};
use crate::daemon::job::{JobId, Millis};

/// A level that was served: its priority, when, and by user how often each was overtaken.
pub(super) type ServedLevel = (i32, Millis, Vec<(u32, u32)>);

/// The waiting jobs in order.
pub(super) struct Walk<'a> {
    levels: Vec<WalkedLevel<'a>>,
    now: Millis,
}

struct WalkedLevel<'a> {
    priority: i32,
    since: Millis,
    served: bool,
    /// Starts of other users' jobs after which a user is overdue.
    overtaken_max: u32,
    /// The first in order on top. A key may be older than the place of its user, which has then grown; of a user
    /// whose place has become better, only the key with the line's token counts.
    next: BinaryHeap<Reverse<Key>>,
    lines: HashMap<u32, WalkedLine<'a>>,
}

struct WalkedLine<'a> {
    jobs: Values<'a, JobId, Waiting>,
    overtaken: u32,
    /// Whether the user's quota held the first job back when the round began.
    held: bool,
    token: u32,
}

/// The place of a user in a level.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// False comes first.
    in_time: bool,
    /// Recent use and dominant share; 0 if overdue.
    score: Share,
    turn: u64,
    job: JobId,
    uid: u32,
    token: u32,
}

impl<'a> Walk<'a> {
    pub fn new(levels: &'a BTreeMap<i32, Level>, node: &Node, order: &Order<'_>) -> Self {
        let walked = levels
            .iter()
            .map(|(&priority, level)| WalkedLevel::new(priority, level, node, order));
        Self {
            levels: walked.collect(),
            now: order.now,
        }
    }

    /// The next job in order, each once.
    pub fn next(&mut self, node: &Node, order: &Order<'_>) -> Option<&'a Waiting> {
        let now = self.now;
        // A level whose heap has only outdated keys has no job left.
        loop {
            let levels = self.levels.iter_mut();
            let level = levels
                .filter(|level| !level.next.is_empty())
                .max_by_key(|level| (level.rank(now), level.priority))?;
            if let Some(waiting) = level.next(node, order) {
                return Some(waiting);
            }
        }
    }

    /// A job starts.
    pub fn served(&mut self, waiting: &Waiting, node: &Node, order: &Order<'_>) {
        let mut levels = self.levels.iter_mut();
        if let Some(level) = levels.find(|level| level.priority == waiting.priority) {
            level.since = self.now;
            level.served = true;
            level.overtake(waiting.uid, node, order);
        }
    }

    /// The served levels.
    pub fn served_levels(self) -> Vec<ServedLevel> {
        let served = self.levels.into_iter().filter(|level| level.served);
        let by_user = |level: WalkedLevel<'_>| {
            let lines = level.lines.into_iter();
            let overtaken = lines.map(|(uid, line)| (uid, line.overtaken));
            (level.priority, level.since, overtaken.collect())
        };
        served.map(by_user).collect()
    }
}

impl<'a> WalkedLevel<'a> {
    fn new(priority: i32, level: &'a Level, node: &Node, order: &Order<'_>) -> Self {
        let lines = level.lines.iter().map(|(&uid, line)| {
            let Line { jobs, overtaken } = line;
            let walked = WalkedLine {
                jobs: jobs.values(),
                overtaken: *overtaken,
                held: node.holds_first(jobs.values(), order.quotas),
                token: 0,
            };
            (uid, walked)
        });
        let others = u32::try_from(level.lines.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let mut walked = Self {
            priority,
            since: level.since,
            served: false,
            overtaken_max: OVERTAKEN_MAX.saturating_mul(others),
            next: BinaryHeap::with_capacity(level.lines.len()),
            lines: lines.collect(),
        };
        let keys = walked.lines.keys();
        let keys = keys.filter_map(|uid| Some(Reverse(walked.key(*uid, node, order)?)));
        walked.next = keys.collect();
        walked
    }

    /// Its priority, raised by the time since it was served.
    fn rank(&self, now: Millis) -> Millis {
        Millis::from(self.priority) + now.saturating_sub(self.since).max(0) / AGEING_MS
    }

    /// The place of a user; none if the user has no job left.
    fn key(&self, uid: u32, node: &Node, order: &Order<'_>) -> Option<Key> {
        let line = self.lines.get(&uid)?;
        let job = line.jobs.clone().next()?.id;
        let in_time = line.overtaken < self.overtaken_max;
        let recent = order.recent.of(uid, order.now) * WHOLE;
        let score = node.share(uid).saturating_add(recent as Share);
        Some(Key {
            in_time,
            score: if in_time { score } else { 0 },
            turn: order.turns.last(uid),
            job,
            uid,
            token: line.token,
        })
    }

    fn next(&mut self, node: &Node, order: &Order<'_>) -> Option<&'a Waiting> {
        loop {
            let Reverse(key) = self.next.pop()?;
            let uid = key.uid;
            let current = self.key(uid, node, order);
            let Some(current) = current.filter(|current| current.token == key.token) else {
                continue;
            };
            if current > key {
                self.next.push(Reverse(current));
                continue;
            }
            let waiting = self.lines.get_mut(&uid)?.jobs.next()?;
            if let Some(after) = self.key(uid, node, order) {
                self.next.push(Reverse(after));
            }
            return Some(waiting);
        }
    }

    /// A job of `served` starts: all other users of the level are overtaken.
    fn overtake(&mut self, served: u32, node: &Node, order: &Order<'_>) {
        let mut overdue = Vec::new();
        for (&uid, line) in &mut self.lines {
            if uid == served {
                line.overtaken = 0;
            } else if !line.held {
                line.overtaken = line.overtaken.saturating_add(1);
                if line.overtaken == self.overtaken_max {
                    line.token += 1;
                    overdue.push(uid);
                }
            }
        }
        for uid in overdue {
            let key = self.key(uid, node, order);
            self.next.extend(key.map(Reverse));
        }
    }
}
