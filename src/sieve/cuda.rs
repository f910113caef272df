//! The sieve on an NVIDIA GPU: `kernels/sieve.cu`, through the driver alone.
//!
//! - The driver's library is looked for when a device is asked for; without it nothing here panics.
//! - The kernels are embedded as PTX for compute capability 7.0, which the driver makes into code for
//!   the GPU at hand: Volta and everything newer. PTX 8.0 needs driver 525 or newer.
//! - Which devices there are, and in which order, is the driver's business, and so is
//!   `CUDA_VISIBLE_DEVICES`: by index, UUID or MIG UUID. The engine takes the first.
//! - One stream; everything is allocated when the device is opened. Slots in page-locked memory
//!   (`slot_memory`) are copied by the GPU itself.

mod driver;
mod pinned;

use std::sync::Arc;

use cudarc::driver::{
    CudaContext, CudaFunction, CudaSlice, CudaStream, LaunchConfig, PushKernelArg,
};
use cudarc::nvrtc::Ptx;

pub use driver::{Gpu, first_gpu, gpus};

use super::{
    EngineError,
    gpu::{BLOCK_ROWS, Device, Kernel, Room},
};
use crate::slot::HostMemory;
use driver::or_failed;

const NAME: &str = "cuda";

/// The kernels, as `scripts/ptx.sh` compiles them.
const PTX: &str = include_str!("../../kernels/sieve.ptx");

/// A GPU with the kernels loaded and room for a filter and one slot.
pub struct CudaDevice {
    stream: Arc<CudaStream>,
    kernels: [CudaFunction; Kernel::ALL.len()],
    text: CudaSlice<u8>,
    text_end: CudaSlice<u32>,
    /// Two words a key.
    keys: CudaSlice<u64>,
    table: CudaSlice<u32>,
    places: CudaSlice<u32>,
    verdicts: CudaSlice<u8>,
    tally: CudaSlice<u32>,
    filter: CudaSlice<u64>,
    room: Room,
}

impl CudaDevice {
    /// Opens the GPU with this index and allocates everything.
    pub fn open(index: usize, room: Room) -> Result<Self, EngineError> {
        let context = driver::context(index)?;
        check_memory(&context, &room)?;
        // SAFETY: everything here happens on one stream, so nothing needs events to be in order.
        unsafe { context.disable_event_tracking() };
        let stream = or_failed("cuStreamCreate", context.new_stream())?;
        let kernels = load(&context)?;
        let zeroed = |result| or_failed("cuMemAllocAsync", result);
        let device = Self {
            text: zeroed(stream.alloc_zeros(room.text_bytes()))?,
            text_end: or_failed("cuMemAllocAsync", stream.alloc_zeros(room.rows_max))?,
            keys: or_failed("cuMemAllocAsync", stream.alloc_zeros(2 * room.rows_max))?,
            table: or_failed("cuMemAllocAsync", stream.alloc_zeros(room.table_len()))?,
            places: or_failed("cuMemAllocAsync", stream.alloc_zeros(room.rows_max))?,
            verdicts: zeroed(stream.alloc_zeros(room.rows_max))?,
            tally: or_failed("cuMemAllocAsync", stream.alloc_zeros(3))?,
            filter: or_failed("cuMemAllocAsync", stream.alloc_zeros(room.filter.bits / 64))?,
            stream,
            kernels,
            room,
        };
        device.wait()?;
        Ok(device)
    }

    /// Until everything that was started has ended. Errors of kernels come out here.
    fn wait(&self) -> Result<(), EngineError> {
        or_failed("cuStreamSynchronize", self.stream.synchronize())
    }
}

