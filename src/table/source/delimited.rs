//! CSV (RFC 4180) and TSV, in bounded memory whatever the quotes.
//!
//! `csv_core` parses. This module splits the text into records, so that an unclosed quote does not swallow the
//! rest of the library. Inside quotes a record may span up to `CSV_RECORD_LINES_MAX` lines and
//! `LINE_BYTES_MAX` bytes. Only the first line becomes a row with a fault if the quote is still open then, if the
//! record has the wrong number of fields, or if one of its further lines looks like a row: as many fields as the
//! header, and something like SMILES in the SMILES column. The further lines are then read again, each on its
//! own, and an open quote is a fault of its line. So every line is parsed at most twice, and no line is
//! lost.
//!
//! TSV has no quotes: every tab ends a field. Some writers quote whole fields nevertheless; such a pair of quotes is
//! removed.

use std::fmt;
use std::ops::RangeInclusive;

use super::batch::{ParentBatch, TextKind};
use super::error::SourceError;
use super::lines::Lines;
use super::smiles_likeness::looks_like_smiles;
use super::smiles_lines::push_long_line;
use crate::{
    limits::{CSV_FIELDS_MAX, CSV_RECORD_LINES_MAX, LINE_BYTES_MAX, TEXT_KEPT_BYTES_MAX},
    reject::RejectCode,
};

/// The columns of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DelimitedLayout {
    pub delimiter: u8,
    /// Lines before the first row: the header, and Excel's `sep=` before it.
    pub header_lines: u8,
    /// Number of columns, from the header or else the first row; every row must have as many.
    pub fields: usize,
    pub smiles: usize,
    pub id: Option<usize>,
}

/// Turns lines into rows.
pub(super) struct Delimited {
    layout: DelimitedLayout,
    header_lines_left: u8,
    record: Record,
    /// Beginning of the first line of a record that spans lines, for its fault.
    first: Vec<u8>,
    /// The further lines of the record, each with `\n`, until the record is complete.
    further: Vec<u8>,
    /// Bytes of `further` that have been read again.
    further_at: usize,
    /// Number of the line at `further_at`.
    further_number: u64,
    /// The line in `Lines` did not fit into `further` and is read next.
    held: bool,
    /// Parsers that check whether a further line looks like a row, with quotes and without.
    alone: [Record; 2],
    /// The fields that are kept; `None` for a kept column that the table lacks.
    kept: Vec<Option<usize>>,
}

/// The line to parse: the line in `Lines`, or a part of `further`.
enum NextLine {
    Fresh,
    Again { start: usize, end: usize },
}

impl Delimited {
    /// `from_start`: whether the lines begin at the start of the file, with the header.
    pub fn new(layout: DelimitedLayout, from_start: bool) -> Delimited {
        Delimited {
            layout,
            header_lines_left: if from_start { layout.header_lines } else { 0 },
            record: Record::new(layout.delimiter),
            first: Vec::new(),
            further: Vec::new(),
            further_at: 0,
            further_number: 0,
            held: false,
            alone: [true, false].map(|quotes| Record::with_quotes(layout.delimiter, quotes)),
            kept: Vec::new(),
        }
    }

    /// Has rows keep these fields.
    pub fn keep(&mut self, fields: &[Option<usize>]) {
        self.kept = fields.to_vec();
    }

