//! Texts on the host, stored contiguously, with room for the outcomes. The memory is allocated once, so that the
//! device copies from and to it fast.
//!
//! The 32 threads of a warp wait for each other, so a batch sorts texts by the time that they take: texts with
//! stereo marks apart from those without, and each group by length. The caller numbers texts in its own order.

use super::device::{KeyDevice, KeyOutcome, KeyRoom};
use crate::{
    sieve::{
        error::EngineError,
        rows::{Keyed, Texts},
    },
    slot::HostMemory,
};

/// Rows for a device.
///
/// Its memory holds, in this order and each aligned to 64 bits: keys (16 bytes a row), the ends of texts (4), the
/// text, statuses (1).
pub struct KeyBatch {
    memory: HostMemory,
    room: KeyRoom,
    rows: usize,
    text_bytes: usize,
    /// For each text: its row, or [`NO_ROW`].
    row_of: Vec<u32>,
    /// For each row: what it is sorted by, and the index of its text.
    order: Vec<(Work, u32)>,
}

/// The row of a text that has none.
const NO_ROW: u32 = u32::MAX;

/// An estimate of the work that a text takes: marks of centres, marks of double bonds, bytes.
type Work = (bool, bool, u32);

fn work_of(text: &[u8]) -> Work {
    let (mut centres, mut bonds) = (false, false);
    for byte in text {
        centres |= *byte == b'@';
        bonds |= (*byte == b'/') | (*byte == b'\\');
    }
    (centres, bonds, text.len() as u32)
}

/// The parts of a batch's memory, each as long as the room.
struct Columns<'a> {
    keys: &'a mut [[u64; 2]],
    text_end: &'a mut [u32],
    text: &'a mut [u8],
    statuses: &'a mut [u8],
}

/// The sizes of these parts in 64-bit words, in their order.
fn words(room: KeyRoom) -> [usize; 4] {
    let KeyRoom {
        rows_max,
        text_bytes_max,
    } = room;
    let bytes = [16 * rows_max, 4 * rows_max, text_bytes_max, rows_max];
    bytes.map(|bytes| bytes.div_ceil(size_of::<u64>()))
}

impl KeyBatch {
    /// Bytes of a batch and of the slice of texts that fills it.
    pub fn bytes(room: KeyRoom) -> usize {
        let beside = size_of::<Option<&[u8]>>() + size_of::<u32>() + size_of::<(Work, u32)>();
        Self::memory_bytes(room) + room.rows_max * beside
    }

    /// Bytes that the device copies from and to.
    fn memory_bytes(room: KeyRoom) -> usize {
        size_of::<u64>() * words(room).iter().sum::<usize>()
    }

    /// An empty batch in the device's host memory.
    pub fn new(device: &dyn KeyDevice, room: KeyRoom) -> Result<Self, EngineError> {
        Ok(Self {
            memory: device.host_memory(Self::memory_bytes(room))?,
            room,
            rows: 0,
            text_bytes: 0,
            row_of: Vec::with_capacity(room.rows_max),
            order: Vec::with_capacity(room.rows_max),
        })
    }

    /// Its rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Replaces all rows by these texts, as far as there is room, the first texts first. Skips `None`.
    pub fn fill(&mut self, texts: &[Option<&[u8]>]) {
        self.row_of.clear();
        self.row_of.resize(texts.len(), NO_ROW);
        self.order.clear();
        let mut bytes = 0;
        for (text, place) in texts.iter().zip(0..) {
            let Some(text) = text else { continue };
            let fits = bytes + text.len() <= self.room.text_bytes_max;
            if fits && self.order.len() < self.room.rows_max {
                bytes += text.len();
                self.order.push((work_of(text), place));
            }
        }
        self.order.sort_unstable();
        (self.rows, self.text_bytes) = (0, 0);
        for i in 0..self.order.len() {
            let place = self.order[i].1;
            self.row_of[place as usize] = i as u32;
            self.push(texts[place as usize].unwrap_or_default());
        }
    }

    fn push(&mut self, text: &[u8]) {
        let (row, begin) = (self.rows, self.text_bytes);
        let end = begin + text.len();
        let columns = self.columns();
        columns.text[begin..end].copy_from_slice(text);
        columns.text_end[row] = end as u32;
        (self.rows, self.text_bytes) = (row + 1, end);
    }

    /// Makes a device compute the keys of all rows.
    pub fn compute_keys(&mut self, device: &mut dyn KeyDevice) -> Result<(), EngineError> {
        let (rows, text_bytes) = (self.rows, self.text_bytes);
        let columns = self.columns();
        let texts = Texts {
            bytes: &columns.text[..text_bytes],
            ends: &columns.text_end[..rows],
        };
        let (keys, codes) = (&mut columns.keys[..rows], &mut columns.statuses[..rows]);
        device.compute_keys(texts, &mut Keyed { keys, codes })
    }

    /// The outcome of the text with this index; `None` if the batch had no room for it or if it was `None`.
    ///
    /// # Panics
    /// If there is no text with this index.
    pub fn outcome(&mut self, place: usize) -> Option<KeyOutcome> {
        let row = self.row_of[place];
        let columns = self.columns();
        let outcome = |row: usize| KeyOutcome::of(columns.statuses[row], columns.keys[row]);
        (row != NO_ROW).then(|| outcome(row as usize))
    }

    /// Overwrites keys and statuses with values that no device writes, so that a row it skips is noticed.
    pub fn poison(&mut self) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Computes the key of each row's bytes.
    struct Echo;

    impl KeyDevice for Echo {
        fn name(&self) -> &'static str {
            "echo"
        }

        fn compute_keys(
            &mut self,
            texts: Texts<'_>,
            to: &mut Keyed<'_>,
        ) -> Result<(), EngineError> {
            assert!(
                texts.rows().is_sorted_by_key(work_of),
                "rows are sorted by their work"
            );
            for (key, text) in to.keys.iter_mut().zip(texts.rows()) {
                *key = crate::key::Key::of(text).words();
            }
            to.codes.fill(0);
            Ok(())
        }
    }

    #[test]
    fn rows_are_sorted_and_outcomes_are_in_the_order_of_the_texts() {
        let room = KeyRoom {
            rows_max: 6,
            text_bytes_max: 40,
        };
        let mut batch = KeyBatch::new(&Echo, room).unwrap();
        let long = [b'C'; 41];
        let texts: [Option<&[u8]>; 9] = [
            Some(b"C[C@H](F)Cl"),
            None,
            Some(b"CCCC"),
            Some(&long),
            Some(b"F/C=C/F"),
            Some(b"CC"),
            Some(b""),
            Some(b"CC"),
            Some(b"beyond"),
        ];
        for _ in 0..2 {
            batch.fill(&texts);
            assert_eq!(batch.rows(), 6);
            batch.compute_keys(&mut Echo).unwrap();
            for (place, text) in texts.iter().enumerate() {
                let expected = match place {
                    1 | 3 | 8 => None,
                    _ => text.map(|text| KeyOutcome::Key(crate::key::Key::of(text))),
                };
                assert_eq!(batch.outcome(place), expected, "{place}");
            }
        }
        batch.fill(&[]);
        assert_eq!(batch.rows(), 0);
    }
}
