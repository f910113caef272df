//! The sieve on an NVIDIA GPU: `kernels/sieve.cu`, through the driver alone.
//!
//! - The driver's library is looked for when a device is asked for; without it nothing here panics. A toolkit's
//!   stub is refused (`library`).
//! - The kernels are embedded as machine code for `sm_80` and `sm_90`, and as PTX, which the driver compiles for
//!   other GPUs from Volta on (`image`).
//! - A thread that waits for the GPU sleeps (`driver`), so that waits take no core from other threads.
//! - Which devices there are, and in which order, is the driver's business, and so is
//!   `CUDA_VISIBLE_DEVICES`: by index, UUID or MIG UUID. The engine takes the first.
//! - A stream for each lane, so that the copies of one slot go on beside the kernels of another. What uses
//!   the filter is kept in order by events. Everything is allocated when the device is opened.
//! - Slots in page-locked memory (`slot_memory`) are copied by the GPU itself, while the host goes on. Copies
//!   from and to other memory are over when the call that starts them returns.

mod buffers;
mod driver;
mod image;
mod lane;
mod library;
mod pinned;
mod returned;
mod structure_key;

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, CudaModule, CudaSlice, LaunchConfig};

pub use driver::{Gpu, driver_library, first_gpu, gpus};
pub use image::KernelImage;
pub use structure_key::CudaKeys;

use super::{
    EngineError,
    gpu::{BLOCK_ROWS, Device, Kernel, Room},
};
use crate::slot::HostMemory;
use buffers::Scalars;
use driver::or_failed;
use lane::Lane;
use returned::ReturnedMemory;

const NAME: &str = "cuda";

/// Slots on the GPU at a time: one copied in, one in the kernels, one copied out.
pub const CUDA_LANES: usize = 3;

/// A GPU with the kernels loaded and room for a filter and a slot in each lane.
pub struct CudaSieve {
    context: Arc<CudaContext>,
    kernels: [CudaFunction; Kernel::ALL.len()],
    image: KernelImage,
    lanes: Vec<Lane>,
    /// Allocated in the first lane's stream.
    filter: CudaSlice<u64>,
    /// The lane of the last kernel that uses the filter.
    last_on_filter: Option<usize>,
    room: Room,
    /// The last field, behind all buffers.
    _memory: ReturnedMemory,
}

impl CudaSieve {
    /// Opens the GPU with this index and allocates everything.
    pub fn open(index: usize, room: Room) -> Result<Self, EngineError> {
        let context = driver::context(index)?;
        let (free, _) = or_failed("cuMemGetInfo", context.mem_get_info())?;
        check_room(&room, free as u64)?;
        // SAFETY: what lanes share is the filter, and this device keeps its kernels in order itself.
        unsafe { context.disable_event_tracking() };
        let (module, image) = image::SIEVE.load(&context)?;
        let kernels = functions(&module)?;
        let streams = (0..CUDA_LANES).map(|_| or_failed("cuStreamCreate", context.new_stream()));
        let streams = streams.collect::<Result<Vec<_>, _>>()?;
        let memory = ReturnedMemory::of(&streams);
        let lanes = streams.iter().map(|stream| Lane::open(stream, &room));
        let lanes = lanes.collect::<Result<Vec<_>, _>>()?;
        let filter = buffers::filter(&streams[0], &room)?;
        let device = Self {
            context,
            kernels,
            image,
            lanes,
            filter,
            last_on_filter: None,
            room,
            _memory: memory,
        };
        device.wait()?;
        Ok(device)
    }

    /// The form in which the kernels were loaded.
    pub fn kernel_image(&self) -> KernelImage {
        self.image
    }

    /// Until everything that was started has ended.
    fn wait(&self) -> Result<(), EngineError> {
        let waits = self.lanes.iter().map(Lane::wait);
        // All of them are waited for, whatever becomes of one.
        waits.fold(Ok(()), Result::and)
    }

    /// Has a lane wait until the kernel that used the filter last has ended, if that is another lane's.
    fn wait_for_filter(&self, lane: usize) -> Result<(), EngineError> {
        match self.last_on_filter {
            Some(last) if last != lane => self.lanes[lane].wait_for_filter_of(&self.lanes[last]),
            _ => Ok(()),
        }
    }
}

impl Drop for CudaSieve {
    fn drop(&mut self) {
        // If the device is lost nothing goes on, and there is nobody to tell.
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
        pinned::Pinned::new(&self.context, bytes)
            .map(|pinned| HostMemory::Foreign(Box::new(pinned)))
    }

    unsafe fn copy_rows_in(
        &mut self,
        lane: usize,
        text: &[u8],
        text_end: &[u32],
    ) -> Result<(), EngineError> {
        let Lane {
            stream, buffers, ..
        } = &mut self.lanes[lane];
        or_failed("cuMemsetD8Async", stream.memset_zeros(&mut buffers.table))?;
        or_failed("cuMemsetD8Async", stream.memset_zeros(&mut buffers.tally))?;
        let copy = stream.memcpy_htod(text, &mut buffers.text);
        or_failed("cuMemcpyHtoDAsync", copy)?;
        let copy = stream.memcpy_htod(text_end, &mut buffers.text_end);
        or_failed("cuMemcpyHtoDAsync", copy)
    }

    fn copy_keys_in(&mut self, lane: usize, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        let lane = &mut self.lanes[lane];
        let words: &[u64] = bytemuck::cast_slice(keys);
        let copy = lane.stream.memcpy_htod(words, &mut lane.buffers.keys);
        // Waited for whatever became of it: from page-locked memory it goes on after the call.
        let waited = lane.wait();
        or_failed("cuMemcpyHtoDAsync", copy).and(waited)
    }