impl Device for CudaDevice {
    fn name(&self) -> &'static str {
        NAME
    }

    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        pinned::Pinned::new(self.stream.context(), bytes)
            .map(|pinned| HostMemory::Foreign(Box::new(pinned)))
    }

    fn copy_rows_in(&mut self, text: &[u8], text_end: &[u32]) -> Result<(), EngineError> {
        let stream = &self.stream;
        or_failed(
            "cuMemcpyHtoDAsync",
            stream.memcpy_htod(text, &mut self.text),
        )?;
        or_failed(
            "cuMemcpyHtoDAsync",
            stream.memcpy_htod(text_end, &mut self.text_end),
        )?;
        or_failed("cuMemsetD8Async", stream.memset_zeros(&mut self.table))?;
        or_failed("cuMemsetD8Async", stream.memset_zeros(&mut self.tally))?;
        // From page-locked memory the copy is only started: the slices must outlive it.
        self.wait()
    }

    fn copy_keys_in(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        let words: &[u64] = bytemuck::cast_slice(keys);
        or_failed(
            "cuMemcpyHtoDAsync",
            self.stream.memcpy_htod(words, &mut self.keys),
        )?;
        self.wait()
    }

    fn launch(&mut self, kernel: Kernel, rows: u32) -> Result<(), EngineError> {
        let config = LaunchConfig {
            grid_dim: (rows.div_ceil(BLOCK_ROWS), 1, 1),
            block_dim: (BLOCK_ROWS, 1, 1),
            shared_mem_bytes: 0,
        };
        let (bits, hashes) = (self.room.filter.bits as u64, self.room.filter.hashes);
        let table_mask = self.table.len() as u32 - 1;
        let mut launch = self.stream.launch_builder(&self.kernels[kernel as usize]);
        match kernel {
            Kernel::HashRows => launch
                .arg(&self.text)
                .arg(&self.text_end)
                .arg(&rows)
                .arg(&mut self.keys),
            Kernel::ClaimRows => launch
                .arg(&self.keys)
                .arg(&rows)
                .arg(&mut self.table)
                .arg(&table_mask)
                .arg(&mut self.places),
            Kernel::LookUp => launch
                .arg(&self.keys)
                .arg(&rows)
                .arg(&self.table)
                .arg(&self.places)
                .arg(&self.filter)
                .arg(&bits)
                .arg(&hashes)
                .arg(&mut self.verdicts)
                .arg(&mut self.tally),
            Kernel::InsertNew => launch
                .arg(&self.keys)
                .arg(&rows)
                .arg(&self.verdicts)
                .arg(&mut self.filter)
                .arg(&bits)
                .arg(&hashes),
            Kernel::InsertKeys => launch
                .arg(&self.keys)
                .arg(&rows)
                .arg(&mut self.filter)
                .arg(&bits)
                .arg(&hashes),
        };
        // SAFETY: the arguments are those of the kernel of that name in `kernels/sieve.cu`, in number,
        // order and type (a test holds those of the PTX to this list); the buffers hold `rows` rows, for a
        // slot's rows are at most `room.rows_max`; the text has its padding.
        let launched = unsafe { launch.launch(config) };
        or_failed("cuLaunchKernel", launched).map(|_| ())
    }

    fn copy_rows_out(
        &mut self,
        keys: &mut [[u64; 2]],
        verdicts: &mut [u8],
    ) -> Result<[u32; 3], EngineError> {
        let (rows, stream) = (verdicts.len(), &self.stream);
        let words: &mut [u64] = bytemuck::cast_slice_mut(keys);
        let mut tally = [0; 3];
        let copies = [
            stream.memcpy_dtoh(&self.keys.slice(..2 * rows), words),
            stream.memcpy_dtoh(&self.verdicts.slice(..rows), verdicts),
            stream.memcpy_dtoh(&self.tally, &mut tally),
        ];
        // Waits first, whatever became of the copies: they may still be writing to the slices.
        let waited = self.wait();
        for copy in copies {
            or_failed("cuMemcpyDtoHAsync", copy)?;
        }
        waited?;
        Ok(tally)
    }

    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError> {
        let copy = self.stream.memcpy_dtoh(&self.filter, words);
        let waited = self.wait();
        or_failed("cuMemcpyDtoHAsync", copy)?;
        waited
    }
}

fn check_memory(context: &Arc<CudaContext>, room: &Room) -> Result<(), EngineError> {
    let (free, _) = or_failed("cuMemGetInfo", context.mem_get_info())?;
    if room.bytes() <= free as u64 {
        return Ok(());
    }
    Err(EngineError::TooLarge {
        engine: NAME,
        part: "filter and a slot",
        bytes: room.bytes(),
        bytes_max: free as u64,
    })
}

fn load(context: &Arc<CudaContext>) -> Result<[CudaFunction; Kernel::ALL.len()], EngineError> {
    let module = or_failed("cuModuleLoadData", context.load_module(Ptx::from_src(PTX)))?;
    let function =
        |kernel: Kernel| or_failed("cuModuleGetFunction", module.load_function(kernel.name()));
    let [hash_rows, claim_rows, look_up, insert_new, insert_keys] = Kernel::ALL;
    Ok([
        function(hash_rows)?,
        function(claim_rows)?,
        function(look_up)?,
        function(insert_new)?,
        function(insert_keys)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The types of a kernel's parameters in the PTX.
    fn parameters(kernel: Kernel) -> Vec<&'static str> {
        let entry = format!(".visible .entry {}(", kernel.name());
        let (_, behind) = PTX.split_once(&entry).unwrap();
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
        ] {
            assert_eq!(parameters(kernel), expected, "{kernel:?}");
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
