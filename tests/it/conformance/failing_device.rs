//! A device that is lost at a chosen call.

use molsieve::sieve::{
    EngineError, Keyed, Texts,
    gpu::{Device, Kernel},
};

/// Forwards calls until none are left, then fails.
pub struct FailingDevice<D> {
    pub device: D,
    /// Calls that still succeed.
    pub calls_left: usize,
}

/// The error of all later calls.
pub fn lost() -> EngineError {
    EngineError::Lost {
        engine: "failing",
        reason: "on purpose".into(),
    }
}

impl<D: Device> FailingDevice<D> {
    fn device(&mut self) -> Result<&mut D, EngineError> {
        self.calls_left = self.calls_left.checked_sub(1).ok_or_else(lost)?;
        Ok(&mut self.device)
    }
}

impl<D: Device> Device for FailingDevice<D> {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn lanes(&self) -> usize {
        self.device.lanes()
    }

    unsafe fn copy_rows_in(&mut self, lane: usize, texts: Texts<'_>) -> Result<(), EngineError> {
        let device = self.device()?;
        // SAFETY: the caller's promise is the same.
        unsafe { device.copy_rows_in(lane, texts) }
    }

    fn copy_keys_in(&mut self, lane: usize, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        self.device()?.copy_keys_in(lane, keys)
    }

    fn launch(&mut self, lane: usize, kernel: Kernel, rows: u32) -> Result<(), EngineError> {
        self.device()?.launch(lane, kernel, rows)
    }

    unsafe fn copy_rows_out(&mut self, lane: usize, to: &mut Keyed<'_>) -> Result<(), EngineError> {
        let device = self.device()?;
        // SAFETY: as above.
        unsafe { device.copy_rows_out(lane, to) }
    }

    fn finish(&mut self, lane: usize, to: &mut Keyed<'_>) -> Result<[u32; 3], EngineError> {
        // Copies are over when this returns, even if it is to fail.
        let finished = self.device.finish(lane, to);
        self.device()?;
        finished
    }

    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError> {
        self.device()?.copy_filter_out(words)
    }
}