    fn launch(&mut self, lane: usize, kernel: Kernel, rows: u32) -> Result<(), EngineError> {
        if kernel.uses_filter() {
            self.wait_for_filter(lane)?;
        }
        let config = LaunchConfig {
            grid_dim: (rows.div_ceil(BLOCK_ROWS), 1, 1),
            block_dim: (BLOCK_ROWS, 1, 1),
            shared_mem_bytes: 0,
        };
        let scalars = Scalars {
            rows,
            table_mask: self.room.table_len() as u32 - 1,
            bits: self.room.filter.bits as u64,
            hashes: self.room.filter.hashes,
        };
        let Lane {
            stream, buffers, ..
        } = &mut self.lanes[lane];
        let mut launch = stream.launch_builder(&self.kernels[kernel as usize]);
        buffers.give(&mut self.filter, kernel, &scalars, &mut launch);
        // SAFETY: the arguments are those of the kernel of that name in `kernels/sieve.cu`, in number,
        // order and type (tests hold them to the PTX and run them); the buffers hold `rows` rows, for
        // a slot's rows are at most `room.rows_max`; the text has its padding. The buffers are this
        // lane's, and who uses the filter has waited for the lane that used it before.
        let launched = unsafe { launch.launch(config) };
        or_failed("cuLaunchKernel", launched)?;
        if kernel.uses_filter() {
            self.lanes[lane].record_filter_use()?;
            self.last_on_filter = Some(lane);
        }
        Ok(())
    }

    unsafe fn copy_rows_out(
        &mut self,
        lane: usize,
        keys: &mut [[u64; 2]],
        verdicts: &mut [u8],
    ) -> Result<(), EngineError> {
        let lane = &mut self.lanes[lane];
        let (rows, stream, from) = (verdicts.len(), &lane.stream, &lane.buffers);
        let words: &mut [u64] = bytemuck::cast_slice_mut(keys);
        let copy = stream.memcpy_dtoh(&from.keys.slice(..2 * rows), words);
        or_failed("cuMemcpyDtoHAsync", copy)?;
        let copy = stream.memcpy_dtoh(&from.verdicts.slice(..rows), verdicts);
        or_failed("cuMemcpyDtoHAsync", copy)?;
        lane.copy_tally_out()
    }

    fn finish(
        &mut self,
        lane: usize,
        _keys: &mut [[u64; 2]],
        _verdicts: &mut [u8],
    ) -> Result<[u32; 3], EngineError> {
        let lane = &self.lanes[lane];
        lane.wait()?;
        Ok(lane.tally())
    }

    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError> {
        self.wait()?;
        let lane = &self.lanes[0];
        let copy = lane.stream.memcpy_dtoh(&self.filter, words);
        // Waited for whatever became of it, as with keys.
        let waited = lane.wait();
        or_failed("cuMemcpyDtoHAsync", copy).and(waited)
    }
}

/// That a filter and the slots of all lanes are no more than `bytes_max`.
pub(super) fn check_room(room: &Room, bytes_max: u64) -> Result<(), EngineError> {
    let bytes = room.bytes(CUDA_LANES);
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(EngineError::TooLarge {
        engine: NAME,
        part: "filter with room for three slots",
        bytes,
        bytes_max,
    })
}

fn functions(module: &Arc<CudaModule>) -> Result<[CudaFunction; Kernel::ALL.len()], EngineError> {
    let function =
        |kernel: Kernel| or_failed("cuModuleGetFunction", module.load_function(kernel.name()));
    let [
        hash_rows,
        claim_rows,
        look_up,
        insert_new,
        insert_keys,
        fill,
        read,
        add,
    ] = Kernel::ALL;
    Ok([
        function(hash_rows)?,
        function(claim_rows)?,
        function(look_up)?,
        function(insert_new)?,
        function(insert_keys)?,
        function(fill)?,
        function(read)?,
        function(add)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The types of a kernel's parameters in the PTX.
    pub(super) fn parameters(ptx: &'static str, kernel: &str) -> Vec<&'static str> {
        let entry = format!(".visible .entry {kernel}(");
        let (_, behind) = ptx.split_once(&entry).unwrap();
        let (list, _) = behind.split_once(')').unwrap();
        list.lines()
            .filter_map(|line| line.trim().strip_prefix(".param ."))
            .filter_map(|line| line.split(' ').next())
            .collect()
    }

    #[test]
    fn kernels_take_what_launch_gives_them() {
        let (pointer, word, bits) = ("u64", "u32", "u64");
        let rows = word;
        for (kernel, expected) in [
            (Kernel::HashRows, vec![pointer, pointer, rows, pointer]),
            (
                Kernel::ClaimRows,
                vec![pointer, rows, pointer, word, pointer],
            ),
            (
                Kernel::LookUp,
                vec![
                    pointer, rows, pointer, pointer, pointer, bits, word, pointer, pointer,
                ],
            ),
            (
                Kernel::InsertNew,
                vec![pointer, rows, pointer, pointer, bits, word],
            ),
            (Kernel::InsertKeys, vec![pointer, rows, pointer, bits, word]),
            (Kernel::FillAtRandom, vec![pointer, rows, pointer, bits]),
            (
                Kernel::ReadAtRandom,
                vec![pointer, rows, pointer, bits, word],
            ),
            (
                Kernel::AddAtRandom,
                vec![pointer, rows, pointer, bits, word],
            ),
        ] {
            assert_eq!(
                parameters(image::SIEVE.ptx, kernel.name()),
                expected,
                "{kernel:?}"
            );
        }
    }

    #[test]
    fn a_machine_without_a_driver_is_told_so_in_one_line() {
        // Where there is a driver, there is nothing to tell.
        if let Err(error) = gpus() {
            let line = error.to_string();
            assert!(line.starts_with("engine cuda: "), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }
}
