//! The order of work on a GPU, whichever it is.
//!
//! A [`Device`] holds the filter in its own memory, has a number of lanes with room for a slot in each,
//! and knows the kernels; [`GpuEngine`] says what is done in which order. So the order is written
//! once, and the tests run it with the CUDA source compiled for the host.
//!
//! Slots take the lanes in turn. All that is done with one is started when it is begun; so the copies of
//! one slot go on beside the kernels of another. Only the kernels that use the filter wait for each other.
//!
//! Memory on the device, allocated once: the filter and, in each lane, per row of a slot 16 bytes of key,
//! 4 where the text ends, 4 for its place in the table, 8 to 16 for the table and 1 for the verdict,
//! beside the text itself.

#[cfg(feature = "failpoints")]
mod failing;

use std::collections::VecDeque;

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

/// What is done with a slot, in this order.
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

/// The sieve on a GPU.
pub struct GpuEngine<D> {
    // Before the slots: it is dropped first, and waits for what still copies from and to them.
    #[cfg(not(feature = "failpoints"))]
    device: D,
    #[cfg(feature = "failpoints")]
    device: failing::Failing<D>,
    /// Slots that are begun and not finished, the oldest first.
    begun: VecDeque<Slot>,
    /// The lane of the oldest; those behind it have the next ones.
    oldest_lane: usize,
    room: Room,
}

impl<D: Device> GpuEngine<D> {
    /// Takes a device that was made with this room and holds an empty filter.
    pub fn new(device: D, room: Room) -> Self {
        #[cfg(feature = "failpoints")]
        let device = failing::Failing(device);
        Self {
            begun: VecDeque::with_capacity(device.lanes()),
            device,
            oldest_lane: 0,
            room,
        }
    }
}

impl<D: Device> Engine for GpuEngine<D> {
    fn name(&self) -> &'static str {
        self.device.name()
    }

    fn slots_begun_max(&self) -> usize {
        self.device.lanes()
    }

    fn begin(&mut self, slot: Slot) -> Result<(), EngineError> {
        let lanes = self.device.lanes();
        assert!(self.begun.len() < lanes, "a lane is free");
        let lane = (self.oldest_lane + self.begun.len()) % lanes;
        // Kept from here on, whatever fails: copies may be under way.
        self.begun.push_back(slot);
        match self.begun.back_mut() {
            Some(slot) if slot.rows() > 0 => start(&mut self.device, lane, slot),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<Option<(Slot, Tally)>, EngineError> {
        let Some(slot) = self.begun.front_mut() else {
            return Ok(None);
        };
        let rows = slot.rows();
        let mut tally = [0; 3];
        if rows > 0 {
            let columns = slot.columns_mut();
            let (keys, verdicts) = (&mut columns.key[..rows], &mut columns.verdict[..rows]);
            tally = self.device.finish(self.oldest_lane, keys, verdicts)?;
        }
        self.oldest_lane = (self.oldest_lane + 1) % self.device.lanes();
        let [new, maybe, duplicate] = tally.map(u64::from);
        let tally = Tally {
            new,
            maybe,
            duplicate,
        };
        Ok(self.begun.pop_front().map(|slot| (slot, tally)))
    }

    fn slot_memory(&self, bytes: usize) -> Result<HostMemory, EngineError> {
        self.device.slot_memory(bytes)
    }

    fn insert(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        let lanes = self.device.lanes();
        for (i, keys) in keys.chunks(self.room.rows_max).enumerate() {
            let lane = i % lanes;
            self.device.copy_keys_in(lane, keys)?;
            let rows = keys.len() as u32;
            self.device.launch(lane, Kernel::InsertKeys, rows)?;
        }
        Ok(())
    }

    fn filter_words(&mut self) -> Result<Vec<u64>, EngineError> {
        let mut words = vec![0; self.room.filter.bits / 64];
        self.device.copy_filter_out(&mut words)?;
        Ok(words)
    }
}

/// Starts all that is done with a slot of the engine's.
fn start(device: &mut impl Device, lane: usize, slot: &mut Slot) -> Result<(), EngineError> {
    let (rows, text_bytes, given) = (slot.rows(), slot.text_bytes(), slot.keys_given);
    let columns = slot.columns_mut();
    // With the keys given nobody looks at the text, but the copy makes the lane ready.
    let (text, text_end) = match given {
        false => (&columns.text[..text_bytes], &columns.text_end[..rows]),
        true => (&columns.text[..1], &columns.text_end[..1]),
    };
    // SAFETY: the engine has the slot until the lane is finished or, after an error, the device was
    // dropped, and touches its columns no more; moving the slot does not move them.
    unsafe { device.copy_rows_in(lane, text, text_end) }?;
    if given {
        device.copy_keys_in(lane, &columns.key[..rows])?;
    }
    let kernels = SLOT_KERNELS.into_iter();
    for kernel in kernels.filter(|&kernel| !(given && kernel == Kernel::HashRows)) {
        device.launch(lane, kernel, rows as u32)?;
    }
    let (keys, verdicts) = (&mut columns.key[..rows], &mut columns.verdict[..rows]);
    // SAFETY: as above.
    unsafe { device.copy_rows_out(lane, keys, verdicts) }
}
