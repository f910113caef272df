//! A lane: a stream, and what a slot takes on the GPU.

use std::sync::Arc;

use cudarc::driver::{CudaEvent, CudaStream};

use super::{
    buffers::{Buffers, TALLY_LEN},
    driver::or_failed,
    pinned::Pinned,
};
use crate::{
    sieve::{EngineError, gpu::Room},
    slot::HostWords,
};

/// What is told to a lane's stream happens in the order of the calls, and beside what is told to others.
pub(super) struct Lane {
    pub(super) stream: Arc<CudaStream>,
    pub(super) buffers: Buffers,
    /// Reached when the last kernel of this lane that uses the filter has ended.
    filter_used: CudaEvent,
    /// Where the tally is copied to. Page-locked, or the call would wait for the copy.
    tally: Pinned,
}

impl Lane {
    /// Makes all of it, the buffers zeroed in the stream.
    pub(super) fn open(stream: &Arc<CudaStream>, room: &Room) -> Result<Self, EngineError> {
        let context = stream.context();
        // By default an event keeps no time, and need not. Streams wait for it, never a thread: so it needs no
        // CU_EVENT_BLOCKING_SYNC either.
        let filter_used = or_failed("cuEventCreate", context.new_event(None))?;
        Ok(Self {
            buffers: Buffers::new(stream, room)?,
            stream: Arc::clone(stream),
            filter_used,
            tally: Pinned::new(context, size_of::<[u32; TALLY_LEN]>())?,
        })
    }

    /// Until everything that was started has ended. Errors of kernels come out here.
    pub(super) fn wait(&self) -> Result<(), EngineError> {
        or_failed("cuStreamSynchronize", self.stream.synchronize())
    }

    /// To be called behind each kernel that uses the filter.
    pub(super) fn record_filter_use(&self) -> Result<(), EngineError> {
        or_failed("cuEventRecord", self.filter_used.record(&self.stream))
    }

    /// What is told to this lane from now on happens once the kernel that another lane recorded last has
    /// ended.
    pub(super) fn wait_for_filter_of(&self, other: &Self) -> Result<(), EngineError> {
        or_failed("cuStreamWaitEvent", self.stream.wait(&other.filter_used))
    }

    /// Starts to copy the tally to the host.
    pub(super) fn copy_tally_out(&mut self) -> Result<(), EngineError> {
        let to: &mut [u32] = bytemuck::cast_slice_mut(self.tally.words_mut());
        let copy = (self.stream).memcpy_dtoh(&self.buffers.tally, &mut to[..TALLY_LEN]);
        or_failed("cuMemcpyDtoHAsync", copy)
    }

    /// The tally that was copied last, once it has been waited for.
    pub(super) fn tally(&self) -> [u32; TALLY_LEN] {
        let words: &[u32] = bytemuck::cast_slice(self.tally.words());
        [words[0], words[1], words[2]]
    }
}
