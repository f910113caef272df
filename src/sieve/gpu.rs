//! The order of work on a GPU, whichever it is.
//!
//! A [`Device`] holds the filter and room for one slot in its own memory and knows the five kernels;
//! [`GpuEngine`] says what is done in which order. So the order is written once, and the tests run it
//! with the CUDA source compiled for the host.
//!
//! Memory on the device, allocated once: the filter and, per row of a slot, 16 bytes of key, 4 where
//! the text ends, 4 for its place in the table, 8 to 16 for the table and 1 for the verdict, beside
//! the text itself.

#[cfg(feature = "failpoints")]
mod failing;

use super::{Engine, EngineError, FilterShape, Tally, table_len};
use crate::slot::{HostMemory, Slot, SlotLayout};

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
}

impl Kernel {
    /// All of them; a kernel's place here is `kernel as usize`.
    pub const ALL: [Self; 5] = [
        Self::HashRows,
        Self::ClaimRows,
        Self::LookUp,
        Self::InsertNew,
        Self::InsertKeys,
    ];

    /// Its name in the source.
    pub fn name(self) -> &'static str {
        match self {
            Self::HashRows => "hash_rows",
            Self::ClaimRows => "claim_rows",
            Self::LookUp => "look_up",
            Self::InsertNew => "insert_new",
            Self::InsertKeys => "insert_keys",
        }
    }
}

/// What is done with a slot. Each kernel begins when the one before it has ended.
const SLOT_KERNELS: [Kernel; 4] = [
    Kernel::HashRows,
    Kernel::ClaimRows,
    Kernel::LookUp,
    Kernel::InsertNew,
];

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

    /// Bytes of everything, as the CUDA engine lays it out.
    pub fn bytes(&self) -> u64 {
        let row_bytes = size_of::<[u64; 2]>() + 2 * size_of::<u32>() + size_of::<u8>();
        let slot = self.text_bytes() + self.rows_max * row_bytes + self.table_len() * 4;
        (slot + self.filter.bytes()) as u64
    }
}

/// A GPU with the kernels loaded and room for a filter and one slot. What is done on it happens in the
/// order of the calls. Slices are the caller's again when a call returns.
pub trait Device: Send {
    /// The engine's name.
    fn name(&self) -> &'static str;

    /// Memory for a slot from which the device copies well.
    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        Ok(HostMemory::pageable(bytes))
    }

    /// Copies the text of a slot's rows to the device and empties the table and the tally.
    fn copy_rows_in(&mut self, text: &[u8], text_end: &[u32]) -> Result<(), EngineError>;

    /// Copies keys to where the keys of a slot's rows are else.
    fn copy_keys_in(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError>;

    /// Starts a kernel over the first `rows` rows.
    fn launch(&mut self, kernel: Kernel, rows: u32) -> Result<(), EngineError>;

    /// Waits for the kernels, copies keys and verdicts back and gives the tally, by verdict.
    fn copy_rows_out(
        &mut self,
        keys: &mut [[u64; 2]],
        verdicts: &mut [u8],
    ) -> Result<[u32; 3], EngineError>;

    /// Waits for the kernels and copies the filter back.
    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError>;
}

/// The sieve on a GPU.
pub struct GpuEngine<D> {
    #[cfg(not(feature = "failpoints"))]
    device: D,
    #[cfg(feature = "failpoints")]
    device: failing::Failing<D>,
    room: Room,
}

impl<D: Device> GpuEngine<D> {
    /// Takes a device that was made with this room and holds an empty filter.
    pub fn new(device: D, room: Room) -> Self {
        #[cfg(feature = "failpoints")]
        let device = failing::Failing(device);
        Self { device, room }
    }
}

impl<D: Device> Engine for GpuEngine<D> {
    fn name(&self) -> &'static str {
        self.device.name()
    }

    fn sieve(&mut self, slot: &mut Slot) -> Result<Tally, EngineError> {
        let (rows, text_bytes) = (slot.rows(), slot.text_bytes());
        if rows == 0 {
            return Ok(Tally::default());
        }
        let columns = slot.columns_mut();
        let text = &columns.text[..text_bytes];
        self.device.copy_rows_in(text, &columns.text_end[..rows])?;
        for kernel in SLOT_KERNELS {
            self.device.launch(kernel, rows as u32)?;
        }
        let (keys, verdicts) = (&mut columns.key[..rows], &mut columns.verdict[..rows]);
        let [new, maybe, duplicate] = self.device.copy_rows_out(keys, verdicts)?.map(u64::from);
        Ok(Tally {
            new,
            maybe,
            duplicate,
        })
    }

    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        self.device.slot_memory(bytes)
    }

    fn insert(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        for keys in keys.chunks(self.room.rows_max) {
            self.device.copy_keys_in(keys)?;
            self.device.launch(Kernel::InsertKeys, keys.len() as u32)?;
        }
        Ok(())
    }

    fn filter_words(&mut self) -> Result<Vec<u64>, EngineError> {
        let mut words = vec![0; self.room.filter.bits / 64];
        self.device.copy_filter_out(&mut words)?;
        Ok(words)
    }
}
