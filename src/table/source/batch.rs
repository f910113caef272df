//! A flat batch of rows: one arena of bytes, one entry per row.

mod kept;

use std::{fmt, sync::Arc};

use crate::{
    limits::{
        ID_BYTES_MAX, LINE_BYTES_MAX, PARENT_BATCH_BYTES_MAX, SDF_RECORD_BYTES_MAX,
        TEXT_KEPT_BYTES_MAX,
    },
    reject::RejectCode,
    slot::Root,
    table::kept::KeptColumns,
};

/// A flat, reusable batch of consecutive input rows. Allocate it once and [`clear`](Self::clear) it between
/// uses.
///
/// Holds at most `PARENT_BATCH_BYTES_MAX` bytes and one row more (see `limits`), and a fault of each row.
#[derive(Debug, Default)]
pub struct ParentBatch {
    /// What was read of each row, in their order; behind it ids and faults that were not read so.
    arena: Vec<u8>,
    rows: Vec<Entry>,
    /// The columns of the kept rows, if rows have some.
    kept: Option<Arc<KeptColumns>>,
}

/// One row of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParentRow<'a> {
    /// 0-based over all inputs, in the order given. Rows with a fault count too.
    pub row: u64,
    /// Its place in the order in which rows are read: its number, except for a product of an earlier step.
    pub ordinal: u64,
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
    /// Of a product of an earlier step: where it comes from. Its id is then that of the molecule of the library.
    pub root: Option<Root>,
    /// Its kept row (see [`crate::table::kept`]); empty where no columns are kept, or with a fault.
    pub kept: &'a [u8],
}

impl<'a> ParentRow<'a> {
    /// As much of the text as the rejects hold.
    pub fn text_kept(&self) -> &'a [u8] {
        &self.text[..floor_char(self.text, TEXT_KEPT_BYTES_MAX)]
    }
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
    ordinal: u64,
    state: State,
    text: Span,
    /// Empty: the row number is the id.
    id: Span,
    fault_text: Span,
    kind: TextKind,
    fault: Option<RejectCode>,
    root: Option<Root>,
    kept: Kept,
}

/// What a row has in the kept columns.
#[derive(Debug, Clone, Copy)]
enum Kept {
    None,
    /// Its fields, of text.
    Fields(Span),
    /// Its kept row.
    Row(Span),
}

/// How far a row is read. What costs most is left to [`ParentBatch::complete`], which many threads can do at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// `text` is a line that holds SMILES and id.
    Line,
    /// `text` and `id` are fields as they were read.
    Fields,
    /// All is as [`ParentRow`] says.
    Complete,
}

/// A range of the arena.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    begin: usize,
    end: usize,
}

impl Span {
    fn len(self) -> usize {
        self.end - self.begin
    }

    /// The range of `part`, which lies in `whole`, whose range this is.
    fn of_part(self, whole: &[u8], part: &[u8]) -> Self {
        let begin = self.begin + (part.as_ptr().addr() - whole.as_ptr().addr());
        Self {
            begin,
            end: begin + part.len(),
        }
    }
}

/// The parts of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LineParts<'a> {
    pub smiles: &'a [u8],
    /// With its bars; empty without one.
    pub extension: &'a [u8],
    /// May be surrounded by blanks.
    pub id: &'a [u8],
}

impl ParentBatch {
    /// An empty batch with room for `PARENT_BATCH_BYTES_MAX` bytes.
    pub fn new() -> Self {
        ParentBatch {
            arena: Vec::with_capacity(PARENT_BATCH_BYTES_MAX),
            rows: Vec::new(),
            kept: None,
        }
    }

    /// Which columns the kept rows have that are added from now on.
    pub(super) fn set_kept(&mut self, columns: Option<&Arc<KeptColumns>>) {
        self.kept = columns.map(Arc::clone);
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
        debug_assert_eq!(entry.state, State::Complete, "row {}", entry.row);
        let string = |span: Span| {
            std::str::from_utf8(self.bytes(span)).expect("ids and faults are pushed as str")
        };
        ParentRow {
            row: entry.row,
            ordinal: entry.ordinal,
            id: match entry.id.len() {
                0 => RowId::RowNumber,
                _ => RowId::Named(string(entry.id)),
            },
            text: self.bytes(entry.text),
            kind: entry.kind,
            fault: entry.fault.map(|code| RowFault {
                code,
                reason: string(entry.fault_text),
            }),
            root: entry.root,
            kept: match (entry.kept, entry.fault) {
                (Kept::Row(kept), None) => self.bytes(kept),
                _ => &[],
            },
        }
    }

    fn bytes(&self, span: Span) -> &[u8] {
        &self.arena[span.begin..span.end]
    }

    /// Where a line can be appended, to be added as a row with [`push_line`](Self::push_line), or else removed.
    pub(super) fn text_mut(&mut self) -> &mut Vec<u8> {
        &mut self.arena
    }

    /// Adds the text from `begin` on as a row that is a line without blanks at its end.
    pub(super) fn push_line(&mut self, row: u64, begin: usize) {
        let end = self.arena.len();
        self.push_entry(row, State::Line, Span { begin, end }, Span::default());
    }

