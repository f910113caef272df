//! The reference engine: fastbloom on the CPU.
//!
//! Look-ups and inserts run on the cores of the job that are free: the filter is `fastbloom::AtomicBloomFilter`, setting
//! bits commutes, and look-ups and inserts never overlap. The search for repeats inside a slot is sequential, so in a job
//! the workers do it before. All work on a slot has ended when `begin` returns.

use std::{
    hint::black_box,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use fastbloom::AtomicBloomFilter;

use super::{
    engine::{Engine, Tally},
    error::EngineError,
    filter::FilterShape,
    first_rows::FirstRows,
};
use crate::{
    cores::{Cores, Rank},
    key::Key,
    machine,
    slot::{Slot, Verdict, text_range},
};

/// Rows that one task handles: enough that the cost of a task does not count (a key takes tens of nanoseconds).
pub(super) const TASK_ROWS: usize = 512;

/// Memory of one of the engine's threads: its stack and the allocator's share.
const THREAD_BYTES: usize = 256 << 10;

/// See the module's documentation.
pub struct CpuEngine {
    pub(super) filter: AtomicBloomFilter,
    pub(super) crew: Crew,
    /// For slots that no worker has marked.
    first_rows: FirstRows,
    /// The slot that was begun, with its result.
    begun: Option<(Slot, Tally)>,
    /// For cores, not yet reported.
    waited: Duration,
}

/// How many threads work on tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workers {
    One,
    Several,
}

/// The threads of the engine: one works on a slot, and as many more as there are free cores join.
pub(super) struct Crew {
    cores: Arc<Cores>,
    pub(super) pool: rayon::ThreadPool,
}

impl Crew {
    fn new(cores: &Arc<Cores>) -> Result<Self, EngineError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(cores.count().min(machine::processors()))
            .thread_name(|i| format!("sieve-{i}"))
            .stack_size(THREAD_BYTES)
            .build()
            .map_err(|error| EngineError::Threads(error.to_string()))?;
        Ok(Self {
            cores: Arc::clone(cores),
            pool,
        })
    }

    /// Does `work` on one of the threads, once it has a core, while the caller waits. Returns also how long that took.
    fn work<T: Send>(&self, work: impl FnOnce() -> T + Send) -> (T, Duration) {
        let began = Instant::now();
        self.pool.install(|| {
            let _core = self.cores.take(Rank::Sieve);
            let waited = began.elapsed();
            (work(), waited)
        })
    }

    /// Calls `work` with every task, in any order, and with who works. The caller holds a core. Others join as long as cores
    /// are free, which they are where workers wait for this engine.
    pub(super) fn for_each<T: Send>(
        &self,
        tasks: impl ExactSizeIterator<Item = T> + Send,
        work: impl Fn(T, Workers) + Sync,
    ) {
        let others = tasks.len().min(self.cores.count()).saturating_sub(1);
        let free = (0..others).map_while(|_| self.cores.take_free(Rank::Sieve));
        let free: Vec<_> = free.collect();
        let workers = match free.is_empty() {
            true => Workers::One,
            false => Workers::Several,
        };
        let tasks = Mutex::new(tasks);
        let work_on = || {
            let next = || tasks.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some(task) = next() {
                work(task, workers);
            }
        };
        self.pool.in_place_scope(|scope| {
            for core in free {
                let work_on = &work_on;
                scope.spawn(move |_| {
                    let _core = core;
                    work_on();
                });
            }
            work_on();
        });
    }
}

impl CpuEngine {
    /// An empty filter, and room for slots of up to `rows_max` rows. It works on `cores`.
    pub fn new(
        shape: FilterShape,
        rows_max: usize,
        cores: &Arc<Cores>,
    ) -> Result<Self, EngineError> {
        // The source hash is the key's first word, so the filter's own hasher and its seed are never used.
        let filter = AtomicBloomFilter::with_num_bits(shape.bits)
            .seed(&0)
            .hashes(shape.hashes);
        Ok(Self {
            filter,
            crew: Crew::new(cores)?,
            first_rows: FirstRows::new(rows_max),
            begun: None,
            waited: Duration::ZERO,
        })
    }

    /// Bytes that the engine uses, without the filter.
    pub fn bytes(rows_max: usize, threads: usize) -> usize {
        FirstRows::bytes(rows_max) + threads * THREAD_BYTES
    }
}

impl Engine for CpuEngine {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn wants_marked_slots(&self) -> bool {
        true
    }

    fn begin(&mut self, mut slot: Slot) -> Result<(), EngineError> {
        assert!(self.begun.is_none(), "one slot at a time");
        let (crew, filter, first_rows) = (&self.crew, &self.filter, &mut self.first_rows);
        let (rows, given, marked) = (slot.rows(), slot.keys_given, slot.marked);
        let columns = slot.columns_mut();
        let keys = &mut columns.key[..rows];
        let verdicts = &mut columns.verdict[..rows];
        let (text, text_end) = (&*columns.text, &*columns.text_end);
        let (tally, waited) = crew.work(|| {
            if !given {
                hash_rows(crew, text, text_end, keys);
            }
            if !marked {
                first_rows.mark(keys, verdicts);
            }
            let keys = &*keys;
            look_up(crew, filter, keys, verdicts);
            insert_new(crew, filter, keys, verdicts);
            tally(verdicts)
        });
        self.begun = Some((slot, tally));
        self.waited += waited;
        Ok(())
    }

    fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    fn finish(&mut self) -> Result<Option<(Slot, Tally)>, EngineError> {
        Ok(self.begun.take())
    }

