//! The steps of the `cpu` engine.

use std::{hint::black_box, sync::atomic::Ordering::Relaxed};

use fastbloom::AtomicBloomFilter;
use rayon::prelude::*;

use super::step::{Access, Steps};
use crate::{
    cores::Cores,
    sieve::{
        cpu::{self, CpuEngine},
        error::EngineError,
        gpu::device::Room,
    },
    slot::{HostMemory, Slot, Verdict},
};

/// The steps of the `cpu` engine: its functions, in its thread pool.
pub struct CpuSteps {
    engine: CpuEngine,
    text: Vec<u8>,
    text_end: Vec<u32>,
    rows: usize,
    keys: Vec<[u64; 2]>,
    verdicts: Vec<u8>,
}

/// Bytes that one thread copies at a time: few enough that all threads have work.
const COPY_BYTES: usize = 64 << 10;

impl CpuSteps {
    /// An empty filter and room for rows and text.
    pub fn new(room: &Room, threads: usize) -> Result<Self, EngineError> {
        Ok(Self {
            engine: CpuEngine::new(room.filter, room.rows_max, &Cores::new(threads))?,
            text: vec![0; room.text_bytes_max],
            text_end: vec![0; room.rows_max],
            rows: 0,
            keys: vec![[0; 2]; room.rows_max],
            verdicts: vec![0; room.rows_max],
        })
    }
}

impl Steps for CpuSteps {
    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        Ok(HostMemory::pageable(bytes))
    }

    fn load_rows(&mut self, slot: &Slot) -> Result<(), EngineError> {
        self.rows = slot.rows();
        let columns = slot.columns();
        let text = &columns.text[..slot.text_bytes()];
        let ends = &columns.text_end[..slot.rows()];
        self.engine.crew.pool.install(|| {
            copy(&mut self.text[..text.len()], text);
            copy(&mut self.text_end[..ends.len()], ends);
        });
        Ok(())
    }

    fn unload_rows(&mut self, slot: &mut Slot) -> Result<(), EngineError> {
        let (rows, columns) = (slot.rows(), slot.columns_mut());
        self.engine.crew.pool.install(|| {
            copy(&mut columns.key[..rows], &self.keys[..rows]);
            copy(&mut columns.verdict[..rows], &self.verdicts[..rows]);
        });
        Ok(())
    }

    fn hash_rows(&mut self, passes: u32) -> Result<(), EngineError> {
        let (text, ends) = (&self.text, &self.text_end);
        let keys = &mut self.keys[..self.rows];
        for _ in 0..passes {
            cpu::hash_rows(&self.engine.crew, text, ends, keys);
        }
        Ok(())
    }

    fn load_keys(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        self.rows = keys.len();
        self.keys[..keys.len()].copy_from_slice(keys);
        Ok(())
    }

    fn look_up(&mut self, passes: u32) -> Result<u64, EngineError> {
        let (keys, verdicts) = (&self.keys[..self.rows], &mut self.verdicts[..self.rows]);
        let mut found = 0;
        for _ in 0..passes {
            verdicts.fill(Verdict::New as u8);
            cpu::look_up(&self.engine.crew, &self.engine.filter, keys, verdicts);
            let maybe = |verdict: &&u8| **verdict == Verdict::Maybe as u8;
            found += verdicts.iter().filter(maybe).count() as u64;
        }
        Ok(found)
    }

    fn insert(&mut self, passes: u32) -> Result<(), EngineError> {
        let keys = &self.keys[..self.rows];
        for _ in 0..passes {
            cpu::insert_keys(&self.engine.crew, &self.engine.filter, keys);
        }
        Ok(())
    }

    fn fill_at_random(&mut self) -> Result<(), EngineError> {
        let words = self.engine.filter.as_slice();
        self.engine.crew.pool.install(|| {
            let words = words.par_iter().enumerate().with_min_len(COPY_BYTES / 8);
            words.for_each(|(number, word)| word.store(mixed(number as u64 + 1), Relaxed));
        });
        Ok(())
    }

    fn read_at_random(&mut self, passes: u32) -> Result<(), EngineError> {
        self.access_at_random(passes, |filter, word, _| {
            filter.as_slice()[word].load(Relaxed)
        })
    }

    fn add_at_random(&mut self, passes: u32) -> Result<(), EngineError> {
        self.access_at_random(passes, |filter, word, bit| {
            // The old value is not used, so the processor need not return it.
            filter.as_slice()[word].fetch_or(bit, Relaxed);
            0
        })
    }

    fn access(&self) -> Access {
        Access::CPU
    }
}

