//! Structure keys on an NVIDIA GPU: `kernels/structure_key.cu`.
//!
//! - Devices of one GPU share the kernel. Each has a stream and buffers of its own, so that the copies of one
//!   batch go on beside the kernels of others.
//! - A thread makes a key in about 5.5 KiB of local memory. The driver reserves that for all threads that may be
//!   resident on the GPU, whatever a launch asks for: 1.4 GiB on one of 132 multiprocessors with 2,048 threads
//!   each. It is counted against the memory that is free, with the buffers, before anything is launched.

use std::sync::Arc;

use cudarc::driver::{
    CudaContext, CudaFunction, CudaSlice, CudaStream, LaunchConfig, PushKernelArg,
    sys::CUdevice_attribute as Attribute,
};

use super::{
    NAME,
    buffers::zeroed,
    driver,
    driver::or_failed,
    image::{self, KernelImage},
    pinned::Pinned,
    returned::ReturnedMemory,
};
use crate::{
    sieve::{
        EngineError,
        structure_key::{KeyDevice, KeyRoom},
    },
    slot::HostMemory,
};

const KERNEL: &str = "structure_key";

/// Rows that a block of threads handles; `BLOCK_ROWS` in the source.
const BLOCK_ROWS: u32 = 128;

/// A stream on a GPU with room for a batch.
pub struct CudaKeys {
    kernel: CudaFunction,
    image: KernelImage,
    stream: Arc<CudaStream>,
    text: CudaSlice<u8>,
    text_end: CudaSlice<u32>,
    /// Two words a key.
    keys: CudaSlice<u64>,
    statuses: CudaSlice<u8>,
    room: KeyRoom,
    /// The last field, behind all buffers.
    _memory: ReturnedMemory,
}

impl CudaKeys {
    /// Opens the GPU with this index and allocates everything.
    pub fn open(index: usize, room: KeyRoom) -> Result<Self, EngineError> {
        let mut devices = Self::open_several(index, room, 1)?;
        Ok(devices.remove(0))
    }

    /// `count` devices on the GPU with this index.
    pub fn open_several(
        index: usize,
        room: KeyRoom,
        count: usize,
    ) -> Result<Vec<Self>, EngineError> {
        let context = driver::context(index)?;
        let (free, _) = or_failed("cuMemGetInfo", context.mem_get_info())?;
        // SAFETY: devices share no buffer, and all that is done with one is told to its own stream.
        unsafe { context.disable_event_tracking() };
        let (module, image) = image::STRUCTURE_KEY.load(&context)?;
        let kernel = or_failed("cuModuleGetFunction", module.load_function(KERNEL))?;
        let buffers = count as u64 * buffer_bytes(room);
        check_memory(local_bytes(&context, &kernel)? + buffers, free as u64)?;
        let device = |_| Self::on(&context, kernel.clone(), image, room);
        (0..count).map(device).collect()
    }

    /// The form in which the kernel was loaded.
    pub fn kernel_image(&self) -> KernelImage {
        self.image
    }

    fn on(
        context: &Arc<CudaContext>,
        kernel: CudaFunction,
        image: KernelImage,
        room: KeyRoom,
    ) -> Result<Self, EngineError> {
        let stream = or_failed("cuStreamCreate", context.new_stream())?;
        let memory = ReturnedMemory::of(std::slice::from_ref(&stream));
        let device = Self {
            kernel,
            image,
            text: zeroed(&stream, room.text_bytes_max)?,
            text_end: zeroed(&stream, room.rows_max)?,
            keys: zeroed(&stream, 2 * room.rows_max)?,
            statuses: zeroed(&stream, room.rows_max)?,
            stream,
            room,
            _memory: memory,
        };
        device.wait()?;
        Ok(device)
    }

    /// Until everything that was started has ended. Errors of the kernel come out here.
    fn wait(&self) -> Result<(), EngineError> {
        or_failed("cuStreamSynchronize", self.stream.synchronize())
    }