    fn insert(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        self.crew
            .work(|| insert_keys(&self.crew, &self.filter, keys));
        Ok(())
    }

    fn filter_words(&mut self) -> Result<Vec<u64>, EngineError> {
        Ok(self.filter.iter().collect())
    }
}

// The steps, with the names of the kernels that do the same on a GPU.

/// Computes the key of each row.
pub(super) fn hash_rows(crew: &Crew, text: &[u8], text_end: &[u32], keys: &mut [[u64; 2]]) {
    let tasks = keys.chunks_mut(TASK_ROWS).enumerate();
    crew.for_each(tasks, |(task, keys), _| {
        for (key, row) in keys.iter_mut().zip(TASK_ROWS * task..) {
            *key = Key::of(&text[text_range(text_end, row)]).words();
        }
    });
}

/// Marks those new rows as maybe that the filter may have seen.
pub(super) fn look_up(
    crew: &Crew,
    filter: &AtomicBloomFilter,
    keys: &[[u64; 2]],
    verdicts: &mut [u8],
) {
    let tasks = verdicts.chunks_mut(TASK_ROWS).zip(keys.chunks(TASK_ROWS));
    crew.for_each(tasks, |(verdicts, keys), _| {
        let groups = verdicts.chunks_mut(WARM_KEYS).zip(keys.chunks(WARM_KEYS));
        for (verdicts, keys) in groups {
            keys.iter()
                .for_each(|key| warm(filter, key[0], PROBES_OF_ABSENT));
            for (verdict, key) in verdicts.iter_mut().zip(keys) {
                if *verdict == Verdict::New as u8 && filter.contains_hash(key[0]) {
                    *verdict = Verdict::Maybe as u8;
                }
            }
        }
    });
}

/// Inserts the keys of the new rows into the filter.
fn insert_new(crew: &Crew, filter: &AtomicBloomFilter, keys: &[[u64; 2]], verdicts: &[u8]) {
    let tasks = verdicts.chunks(TASK_ROWS).zip(keys.chunks(TASK_ROWS));
    crew.for_each(tasks, |(verdicts, keys), workers| {
        let is_new = |(verdict, _): &(&u8, _)| **verdict == Verdict::New as u8;
        let rows = verdicts.iter().zip(keys).filter(is_new);
        insert_all(filter, rows.map(|(_, key)| key[0]), workers);
    });
}

/// Inserts all keys into the filter.
pub(super) fn insert_keys(crew: &Crew, filter: &AtomicBloomFilter, keys: &[[u64; 2]]) {
    crew.for_each(keys.chunks(TASK_ROWS), |keys, workers| {
        insert_all(filter, keys.iter().map(|key| key[0]), workers);
    });
}

/// Keys whose words are prefetched together: their lines fit the first-level cache, their pages its TLB.
const WARM_KEYS: usize = 12;

/// Words that are read in advance for a look-up: in a filter that is half full, every second absent key needs no more
/// than one, and three of four no more than two.
const PROBES_OF_ABSENT: u32 = 2;

/// Inserts source hashes, on this thread. An atomic write makes the processor wait for the word before it continues.
/// So the words of several keys are read first, which the processor does in parallel. A thread that is alone needs no
/// atomic writes.
pub(super) fn insert_all(
    filter: &AtomicBloomFilter,
    sources: impl Iterator<Item = u64>,
    workers: Workers,
) {
    let mut group = [0; WARM_KEYS];
    let mut held = 0;
    let insert = |group: &[u64]| {
        group
            .iter()
            .for_each(|source| warm(filter, *source, filter.num_hashes()));
        group.iter().for_each(|source| match workers {
            Workers::One => insert_alone(filter, *source),
            Workers::Several => {
                filter.insert_hash(*source);
            }
        });
    };
    for source in sources {
        group[held] = source;
        held += 1;
        if held == WARM_KEYS {
            insert(&group);
            held = 0;
        }
    }
    insert(&group[..held]);
}

/// Reads the first `words_max` words that have bits of a key.
fn warm(filter: &AtomicBloomFilter, source: u64, words_max: u32) {
    let words = filter.as_slice();
    let bits = bits_of(filter, source).take(words_max as usize);
    black_box(bits.fold(0, |seen, (word, _)| seen | words[word].load(Relaxed)));
}

/// As fastbloom's `insert_hash`, while no other thread writes to the filter.
fn insert_alone(filter: &AtomicBloomFilter, source: u64) {
    let words = filter.as_slice();
    for (word, bit) in bits_of(filter, source) {
        let word = &words[word];
        word.store(word.load(Relaxed) | bit, Relaxed);
    }
}

/// Where fastbloom has the bits of a key: `index = (hash × bits) >> 64`, its double hashing. For each, the word and the
/// bit in it. The kernels do the same.
fn bits_of(filter: &AtomicBloomFilter, source: u64) -> impl Iterator<Item = (usize, u64)> {
    let bits = filter.num_bits() as u64;
    let step = source.wrapping_mul(0x517c_c1b7_2722_0a95);
    let mut hash = source;
    (0..filter.num_hashes()).map(move |_| {
        let index = (u128::from(hash) * u128::from(bits)) >> 64;
        hash = hash.rotate_left(5).wrapping_add(step);
        ((index >> 6) as usize, 1 << (index & 63))
    })
}

fn tally(verdicts: &[u8]) -> Tally {
    let mut tally = Tally::default();
    verdicts
        .iter()
        .for_each(|verdict| tally.count(Verdict::of(*verdict)));
    tally
}
