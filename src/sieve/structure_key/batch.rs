//! Texts on the host, one behind the other, and room for what a device tells of them. In memory from which
//! the device copies well; allocated once.

use super::{EngineError, KeyDevice, KeyRoom, Told};
use crate::slot::HostMemory;

/// Rows for a device.
///
/// Its memory holds, in this order and each from a whole 64-bit word on: keys (16 bytes a row), where texts
/// end (4), the text, statuses (1).
pub struct KeyBatch {
    memory: HostMemory,
    room: KeyRoom,
    rows: usize,
    text_bytes: usize,
}

/// The parts of a batch's memory, each as long as there is room.
struct Columns<'a> {
    keys: &'a mut [[u64; 2]],
    text_end: &'a mut [u32],
    text: &'a mut [u8],
    statuses: &'a mut [u8],
}

/// Words of a batch's parts, in their order.
fn words(room: KeyRoom) -> [usize; 4] {
    let KeyRoom {
        rows_max,
        text_bytes_max,
    } = room;
    let bytes = [16 * rows_max, 4 * rows_max, text_bytes_max, rows_max];
    bytes.map(|bytes| bytes.div_ceil(size_of::<u64>()))
}

impl KeyBatch {
    /// Bytes of a batch.
    pub fn bytes(room: KeyRoom) -> usize {
        size_of::<u64>() * words(room).iter().sum::<usize>()
    }

    /// An empty batch in memory of a device's.
    pub fn new(device: &dyn KeyDevice, room: KeyRoom) -> Result<Self, EngineError> {
        Ok(Self {
            memory: device.host_memory(Self::bytes(room))?,
            room,
            rows: 0,
            text_bytes: 0,
        })
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        (self.rows, self.text_bytes) = (0, 0);
    }

    /// Its rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a row; false if there is no room for it.
    pub fn push(&mut self, text: &[u8]) -> bool {
        let (row, begin) = (self.rows, self.text_bytes);
        let end = begin + text.len();
        if row == self.room.rows_max || end > self.room.text_bytes_max {
            return false;
        }
        let columns = self.columns();
        columns.text[begin..end].copy_from_slice(text);
        columns.text_end[row] = end as u32;
        (self.rows, self.text_bytes) = (row + 1, end);
        true
    }

    /// Has a device tell of all rows.
    pub fn ask(&mut self, device: &mut dyn KeyDevice) -> Result<(), EngineError> {
        let (rows, text_bytes) = (self.rows, self.text_bytes);
        let columns = self.columns();
        device.tell(
            &columns.text[..text_bytes],
            &columns.text_end[..rows],
            &mut columns.keys[..rows],
            &mut columns.statuses[..rows],
        )
    }

    /// What the device said last of a row.
    pub fn told(&mut self, row: usize) -> Told {
        let columns = self.columns();
        Told::of(columns.statuses[row], columns.keys[row])
    }

    /// Writes what no device says where it is to write, so that a row it leaves out does not look right.
    pub fn spoil(&mut self) {
        let columns = self.columns();
        columns.keys.fill([u64::MAX; 2]);
        columns.statuses.fill(0);
    }

    fn columns(&mut self) -> Columns<'_> {
        let [keys, text_end, text, statuses] = words(self.room);
        let (keys, rest) = self.memory.words_mut().split_at_mut(keys);
        let (text_end, rest) = rest.split_at_mut(text_end);
        let (text, rest) = rest.split_at_mut(text);
        Columns {
            keys: bytemuck::cast_slice_mut(keys),
            text_end: bytemuck::cast_slice_mut(text_end),
            text: bytemuck::cast_slice_mut(text),
            statuses: bytemuck::cast_slice_mut(&mut rest[..statuses]),
        }
    }
}
