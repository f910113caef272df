//! The sieve on an NVIDIA GPU: `kernels/sieve.cu`.
//!
//! Each slot on the GPU has a lane of its own, so that the copies of one slot overlap the kernels of another. Events
//! keep the kernels that use the filter in order.

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaEvent, CudaFunction, CudaSlice};

use super::{
    buffers::{Buffers, Scalars, TALLY_LEN},
    driver::{self, NAME},
    image::{self, KernelImage},
    lane::Lane,
    pinned::Pinned,
};
use crate::{
    sieve::{
        error::{EngineError, check_size},
        gpu::device::{BLOCK_ROWS, Device, Kernel, Room},
        rows::{Keyed, Texts},
    },
    slot::{HostMemory, HostWords},
};

/// Slots on the GPU at a time: one is copied in, one is in the kernels, one is copied out.
pub const CUDA_LANES: usize = 3;

/// A GPU with the kernels loaded and room for a filter and a slot in each lane.
pub struct CudaSieve {
    /// By `Kernel as usize`.
    kernels: Vec<CudaFunction>,
    image: KernelImage,
    /// Allocated in the first lane. Before the lanes: a lane is dropped after its buffers.
    filter: CudaSlice<u64>,
    lanes: Vec<SlotLane>,
    /// The lane of the last kernel that used the filter.
    last_on_filter: Option<usize>,
    room: Room,
}

/// A lane with room for a slot.
struct SlotLane {
    buffers: Buffers,
    /// The host's copy of the tally. Page-locked, or the call would wait for the copy.
    tally: Pinned,
    /// Reached when the last kernel of this lane that uses the filter has ended.
    filter_used: CudaEvent,
    /// The last field, after all buffers.
    lane: Lane,
}

impl SlotLane {
    fn open(context: &Arc<CudaContext>, room: &Room) -> Result<Self, EngineError> {
        let lane = Lane::open(context)?;
        Ok(Self {
            buffers: Buffers::new(&lane, room)?,
            tally: lane.pinned(size_of::<[u32; TALLY_LEN]>())?,
            filter_used: lane.event()?,
            lane,
        })
    }

    /// The tally that was copied last, once the lane was waited for.
    fn tally(&self) -> [u32; TALLY_LEN] {
        let words: &[u32] = bytemuck::cast_slice(self.tally.words());
        [words[0], words[1], words[2]]
    }
}

impl CudaSieve {
    /// Opens the GPU with this index and allocates everything.
    pub fn open(index: usize, room: Room) -> Result<Self, EngineError> {
        let (context, free_bytes) = driver::open(index)?;
        check_room(&room, free_bytes)?;
        let (module, image) = image::SIEVE.load(&context)?;
        let function = |kernel: Kernel| driver::function(&module, kernel.name());
        let kernels = Kernel::ALL.into_iter().map(function);
        let kernels = kernels.collect::<Result<_, _>>()?;
        let lanes = (0..CUDA_LANES).map(|_| SlotLane::open(&context, &room));
        let lanes = lanes.collect::<Result<Vec<_>, _>>()?;
        let filter = lanes[0].lane.zeroed(room.filter.bits / 64)?;
        let device = Self {
            kernels,
            image,
            filter,
            lanes,
            last_on_filter: None,
            room,
        };
        device.wait()?;
        Ok(device)
    }

    /// The form in which the kernels were loaded.
    pub fn kernel_image(&self) -> KernelImage {
        self.image
    }

    /// Waits until everything that was started has ended.
    fn wait(&self) -> Result<(), EngineError> {
        let waits = self.lanes.iter().map(|lane| lane.lane.wait());
        // Waits for every lane, also after one has failed.
        waits.fold(Ok(()), Result::and)
    }

    /// Makes a lane wait for the last kernel that used the filter, unless that kernel ran on the same lane.
    fn wait_for_filter(&self, lane: usize) -> Result<(), EngineError> {
        match self.last_on_filter {
            Some(last) if last != lane => self.lanes[lane]
                .lane
                .wait_for(&self.lanes[last].filter_used),
            _ => Ok(()),
        }
    }
}

impl Drop for CudaSieve {
    fn drop(&mut self) {
        // If the device is lost nothing runs any more, and no caller is left to report an error to.
        self.wait().ok();
    }
}

