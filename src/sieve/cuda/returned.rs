//! Memory of the GPU that is given back in full.
//!
//! A buffer that is dropped is not free yet: `cuMemFreeAsync` puts the request into the buffer's stream. Until
//! somebody waits for the stream, and the device's pool is trimmed, `cuMemGetInfo` counts the memory as taken, and
//! the next device that is opened looks too large.

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaStream, DriverError, result};

/// Dropped after all buffers of some streams, it gives their memory back. So it is a struct's last field, and
/// declared before the first buffer where buffers are made.
pub(super) struct ReturnedMemory {
    streams: Vec<Arc<CudaStream>>,
}

impl ReturnedMemory {
    pub(super) fn of(streams: &[Arc<CudaStream>]) -> Self {
        Self {
            streams: streams.to_vec(),
        }
    }
}

impl Drop for ReturnedMemory {
    fn drop(&mut self) {
        // If the device is lost its memory is gone with it, and there is nobody to tell.
        for stream in &self.streams {
            stream.synchronize().ok();
        }
        if let Some(stream) = self.streams.first() {
            trim_pool(stream.context()).ok();
        }
    }
}

/// Has the driver give back what its pool holds and no buffer takes.
fn trim_pool(context: &CudaContext) -> Result<(), DriverError> {
    context.bind_to_thread()?;
    // SAFETY: the device is the context's.
    let pool = unsafe { result::device::get_default_mem_pool(context.cu_device()) }?;
    // SAFETY: the pool was just given by the driver; a device's default pool is never destroyed.
    unsafe { result::mem_pool::trim_to(pool, 0) }
}
