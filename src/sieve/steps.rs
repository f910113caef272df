//! The steps of an engine one by one, so that each can be timed by itself. A job never takes them apart:
//! it begins and finishes whole slots ([`Engine`](super::Engine)).
//!
//! Every call returns when what it asked for is done. `passes` repeat a step over what is loaded without
//! waiting in between, so that what a call costs does not count where a step is short. Repeating changes
//! nothing: a key has the same bits every time.
//!
//! Beside the steps stand what they are shares of: copies both ways, and accesses to the filter at random that do
//! nothing else. These take the first words of the keys loaded as the states of generators, and change the keys.

use std::{hint::black_box, sync::atomic::Ordering::Relaxed};

use fastbloom::AtomicBloomFilter;
use rayon::prelude::*;

use super::{
    CpuEngine, EngineError, FilterShape, cpu,
    gpu::{Device, Kernel, Room},
};
use crate::slot::{HostMemory, Slot, Verdict};

/// See the module's documentation.
pub trait Steps {
    /// Memory for a slot from which the engine copies well.
    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError>;

    /// Copies the text of a slot's rows and where each ends to where the engine hashes it: on a GPU into
    /// its memory, on the CPU into other memory.
    fn load_rows(&mut self, slot: &Slot) -> Result<(), EngineError>;

    /// Copies keys and verdicts of the rows loaded into a slot: what a job gets back.
    fn unload_rows(&mut self, slot: &mut Slot) -> Result<(), EngineError>;

    /// Computes the keys of the rows loaded.
    fn hash_rows(&mut self, passes: u32) -> Result<(), EngineError>;

    /// Takes distinct keys, at most as many as a slot has rows.
    fn load_keys(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError>;

    /// Looks the keys loaded up; gives how many of them the filter may have seen, over all passes.
    fn look_up(&mut self, passes: u32) -> Result<u64, EngineError>;

    /// Inserts the keys loaded.
    fn insert(&mut self, passes: u32) -> Result<(), EngineError>;

    /// Overwrites the filter with random bits, half of them set: what it looks like when it holds as many keys as
    /// it is made for.
    fn fill_at_random(&mut self) -> Result<(), EngineError>;

    /// For each key loaded reads as many words of the filter, at random, as a key has bits.
    fn read_at_random(&mut self, passes: u32) -> Result<(), EngineError>;

    /// For each key loaded adds as many bits to the filter, at random and atomically, as a key has.
    fn add_at_random(&mut self, passes: u32) -> Result<(), EngineError>;

    /// How look-ups read the filter, and in words of which size.
    fn access(&self) -> Access;
}

/// How an engine reads the filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Access {
    /// Bits that a look-up reads without waiting in between, batch by batch; the last number goes on. A look-up
    /// ends with the batch in which a bit is not set.
    pub batches: &'static [u32],
    /// Bytes of a word.
    pub word_bytes: u32,
}

impl Access {
    /// Of fastbloom, which reads one bit after the other.
    pub const CPU: Self = Self {
        batches: &[1],
        word_bytes: 8,
    };
    /// Of `kernels/sieve.cu`.
    pub const CUDA: Self = Self {
        batches: &PROBE_BATCHES,
        word_bytes: 8,
    };
    /// Of `shaders/sieve.wgsl`, which has no words of 64 bits.
    pub const WGPU: Self = Self {
        batches: &[1],
        word_bytes: 4,
    };
}

/// Batches of the look-ups of `kernels/sieve.cu`. A test says what others would cost.
pub const PROBE_BATCHES: [u32; 4] = [1, 1, 2, 4];

/// The steps of the `cpu` engine: its own functions, in its own pool.
pub struct CpuSteps {
    engine: CpuEngine,
    text: Vec<u8>,
    text_end: Vec<u32>,
    rows: usize,
    keys: Vec<[u64; 2]>,
    verdicts: Vec<u8>,
}

/// Bytes that one thread copies at a time: few enough for all to have work.
const COPY_BYTES: usize = 64 << 10;