impl Device for CudaSieve {
    fn name(&self) -> &'static str {
        NAME
    }

    fn lanes(&self) -> usize {
        CUDA_LANES
    }

    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        let pinned = self.lanes[0].lane.pinned(bytes)?;
        Ok(HostMemory::Foreign(Box::new(pinned)))
    }

    unsafe fn copy_rows_in(&mut self, lane: usize, texts: Texts<'_>) -> Result<(), EngineError> {
        let SlotLane { lane, buffers, .. } = &mut self.lanes[lane];
        lane.clear(&mut buffers.table)?;
        lane.clear(&mut buffers.tally)?;
        lane.copy_in(texts.bytes, &mut buffers.text)?;
        lane.copy_in(texts.ends, &mut buffers.text_end)
    }

    fn copy_keys_in(&mut self, lane: usize, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        let SlotLane { lane, buffers, .. } = &mut self.lanes[lane];
        let copied = lane.copy_in(bytemuck::cast_slice(keys), &mut buffers.keys);
        // Waits even after an error: from page-locked memory the copy continues after the call.
        let waited = lane.wait();
        copied.and(waited)
    }

    fn launch(&mut self, lane: usize, kernel: Kernel, rows: u32) -> Result<(), EngineError> {
        if kernel.uses_filter() {
            self.wait_for_filter(lane)?;
        }
        let scalars = Scalars {
            rows,
            table_mask: self.room.table_len() as u32 - 1,
            bits: self.room.filter.bits as u64,
            hashes: self.room.filter.hashes,
        };
        let (own, filter) = (&mut self.lanes[lane], &mut self.filter);
        let function = &self.kernels[kernel as usize];
        let buffers = &mut own.buffers;
        // SAFETY: the arguments are those of the kernel of that name in `kernels/sieve.cu`, in number,
        // order and type (tests compare them with the PTX and run them). The buffers hold `rows` rows,
        // since a slot has at most `room.rows_max`; the text has its padding. The buffers are this
        // lane's, and a lane that uses the filter has waited for the lane that used it before.
        unsafe {
            own.lane.launch(function, rows, BLOCK_ROWS, |launch| {
                buffers.add_arguments(filter, kernel, &scalars, launch);
            })
        }?;
        if kernel.uses_filter() {
            own.lane.record(&own.filter_used)?;
            self.last_on_filter = Some(lane);
        }
        Ok(())
    }

    unsafe fn copy_rows_out(&mut self, lane: usize, to: &mut Keyed<'_>) -> Result<(), EngineError> {
        let SlotLane {
            lane,
            buffers,
            tally,
            ..
        } = &mut self.lanes[lane];
        lane.copy_out(&buffers.keys, bytemuck::cast_slice_mut(to.keys))?;
        lane.copy_out(&buffers.verdicts, to.codes)?;
        let tally: &mut [u32] = bytemuck::cast_slice_mut(tally.words_mut());
        lane.copy_out(&buffers.tally, &mut tally[..TALLY_LEN])
    }

    fn finish(&mut self, lane: usize, _to: &mut Keyed<'_>) -> Result<[u32; 3], EngineError> {
        let lane = &self.lanes[lane];
        lane.lane.wait()?;
        Ok(lane.tally())
    }

    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError> {
        self.wait()?;
        let lane = &self.lanes[0].lane;
        let copied = lane.copy_out(&self.filter, words);
        // Waits even after an error, as for keys.
        let waited = lane.wait();
        copied.and(waited)
    }
}

/// Refuses a filter and slots of all lanes that take more than `bytes_max`.
pub(in crate::sieve) fn check_room(room: &Room, bytes_max: u64) -> Result<(), EngineError> {
    let part = "filter with room for three slots";
    check_size(NAME, part, room.bytes(CUDA_LANES), bytes_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launch_passes_the_parameters_that_kernels_declare() {
        // Pointers and numbers of bits are u64.
        for (kernel, expected) in [
            (Kernel::HashRows, "u64 u64 u32 u64"),
            (Kernel::ClaimRows, "u64 u32 u64 u32 u64"),
            (Kernel::LookUp, "u64 u32 u64 u64 u64 u64 u32 u64 u64"),
            (Kernel::InsertNew, "u64 u32 u64 u64 u64 u32"),
            (Kernel::InsertKeys, "u64 u32 u64 u64 u32"),
            (Kernel::FillAtRandom, "u64 u32 u64 u64"),
            (Kernel::ReadAtRandom, "u64 u32 u64 u64 u32"),
            (Kernel::AddAtRandom, "u64 u32 u64 u64 u32"),
        ] {
            let found = image::SIEVE.parameters(kernel.name()).join(" ");
            assert_eq!(found, expected, "{kernel:?}");
        }
    }
}
