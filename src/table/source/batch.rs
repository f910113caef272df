//! A flat batch of rows: one arena of bytes, one entry per row.

use std::fmt;
use std::io::Write;

use crate::{
    limits::{
        ID_BYTES_MAX, LINE_BYTES_MAX, PARENT_BATCH_BYTES_MAX, SDF_RECORD_BYTES_MAX,
        TEXT_KEPT_BYTES_MAX,
    },
    reject::RejectCode,
};

/// A flat, reusable batch of consecutive input rows. Allocate it once and [`clear`](Self::clear) it between
/// uses.
///
/// Holds at most `PARENT_BATCH_BYTES_MAX` bytes and one row more (see `limits`).
#[derive(Debug, Default)]
pub struct ParentBatch {
    /// Text, id and fault of each row, concatenated.
    arena: Vec<u8>,
    rows: Vec<Entry>,
}

/// One row of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParentRow<'a> {
    /// 0-based over all inputs, in the order given. Rows with a fault count too.
    pub row: u64,
    /// The row's id, if the input has one.
    pub id: RowId<'a>,
    /// The SMILES as read, without surrounding blanks; or the mol block up to and including `M  END`, with `\n` after
    /// each line. For a row with a fault: the text as read, cut to `TEXT_KEPT_BYTES_MAX`.
    pub text: &'a [u8],
    /// The kind of `text`.
    pub kind: TextKind,
    /// Why the row can't be used; `None` if it can. A SMILES without fault is non-empty UTF-8 without NUL bytes;
    /// nothing else has been checked.
    pub fault: Option<RowFault<'a>>,
}

/// Why a row can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowFault<'a> {
    /// The kind of reject.
    pub code: RejectCode,
    /// The text for the user.
    pub reason: &'a str,
}

/// The id of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowId<'a> {
    /// As read, without surrounding blanks. Invalid UTF-8 is replaced by `U+FFFD`; an id longer than `ID_BYTES_MAX`
    /// is cut and ends with `…`.
    Named(&'a str),
    /// There is no id column, or it is empty: the row number is the id.
    RowNumber,
}

/// The kind of a row's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// A SMILES.
    Smiles,
    /// A mol block (V2000 or V3000).
    MolBlock,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    row: u64,
    text_end: usize,
    id_end: usize,
    fault_end: usize,
    kind: TextKind,
    fault: Option<RejectCode>,
}

impl ParentBatch {
    /// An empty batch with room for `PARENT_BATCH_BYTES_MAX` bytes.
    pub fn new() -> Self {
        ParentBatch {
            arena: Vec::with_capacity(PARENT_BATCH_BYTES_MAX),
            rows: Vec::new(),
        }
    }

    /// Removes the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.rows.clear();
    }

    /// Rows in the batch.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the batch has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of all texts, ids and faults.
    pub fn text_bytes(&self) -> usize {
        self.arena.len()
    }

    /// The rows, in input order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ParentRow<'_>> {
        (0..self.len()).map(|i| self.get(i))
    }

    /// The `i`th row of the batch; panics if there are not so many.
    pub fn get(&self, i: usize) -> ParentRow<'_> {
        let entry = self.rows[i];
        let start = if i == 0 {
            0
        } else {
            self.rows[i - 1].fault_end
        };
        let string = |start: usize, end: usize| {
            std::str::from_utf8(&self.arena[start..end]).expect("ids and faults are pushed as str")
        };
        ParentRow {
            row: entry.row,
            id: if entry.text_end == entry.id_end {
                RowId::RowNumber
            } else {
                RowId::Named(string(entry.text_end, entry.id_end))
            },
            text: &self.arena[start..entry.text_end],
            kind: entry.kind,
            fault: entry.fault.map(|code| RowFault {
                code,
                reason: string(entry.id_end, entry.fault_end),
            }),
        }
    }

    /// Adds a row with a SMILES. The row gets a fault if the SMILES is empty, too long or not UTF-8.
    pub(super) fn push_smiles(&mut self, row: u64, smiles: &[u8], id: Option<&[u8]>) {
        let smiles = smiles.trim_ascii();
        let kind = TextKind::Smiles;
        match smiles_fault(smiles) {
            None => self.push(row, kind, smiles, id, None),
            Some((code, reason)) => {
                self.push_fault(row, kind, smiles, id, code, format_args!("{reason}"))
            }
        }
    }

    /// Adds a row with a mol block, which may be at most `SDF_RECORD_BYTES_MAX` bytes long.
    pub(super) fn push_mol_block(&mut self, row: u64, block: &[u8], id: Option<&[u8]>) {
        debug_assert!(block.len() <= SDF_RECORD_BYTES_MAX);
        self.push(row, TextKind::MolBlock, block, id, None);
    }

    /// Adds a row that can't be used, with the beginning of its text.
    pub(super) fn push_fault(
        &mut self,
        row: u64,
        kind: TextKind,
        text: &[u8],
        id: Option<&[u8]>,
        code: RejectCode,
        reason: fmt::Arguments<'_>,
    ) {
        let text = &text[..floor_char(text, TEXT_KEPT_BYTES_MAX)];
        self.push(row, kind, text, id, Some((code, reason)));
    }

    fn push(
        &mut self,
        row: u64,
        kind: TextKind,
        text: &[u8],
        id: Option<&[u8]>,
        fault: Option<(RejectCode, fmt::Arguments<'_>)>,
    ) {
        self.arena.extend_from_slice(text);
        let text_end = self.arena.len();
        push_id(&mut self.arena, id.unwrap_or_default().trim_ascii());
        let id_end = self.arena.len();
        if let Some((_, reason)) = fault {
            write!(self.arena, "{reason}").expect("writing to a Vec can't fail");
        }
        self.rows.push(Entry {
            row,
            text_end,
            id_end,
            fault_end: self.arena.len(),
            kind,
            fault: fault.map(|(code, _)| code),
        });
    }
}

