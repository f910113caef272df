//! The buffers of a slot on the GPU, and the arguments of each sieve kernel.

use cudarc::driver::{CudaSlice, LaunchArgs, PushKernelArg};

use super::lane::Lane;
use crate::sieve::{
    error::EngineError,
    gpu::device::{Kernel, Room},
};

/// Room for a slot on the GPU.
pub(super) struct Buffers {
    pub(super) text: CudaSlice<u8>,
    pub(super) text_end: CudaSlice<u32>,
    /// Two words a key.
    pub(super) keys: CudaSlice<u64>,
    pub(super) table: CudaSlice<u32>,
    pub(super) places: CudaSlice<u32>,
    pub(super) verdicts: CudaSlice<u8>,
    pub(super) tally: CudaSlice<u32>,
}

/// The tally counts rows by verdict.
pub(super) const TALLY_LEN: usize = 3;

/// The arguments of kernels that are not buffers.
pub(super) struct Scalars {
    pub(super) rows: u32,
    pub(super) table_mask: u32,
    pub(super) bits: u64,
    pub(super) hashes: u32,
}

impl Buffers {
    /// Allocates them, zeroed.
    pub(super) fn new(lane: &Lane, room: &Room) -> Result<Self, EngineError> {
        Ok(Self {
            text: lane.zeroed(room.text_bytes())?,
            text_end: lane.zeroed(room.rows_max)?,
            keys: lane.zeroed(2 * room.rows_max)?,
            table: lane.zeroed(room.table_len())?,
            places: lane.zeroed(room.rows_max)?,
            verdicts: lane.zeroed(room.rows_max)?,
            tally: lane.zeroed(TALLY_LEN)?,
        })
    }

    /// Adds a kernel's arguments, in the order in which `kernels/sieve.cu` declares them.
    pub(super) fn add_arguments<'a>(
        &'a mut self,
        filter: &'a mut CudaSlice<u64>,
        kernel: Kernel,
        scalars: &'a Scalars,
        launch: &mut LaunchArgs<'a>,
    ) {
        let (keys, rows) = (&mut self.keys, &scalars.rows);
        let (bits, hashes) = (&scalars.bits, &scalars.hashes);
        match kernel {
            Kernel::HashRows => launch
                .arg(&self.text)
                .arg(&self.text_end)
                .arg(rows)
                .arg(keys),
            Kernel::ClaimRows => {
                launch.arg(&*keys).arg(rows).arg(&mut self.table);
                launch.arg(&scalars.table_mask).arg(&mut self.places)
            }
            Kernel::LookUp => {
                launch
                    .arg(&*keys)
                    .arg(rows)
                    .arg(&self.table)
                    .arg(&self.places);
                launch.arg(&*filter).arg(bits).arg(hashes);
                launch.arg(&mut self.verdicts).arg(&mut self.tally)
            }
            Kernel::InsertNew => {
                launch.arg(&*keys).arg(rows).arg(&self.verdicts);
                launch.arg(filter).arg(bits).arg(hashes)
            }
            Kernel::InsertKeys => {
                launch.arg(&*keys).arg(rows);
                launch.arg(filter).arg(bits).arg(hashes)
            }
            Kernel::FillAtRandom => launch.arg(&*keys).arg(rows).arg(filter).arg(bits),
            Kernel::ReadAtRandom => {
                launch.arg(keys).arg(rows);
                launch.arg(&*filter).arg(bits).arg(hashes)
            }
            Kernel::AddAtRandom => {
                launch.arg(keys).arg(rows);
                launch.arg(filter).arg(bits).arg(hashes)
            }
        };
    }
}
