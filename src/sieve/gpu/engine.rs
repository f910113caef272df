//! The order of work on a GPU: which calls each slot takes, on which lane.

use std::collections::VecDeque;

use super::device::{Device, Kernel, Room};
use crate::{
    sieve::{
        engine::{Engine, Tally},
        error::{EngineError, injected_loss},
        rows::{Keyed, Texts},
    },
    slot::{ColumnsMut, HostMemory, Slot},
};

/// The kernels that a slot takes, in this order.
const SLOT_KERNELS: [Kernel; 4] = [
    Kernel::HashRows,
    Kernel::ClaimRows,
    Kernel::LookUp,
    Kernel::InsertNew,
];

/// The sieve on a GPU.
pub struct GpuEngine<D> {
    // Before the slots: it is dropped first, and waits for copies from and to them.
    device: D,
    /// Slots that are begun and not finished, the oldest first.
    begun: VecDeque<Slot>,
    /// The lane of the oldest slot; later slots have the next lanes.
    oldest_lane: usize,
    room: Room,
}

impl<D: Device> GpuEngine<D> {
    /// Takes a device that was made with this room and holds an empty filter.
    pub fn new(device: D, room: Room) -> Self {
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
        // Kept from here on even after an error: copies may be under way.
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
            let mut to = outcome_columns(columns, rows);
            // Copies must have ended when this returns, even after an injected loss.
            let finished = self.device.finish(self.oldest_lane, &mut to);
            injected_loss(self.name(), "finish")?;
            tally = finished?;
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
        injected_loss(self.name(), "slot_memory")?;
        self.device.slot_memory(bytes)
    }

    fn insert(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        let lanes = self.device.lanes();
        for (i, keys) in keys.chunks(self.room.rows_max).enumerate() {
            let lane = i % lanes;
            copy_keys_in(&mut self.device, lane, keys)?;
            launch(&mut self.device, lane, Kernel::InsertKeys, keys.len())?;
        }
        Ok(())
    }

    fn filter_words(&mut self) -> Result<Vec<u64>, EngineError> {
        let mut words = vec![0; self.room.filter.bits / 64];
        injected_loss(self.name(), "copy_filter_out")?;
        self.device.copy_filter_out(&mut words)?;
        Ok(words)
    }
}

/// Starts all work on a slot that the engine holds.
fn start(device: &mut impl Device, lane: usize, slot: &mut Slot) -> Result<(), EngineError> {
    let (rows, text_bytes, given) = (slot.rows(), slot.text_bytes(), slot.keys_given);
    let columns = slot.columns_mut();
    // With the keys given no kernel reads the text, but the copy clears the lane's table and tally.
    let (text_bytes, count) = if given { (1, 1) } else { (text_bytes, rows) };
    let texts = Texts {
        bytes: &columns.text[..text_bytes],
        ends: &columns.text_end[..count],
    };
    injected_loss(device.name(), "copy_rows_in")?;
    // SAFETY: the engine holds the slot until the lane is finished or, after an error, the device was
    // dropped, and does not use its columns until then; moving the slot does not move them.
    unsafe { device.copy_rows_in(lane, texts) }?;
    if given {
        copy_keys_in(device, lane, &columns.key[..rows])?;
    }
    let kernels = SLOT_KERNELS.into_iter();
    for kernel in kernels.filter(|&kernel| !(given && kernel == Kernel::HashRows)) {
        launch(device, lane, kernel, rows)?;
    }
    injected_loss(device.name(), "copy_rows_out")?;
    // SAFETY: as above.
    unsafe { device.copy_rows_out(lane, &mut outcome_columns(columns, rows)) }
}

fn outcome_columns(columns: ColumnsMut<'_>, rows: usize) -> Keyed<'_> {
    Keyed {
        keys: &mut columns.key[..rows],
        codes: &mut columns.verdict[..rows],
    }
}

fn copy_keys_in(
    device: &mut impl Device,
    lane: usize,
    keys: &[[u64; 2]],
) -> Result<(), EngineError> {
    injected_loss(device.name(), "copy_keys_in")?;
    device.copy_keys_in(lane, keys)
}

fn launch(
    device: &mut impl Device,
    lane: usize,
    kernel: Kernel,
    rows: usize,
) -> Result<(), EngineError> {
    injected_loss(device.name(), kernel.name())?;
    device.launch(lane, kernel, rows as u32)
}
