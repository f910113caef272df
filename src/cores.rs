//! The cores of a job, shared by its stages: a stage works only while it holds one, so `--threads N` means at most N busy
//! threads in all, and a core goes to whatever is nearest to the end of the pipeline.
//!
//! Constraints:
//! - A core that comes free goes to the highest rank that waits ([`Rank`]).
//! - Whoever waits for something else (a slot, a lock, a device) lends its core meanwhile ([`Core::lend`]).
//! - A worker lets go between molecules when a higher rank waits ([`Core::give_way`]).
//! - A worker may be inside RDKit for minutes. So sieve and sink wait a tenth of a second at the most and then work all the same:
//!   no stage depends on another's letting go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{
    limits::STAGE_STACK_BYTES,
    sync::{Condvar, Mutex, MutexGuard},
};

/// Longest wait of sieve and sink for a core.
const PATIENCE: Duration = Duration::from_millis(100);

/// Threads on which RDKit runs. It recurses deeply; of a stack only the pages that are used become resident.
pub fn chemistry_pool(
    threads: usize,
    name: &'static str,
) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |i| format!("{name}-{i}"))
        .stack_size(STAGE_STACK_BYTES)
        .build()
}

/// Who goes first, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Reading and chemistry.
    Worker,
    /// Verdicts.
    Sieve,
    /// Encoding and writing.
    Sink,
}

const RANKS: usize = Rank::Sink as usize + 1;

/// A number of cores.
#[derive(Debug)]
pub struct Cores {
    count: usize,
    /// Longest wait of sieve and sink.
    patience: Duration,
    state: Mutex<State>,
    /// Per rank: a core was handed to it.
    handed: [Condvar; RANKS],
    /// How many of the ranks above [`Rank::Worker`] wait.
    urgent: AtomicUsize,
}

#[derive(Debug)]
struct State {
    /// Below 0 while somebody works without having waited to the end.
    free: isize,
    waiting: [usize; RANKS],
    /// Cores that were handed to a rank and are not picked up yet.
    handed: [usize; RANKS],
}

impl Cores {
    /// So many cores, all free.
    pub fn new(count: usize) -> Arc<Self> {
        Self::with_patience(count, PATIENCE)
    }

    fn with_patience(count: usize, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            count,
            patience,
            state: Mutex::new(State {
                free: count as isize,
                waiting: [0; RANKS],
                handed: [0; RANKS],
            }),
            handed: std::array::from_fn(|_| Condvar::new()),
            urgent: AtomicUsize::new(0),
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Waits for a core.
    pub fn take(self: &Arc<Self>, rank: Rank) -> Core {
        self.wait_for(rank);
        Core {
            cores: Arc::clone(self),
            rank,
        }
    }

    /// A core, if one is free and nobody waits.
    pub fn take_free(self: &Arc<Self>, rank: Rank) -> Option<Core> {
        let mut state = self.lock();
        (state.free > 0).then(|| {
            state.free -= 1;
            Core {
                cores: Arc::clone(self),
                rank,
            }
        })
    }

    fn wait_for(&self, rank: Rank) {
        let mut state = self.lock();
        // While somebody waits, none is free: `release` hands it on.
        if state.free > 0 {
            state.free -= 1;
            return;
        }
        let place = rank as usize;
        state.waiting[place] += 1;
        let is_urgent = usize::from(rank > Rank::Worker);
        self.urgent.fetch_add(is_urgent, Relaxed);
        let began = Instant::now();
        while state.handed[place] == 0 {
            let patience = self.patience.saturating_sub(began.elapsed());
            if is_urgent == 1 && patience.is_zero() {
                state.waiting[place] -= 1;
                state.free -= 1;
                self.urgent.fetch_sub(1, Relaxed);
                return;
            }
            state = match is_urgent {
                1 => wait_timeout(&self.handed[place], state, patience),
                _ => wait(&self.handed[place], state),
            };
        }
        state.handed[place] -= 1;
    }

    /// Gives a core back, to the highest rank that waits.
    fn release(&self) {
        let mut state = self.lock();
        if state.free < 0 {
            state.free += 1;
            return;
        }
        let Some(place) = (0..RANKS).rev().find(|place| state.waiting[*place] > 0) else {
            state.free += 1;
            return;
        };
        state.waiting[place] -= 1;
        state.handed[place] += 1;
        if place > Rank::Worker as usize {
            self.urgent.fetch_sub(1, Relaxed);
        }
        drop(state);
        self.handed[place].notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock, so a poisoned one still holds a whole state.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition
        .wait(state)
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn wait_timeout<'a>(
    condition: &Condvar,
    state: MutexGuard<'a, State>,
    time: Duration,
) -> MutexGuard<'a, State> {
    let waited = condition.wait_timeout(state, time);
    waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
}

/// The right to keep one core busy, until it is dropped.
#[derive(Debug)]
pub struct Core {
    cores: Arc<Cores>,
    rank: Rank,
}

impl Core {
    /// Runs `work`, which waits for something else than a core, without the core.
    pub fn lend<T>(&mut self, work: impl FnOnce() -> T) -> T {
        /// Takes the core back, also if `work` panics.
        struct Lent<'a>(&'a Core);
        impl Drop for Lent<'_> {
            fn drop(&mut self) {
                self.0.cores.wait_for(self.0.rank);
            }
        }
        self.cores.release();
        let _lent = Lent(self);
        work()
    }

    /// Whether a higher rank waits than a worker's.
    pub fn is_wanted(&self) -> bool {
        self.cores.urgent.load(Relaxed) > 0
    }

    /// Lets a higher rank that waits go first. Costs next to nothing if none does.
    pub fn give_way(&mut self) {
        if self.is_wanted() {
            self.lend(|| ());
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.cores.release();
    }
}

#[cfg(test)]
mod tests;
