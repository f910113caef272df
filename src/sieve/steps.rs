//! The steps of an engine one by one, so that each can be timed by itself. A job never takes them apart:
//! it begins and finishes whole slots ([`Engine`](super::Engine)).
//!
//! Every call returns when what it asked for is done. `passes` repeat a step over what is loaded without
//! waiting in between, so that what a call costs does not count where a step is short. Repeating changes
//! nothing: a key has the same bits every time.

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

    /// Computes the keys of the rows loaded.
    fn hash_rows(&mut self, passes: u32) -> Result<(), EngineError>;

    /// Takes distinct keys, at most as many as a slot has rows.
    fn load_keys(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError>;

    /// Looks the keys loaded up; gives how many of them the filter may have seen, over all passes.
    fn look_up(&mut self, passes: u32) -> Result<u64, EngineError>;

    /// Inserts the keys loaded.
    fn insert(&mut self, passes: u32) -> Result<(), EngineError>;

    /// Words of the filter that a look-up reads at once, whether or not the first of them already tells.
    fn probes_at_once(&self) -> u32;
}

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

    fn probes_at_once(&self) -> u32 {
        1
    }
}

/// The steps on a GPU: the kernels of [`GpuEngine`](super::gpu::GpuEngine), one by one.
pub struct GpuSteps<D> {
    device: D,
    probes_at_once: u32,
    rows: u32,
    /// The device's tally of rows that the filter may have seen, as it was read last. It counts on, and
    /// starts again at 0 behind 2^32.
    maybe: u32,
}

/// Steps are timed one by one, so they all take the same lane.
const LANE: usize = 0;

impl<D: Device> GpuSteps<D> {
    /// Takes a device that was made for one engine and holds an empty filter.
    pub fn new(device: D, probes_at_once: u32) -> Self {
        Self {
            device,
            probes_at_once,
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
        let (mut key, mut verdict) = ([[0; 2]], [0]);
        // SAFETY: both outlive the lane's end, which is waited for even if this fails.
        let begun = unsafe { self.device.copy_rows_out(LANE, &mut key, &mut verdict) };
        let finished = self.device.finish(LANE, &mut key, &mut verdict);
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

    fn probes_at_once(&self) -> u32 {
        self.probes_at_once
    }
}

/// Words that a look-up of `kernels/sieve.cu` reads at once: its `PROBES`.
pub const CUDA_PROBES: u32 = 4;
/// Of `shaders/sieve.wgsl`, which reads one after the other.
pub const WGPU_PROBES: u32 = 1;

/// Accesses to the filter that one look-up of a key makes that is not in it, on average, with a share
/// `set` of the bits set: reading stops with the first bit that is not set.
pub fn accesses_of_absent(shape: FilterShape, set: f64, probes_at_once: u32) -> f64 {
    let at_once = f64::from(probes_at_once);
    let groups = shape.hashes.div_ceil(probes_at_once) as i32;
    let goes_on = set.powf(at_once);
    at_once * (1.0 - goes_on.powi(groups)) / (1.0 - goes_on)
}

/// Accesses that one look-up of a key makes that is in the filter.
pub fn accesses_of_present(shape: FilterShape, probes_at_once: u32) -> f64 {
    f64::from(shape.hashes.next_multiple_of(probes_at_once))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_are_those_of_the_kernels() {
        let shape = FilterShape {
            bits: 1 << 20,
            hashes: 30,
        };
        assert_eq!(accesses_of_absent(shape, 0.0, 1), 1.0);
        assert_eq!(accesses_of_absent(shape, 0.0, 4), 4.0);
        // Half of all go on each time: two on average.
        assert!((accesses_of_absent(shape, 0.5, 1) - 2.0).abs() < 1e-6);
        assert_eq!(accesses_of_present(shape, 1), 30.0);
        assert_eq!(accesses_of_present(shape, 4), 32.0);
        let kernels = include_str!("../../kernels/sieve.cu");
        assert!(kernels.contains(&format!("#define PROBES {CUDA_PROBES}u")));
    }

    #[test]
    fn steps_find_what_was_inserted_and_nothing_else() {
        let shape = FilterShape {
            bits: 1 << 20,
            hashes: 30,
        };
        let room = Room {
            filter: shape,
            rows_max: 1_000,
            text_bytes_max: 1_000,
        };
        let mut steps = CpuSteps::new(&room, 2).unwrap();
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