    /// Starts all that is done with a batch.
    fn start(
        &mut self,
        text: &[u8],
        text_end: &[u32],
        keys: &mut [[u64; 2]],
        statuses: &mut [u8],
    ) -> Result<(), EngineError> {
        let stream = &self.stream;
        let copy = stream.memcpy_htod(text, &mut self.text);
        or_failed("cuMemcpyHtoDAsync", copy)?;
        let copy = stream.memcpy_htod(text_end, &mut self.text_end);
        or_failed("cuMemcpyHtoDAsync", copy)?;
        let rows = text_end.len();
        self.launch(rows as u32)?;
        let stream = &self.stream;
        let words: &mut [u64] = bytemuck::cast_slice_mut(keys);
        let copy = stream.memcpy_dtoh(&self.keys.slice(..2 * rows), words);
        or_failed("cuMemcpyDtoHAsync", copy)?;
        let copy = stream.memcpy_dtoh(&self.statuses.slice(..rows), statuses);
        or_failed("cuMemcpyDtoHAsync", copy)
    }

    fn launch(&mut self, rows: u32) -> Result<(), EngineError> {
        let config = LaunchConfig {
            grid_dim: (rows.div_ceil(BLOCK_ROWS), 1, 1),
            block_dim: (BLOCK_ROWS, 1, 1),
            shared_mem_bytes: 0,
        };
        let mut launch = self.stream.launch_builder(&self.kernel);
        launch.arg(&self.text).arg(&self.text_end).arg(&rows);
        launch.arg(&mut self.keys).arg(&mut self.statuses);
        // SAFETY: the arguments are those of the kernel in `kernels/structure_key.cu`, in number, order and
        // type (tests hold them to the PTX and run them); the buffers hold `rows` rows, and the ends that
        // were copied in lie within the text.
        let launched = unsafe { launch.launch(config) };
        or_failed("cuLaunchKernel", launched).map(drop)
    }
}

impl KeyDevice for CudaKeys {
    fn name(&self) -> &'static str {
        NAME
    }

    fn host_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        let pinned = Pinned::new(self.stream.context(), bytes)?;
        Ok(HostMemory::Foreign(Box::new(pinned)))
    }

    fn compute_keys(
        &mut self,
        text: &[u8],
        text_end: &[u32],
        keys: &mut [[u64; 2]],
        statuses: &mut [u8],
    ) -> Result<(), EngineError> {
        let rows = text_end.len();
        assert!(rows <= self.room.rows_max && text.len() <= self.room.text_bytes_max);
        assert!(keys.len() == rows && statuses.len() == rows);
        // The kernel reads whatever lies between two ends.
        assert!(
            text_end.is_sorted()
                && text_end
                    .last()
                    .is_none_or(|end| *end as usize == text.len())
        );
        if rows == 0 {
            return Ok(());
        }
        let started = self.start(text, text_end, keys, statuses);
        // Waited for whatever became of it: copies may be under way from and to the caller's slices.
        let waited = self.wait();
        started.and(waited)
    }
}

/// Bytes of a device's buffers on the GPU.
fn buffer_bytes(room: KeyRoom) -> u64 {
    let row_bytes = size_of::<[u64; 2]>() + size_of::<u32>() + size_of::<u8>();
    (room.text_bytes_max + room.rows_max * row_bytes) as u64
}

/// Bytes that the driver reserves for the kernel's local memory.
fn local_bytes(context: &CudaContext, kernel: &CudaFunction) -> Result<u64, EngineError> {
    let attribute = |which| or_failed("cuDeviceGetAttribute", context.attribute(which));
    let of_thread = or_failed("cuFuncGetAttribute", kernel.local_size_bytes())?;
    let threads = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR)?;
    let processors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
    let factors = [of_thread, threads, processors];
    Ok(factors.map(|factor| factor.max(0) as u64).iter().product())
}

fn check_memory(bytes: u64, bytes_max: u64) -> Result<(), EngineError> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(EngineError::TooLarge {
        engine: NAME,
        part: "local memory for structure keys",
        bytes,
        bytes_max,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::tests::parameters, *};

    #[test]
    fn the_kernel_takes_what_launch_gives_it() {
        let (pointer, rows) = ("u64", "u32");
        let expected = [pointer, pointer, rows, pointer, pointer];
        assert_eq!(parameters(image::STRUCTURE_KEY.ptx, KERNEL), expected);
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
        assert_eq!(check_memory(10, 10), Ok(()));
        let refused = check_memory(11, 10).unwrap_err();
        assert!(matches!(refused, EngineError::TooLarge { .. }));
    }
}
