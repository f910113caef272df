//! Page-locked host memory, which the GPU copies from and to without the host.

use std::{ptr::NonNull, slice, sync::Arc};

use cudarc::driver::{CudaContext, result};

use super::driver::{NAME, or_failed};
use crate::{sieve::error::EngineError, slot::HostWords};

/// Plain page-locked memory, not write-combined: the sink reads it.
const FLAGS: u32 = 0;

/// Zeroed page-locked memory in 64-bit words.
#[derive(Debug)]
pub(super) struct Pinned {
    words: NonNull<u64>,
    len: usize,
    context: Arc<CudaContext>,
}

// SAFETY: only this value has the memory, and CUDA lets any thread free it.
unsafe impl Send for Pinned {}
// SAFETY: through a shared reference the memory is only read.
unsafe impl Sync for Pinned {}

impl Pinned {
    pub(super) fn new(context: &Arc<CudaContext>, bytes: usize) -> Result<Self, EngineError> {
        const CALL: &str = "cuMemHostAlloc";
        or_failed("cuCtxSetCurrent", context.bind_to_thread())?;
        let len = bytes.div_ceil(size_of::<u64>());
        // SAFETY: the context is current, and this value owns the memory.
        let memory = unsafe { result::malloc_host(len * size_of::<u64>(), FLAGS) };
        let memory = or_failed(CALL, memory)?;
        let words = NonNull::new(memory.cast::<u64>()).ok_or_else(|| EngineError::OutOfMemory {
            engine: NAME,
            reason: format!("{CALL} returned no memory"),
        })?;
        // SAFETY: `len` words were allocated, page-aligned; zeroes are valid words.
        unsafe { words.write_bytes(0, len) };
        Ok(Self {
            words,
            len,
            context: Arc::clone(context),
        })
    }
}

impl HostWords for Pinned {
    fn words(&self) -> &[u64] {
        // SAFETY: `len` initialised words that live as long as this value.
        unsafe { slice::from_raw_parts(self.words.as_ptr(), self.len) }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        // SAFETY: as above, and the reference is exclusive.
        unsafe { slice::from_raw_parts_mut(self.words.as_ptr(), self.len) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // If the device is lost its memory is gone with it, and no caller is left to report an error to.
        self.context.bind_to_thread().ok();
        // SAFETY: allocated by malloc_host, freed once.
        unsafe { result::free_host(self.words.as_ptr().cast()) }.ok();
    }
}
