//! A lane: one stream of a GPU, with what every program does on it: allocate, copy, launch, wait.
//!
//! - Calls on one lane take effect in the order in which they are made. Calls on different lanes overlap, unless
//!   an event orders them ([`Lane::wait_for`]).
//! - Copies from and to page-locked memory ([`Lane::pinned`]) run while the host continues. Copies from and to
//!   other memory are complete when the call returns.
//! - A dropped buffer is not free yet: `cuMemFreeAsync` puts the request into the buffer's stream. Until the stream
//!   is synchronised and the device's pool is trimmed, `cuMemGetInfo` counts the memory as used, and the next
//!   program finds too little. A lane does both when it is dropped. So a lane is the last field of the struct that
//!   holds its buffers, and is opened before the first buffer is allocated.

use std::sync::Arc;

use cudarc::driver::{
    CudaContext, CudaEvent, CudaFunction, CudaSlice, CudaStream, DeviceRepr, DriverError,
    LaunchArgs, LaunchConfig, ValidAsZeroBits, result,
};

use super::{driver::or_failed, pinned::Pinned};
use crate::sieve::error::EngineError;

/// See the module's documentation.
pub(super) struct Lane {
    stream: Arc<CudaStream>,
}

impl Lane {
    /// Creates a stream.
    pub(super) fn open(context: &Arc<CudaContext>) -> Result<Self, EngineError> {
        let stream = or_failed("cuStreamCreate", context.new_stream())?;
        Ok(Self { stream })
    }

    /// Allocates a zeroed buffer of `len` elements on the GPU.
    pub(super) fn zeroed<T: DeviceRepr + ValidAsZeroBits>(
        &self,
        len: usize,
    ) -> Result<CudaSlice<T>, EngineError> {
        or_failed("cuMemAllocAsync", self.stream.alloc_zeros(len))
    }

    /// Allocates page-locked host memory.
    pub(super) fn pinned(&self, bytes: usize) -> Result<Pinned, EngineError> {
        Pinned::new(self.stream.context(), bytes)
    }

    /// Starts to zero a buffer.
    pub(super) fn clear<T: DeviceRepr + ValidAsZeroBits>(
        &self,
        buffer: &mut CudaSlice<T>,
    ) -> Result<(), EngineError> {
        or_failed("cuMemsetD8Async", self.stream.memset_zeros(buffer))
    }

    /// Starts to copy to the first elements of a buffer.
    pub(super) fn copy_in<T: DeviceRepr>(
        &self,
        from: &[T],
        to: &mut CudaSlice<T>,
    ) -> Result<(), EngineError> {
        or_failed("cuMemcpyHtoDAsync", self.stream.memcpy_htod(from, to))
    }

    /// Starts to copy the first elements of a buffer back, as many as `to` has.
    pub(super) fn copy_out<T: DeviceRepr>(
        &self,
        from: &CudaSlice<T>,
        to: &mut [T],
    ) -> Result<(), EngineError> {
        let copy = self.stream.memcpy_dtoh(&from.slice(..to.len()), to);
        or_failed("cuMemcpyDtoHAsync", copy)
    }

    /// Starts a kernel with a thread for each of `rows` rows, `block_rows` threads to a block. `arguments` adds the
    /// kernel's arguments.
    ///
    /// # Safety
    /// The arguments are those that the kernel's source declares, in number, order and type. Every buffer among them
    /// holds `rows` rows, and no other lane uses it at the same time.
    pub(super) unsafe fn launch<'a>(
        &'a self,
        kernel: &'a CudaFunction,
        rows: u32,
        block_rows: u32,
        arguments: impl FnOnce(&mut LaunchArgs<'a>),
    ) -> Result<(), EngineError> {
        let config = LaunchConfig {
            grid_dim: (rows.div_ceil(block_rows), 1, 1),
            block_dim: (block_rows, 1, 1),
            shared_mem_bytes: 0,
        };
        let mut launch = self.stream.launch_builder(kernel);
        arguments(&mut launch);
        // SAFETY: the caller's promise.
        let launched = unsafe { launch.launch(config) };
        or_failed("cuLaunchKernel", launched).map(drop)
    }

    /// Waits until everything that was started has ended. Errors of kernels are reported here.
    pub(super) fn wait(&self) -> Result<(), EngineError> {
        or_failed("cuStreamSynchronize", self.stream.synchronize())
    }

    /// Creates an event that [`Lane::record`] and [`Lane::wait_for`] use.
    pub(super) fn event(&self) -> Result<CudaEvent, EngineError> {
        // By default an event keeps no time. Only streams wait for it, never a thread, so it needs no
        // CU_EVENT_BLOCKING_SYNC.
        or_failed("cuEventCreate", self.stream.context().new_event(None))
    }

    /// Marks the event as reached once everything that was started on this lane so far has ended.
    pub(super) fn record(&self, event: &CudaEvent) -> Result<(), EngineError> {
        or_failed("cuEventRecord", event.record(&self.stream))
    }

    /// Delays all later calls on this lane until the event is reached.
    pub(super) fn wait_for(&self, event: &CudaEvent) -> Result<(), EngineError> {
        or_failed("cuStreamWaitEvent", self.stream.wait(event))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // If the device is lost its memory is gone with it, and no caller is left to report an error to.
        self.stream.synchronize().ok();
        trim_pool(self.stream.context()).ok();
    }
}

/// Makes the driver free what its pool holds and no buffer uses.
fn trim_pool(context: &CudaContext) -> Result<(), DriverError> {
    context.bind_to_thread()?;
    // SAFETY: the device is the context's.
    let pool = unsafe { result::device::get_default_mem_pool(context.cu_device()) }?;
    // SAFETY: the driver has just returned the pool; a device's default pool is never destroyed.
    unsafe { result::mem_pool::trim_to(pool, 0) }
}
