//! The kept rows of a batch: turned into columns for the encoder, and into a part of the record for the log.

use arrow::array::ArrayRef;

use super::error::{SinkError, encode_error};
use crate::table::{kept::KeptColumns, source::quiet};

/// The kept rows of a batch, in the order of its rows.
pub(super) struct KeptRows<'a> {
    columns: &'a KeptColumns,
    /// Each with the number of rows, one behind the other, that have it.
    runs: Vec<(u32, &'a [u8])>,
    bytes: usize,
}

impl<'a> KeptRows<'a> {
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

    /// Bytes that the columns take, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
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