/// Copies on all threads of the pool.
fn copy<T: Copy + Send + Sync>(to: &mut [T], from: &[T]) {
    let len = COPY_BYTES / size_of::<T>();
    let pieces = to.par_chunks_mut(len).zip(from.par_chunks(len));
    pieces.for_each(|(to, from)| to.copy_from_slice(from));
}

/// Keys whose accesses one task makes.
const ACCESS_TASK_KEYS: usize = 128;

impl CpuSteps {
    /// Calls `access` with the words of the filter that the keys' generators choose, and a bit of each. The generator is
    /// Knuth's linear congruential one; its upper bits choose the word, so an address does not depend on the word before.
    fn access_at_random(
        &mut self,
        passes: u32,
        access: impl Fn(&AtomicBloomFilter, usize, u64) -> u64 + Sync,
    ) -> Result<(), EngineError> {
        let filter = &self.engine.filter;
        let (words, accesses) = (filter.as_slice().len(), filter.num_hashes());
        let access_for = |key: &mut [u64; 2]| {
            for _ in 0..accesses {
                key[0] = key[0]
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let place = (u128::from(key[0]) * words as u128) >> 64;
                let seen = access(filter, place as usize, 1 << (key[0] >> 20 & 63));
                key[1] = key[1].wrapping_add(seen);
            }
        };
        let keys = &mut self.keys[..self.rows];
        for _ in 0..passes {
            self.engine.crew.pool.install(|| {
                let tasks = keys.par_chunks_mut(ACCESS_TASK_KEYS);
                tasks.for_each(|keys| keys.iter_mut().for_each(access_for));
            });
        }
        black_box(&self.keys);
        Ok(())
    }
}

/// Random bits from the number of a word (splitmix64: Steele, Lea, Flood 2014).
fn mixed(number: u64) -> u64 {
    let state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ state >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sieve::filter::FilterShape;

    const FILTER: FilterShape = FilterShape {
        bits: 1 << 20,
        hashes: 30,
    };

    fn steps(rows_max: usize) -> CpuSteps {
        let room = Room {
            filter: FILTER,
            rows_max,
            text_bytes_max: 1_000,
        };
        CpuSteps::new(&room, 2).unwrap()
    }

    #[test]
    fn a_filter_filled_at_random_is_half_full() {
        let mut steps = steps(1_000);
        steps.fill_at_random().unwrap();
        let set: u32 = steps.engine.filter.iter().map(u64::count_ones).sum();
        let share = f64::from(set) / FILTER.bits as f64;
        assert!((share - 0.5).abs() < 0.005, "{share}");
        let keys: Vec<_> = (0..1_000).map(spread).collect();
        steps.load_keys(&keys).unwrap();
        assert_eq!(
            steps.look_up(1).unwrap(),
            0,
            "2^-30 of absent keys are found"
        );
    }

    #[test]
    fn accesses_at_random_are_made_and_go_everywhere() {
        let mut steps = steps(1_000);
        let keys: Vec<_> = (0..1_000).map(spread).collect();
        steps.load_keys(&keys).unwrap();
        steps.add_at_random(1).unwrap();
        let words = steps.engine.filter.as_slice();
        let hit = words.iter().filter(|word| word.load(Relaxed) != 0).count();
        // 30,000 accesses to 16,384 words miss 16 % of them.
        assert!((13_500..14_000).contains(&hit), "{hit}");
        steps.load_keys(&keys).unwrap();
        steps.read_at_random(1).unwrap();
        let read = steps.keys.iter().zip(&keys);
        assert!(read.clone().all(|(read, key)| read[0] != key[0]));
        let saw = read.filter(|(read, key)| read[1] != key[1]).count();
        assert_eq!(saw, 1_000, "each key's accesses saw bits that were set");
    }

    #[test]
    fn steps_find_what_was_inserted_and_nothing_else() {
        let mut steps = steps(1_000);
        let keys = |from: u64| -> Vec<_> { (from..from + 900).map(spread).collect() };
        steps.load_keys(&keys(0)).unwrap();
        assert_eq!(steps.look_up(3).unwrap(), 0);
        steps.insert(2).unwrap();
        assert_eq!(steps.look_up(3).unwrap(), 3 * 900);
        steps.load_keys(&keys(900)).unwrap();
        assert_eq!(steps.look_up(1).unwrap(), 0);
    }

    fn spread(n: u64) -> [u64; 2] {
        crate::key::Key::of(&n.to_le_bytes()).words()
    }
}
