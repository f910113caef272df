//! Structure keys on an NVIDIA GPU: `kernels/structure_key.cu`.
//!
//! - Devices of one GPU share the kernel. Each has a lane and buffers of its own, so that the copies of one batch
//!   overlap the kernels of others.
//! - A thread computes a key in about 5.5 KiB of local memory. The driver reserves that for all threads that may be
//!   resident on the GPU, whatever the size of a launch: 1.4 GiB on a GPU of 132 multiprocessors with 2,048 threads
//!   each. It counts against the free memory, with the buffers, before the first launch.

use cudarc::driver::{
    CudaContext, CudaFunction, CudaSlice, PushKernelArg, sys::CUdevice_attribute as Attribute,
};

use super::{
    driver::{self, NAME, or_failed},
    image::{self, KernelImage},
    lane::Lane,
};
use crate::{
    sieve::{
        error::{EngineError, check_size},
        rows::{Keyed, Texts},
        structure_key::device::{KeyDevice, KeyRoom},
    },
    slot::HostMemory,
};

const KERNEL: &str = "structure_key";

/// Rows that a block of threads handles; `BLOCK_ROWS` in the source.
const BLOCK_ROWS: u32 = 128;

/// A lane on a GPU with room for a batch.
pub struct CudaKeys {
    kernel: CudaFunction,
    image: KernelImage,
    text: CudaSlice<u8>,
    text_end: CudaSlice<u32>,
    /// Two words a key.
    keys: CudaSlice<u64>,
    statuses: CudaSlice<u8>,
    room: KeyRoom,
    /// The last field, after all buffers.
    lane: Lane,
}

impl CudaKeys {
    /// Opens the GPU with this index and allocates everything.
    pub fn open(index: usize, room: KeyRoom) -> Result<Self, EngineError> {
        let mut devices = Self::open_several(index, room, 1)?;
        Ok(devices.remove(0))
    }

    /// Opens `count` devices on the GPU with this index.
    pub fn open_several(
        index: usize,
        room: KeyRoom,
        count: usize,
    ) -> Result<Vec<Self>, EngineError> {
        let (context, free_bytes) = driver::open(index)?;
        let (module, image) = image::STRUCTURE_KEY.load(&context)?;
        let kernel = driver::function(&module, KERNEL)?;
        let buffers = count as u64 * buffer_bytes(room);
        let bytes = local_bytes(&context, &kernel)? + buffers;
        check_size(NAME, MEMORY, bytes, free_bytes)?;
        let device = |_| {
            let lane = Lane::open(&context)?;
            let device = Self {
                kernel: kernel.clone(),
                image,
                text: lane.zeroed(room.text_bytes_max)?,
                text_end: lane.zeroed(room.rows_max)?,
                keys: lane.zeroed(2 * room.rows_max)?,
                statuses: lane.zeroed(room.rows_max)?,
                room,
                lane,
            };
            device.lane.wait()?;
            Ok(device)
        };
        (0..count).map(device).collect()
    }

    /// The form in which the kernel was loaded.
    pub fn kernel_image(&self) -> KernelImage {
        self.image
    }

    /// Starts the copies and the kernel of a batch.
    fn start(&mut self, texts: Texts<'_>, to: &mut Keyed<'_>) -> Result<(), EngineError> {
        let lane = &self.lane;
        lane.copy_in(texts.bytes, &mut self.text)?;
        lane.copy_in(texts.ends, &mut self.text_end)?;
        let rows = texts.ends.len() as u32;
        // SAFETY: the arguments are those of the kernel in `kernels/structure_key.cu`, in number, order and
        // type (tests compare them with the PTX and run them). The buffers are this lane's and hold `rows`
        // rows, and the ends that were copied in lie within the text.
        unsafe {
            lane.launch(&self.kernel, rows, BLOCK_ROWS, |launch| {
                launch.arg(&self.text).arg(&self.text_end).arg(&rows);
                launch.arg(&mut self.keys).arg(&mut self.statuses);
            })
        }?;
        lane.copy_out(&self.keys, bytemuck::cast_slice_mut(to.keys))?;
        lane.copy_out(&self.statuses, to.codes)
    }
}

impl KeyDevice for CudaKeys {
    fn name(&self) -> &'static str {
        NAME
    }

    fn host_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        let pinned = self.lane.pinned(bytes)?;
        Ok(HostMemory::Foreign(Box::new(pinned)))
    }

    fn compute_keys(&mut self, texts: Texts<'_>, to: &mut Keyed<'_>) -> Result<(), EngineError> {
        let (rows, bytes) = (texts.ends.len(), texts.bytes.len());
        assert!(rows <= self.room.rows_max && bytes <= self.room.text_bytes_max);
        assert!(to.keys.len() == rows && to.codes.len() == rows);
        // The kernel reads all bytes between two ends.
        let ends_at = |end: &u32| *end as usize == bytes;
        assert!(texts.ends.is_sorted() && texts.ends.last().is_none_or(ends_at));
        if rows == 0 {
            return Ok(());
        }
        let started = self.start(texts, to);
        // Waits even after an error: copies from and to the caller's slices may be under way.
        let waited = self.lane.wait();
        started.and(waited)
    }
}

/// What [`EngineError::TooLarge`] names.
const MEMORY: &str = "local memory for structure keys";

/// Bytes of a device's buffers on the GPU.
fn buffer_bytes(room: KeyRoom) -> u64 {
    let row_bytes = size_of::<[u64; 2]>() + size_of::<u32>() + size_of::<u8>();
    (room.text_bytes_max + room.rows_max * row_bytes) as u64
}

/// Bytes that the driver reserves for the kernel's local memory.
fn local_bytes(context: &CudaContext, kernel: &CudaFunction) -> Result<u64, EngineError> {
    let attribute = |which| or_failed("cuDeviceGetAttribute", context.attribute(which));
    let thread_bytes = or_failed("cuFuncGetAttribute", kernel.local_size_bytes())?;
    let threads = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR)?;
    let processors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
    let factors = [thread_bytes, threads, processors];
    Ok(factors.map(|factor| factor.max(0) as u64).iter().product())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launch_passes_the_parameters_that_the_kernel_declares() {
        let (pointer, rows) = ("u64", "u32");
        let expected = [pointer, pointer, rows, pointer, pointer];
        assert_eq!(image::STRUCTURE_KEY.parameters(KERNEL), expected);
    }

    #[test]
    fn blocks_are_as_large_as_in_the_source() {
        let source = include_str!("../../../kernels/structure_key.cu");
        assert!(source.contains(&format!("#define BLOCK_ROWS {BLOCK_ROWS}u\n")));
    }

    #[test]
    fn threads_that_do_not_fit_are_refused() {
        let room = KeyRoom {
            rows_max: 4_096,
            text_bytes_max: 100_000,
        };
        assert_eq!(buffer_bytes(room), 100_000 + 21 * 4_096);
        assert_eq!(check_size(NAME, MEMORY, 10, 10), Ok(()));
        let refused = check_size(NAME, MEMORY, 11, 10).unwrap_err();
        assert!(matches!(refused, EngineError::TooLarge { .. }));
    }
}
