//! The buffers on the GPU, and which of them each kernel takes.

use std::sync::Arc;

use cudarc::driver::{
    CudaSlice, CudaStream, DeviceRepr, LaunchArgs, PushKernelArg, ValidAsZeroBits,
};

use super::driver::or_failed;
use crate::sieve::{
    EngineError,
    gpu::{Kernel, Room},
};

/// What a lane has on the GPU: room for a slot.
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

/// Rows are tallied by verdict.
pub(super) const TALLY_LEN: usize = 3;

/// What kernels take beside buffers.
pub(super) struct Scalars {
    pub(super) rows: u32,
    pub(super) table_mask: u32,
    pub(super) bits: u64,
    pub(super) hashes: u32,
}

impl Buffers {
    /// All of them, zeroed.
    pub(super) fn new(stream: &Arc<CudaStream>, room: &Room) -> Result<Self, EngineError> {
        Ok(Self {
            text: zeroed(stream, room.text_bytes())?,
            text_end: zeroed(stream, room.rows_max)?,
            keys: zeroed(stream, 2 * room.rows_max)?,
            table: zeroed(stream, room.table_len())?,
            places: zeroed(stream, room.rows_max)?,
            verdicts: zeroed(stream, room.rows_max)?,
            tally: zeroed(stream, TALLY_LEN)?,
        })
    }

    /// Gives a kernel its arguments, in the order in which `kernels/sieve.cu` names them.
    pub(super) fn give<'a>(
        &'a mut self,
        filter: &'a mut CudaSlice<u64>,
        kernel: Kernel,
        scalars: &'a Scalars,
        launch: &mut LaunchArgs<'a>,
    ) {
        let Scalars {
            rows,
            table_mask,
            bits,
            hashes,
        } = scalars;
        let Self {
            text,
            text_end,
            keys,
            table,
            places,
            verdicts,
            tally,
        } = self;
        match kernel {
            Kernel::HashRows => launch.arg(&*text).arg(&*text_end).arg(rows).arg(keys),
            Kernel::ClaimRows => {
                launch.arg(&*keys).arg(rows).arg(table);
                launch.arg(table_mask).arg(places)
            }
            Kernel::LookUp => {
                launch.arg(&*keys).arg(rows).arg(&*table).arg(&*places);
                launch.arg(&*filter).arg(bits).arg(hashes);
                launch.arg(verdicts).arg(tally)
            }
            Kernel::InsertNew => {
                launch.arg(&*keys).arg(rows).arg(&*verdicts);
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

/// The filter, empty.
pub(super) fn filter(stream: &Arc<CudaStream>, room: &Room) -> Result<CudaSlice<u64>, EngineError> {
    zeroed(stream, room.filter.bits / 64)
}

pub(super) fn zeroed<T: DeviceRepr + ValidAsZeroBits>(
    stream: &Arc<CudaStream>,
    len: usize,
) -> Result<CudaSlice<T>, EngineError> {
    or_failed("cuMemAllocAsync", stream.alloc_zeros(len))
}