impl CpuSteps {
    /// An empty filter and room for rows and text.
    pub fn new(room: &Room, threads: usize) -> Result<Self, EngineError> {
        Ok(Self {
            engine: CpuEngine::new(room.filter, room.rows_max, threads)?,
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
        let (to, ends) = (&mut self.text, &mut self.text_end);
        self.engine.pool.install(|| {
            let pieces = to[..text.len()].par_chunks_mut(COPY_BYTES);
            pieces
                .zip(text.par_chunks(COPY_BYTES))
                .for_each(|(to, from)| to.copy_from_slice(from));
            let from = columns.text_end[..slot.rows()].par_chunks(COPY_BYTES / 4);
            let pieces = ends[..slot.rows()].par_chunks_mut(COPY_BYTES / 4);
            pieces
                .zip(from)
                .for_each(|(to, from)| to.copy_from_slice(from));
        });
        Ok(())
    }

    fn unload_rows(&mut self, slot: &mut Slot) -> Result<(), EngineError> {
        let (rows, columns) = (slot.rows(), slot.columns_mut());
        let (keys, verdicts) = (&self.keys[..rows], &self.verdicts[..rows]);
        self.engine.pool.install(|| {
            let to = columns.key[..rows].par_chunks_mut(COPY_BYTES / 16);
            to.zip(keys.par_chunks(COPY_BYTES / 16))
                .for_each(|(to, from)| to.copy_from_slice(from));
            let to = columns.verdict[..rows].par_chunks_mut(COPY_BYTES);
            to.zip(verdicts.par_chunks(COPY_BYTES))
                .for_each(|(to, from)| to.copy_from_slice(from));
        });
        Ok(())
    }

    fn hash_rows(&mut self, passes: u32) -> Result<(), EngineError> {
        let (text, ends) = (&self.text, &self.text_end);
        let keys = &mut self.keys[..self.rows];
        for _ in 0..passes {
            self.engine
                .pool
                .install(|| cpu::hash_rows(text, ends, keys));
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
            let filter = &self.engine.filter;
            self.engine
                .pool
                .install(|| cpu::look_up(filter, keys, verdicts));
            let maybe = |verdict: &&u8| **verdict == Verdict::Maybe as u8;
            found += verdicts.iter().filter(maybe).count() as u64;
        }
        Ok(found)
    }

    fn insert(&mut self, passes: u32) -> Result<(), EngineError> {
        let (filter, keys) = (&self.engine.filter, &self.keys[..self.rows]);
        for _ in 0..passes {
            self.engine.pool.install(|| cpu::insert_keys(filter, keys));
        }
        Ok(())
    }

    fn fill_at_random(&mut self) -> Result<(), EngineError> {
        let words = self.engine.filter.as_slice();
        self.engine.pool.install(|| {
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
            // What was there is of no interest, so the processor need not give it back.
            filter.as_slice()[word].fetch_or(bit, Relaxed);
            0
        })
    }

    fn access(&self) -> Access {
        Access::CPU
    }
}

/// Keys whose accesses one task makes.
const ACCESS_TASK_KEYS: usize = 128;

impl CpuSteps {
    /// Calls `access` with the words of the filter that the keys' generators choose, and a bit of each. Knuth's linear
    /// congruential generator: its upper bits choose the word, so the next address does not wait for the word before.
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
            self.engine.pool.install(|| {
                let tasks = keys.par_chunks_mut(ACCESS_TASK_KEYS);
                tasks.for_each(|keys| keys.iter_mut().for_each(access_for));
            });
        }
        black_box(&self.keys);
        Ok(())
    }
}

/// The number of a word as random bits (splitmix64: Steele, Lea, Flood 2014).
fn mixed(number: u64) -> u64 {
    let state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ state >> 31
}

/// The steps on a GPU: the kernels of [`GpuEngine`](super::gpu::GpuEngine), one by one.
pub struct GpuSteps<D> {
    device: D,
    access: Access,
    rows: u32,
    /// The device's tally of rows that the filter may have seen, as it was read last. It counts on, and
    /// starts again at 0 behind 2^32.
    maybe: u32,
}

/// Steps are timed one by one, so they all take the same lane.
const LANE: usize = 0;

impl<D: Device> GpuSteps<D> {
    /// Takes a device that was made for one engine and holds an empty filter.
    pub fn new(device: D, access: Access) -> Self {
        Self {
            device,
            access,
            rows: 0,
            maybe: 0,
        }
    }

    fn repeat(&mut self, kernel: Kernel, passes: u32) -> Result<(), EngineError> {
        for _ in 0..passes {
            self.device.launch(LANE, kernel, self.rows)?;
        }
        self.wait()
    }

    fn load(&mut self, text: &[u8], text_end: &[u32]) -> Result<(), EngineError> {
        // SAFETY: the slices outlive this call, and the lane's end is waited for even if this fails.
        let begun = unsafe { self.device.copy_rows_in(LANE, text, text_end) };
        let waited = self.wait();
        begun.and(waited)
    }

    /// Until all kernels have ended: reads a row back, for which a device waits.
    fn wait(&mut self) -> Result<(), EngineError> {
        self.unload(&mut [[0; 2]], &mut [0])
    }

    fn unload(&mut self, keys: &mut [[u64; 2]], verdicts: &mut [u8]) -> Result<(), EngineError> {
        // SAFETY: both outlive the lane's end, which is waited for even if this fails.
        let begun = unsafe { self.device.copy_rows_out(LANE, keys, verdicts) };
        let finished = self.device.finish(LANE, keys, verdicts);
        begun?;
        let [_, maybe, _] = finished?;
        self.maybe = maybe;
        Ok(())
    }
}

