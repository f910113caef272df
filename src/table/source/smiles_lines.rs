//! SMILES files: `SMILES[blanks id]`, one row a line.
//!
//! The id is the rest of the line after the first run of blanks. Blank lines and lines that start
//! with `#` are no rows; nor is a header, a first line whose first word is a usual name of a
//! SMILES column.

use super::batch::{ParentBatch, TextKind};
use super::columns::names_smiles;
use super::error::SourceError;
use super::lines::Lines;
use crate::limits::LINE_BYTES_MAX;

/// Turns lines into rows.
pub(super) struct SmilesLines {
    header_possible: bool,
}

impl SmilesLines {
    /// `from_start`: whether the lines begin at the file's start, where a header may be.
    pub fn new(from_start: bool) -> SmilesLines {
        SmilesLines {
            header_possible: from_start,
        }
    }

    /// Appends the next row to `batch` as number `row`; false at the end.
    pub fn next_row(
        &mut self,
        lines: &mut Lines,
        row: u64,
        batch: &mut ParentBatch,
    ) -> Result<bool, SourceError> {
        while lines.advance()? {
            let line = lines.line().trim_ascii();
            if lines.too_long() {
                push_long_line(lines, row, batch);
                return Ok(true);
            }
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            let (smiles, id) = split(line);
            let first = std::mem::replace(&mut self.header_possible, false);
            if first && names_smiles(smiles) {
                continue;
            }
            batch.push_smiles(row, smiles, Some(id));
            return Ok(true);
        }
        Ok(false)
    }
}

/// Appends the fault of a line that is longer than a line may be.
pub(super) fn push_long_line(lines: &Lines, row: u64, batch: &mut ParentBatch) {
    let (number, bytes) = (lines.number(), lines.line_bytes());
    batch.push_fault(
        row,
        TextKind::Smiles,
        lines.line(),
        None,
        format_args!("line {number} is {bytes} bytes long, at most {LINE_BYTES_MAX} are read"),
    );
}

/// The first word of `line` and what follows it.
pub(super) fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(line.len());
    line.split_at(end)
}
