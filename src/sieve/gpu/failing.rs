//! A device that fails on purpose at the call with a given number; see `src/faults.rs`.

use super::device::{Device, Kernel};
use crate::{
    sieve::error::{EngineError, injected_loss},
    slot::HostMemory,
};

/// Forwards all calls except the one that has to fail.
pub(super) struct Failing<D>(pub(super) D);

impl<D: Device> Failing<D> {
    fn call(&self, call: &'static str) -> Result<(), EngineError> {
        injected_loss(self.0.name(), call)
    }
}

impl<D: Device> Device for Failing<D> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn lanes(&self) -> usize {
        self.0.lanes()
    }

    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        self.call("slot_memory")?;
        self.0.slot_memory(bytes)
    }

    unsafe fn copy_rows_in(
        &mut self,
        lane: usize,
        text: &[u8],
        text_end: &[u32],
    ) -> Result<(), EngineError> {
        self.call("copy_rows_in")?;
        // SAFETY: the caller's promise is the same.
        unsafe { self.0.copy_rows_in(lane, text, text_end) }
    }

    fn copy_keys_in(&mut self, lane: usize, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        self.call("copy_keys_in")?;
        self.0.copy_keys_in(lane, keys)
    }

    fn launch(&mut self, lane: usize, kernel: Kernel, rows: u32) -> Result<(), EngineError> {
        self.call(kernel.name())?;
        self.0.launch(lane, kernel, rows)
    }

    unsafe fn copy_rows_out(
        &mut self,
        lane: usize,
        keys: &mut [[u64; 2]],
        verdicts: &mut [u8],
    ) -> Result<(), EngineError> {
        self.call("copy_rows_out")?;
        // SAFETY: as above.
        unsafe { self.0.copy_rows_out(lane, keys, verdicts) }
    }

    fn finish(
        &mut self,
        lane: usize,
        keys: &mut [[u64; 2]],
        verdicts: &mut [u8],
    ) -> Result<[u32; 3], EngineError> {
        // Copies must have ended when this returns, even if it has to fail.
        let finished = self.0.finish(lane, keys, verdicts);
        self.call("finish")?;
        finished
    }

    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError> {
        self.call("copy_filter_out")?;
        self.0.copy_filter_out(words)
    }
}