impl<D: Device> Steps for GpuSteps<D> {
    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        self.device.slot_memory(bytes)
    }

    fn load_rows(&mut self, slot: &Slot) -> Result<(), EngineError> {
        self.rows = slot.rows() as u32;
        let columns = slot.columns();
        let text = &columns.text[..slot.text_bytes()];
        let ends = &columns.text_end[..slot.rows()];
        self.load(text, ends)
    }

    fn unload_rows(&mut self, slot: &mut Slot) -> Result<(), EngineError> {
        let (rows, columns) = (slot.rows(), slot.columns_mut());
        self.unload(&mut columns.key[..rows], &mut columns.verdict[..rows])
    }

    fn hash_rows(&mut self, passes: u32) -> Result<(), EngineError> {
        self.repeat(Kernel::HashRows, passes)
    }

    fn load_keys(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        // Copying rows in, any, empties the table of first rows.
        self.load(b"C", &[1])?;
        self.device.copy_keys_in(LANE, keys)?;
        self.rows = keys.len() as u32;
        self.repeat(Kernel::ClaimRows, 1)
    }

    fn look_up(&mut self, passes: u32) -> Result<u64, EngineError> {
        let before = self.maybe;
        self.repeat(Kernel::LookUp, passes)?;
        Ok(u64::from(self.maybe.wrapping_sub(before)))
    }

    fn insert(&mut self, passes: u32) -> Result<(), EngineError> {
        self.repeat(Kernel::InsertKeys, passes)
    }

    fn fill_at_random(&mut self) -> Result<(), EngineError> {
        self.repeat(Kernel::FillAtRandom, 1)
    }

    fn read_at_random(&mut self, passes: u32) -> Result<(), EngineError> {
        self.repeat(Kernel::ReadAtRandom, passes)
    }

    fn add_at_random(&mut self, passes: u32) -> Result<(), EngineError> {
        self.repeat(Kernel::AddAtRandom, passes)
    }

    fn access(&self) -> Access {
        self.access
    }
}

/// Accesses to the filter that one look-up of a key makes that is not in it, on average, with a share `set` of the
/// bits set. A key that is in it takes one for each of its bits.
pub fn accesses_of_absent(shape: FilterShape, set: f64, batches: &[u32]) -> f64 {
    let (mut accesses, mut done) = (0.0, 0);
    while done < shape.hashes {
        let batch = next_batch(batches, done, shape.hashes);
        accesses += f64::from(batch) * set.powi(done as i32);
        done += batch;
    }
    accesses
}

/// Bits of the batch that comes behind `done` bits.
fn next_batch(batches: &[u32], done: u32, hashes: u32) -> u32 {
    let mut begins = 0;
    for batch in batches.iter().copied() {
        if begins == done {
            return batch.min(hashes - done);
        }
        begins += batch;
    }
    batches.last().map_or(1, |batch| *batch).min(hashes - done)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIRTY: FilterShape = FilterShape {
        bits: 1 << 20,
        hashes: 30,
    };

    /// Batches one after the other that a warp of 32 threads takes for absent keys in a half-full filter, on average:
    /// it goes on until its last thread is done.
    fn rounds_of_a_warp(batches: &[u32]) -> f64 {
        let (mut rounds, mut done) = (0.0, 0);
        while done < THIRTY.hashes {
            let goes_on = 0.5f64.powi(done as i32);
            rounds += 1.0 - (1.0 - goes_on).powi(32);
            done += next_batch(batches, done, THIRTY.hashes);
        }
        rounds
    }

    fn rounds_of_present(batches: &[u32]) -> u32 {
        let (mut rounds, mut done) = (0, 0);
        while done < THIRTY.hashes {
            done += next_batch(batches, done, THIRTY.hashes);
            rounds += 1;
        }
        rounds
    }

    /// What batches cost in a half-full filter with 30 bits a key: accesses of an absent key, rounds of a warp of
    /// absent keys, rounds of a present key.
    type Cost = (&'static [u32], f64, f64, u32);

    /// The memory of a GPU is kept busy by the other warps while one waits, so
    /// accesses come first, and rounds second.
    #[test]
    fn batches_were_chosen_by_figures() {
        let figures: [Cost; 7] = [
            (&[1], 2.00, 6.36, 30),
            (&PROBE_BATCHES, 2.27, 4.00, 10),
            (&[1, 1, 2, 4, 8], 2.28, 3.99, 7),
            (&[1, 2, 4], 2.53, 3.22, 9),
            (&[1, 1, 4], 2.57, 3.43, 9),
            (&[2], 2.67, 3.43, 15),
            (&[4], 4.27, 2.00, 8),
        ];
        for (batches, accesses, rounds, present) in figures {
            let of_absent = accesses_of_absent(THIRTY, 0.5, batches);
            assert!(
                (of_absent - accesses).abs() < 0.005,
                "{batches:?}: {of_absent}"
            );
            let of_warp = rounds_of_a_warp(batches);
            assert!((of_warp - rounds).abs() < 0.005, "{batches:?}: {of_warp}");
            assert_eq!(rounds_of_present(batches), present, "{batches:?}");
        }
        let of_choice = |set| accesses_of_absent(THIRTY, set, &PROBE_BATCHES);
        assert_eq!(of_choice(0.0), 1.0);
        assert!((of_choice(1.0) - 30.0).abs() < 1e-9);
    }

    fn steps(rows_max: usize) -> CpuSteps {
        let room = Room {
            filter: THIRTY,
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
        let share = f64::from(set) / THIRTY.bits as f64;
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
        // 30,000 accesses to 16,384 words leave 16 % of them alone.
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