    /// Adds a row with a SMILES. The row gets a fault if the SMILES is empty, too long or not UTF-8.
    pub(super) fn push_smiles(&mut self, row: u64, smiles: &[u8], id: Option<&[u8]>) {
        if smiles.len() > LINE_BYTES_MAX {
            let smiles = smiles.trim_ascii();
            if let Some((code, reason)) = smiles_fault(smiles) {
                let reason = format_args!("{reason}");
                return self.push_fault(row, TextKind::Smiles, smiles, id, code, reason);
            }
        }
        let text = self.append(smiles.trim_ascii());
        let id = id.unwrap_or_default().trim_ascii();
        let id = self.append(&id[..id.len().min(ID_BYTES_MAX + 1)]);
        self.push_entry(row, State::Fields, text, id);
    }

    fn append(&mut self, bytes: &[u8]) -> Span {
        let begin = self.arena.len();
        self.arena.extend_from_slice(bytes);
        let end = self.arena.len();
        Span { begin, end }
    }

    fn push_entry(&mut self, row: u64, state: State, text: Span, id: Span) {
        self.rows.push(Entry {
            row,
            ordinal: row,
            state,
            text,
            id,
            fault_text: Span::default(),
            kind: TextKind::Smiles,
            fault: None,
            root: None,
            kept: Kept::None,
        });
    }

    /// Adds a product of an earlier step. `id` is that of the molecule of the library that it was made from.
    pub(super) fn push_product(
        &mut self,
        (row, ordinal): (u64, u64),
        smiles: &[u8],
        id: &[u8],
        root: Root,
    ) {
        let text = self.append(smiles);
        let id = self.append(id);
        self.rows.push(Entry {
            row,
            ordinal,
            state: State::Complete,
            text,
            id,
            fault_text: Span::default(),
            kind: TextKind::Smiles,
            fault: None,
            root: Some(root),
            kept: Kept::None,
        });
    }

    /// Completes all rows: divides lines by `parts`, and checks SMILES and ids.
    pub(super) fn complete(&mut self, parts: impl Fn(&[u8]) -> LineParts<'_>) {
        for i in 0..self.rows.len() {
            if self.rows[i].state == State::Line {
                self.divide_line(i, &parts);
            }
            if self.rows[i].state == State::Fields {
                self.check_fields(i);
            }
        }
        self.complete_kept();
    }

    fn divide_line(&mut self, i: usize, parts: impl Fn(&[u8]) -> LineParts<'_>) {
        let span = self.rows[i].text;
        let line = self.bytes(span);
        let LineParts {
            smiles,
            extension,
            id,
        } = parts(line);
        let id = span.of_part(line, id);
        let mut text = span.of_part(line, smiles);
        if !extension.is_empty() {
            // Joined in place: blanks stand between them.
            let extension = span.of_part(line, extension);
            self.arena[text.end] = b' ';
            self.arena
                .copy_within(extension.begin..extension.end, text.end + 1);
            text.end += 1 + extension.len();
        }
        let entry = &mut self.rows[i];
        (entry.text, entry.id, entry.state) = (text, id, State::Fields);
    }

    fn check_fields(&mut self, i: usize) {
        let Entry { text, id, .. } = self.rows[i];
        let bytes = self.bytes(text);
        let smiles = bytes.trim_ascii();
        let smiles_span = text.of_part(bytes, smiles);
        let fault = match is_printable(smiles) && !smiles.is_empty() {
            true => None,
            false => smiles_fault(smiles),
        };
        let bytes = self.bytes(id);
        let named = bytes.trim_ascii();
        let as_read = named.len() <= ID_BYTES_MAX && std::str::from_utf8(named).is_ok();
        let id = match as_read {
            true => id.of_part(bytes, named),
            false => {
                let named = named.to_vec();
                let begin = self.arena.len();
                push_id(&mut self.arena, &named);
                let end = self.arena.len();
                Span { begin, end }
            }
        };
        let entry = &mut self.rows[i];
        (entry.text, entry.id, entry.state) = (smiles_span, id, State::Complete);
        if let Some((code, reason)) = fault {
            let kept = floor_char(self.bytes(smiles_span), TEXT_KEPT_BYTES_MAX);
            let fault_text = self.append(reason.as_bytes());
            let entry = &mut self.rows[i];
            entry.text.end = entry.text.begin + kept;
            (entry.fault, entry.fault_text) = (Some(code), fault_text);
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
        let text = self.append(text);
        let begin = self.arena.len();
        push_id(&mut self.arena, id.unwrap_or_default().trim_ascii());
        let end = self.arena.len();
        let (code, reason) = fault.unzip();
        let reason = reason.map(|reason| reason.to_string()).unwrap_or_default();
        let fault_text = self.append(reason.as_bytes());
        self.rows.push(Entry {
            row,
            ordinal: row,
            state: State::Complete,
            text,
            id: Span { begin, end },
            fault_text,
            kind,
            fault: code,
            root: None,
            kept: Kept::None,
        });
    }
}

/// Whether all bytes are ASCII that can be seen, so that the text is UTF-8 without blanks and NUL bytes.
pub(super) fn is_printable(text: &[u8]) -> bool {
    // Without an early end, so that many bytes are looked at at a time.
    text.iter()
        .fold(true, |all, byte| all & byte.is_ascii_graphic())
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

    fn complete(batch: &mut ParentBatch) {
        batch.complete(|line| panic!("{line:?} is no line"));
    }

    #[test]
    fn rows_come_back_as_pushed() {
        let mut batch = ParentBatch::new();
        batch.push_smiles(4, b" CCO ", Some(b" ethanol "));
        batch.push_smiles(5, b"", None);
        batch.push_mol_block(6, b"\n\n\nM  END\n", Some(b""));
        assert_eq!(batch.text_bytes(), 3 + 7 + 10);
        complete(&mut batch);
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
        complete(&mut batch);
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
        complete(&mut batch);
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