/// Appends `id` as UTF-8 of at most `ID_BYTES_MAX` bytes.
fn push_id(arena: &mut Vec<u8>, id: &[u8]) {
    const ELLIPSIS: &str = "…";
    let start = arena.len();
    // A replacement character is longer than the byte that it replaces, so cut again afterwards.
    let read = &id[..id.len().min(ID_BYTES_MAX + 1)];
    for chunk in read.utf8_chunks() {
        arena.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            arena.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    if arena.len() - start > ID_BYTES_MAX {
        let kept = floor_char(&arena[start..], ID_BYTES_MAX - ELLIPSIS.len());
        arena.truncate(start + kept);
        arena.extend_from_slice(ELLIPSIS.as_bytes());
    }
}

/// The largest length up to `bytes_max` that doesn't split a UTF-8 character.
fn floor_char(text: &[u8], bytes_max: usize) -> usize {
    if text.len() <= bytes_max {
        return text.len();
    }
    (bytes_max.saturating_sub(3)..=bytes_max)
        .rev()
        .find(|&cut| text[cut] & 0b1100_0000 != 0b1000_0000)
        .unwrap_or(bytes_max)
}

/// Why bytes can't be a SMILES, without chemistry; `None` if they may be one. Positions count bytes from 1.
fn smiles_fault(smiles: &[u8]) -> Option<(RejectCode, String)> {
    let bytes = smiles.len();
    if bytes == 0 {
        return Some((RejectCode::Empty, "SMILES is empty".to_owned()));
    }
    if bytes > LINE_BYTES_MAX {
        let reason = format!("SMILES is {bytes} bytes long, at most {LINE_BYTES_MAX} are read");
        return Some((RejectCode::TooLarge, reason));
    }
    let reason = if let Err(error) = std::str::from_utf8(smiles) {
        let at = error.valid_up_to();
        let byte = smiles[at];
        format!(
            "SMILES is not UTF-8 (byte 0x{byte:02X} at position {})",
            at + 1
        )
    } else {
        let at = memchr::memchr(0, smiles)?;
        format!("SMILES holds a NUL byte at position {}", at + 1)
    };
    Some((RejectCode::Encoding, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_pushed() {
        let mut batch = ParentBatch::new();
        batch.push_smiles(4, b" CCO ", Some(b" ethanol "));
        batch.push_smiles(5, b"", None);
        batch.push_mol_block(6, b"\n\n\nM  END\n", Some(b""));
        let rows: Vec<_> = batch.iter().collect();
        assert_eq!(rows[0].text, b"CCO");
        assert_eq!(rows[0].id, RowId::Named("ethanol"));
        assert_eq!((rows[0].row, rows[0].fault), (4, None));
        let empty = RowFault {
            code: RejectCode::Empty,
            reason: "SMILES is empty",
        };
        assert_eq!(rows[1].fault, Some(empty));
        assert_eq!(rows[2].id, RowId::RowNumber);
        assert_eq!(rows[2].kind, TextKind::MolBlock);
        assert_eq!(batch.text_bytes(), 3 + 7 + 15 + 10);
        batch.clear();
        assert!(batch.is_empty() && batch.text_bytes() == 0);
    }

    #[test]
    fn smiles_that_are_no_text_are_faulted_with_the_byte() {
        let mut batch = ParentBatch::new();
        batch.push_smiles(0, b"CCOC\xE9C", None);
        batch.push_smiles(1, b"CC\0O", None);
        let long = vec![b'C'; LINE_BYTES_MAX + 1];
        batch.push_smiles(2, &long, None);
        let faults: Vec<_> = batch.iter().map(|row| row.fault.unwrap().reason).collect();
        assert_eq!(
            faults,
            [
                "SMILES is not UTF-8 (byte 0xE9 at position 5)",
                "SMILES holds a NUL byte at position 3",
                "SMILES is 1048577 bytes long, at most 1048576 are read",
            ]
        );
        assert_eq!(batch.get(2).text.len(), TEXT_KEPT_BYTES_MAX);
    }

    #[test]
    fn ids_are_utf8_and_bounded() {
        let mut batch = ParentBatch::new();
        batch.push_smiles(0, b"C", Some(b"caf\xE9"));
        batch.push_smiles(1, b"C", Some("é".repeat(ID_BYTES_MAX).as_bytes()));
        batch.push_smiles(2, b"C", Some(&[0xFF; ID_BYTES_MAX]));
        batch.push_smiles(3, b"C", Some("x".repeat(ID_BYTES_MAX).as_bytes()));
        let ids: Vec<_> = batch
            .iter()
            .map(|row| match row.id {
                RowId::Named(id) => id.to_owned(),
                RowId::RowNumber => panic!("row {} has an id", row.row),
            })
            .collect();
        assert_eq!(ids[0], "caf\u{fffd}");
        assert!(ids[1].len() <= ID_BYTES_MAX && ids[1].ends_with("é…"));
        assert!(ids[2].len() <= ID_BYTES_MAX && ids[2].ends_with("\u{fffd}…"));
        assert_eq!(ids[3].len(), ID_BYTES_MAX);
        assert!(!ids[3].ends_with('…'));
    }
}
