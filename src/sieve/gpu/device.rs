//! What a GPU must do for the sieve: the kernels, the room that they need, and the calls of a device.

use crate::{
    named::named,
    sieve::{
        engine::table_len,
        error::EngineError,
        filter::FilterShape,
        rows::{Keyed, Texts},
    },
    slot::{HostMemory, SlotLayout},
};

/// Rows that a block of threads handles; `BLOCK_ROWS` in `kernels/sieve.cu` and `shaders/sieve.wgsl`.
pub const BLOCK_ROWS: u32 = 256;

/// Kernels read whole words, so they may read so many bytes past the end of a slot's text.
pub const TEXT_PAD_BYTES: usize = 32;

named! {
    /// The kernels, by the names they have in `kernels/sieve.cu` and `shaders/sieve.wgsl`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Kernel {
        /// Keys of a slot's rows.
        HashRows = "hash_rows",
        /// A table from each key to the first row that has it.
        ClaimRows = "claim_rows",
        /// Verdicts and their tally.
        LookUp = "look_up",
        /// Inserts the new keys into the filter.
        InsertNew = "insert_new",
        /// Inserts keys from the host into the filter.
        InsertKeys = "insert_keys",
        /// Sets half of the filter's bits at random. Only `steps` launches this kernel and the two after it, once keys
        /// were copied in.
        FillAtRandom = "fill_at_random",
        /// For each row, reads as many random words of the filter as a key has bits. Changes the keys.
        ReadAtRandom = "read_at_random",
        /// For each row, sets as many random bits of the filter as a key has. Changes the keys.
        AddAtRandom = "add_at_random",
    }
}

impl Kernel {
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

    /// Entries of the table of first rows: a power of two.
    pub fn table_len(&self) -> usize {
        table_len(self.rows_max)
    }

    /// Bytes of the text with its padding, in multiples of 16.
    pub fn text_bytes(&self) -> usize {
        (self.text_bytes_max + TEXT_PAD_BYTES).next_multiple_of(16)
    }

    /// Bytes of the filter and this many lanes, as the CUDA engine allocates them.
    pub fn bytes(&self, lanes: usize) -> u64 {
        let row_bytes = size_of::<[u64; 2]>() + 2 * size_of::<u32>() + size_of::<u8>();
        let lane = self.text_bytes() + self.rows_max * row_bytes + self.table_len() * 4;
        (lanes * lane + self.filter.bytes()) as u64
    }
}

/// A GPU with the kernels loaded, room for a filter, and lanes with room for a slot each.
///
/// Order:
/// - Calls on one lane take effect in the order in which they are made.
/// - Kernels that use the filter ([`Kernel::uses_filter`]) run in the order of the calls on all lanes: each starts
///   when the one before has ended.
/// - [`Device::copy_filter_out`] waits for all lanes.
/// - Apart from that, calls on different lanes may take effect in any order, or at the same time.
///
/// Lanes are numbered from 0. When a device is dropped, it first waits for all lanes.
pub trait Device: Send {
    /// The engine's name.
    fn name(&self) -> &'static str;

    /// The number of its lanes; at least one.
    fn lanes(&self) -> usize;

    /// Allocates memory for a slot that the device copies from fast.
    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        Ok(HostMemory::pageable(bytes))
    }

    /// Starts to copy the text of a slot's rows to the device, and clears the lane's table and tally.
    ///
    /// # Safety
    /// Until [`Device::finish`] of this lane has returned or the device was dropped, the slices do not move and are not
    /// written to, even if this call fails.
    unsafe fn copy_rows_in(&mut self, lane: usize, texts: Texts<'_>) -> Result<(), EngineError>;

    /// Copies keys to the lane, in place of those that [`Kernel::HashRows`] computes. The caller may reuse the slice
    /// when the call returns.
    fn copy_keys_in(&mut self, lane: usize, keys: &[[u64; 2]]) -> Result<(), EngineError>;

    /// Starts a kernel over the first `rows` rows.
    fn launch(&mut self, lane: usize, kernel: Kernel, rows: u32) -> Result<(), EngineError>;

    /// Starts to copy keys, verdicts and the tally back.
    ///
    /// # Safety
    /// Until [`Device::finish`] of this lane has returned or the device was dropped, the slices do not move and are not
    /// used, even if this call fails.
    unsafe fn copy_rows_out(&mut self, lane: usize, to: &mut Keyed<'_>) -> Result<(), EngineError>;

    /// Waits for the lane and returns the tally that was copied back, by verdict. Takes the slices that
    /// [`Device::copy_rows_out`] was given: some devices write to them only now.
    fn finish(&mut self, lane: usize, to: &mut Keyed<'_>) -> Result<[u32; 3], EngineError>;

    /// Waits for all lanes and copies the filter back.
    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError>;
}
