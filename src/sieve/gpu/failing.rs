//! A device that fails on purpose at a call of a given number; see `src/faults.rs`.

use super::{Device, Kernel};
use crate::{faults, sieve::EngineError, slot::HostMemory};

/// Passes calls on, but for the one that is to fail.
pub struct Failing<D>(pub(super) D);

impl<D: Device> Failing<D> {
    fn call(&self, call: &'static str) -> Result<(), EngineError> {
        faults::device_call(self.0.name(), call)
    }
}

impl<D: Device> Device for Failing<D> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        self.call("slot_memory")?;
        self.0.slot_memory(bytes)
    }

    fn copy_rows_in(&mut self, text: &[u8], text_end: &[u32]) -> Result<(), EngineError> {
        self.call("copy_rows_in")?;
        self.0.copy_rows_in(text, text_end)
    }

    fn copy_keys_in(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        self.call("copy_keys_in")?;
        self.0.copy_keys_in(keys)
    }

    fn launch(&mut self, kernel: Kernel, rows: u32) -> Result<(), EngineError> {
        self.call(kernel.name())?;
        self.0.launch(kernel, rows)
    }

    fn copy_rows_out(
        &mut self,
        keys: &mut [[u64; 2]],
        verdicts: &mut [u8],
    ) -> Result<[u32; 3], EngineError> {
        self.call("copy_rows_out")?;
        self.0.copy_rows_out(keys, verdicts)
    }

    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError> {
        self.call("copy_filter_out")?;
        self.0.copy_filter_out(words)
    }
}
