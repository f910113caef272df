//! What a GPU must do for the sieve: the kernels, the room that they need, and the calls of a device.

use crate::{
    sieve::{engine::table_len, error::EngineError, filter::FilterShape},
    slot::{HostMemory, SlotLayout},
};

/// Rows that a block of threads handles; `BLOCK_ROWS` in `kernels/sieve.cu` and `shaders/sieve.wgsl`.
pub const BLOCK_ROWS: u32 = 256;

/// Kernels read whole words, so they may read this far behind the last byte of a slot's text.
pub const TEXT_PAD_BYTES: usize = 32;

/// The kernels, by the names they have in `kernels/sieve.cu` and `shaders/sieve.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Keys of a slot's rows.
    HashRows,
    /// A table from each key to the first row that has it.
    ClaimRows,
    /// Verdicts and their tally.
    LookUp,
    /// The new keys into the filter.
    InsertNew,
    /// Keys given by the host into the filter.
    InsertKeys,
    /// Half of the filter's bits set, at random. This and what follows only `steps.rs` launches, after keys were
    /// copied in.
    FillAtRandom,
    /// For each row as many words of the filter read, at random, as a key has bits. Changes the keys.
    ReadAtRandom,
    /// For each row as many bits added to the filter, at random, as a key has. Changes the keys.
    AddAtRandom,
}

impl Kernel {
    /// All of them; a kernel's place here is `kernel as usize`.
    pub const ALL: [Self; 8] = [
        Self::HashRows,
        Self::ClaimRows,
        Self::LookUp,
        Self::InsertNew,
        Self::InsertKeys,
        Self::FillAtRandom,
        Self::ReadAtRandom,
        Self::AddAtRandom,
    ];

    /// Its name in the source.
    pub fn name(self) -> &'static str {
        match self {
            Self::HashRows => "hash_rows",
            Self::ClaimRows => "claim_rows",
            Self::LookUp => "look_up",
            Self::InsertNew => "insert_new",
            Self::InsertKeys => "insert_keys",
            Self::FillAtRandom => "fill_at_random",
            Self::ReadAtRandom => "read_at_random",
            Self::AddAtRandom => "add_at_random",
        }
    }

    /// Whether it reads the filter or writes to it.
    pub fn uses_filter(self) -> bool {
        !matches!(self, Self::HashRows | Self::ClaimRows)
    }
}

/// What a device must have room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The filter.
    pub filter: FilterShape,
    /// Most rows of a slot.
    pub rows_max: usize,
    /// Most bytes of their text.
    pub text_bytes_max: usize,
}

impl Room {
    /// Room for slots of a layout.
    pub fn new(filter: FilterShape, layout: &SlotLayout) -> Self {
        Self {
            filter,
            rows_max: layout.rows_max,
            text_bytes_max: layout.text_bytes_max,
        }
    }

    /// Places of the table of first rows: a power of two.
    pub fn table_len(&self) -> usize {
        table_len(self.rows_max)
    }

    /// Bytes of the text with what kernels may read behind it, in whole lines of 16.
    pub fn text_bytes(&self) -> usize {
        (self.text_bytes_max + TEXT_PAD_BYTES).next_multiple_of(16)
    }

    /// Bytes of everything, with this many lanes, as the CUDA engine lays it out.
    pub fn bytes(&self, lanes: usize) -> u64 {
        let row_bytes = size_of::<[u64; 2]>() + 2 * size_of::<u32>() + size_of::<u8>();
        let lane = self.text_bytes() + self.rows_max * row_bytes + self.table_len() * 4;
        (lanes * lane + self.filter.bytes()) as u64
    }
}

/// A GPU with the kernels loaded, room for a filter, and lanes with room for a slot each.
///
/// Order:
/// - What a lane is told happens in the order of the calls, one after the other.
/// - Kernels that use the filter ([`Kernel::uses_filter`]) happen in the order of the calls whatever their
///   lanes: each begins when the one before has ended.
/// - [`Device::copy_filter_out`] waits for everything.
/// - Beyond that, what one lane is told may happen beside, before or after what another is told.
///
/// Lanes count from 0. When a device is dropped, it first waits for all lanes.
pub trait Device: Send {
    /// The engine's name.
    fn name(&self) -> &'static str;

    /// Its lanes; at least one.
    fn lanes(&self) -> usize;

    /// Memory for a slot from which the device copies well.
    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        Ok(HostMemory::pageable(bytes))
    }

    /// Starts to copy the text of a slot's rows to the device, and empties the lane's table and tally.
    ///
    /// # Safety
    /// Until [`Device::finish`] of this lane has returned or the device was dropped, the slices stay where
    /// they are and nobody writes to them; even if this call fails.
    unsafe fn copy_rows_in(
        &mut self,
        lane: usize,
        text: &[u8],
        text_end: &[u32],
    ) -> Result<(), EngineError>;

    /// Copies keys to where the keys of a slot's rows are else. The slice is the caller's again when the
    /// call returns.
    fn copy_keys_in(&mut self, lane: usize, keys: &[[u64; 2]]) -> Result<(), EngineError>;

    /// Starts a kernel over the first `rows` rows.
    fn launch(&mut self, lane: usize, kernel: Kernel, rows: u32) -> Result<(), EngineError>;

    /// Starts to copy keys, verdicts and the tally back.
    ///
    /// # Safety
    /// Until [`Device::finish`] of this lane has returned or the device was dropped, the slices stay where
    /// they are and nobody uses them; even if this call fails.
    unsafe fn copy_rows_out(
        &mut self,
        lane: usize,
        keys: &mut [[u64; 2]],
        verdicts: &mut [u8],
    ) -> Result<(), EngineError>;

    /// Waits for the lane and gives the tally that was copied back, by verdict. Takes the slices that
    /// [`Device::copy_rows_out`] was given: some devices can only write to them now.
    fn finish(
        &mut self,
        lane: usize,
        keys: &mut [[u64; 2]],
        verdicts: &mut [u8],
    ) -> Result<[u32; 3], EngineError>;

    /// Waits for all lanes and copies the filter back.
    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError>;
}
