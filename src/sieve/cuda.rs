//! The sieve on an NVIDIA GPU: `kernels/sieve.cu`, through the driver alone.
//!
//! - The driver's library is looked for when a device is asked for; without it nothing here panics.
//! - The kernels are embedded as PTX for compute capability 7.0, which the driver makes into code for
//!   the GPU at hand: Volta and everything newer. PTX 8.0 needs driver 525 or newer.
//! - Which devices there are, and in which order, is the driver's business, and so is
//!   `CUDA_VISIBLE_DEVICES`: by index, UUID or MIG UUID. The engine takes the first.
//! - One stream; everything is allocated when the device is opened. Slots in page-locked memory
//!   (`slot_memory`) are copied by the GPU itself.

mod buffers;
mod driver;
mod pinned;

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, CudaStream, DriverError, LaunchConfig};
use cudarc::nvrtc::Ptx;

pub use driver::{Gpu, first_gpu, gpus};

use super::{
    EngineError,
    gpu::{BLOCK_ROWS, Device, Kernel, Room},
};
use crate::slot::HostMemory;
use buffers::{Buffers, Scalars};
use driver::or_failed;

const NAME: &str = "cuda";

/// The kernels, as `scripts/ptx.sh` compiles them.
const PTX: &str = include_str!("../../kernels/sieve.ptx");

/// A GPU with the kernels loaded and room for a filter and one slot.
pub struct CudaDevice {
    stream: Arc<CudaStream>,
    kernels: [CudaFunction; Kernel::ALL.len()],
    buffers: Buffers,
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
        let device = Self {
            kernels: load(&context)?,
            buffers: Buffers::new(&stream, &room)?,
            stream,
            room,
        };
        device.wait()?;
        Ok(device)
    }

    /// Until everything that was started has ended. Errors of kernels come out here.
    fn wait(&self) -> Result<(), EngineError> {
        or_failed("cuStreamSynchronize", self.stream.synchronize())
    }

    /// Waits for copies that were started, then says whether they could be. In this order, whatever
    /// became of any: from and to page-locked memory they go on after the call that starts them, and
    /// the caller's slices must outlive them.
    fn wait_for<const N: usize>(
        &self,
        call: &'static str,
        copies: [Result<(), DriverError>; N],
    ) -> Result<(), EngineError> {
        let waited = self.wait();
        copies
            .into_iter()
            .try_for_each(|copy| or_failed(call, copy))?;
        waited
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
        let (stream, to) = (&self.stream, &mut self.buffers);
        or_failed("cuMemsetD8Async", stream.memset_zeros(&mut to.table))?;
        or_failed("cuMemsetD8Async", stream.memset_zeros(&mut to.tally))?;
        let copies = [
            stream.memcpy_htod(text, &mut to.text),
            stream.memcpy_htod(text_end, &mut to.text_end),
        ];
        self.wait_for("cuMemcpyHtoDAsync", copies)
    }

    fn copy_keys_in(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        let words: &[u64] = bytemuck::cast_slice(keys);
        let copy = self.stream.memcpy_htod(words, &mut self.buffers.keys);
        self.wait_for("cuMemcpyHtoDAsync", [copy])
    }

    fn launch(&mut self, kernel: Kernel, rows: u32) -> Result<(), EngineError> {
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
        let mut launch = self.stream.launch_builder(&self.kernels[kernel as usize]);
        self.buffers.give(kernel, &scalars, &mut launch);
        // SAFETY: the arguments are those of the kernel of that name in `kernels/sieve.cu`, in number,
        // order and type (tests hold them to the PTX and run them); the buffers hold `rows` rows, for
        // a slot's rows are at most `room.rows_max`; the text has its padding.
        let launched = unsafe { launch.launch(config) };
        or_failed("cuLaunchKernel", launched).map(|_| ())
    }

    fn copy_rows_out(
        &mut self,
        keys: &mut [[u64; 2]],
        verdicts: &mut [u8],
    ) -> Result<[u32; 3], EngineError> {
        let (rows, stream, from) = (verdicts.len(), &self.stream, &self.buffers);
        let words: &mut [u64] = bytemuck::cast_slice_mut(keys);
        let mut tally = [0; 3];
        let copies = [
            stream.memcpy_dtoh(&from.keys.slice(..2 * rows), words),
            stream.memcpy_dtoh(&from.verdicts.slice(..rows), verdicts),
            stream.memcpy_dtoh(&from.tally, &mut tally),
        ];
        self.wait_for("cuMemcpyDtoHAsync", copies)?;
        Ok(tally)
    }

    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError> {
        let copy = self.stream.memcpy_dtoh(&self.buffers.filter, words);
        self.wait_for("cuMemcpyDtoHAsync", [copy])
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