    /// Appends the next row to `batch` as number `row`; false at the end.
    pub fn next_row(
        &mut self,
        lines: &mut Lines,
        row: u64,
        batch: &mut ParentBatch,
    ) -> Result<bool, SourceError> {
        while let Some((next, number)) = self.next_line(lines)? {
            let line = match next {
                NextLine::Fresh => lines.line(),
                NextLine::Again { start, end } => &self.further[start..end],
            };
            if line.iter().all(|&byte| byte == b' ') {
                continue;
            }
            if self.header_lines_left > 0 {
                self.header_lines_left -= 1;
                continue;
            }
            let fresh = matches!(next, NextLine::Fresh);
            if fresh && lines.too_long() {
                push_long_line(lines, lines.line(), row, batch);
                return Ok(true);
            }
            self.record.start();
            match self.record.feed_line(line) {
                Fed::Complete => self.push_record(line, number..=number, row, batch),
                Fed::QuoteOpen if fresh => self.span_lines(lines, row, batch)?,
                fed => push_unfinished(fed, line, number, row, batch),
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn next_line(&mut self, lines: &mut Lines) -> Result<Option<(NextLine, u64)>, SourceError> {
        if self.further_at < self.further.len() {
            let start = self.further_at;
            let length = memchr::memchr(b'\n', &self.further[start..])
                .expect("each further line was stored with its line end");
            let end = start + length;
            self.further_at = end + 1;
            self.further_number += 1;
            let next = NextLine::Again { start, end };
            return Ok(Some((next, self.further_number - 1)));
        }
        if !std::mem::take(&mut self.held) && !lines.advance()? {
            return Ok(None);
        }
        Ok(Some((NextLine::Fresh, lines.number())))
    }

    /// The line in `lines` has an open quote: reads further lines until the record is complete.
    fn span_lines(
        &mut self,
        lines: &mut Lines,
        row: u64,
        batch: &mut ParentBatch,
    ) -> Result<(), SourceError> {
        let first = lines.line();
        let kept = first.len().min(TEXT_KEPT_BYTES_MAX + 1);
        let mut bytes = first.len();
        self.first.clear();
        self.first.extend_from_slice(&first[..kept]);
        let number = lines.number();
        self.further.clear();
        self.further_at = 0;
        self.further_number = number + 1;

        let (mut fed, mut like_row) = (Fed::QuoteOpen, None);
        while fed == Fed::QuoteOpen && lines.advance()? {
            bytes += 1 + lines.line().len();
            let of_record = lines.number() - number;
            if lines.too_long() || bytes > LINE_BYTES_MAX || of_record >= CSV_RECORD_LINES_MAX {
                self.held = true;
                break;
            }
            self.further.extend_from_slice(lines.line());
            self.further.push(b'\n');
            fed = self.record.feed_line(lines.line());
            if like_row.is_none() && self.looks_like_row(lines.line()) {
                like_row = Some(lines.number());
            }
        }
        let span = number..=lines.number();
        match fed {
            Fed::Complete if self.record.fields() == self.layout.fields => match like_row {
                Some(line) => push_fault(
                    &self.first,
                    row,
                    batch,
                    format_args!(
                        "line {number} opens a quote that isn't closed before line {line}, which looks like a row"
                    ),
                ),
                None => {
                    self.push_record(&[], span, row, batch);
                    self.further.clear();
                }
            },
            Fed::Complete => self.push_record(&self.first, span, row, batch),
            fed => push_unfinished(fed, &self.first, number, row, batch),
        }
        Ok(())
    }

    /// Whether `line`, a further line of a record, looks like a row.
    fn looks_like_row(&mut self, line: &[u8]) -> bool {
        let layout = self.layout;
        self.alone.iter_mut().any(|alone| {
            alone.start();
            alone.feed_line(line) == Fed::Complete
                && alone.fields() >= layout.fields
                && looks_like_smiles(alone.field(layout.smiles))
        })
    }

    /// Appends the parsed record of lines `numbers`, whose first line is `line`.
    fn push_record(
        &self,
        line: &[u8],
        numbers: RangeInclusive<u64>,
        row: u64,
        batch: &mut ParentBatch,
    ) {
        let (fields, columns) = (self.record.fields(), self.layout.fields);
        if fields == columns {
            let field = |column| self.record.unquoted_field(column);
            let id = self.layout.id.map(field);
            batch.push_smiles(row, field(self.layout.smiles), id);
            if !self.kept.is_empty() {
                // A table can't tell an empty text from a missing value.
                let kept = self.kept.iter().map(|column| column.map(field));
                batch.push_kept_fields(kept.map(|text| text.filter(|text| !text.is_empty())));
            }
            return;
        }
        let (first, last) = numbers.into_inner();
        let plural = if fields == 1 { "" } else { "s" };
        let mut fault = |reason: fmt::Arguments<'_>| push_fault(line, row, batch, reason);
        if first == last {
            fault(format_args!(
                "line {first} has {fields} field{plural}, the header has {columns}"
            ));
        } else {
            fault(format_args!(
                "lines {first} to {last} are one record by their quotes, with {fields} field{plural}; the header has {columns}"
            ));
        }
    }
}

fn push_fault(line: &[u8], row: u64, batch: &mut ParentBatch, reason: fmt::Arguments<'_>) {
    batch.push_fault(row, TextKind::Smiles, line, None, RejectCode::Table, reason);
}

/// Adds the fault of line `number`, which is no complete record.
fn push_unfinished(fed: Fed, line: &[u8], number: u64, row: u64, batch: &mut ParentBatch) {
    let mut fault = |reason: fmt::Arguments<'_>| push_fault(line, row, batch, reason);
    if fed == Fed::TooManyFields {
        fault(format_args!(
            "line {number} has more than {CSV_FIELDS_MAX} fields"
        ));
    } else {
        fault(format_args!(
            "line {number} opens a quote that isn't closed"
        ));
    }
}

/// The fields of a header line.
///
/// # Errors
/// What is wrong with it, to follow "the header".
pub(super) fn header_fields(line: &[u8], delimiter: u8) -> Result<Vec<String>, String> {
    let mut record = Record::new(delimiter);
    let text = |field: &[u8]| String::from_utf8_lossy(field).trim().to_owned();
    record.start();
    match record.feed_line(line) {
        Fed::Complete => Ok(record.unquoted_fields().map(text).collect()),
        Fed::QuoteOpen => Err("opens a quote that isn't closed on its line".to_owned()),
        Fed::TooManyFields => Err(format!("has more than {CSV_FIELDS_MAX} columns")),
    }
}

/// A record being parsed: its unquoted fields, concatenated.
pub(super) struct Record {
    quotes: bool,
    parser: csv_core::Reader,
    bytes: Vec<u8>,
    bytes_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fed {
    Complete,
    QuoteOpen,
    TooManyFields,
}

impl Record {
    /// Tabs and spaces always end a field; other delimiters not within quotes.
    pub fn new(delimiter: u8) -> Record {
        Record::with_quotes(delimiter, !matches!(delimiter, b'\t' | b' '))
    }

    fn with_quotes(delimiter: u8, quotes: bool) -> Record {
        Record {
            quotes,
            parser: csv_core::ReaderBuilder::new()
                .delimiter(delimiter)
                .quoting(quotes)
                .terminator(csv_core::Terminator::Any(b'\n'))
                .build(),
            bytes: Vec::new(),
            bytes_len: 0,
            ends: vec![0; CSV_FIELDS_MAX],
            ends_len: 0,
        }
    }

    /// The fields of a single line; `None` if a quote stays open, or there are too many.
    pub fn split(&mut self, line: &[u8]) -> Option<Vec<&[u8]>> {
        self.start();
        (self.feed_line(line) == Fed::Complete).then(|| self.unquoted_fields().collect())
    }

    fn start(&mut self) {
        self.parser.reset();
        self.bytes_len = 0;
        self.ends_len = 0;
    }

    /// Parses a line given without its line end.
    fn feed_line(&mut self, line: &[u8]) -> Fed {
        match self.feed(line) {
            Fed::QuoteOpen => self.feed(b"\n"),
            fed => fed,
        }
    }

    fn feed(&mut self, mut text: &[u8]) -> Fed {
        // Fields take at most as many bytes as their text; `csv_core` needs room for one more.
        let room = self.bytes_len + text.len() + 1;
        if self.bytes.len() < room {
            self.bytes.resize(room, 0);
        }
        while !text.is_empty() {
            let (result, read, written, ended) = self.parser.read_record(
                text,
                &mut self.bytes[self.bytes_len..],
                &mut self.ends[self.ends_len..],
            );
            text = &text[read..];
            self.bytes_len += written;
            self.ends_len += ended;
            match result {
                csv_core::ReadRecordResult::Record => return Fed::Complete,
                csv_core::ReadRecordResult::OutputEndsFull => return Fed::TooManyFields,
                csv_core::ReadRecordResult::InputEmpty
                | csv_core::ReadRecordResult::OutputFull
                | csv_core::ReadRecordResult::End => {}
            }
        }
        Fed::QuoteOpen
    }

    fn fields(&self) -> usize {
        self.ends_len
    }

    fn field(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.bytes[start..self.ends[i]]
    }

    fn unquoted_fields(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.fields()).map(|i| self.unquoted_field(i))
    }

    /// The field; where quotes are not parsed, without a pair of quotes around it.
    fn unquoted_field(&self, i: usize) -> &[u8] {
        let field = self.field(i);
        match field.trim_ascii() {
            [b'"', inner @ .., b'"'] if !self.quotes && !inner.contains(&b'"') => inner,
            _ => field,
        }
    }
}
