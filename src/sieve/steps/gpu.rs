//! The steps on a GPU.

use super::step::{Access, Steps};
use crate::{
    sieve::{
        error::EngineError,
        gpu::device::{Device, Kernel},
        rows::{Keyed, Texts},
    },
    slot::{HostMemory, Slot},
};

/// The steps on a GPU: the kernels of [`GpuEngine`](crate::sieve::gpu::GpuEngine), one by one.
pub struct GpuSteps<D> {
    device: D,
    access: Access,
    rows: u32,
    /// The device's tally of rows that the filter may have seen, as it was read last. It is never reset, and wraps at
    /// 2^32.
    maybe: u32,
}

/// Steps are timed one by one, so all of them use the same lane.
const LANE: usize = 0;

impl<D: Device> GpuSteps<D> {
    /// Takes a device that holds an empty filter.
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

    fn load(&mut self, texts: Texts<'_>) -> Result<(), EngineError> {
        // SAFETY: the slices outlive this call, and the lane is waited for even if this fails.
        let begun = unsafe { self.device.copy_rows_in(LANE, texts) };
        let waited = self.wait();
        begun.and(waited)
    }

    /// Waits until all kernels have ended, by reading a row back.
    fn wait(&mut self) -> Result<(), EngineError> {
        self.unload(&mut [[0; 2]], &mut [0])
    }

    fn unload(&mut self, keys: &mut [[u64; 2]], codes: &mut [u8]) -> Result<(), EngineError> {
        let to = &mut Keyed { keys, codes };
        // SAFETY: the slices outlive this call, and the lane is waited for even if this fails.
        let begun = unsafe { self.device.copy_rows_out(LANE, to) };
        let finished = self.device.finish(LANE, to);
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
        self.load(Texts {
            bytes: &columns.text[..slot.text_bytes()],
            ends: &columns.text_end[..slot.rows()],
        })
    }

    fn unload_rows(&mut self, slot: &mut Slot) -> Result<(), EngineError> {
        let (rows, columns) = (slot.rows(), slot.columns_mut());
        self.unload(&mut columns.key[..rows], &mut columns.verdict[..rows])
    }

    fn hash_rows(&mut self, passes: u32) -> Result<(), EngineError> {
        self.repeat(Kernel::HashRows, passes)
    }

    fn load_keys(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        // Copying any rows in clears the table of first rows.
        self.load(Texts {
            bytes: b"C",
            ends: &[1],
        })?;
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
