//! SMILES files: `SMILES[ |extension|][blanks id]`, one row a line.
//!
//! The id is the rest of the line after the first run of blanks. An extension is one of CXSMILES:
//! it begins with a bar after the first run of blanks, ends with the next bar, and belongs to the
//! SMILES. Blank lines, lines that start with `#` and a header are not rows. A header is a first line whose
//! first word is a usual name of a SMILES column.
//!
//! A line has an empty SMILES if it begins with a tab, perhaps after spaces, or if it has a single word after
//! spaces. Leading spaces of any other line are ignored.

use std::borrow::Cow;

use super::batch::{LineParts, ParentBatch, TextKind, is_printable};
use super::columns::names_smiles;
use super::error::SourceError;
use super::lines::Lines;
use crate::{limits::LINE_BYTES_MAX, reject::RejectCode};

/// Turns lines into rows.
pub(super) struct SmilesLines {
    header_possible: bool,
}

impl SmilesLines {
    /// `header_possible`: whether the first line may be a header.
    pub fn new(header_possible: bool) -> SmilesLines {
        SmilesLines { header_possible }
    }

    /// Appends the next row to `batch` as number `row`; false at the end. The row is completed by [`complete`].
    pub fn next_row(
        &mut self,
        lines: &mut Lines,
        row: u64,
        batch: &mut ParentBatch,
    ) -> Result<bool, SourceError> {
        let begin = batch.text_bytes();
        loop {
            let text = batch.text_mut();
            text.truncate(begin);
            if !lines.advance_onto(text)? {
                return Ok(false);
            }
            text.truncate(begin + text[begin..].trim_ascii_end().len());
            if lines.too_long() {
                let line = text.split_off(begin);
                push_long_line(lines, &line, row, batch);
                return Ok(true);
            }
            let line = &text[begin..];
            let first = line.iter().find(|byte| !byte.is_ascii_whitespace());
            if matches!(first, None | Some(b'#')) {
                continue;
            }
            let is_first = std::mem::replace(&mut self.header_possible, false);
            if is_first && names_smiles(parts(line).smiles) {
                continue;
            }
            batch.push_line(row, begin);
            return Ok(true);
        }
    }
}

/// Completes the rows of a batch, of whatever format.
pub(super) fn complete(batch: &mut ParentBatch) {
    batch.complete(parts);
}

/// Appends the fault of a line over the length limit.
pub(super) fn push_long_line(lines: &Lines, line: &[u8], row: u64, batch: &mut ParentBatch) {
    let (number, bytes) = (lines.number(), lines.line_bytes());
    batch.push_fault(
        row,
        TextKind::Smiles,
        &line[..line.len().min(LINE_BYTES_MAX)],
        None,
        RejectCode::TooLarge,
        format_args!("line {number} is {bytes} bytes long, at most {LINE_BYTES_MAX} are read"),
    );
}

/// The SMILES on a line, followed by a space and the CXSMILES extension if there is one.
pub fn smiles_of_line(line: &[u8]) -> Cow<'_, [u8]> {
    let parts = parts(line.trim_ascii_end());
    if parts.extension.is_empty() {
        return parts.smiles.into();
    }
    [parts.smiles, b" ", parts.extension].concat().into()
}

/// Splits a line that has no trailing blanks.
fn parts(line: &[u8]) -> LineParts<'_> {
    if first_field_is_empty(line) {
        let (none, id) = line.split_at(0);
        return LineParts {
            smiles: none,
            extension: none,
            id,
        };
    }
    let (smiles, rest) = split(line.trim_ascii_start());
    let rest = rest.trim_ascii_start();
    let (extension, id) = rest.split_at(extension_bytes(rest));
    LineParts {
        smiles,
        extension,
        id,
    }
}

fn first_field_is_empty(line: &[u8]) -> bool {
    let words = line.trim_ascii_start();
    let blanks = &line[..line.len() - words.len()];
    !blanks.is_empty() && (blanks.contains(&b'\t') || split(words).1.is_empty())
}

/// Length in bytes of the CXSMILES extension at the start of `text`; all of `text` if the extension does not end, so
/// that RDKit reports it. A bar inside `$…$` (atom labels) does not end an extension.
fn extension_bytes(text: &[u8]) -> usize {
    if text.first() != Some(&b'|') {
        return 0;
    }
    let mut in_labels = false;
    for (i, byte) in text.iter().enumerate().skip(1) {
        match byte {
            b'$' => in_labels = !in_labels,
            b'|' if !in_labels => return i + 1,
            _ => {}
        }
    }
    text.len()
}

/// The first word of `line` and what follows it.
pub(super) fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr2(b' ', b'\t', line).unwrap_or(line.len());
    // Other blanks are rare.
    let end = match is_printable(&line[..end]) {
        true => Some(end),
        false => line.iter().position(u8::is_ascii_whitespace),
    };
    line.split_at(end.unwrap_or(line.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_parts(line: &str, expected: [&str; 3]) {
        let LineParts {
            smiles,
            extension,
            id,
        } = parts(line.as_bytes());
        let found = [smiles, extension, id.trim_ascii()];
        assert_eq!(
            found.map(|part| std::str::from_utf8(part).unwrap()),
            expected
        );
    }

    #[test]
    fn an_extension_belongs_to_the_smiles_and_the_id_follows() {
        assert_parts("CC |^1:0|\tZ2", ["CC", "|^1:0|", "Z2"]);
        assert_parts("CC\t|^1:0| Z 2", ["CC", "|^1:0|", "Z 2"]);
        assert_parts("CC  |^1:0|", ["CC", "|^1:0|", ""]);
        assert_parts("*C |$R|1;$| Z", ["*C", "|$R|1;$|", "Z"]);
        assert_parts("CC |^1:0", ["CC", "|^1:0", ""]);
        assert_parts("CC a|b|", ["CC", "", "a|b|"]);
    }

    #[test]
    fn a_line_that_begins_with_a_separator_has_no_smiles() {
        assert_parts("\tCO", ["", "", "CO"]);
        assert_parts("  \tCO x", ["", "", "CO x"]);
        assert_parts(" CO", ["", "", "CO"]);
        assert_parts("  CO 1", ["CO", "", "1"]);
    }
}
