//! The order of work on a GPU: which calls each slot takes, on which lane.

use std::collections::VecDeque;

use super::device::{Device, Kernel, Room};
#[cfg(feature = "failpoints")]
use super::failing::Failing;
use crate::{
    sieve::{
        engine::{Engine, Tally},
        error::EngineError,
    },
    slot::{HostMemory, Slot},
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
    #[cfg(not(feature = "failpoints"))]
    device: D,
    #[cfg(feature = "failpoints")]
    device: Failing<D>,
    /// Slots that are begun and not finished, the oldest first.
    begun: VecDeque<Slot>,
    /// The lane of the oldest slot; later slots have the next lanes.
    oldest_lane: usize,
    room: Room,
}

impl<D: Device> GpuEngine<D> {
    /// Takes a device that was made with this room and holds an empty filter.
    pub fn new(device: D, room: Room) -> Self {
        #[cfg(feature = "failpoints")]
        let device = Failing(device);
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

/// Starts all work on a slot that the engine holds.
fn start(device: &mut impl Device, lane: usize, slot: &mut Slot) -> Result<(), EngineError> {
    let (rows, text_bytes, given) = (slot.rows(), slot.text_bytes(), slot.keys_given);
    let columns = slot.columns_mut();
    // With the keys given no kernel reads the text, but the copy clears the lane's table and tally.
    let (text, text_end) = match given {
        false => (&columns.text[..text_bytes], &columns.text_end[..rows]),
        true => (&columns.text[..1], &columns.text_end[..1]),
    };
    // SAFETY: the engine holds the slot until the lane is finished or, after an error, the device was
    // dropped, and does not use its columns until then; moving the slot does not move them.
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
