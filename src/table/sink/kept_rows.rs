//! The kept rows of a batch: turned into columns for the encoder, and into a part of the record for the log.

use arrow::array::ArrayRef;

use super::error::{SinkError, encode_error};
use crate::{
    limits::{SINK_CHUNK_BYTES, SINK_CHUNK_ROWS},
    slot::Slot,
    table::{kept::KeptColumns, source::quiet},
};

/// The kept rows of a batch, in the order of its rows.
pub(super) struct KeptRows<'a> {
    columns: &'a KeptColumns,
    /// Each with the number of rows, one behind the other, that have it.
    runs: Vec<(u32, &'a [u8])>,
    /// Bytes that the columns take, about.
    bytes: usize,
}

impl<'a> KeptRows<'a> {
    /// Those of the first of these rows of a slot, as many as make a batch at most.
    pub(super) fn of(columns: &'a KeptColumns, slot: &'a Slot, rows: &[usize]) -> Self {
        let mut kept = Self::new(columns);
        let of_slot = slot.columns();
        let mut last = None;
        for row in rows.iter().take(SINK_CHUNK_ROWS) {
            if kept.bytes >= SINK_CHUNK_BYTES {
                break;
            }
            // The rows of a parent are adjacent.
            let parent = of_slot.parent[*row];
            let own = of_slot.parent(parent as usize).kept;
            kept.push(own, last == Some(parent));
            last = Some(parent);
        }
        kept
    }

    pub(super) fn new(columns: &'a KeptColumns) -> Self {
        Self {
            columns,
            runs: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds the kept row of a row. `repeats`: it is that of the row before.
    pub(super) fn push(&mut self, kept: &'a [u8], repeats: bool) {
        self.bytes += kept.len() + self.columns.null_row_bytes();
        match self.runs.last_mut().filter(|_| repeats) {
            Some((rows, _)) => *rows += 1,
            None => self.runs.push((1, kept)),
        }
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.runs.iter().map(|(rows, _)| *rows as usize).sum()
    }

    /// Leaves the first rows, of which there are so many.
    pub(super) fn truncate(&mut self, rows: usize) {
        let mut surplus = self.rows().saturating_sub(rows);
        while let Some((length, _)) = self.runs.last_mut().filter(|_| surplus > 0) {
            let cut = surplus.min(*length as usize);
            *length -= cut as u32;
            surplus -= cut;
            if *length == 0 {
                self.runs.pop();
            }
        }
    }

    /// Number of columns.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// The columns.
    pub(super) fn arrays(&self) -> Result<Vec<ArrayRef>, SinkError> {
        // The row format panics at bytes that are not of its making, and the kept rows come from a file where a row
        // was settled.
        let arrays = quiet(|| self.columns.arrays(&self.runs)).map_err(encode_error)?;
        arrays.map_err(encode_error)
    }

    /// For the log: each kept row after its number of rows and its length.
    pub(super) fn runs(&self) -> &[(u32, &'a [u8])] {
        &self.runs
    }
}
