//! Which rows of a slot are repeats within it. That depends on no other slot, so the workers find out, each for the slots
//! that it fills, where the engine wants it ([`Engine::wants_marked_slots`]).
//!
//! [`Engine::wants_marked_slots`]: super::Engine::wants_marked_slots

use super::engine::table_len;
use crate::{
    key::Key,
    slot::{Slot, Verdict, text_range},
};

/// Computes the keys of a slot and marks its repeats.
pub struct FirstRows {
    /// Open-addressed table of the rows of a slot by key: row + 1, or 0 where empty.
    table: Vec<u32>,
}

impl FirstRows {
    /// For slots of up to `rows_max` rows.
    pub fn new(rows_max: usize) -> Self {
        Self {
            table: vec![0; table_len(rows_max)],
        }
    }

    /// Bytes that it takes.
    pub fn bytes(rows_max: usize) -> usize {
        table_len(rows_max) * size_of::<u32>()
    }

    /// Computes the keys of a slot unless it has them, and marks its rows. [`Slot::marked`] says so afterwards.
    pub fn mark_slot(&mut self, slot: &mut Slot) {
        let (rows, given) = (slot.rows(), slot.keys_given);
        let columns = slot.columns_mut();
        let keys = &mut columns.key[..rows];
        if !given {
            for (row, key) in keys.iter_mut().enumerate() {
                *key = Key::of(&columns.text[text_range(columns.text_end, row)]).words();
            }
        }
        self.mark(keys, &mut columns.verdict[..rows]);
        slot.keys_given = true;
        slot.marked = true;
    }

    /// Marks every row as duplicate whose key an earlier row has, and all others as new.
    pub(super) fn mark(&mut self, keys: &[[u64; 2]], verdicts: &mut [u8]) {
        // The smallest table that serves: less to clear.
        let places = table_len(keys.len()).min(self.table.len());
        let table = &mut self.table[..places];
        let mask = places - 1;
        table.fill(0);
        for (row, key) in keys.iter().enumerate() {
            // The filter uses the first word, so the second one distributes the rows.
            let mut place = key[1] as usize & mask;
            verdicts[row] = loop {
                match table[place] {
                    0 => {
                        table[place] = row as u32 + 1;
                        break Verdict::New as u8;
                    }
                    first if keys[first as usize - 1] == *key => break Verdict::Duplicate as u8,
                    _ => place = (place + 1) & mask,
                }
            };
        }
    }
}
