//! Reads CSV and TSV into the common tree: the header gives the keys, and each row is one rule.

use csv::{ReaderBuilder, StringRecord};

use super::error::RuleFault;
use super::foreign::{Meaning, Meanings, meanings};
use super::place::Position;
use super::record::{self, COLUMN_KEYS, RULE_KEYS};
use super::source::{Entry, Node, Source, Value};
use crate::limits::{ERRORS_MAX, RULES_MAX};

/// The required columns.
const REQUIRED: [&str; 2] = ["name", "smirks"];

type Fault = (Position, RuleFault);

/// A column of the header.
struct Column {
    /// In small letters.
    key: String,
    /// Whether an empty cell is a fault.
    required: bool,
}

struct Cell {
    text: String,
    /// Byte offset of its first character or quote.
    at: usize,
}

/// The file as a list of tables, and the faults of the header and of skipped rows. Empty cells are skipped too, unless
/// the column is required.
///
/// The delimiter comes from the header; `usual` is the delimiter of the extension. Excel's first line `sep=;` is no
/// header.
pub(super) fn read(source: &Source<'_>, usual: u8) -> (Node, Vec<Fault>) {
    let (begin, delimiter) = delimiter(source.text, usual);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(&source.text.as_bytes()[begin..]);
    let mut record = StringRecord::new();
    let mut header: Option<Vec<Option<Column>>> = None;
    let mut rules = Vec::new();
    let mut faults = Vec::new();
    // Read one row over the limit, so that the caller reports it.
    while rules.len() <= RULES_MAX && faults.len() <= ERRORS_MAX {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let message = super::error::printable(&error.to_string());
                faults.push((source.position(0), RuleFault::Syntax(message)));
                break;
            }
        }
        let cells = cells(source, begin, &record, delimiter);
        match (cells, &header) {
            (Ok(cells), Some(header)) => match row(source, header, cells) {
                Ok(rule) => rules.push(rule),
                Err(fault) => faults.push(fault),
            },
            (Ok(cells), None) => match columns(source, cells, &mut faults) {
                Some(columns) => header = Some(columns),
                None => break,
            },
            (Err(fault), Some(_)) => faults.push(fault),
            (Err(fault), None) => {
                faults.push(fault);
                break;
            }
        }
    }
    let value = Value::List(rules);
    (Node { at: 0, value }, faults)
}

/// Number of rows that [`read`] skipped.
pub(super) fn rows_left_out((_, faults): &(Node, Vec<Fault>)) -> usize {
    let in_row = |fault: &&Fault| matches!(fault.1, RuleFault::Syntax(_));
    faults.iter().filter(in_row).count()
}

/// The byte offset of the header and the delimiter: from Excel's line `sep=;`, or the one that splits the header into
/// the most known columns.
fn delimiter(text: &str, usual: u8) -> (usize, u8) {
    const ALL: [u8; 4] = [b',', b';', b'\t', b'|'];
    let blank = |line: &str| line.trim().is_empty();
    let mut begin = 0;
    let mut lines = text.split_inclusive('\n');
    let mut line = lines.next().unwrap_or_default();
    while blank(line) && begin + line.len() < text.len() {
        begin += line.len();
        line = lines.next().unwrap_or_default();
    }
    let first = line.trim_end_matches(['\r', '\n']).trim_matches('"');
    let said = first
        .get(..4)
        .filter(|key| key.eq_ignore_ascii_case("sep="));
    if let Some(byte) = said
        .and_then(|_| first.as_bytes().get(4))
        .filter(|b| ALL.contains(b))
    {
        return (begin + line.len(), *byte);
    }
    let known = |delimiter: u8| {
        let fields = line.split(char::from(delimiter));
        let key = |field: &str| field.trim().trim_matches('"').trim().to_ascii_lowercase();
        let keys: Vec<String> = fields.map(key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let each = meanings(&keys).each.into_iter();
        each.filter(|meaning| *meaning != Meaning::Unknown).count()
    };
    // Among equals prefer the usual one.
    let best = ALL.into_iter().max_by_key(|d| (known(*d), *d == usual));
    (begin, best.unwrap_or(usual))
}

/// The columns; `None` for a column with a fault. Without a required column the result is `None`, because each row
/// would only repeat the fault.
fn columns(
    source: &Source<'_>,
    cells: Vec<Cell>,
    faults: &mut Vec<Fault>,
) -> Option<Vec<Option<Column>>> {
    let keys: Vec<String> = cells
        .iter()
        .map(|cell| cell.text.trim().to_ascii_lowercase())
        .collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let Meanings { each, foreign } = meanings(&keys);
    let mut columns: Vec<Option<Column>> = Vec::new();
    for ((cell, key), meaning) in cells.iter().zip(&keys).zip(&each) {
        let repeated = columns.iter().flatten().any(|column| column.key == *key);
        let fault = match meaning {
            _ if repeated => Some(repeated_key(key, key)),
            Meaning::Repeats(first) => Some(repeated_key(key, keys[*first])),
            Meaning::Own(own) if COLUMN_KEYS.contains(own) => None,
            Meaning::Neutral | Meaning::Changing(_) => None,
            _ => match record::unknown_key(cell.text.trim(), COLUMN_KEYS) {
                // A table of another tool has columns of its own; a row says that they are left out.
                RuleFault::UnknownKey { nearest: None, .. }
                    if foreign && !RULE_KEYS.contains(key) =>
                {
                    None
                }
                fault => Some(fault),
            },
        };
        columns.push(fault.is_none().then(|| Column {
            key: (*key).to_owned(),
            required: matches!(meaning, Meaning::Own(own) if REQUIRED.contains(own)),
        }));
        faults.extend(fault.map(|fault| (source.position(cell.at), fault)));
    }
    // Rules of other tools get a name.
    let needed = if foreign { &REQUIRED[1..] } else { &REQUIRED };
    let missing = needed.iter().find(|key| !each.contains(&Meaning::Own(key)));
    faults.extend(missing.map(|key| (source.position(0), RuleFault::MissingKey(key))));
    missing.is_none().then_some(columns)
}

fn repeated_key(key: &str, first: &str) -> RuleFault {
    let (key, first) = (key.to_owned(), first.to_owned());
    RuleFault::RepeatedKey { key, first }
}

fn row(source: &Source<'_>, columns: &[Option<Column>], cells: Vec<Cell>) -> Result<Node, Fault> {
    let at = cells.first().map_or(0, |cell| cell.at);
    if cells.len() != columns.len() {
        let message = format!(
            "this row has {} fields, the header has {}",
            cells.len(),
            columns.len()
        );
        return Err((source.position(at), RuleFault::Syntax(message)));
    }
    let entries = columns.iter().zip(cells).filter_map(|(column, cell)| {
        let column = column.as_ref()?;
        let needed = !cell.text.trim().is_empty() || column.required;
        needed.then(|| Entry {
            key: column.key.clone(),
            key_at: cell.at,
            node: Node {
                at: cell.at,
                value: Value::Text(cell.text),
            },
        })
    });
    let value = Value::Table(entries.collect());
    Ok(Node { at, value })
}

/// The cells of a row with their byte offsets. The parser doesn't report offsets, so this function walks the bytes of the
/// row: a cell is either plain or quoted with doubled quotes.
///
/// # Errors
/// A quoted cell continues after its closing quote, or has none. The parser accepts both, but an unclosed quote would
/// swallow the rest of the file.
fn cells(
    source: &Source<'_>,
    begin: usize,
    record: &StringRecord,
    delimiter: u8,
) -> Result<Vec<Cell>, Fault> {
    let bytes = source.text.as_bytes();
    let start = record.position().map_or(0, csv::Position::byte);
    let mut at = begin.saturating_add(usize::try_from(start).unwrap_or(usize::MAX));
    // The parser counts the previous line end and empty rows to this row.
    while matches!(bytes.get(at), Some(b'\r' | b'\n')) {
        at += 1;
    }
    let mut cells = Vec::with_capacity(record.len());
    for text in record {
        let raw_bytes = match bytes.get(at) {
            Some(b'"') => text.len() + text.matches('"').count() + 2,
            _ => text.len(),
        };
        let end = at.saturating_add(raw_bytes);
        let closed = raw_bytes == text.len() || bytes.get(end - 1) == Some(&b'"');
        let ended = match bytes.get(end) {
            Some(byte) => [b'\r', b'\n', delimiter].contains(byte),
            None => end == bytes.len(),
        };
        if !closed || !ended {
            let message = "this field's closing quote is missing or isn't the field's end";
            let position = source.position(at.min(bytes.len()));
            return Err((position, RuleFault::Syntax(message.into())));
        }
        cells.push(Cell {
            text: text.to_owned(),
            at,
        });
        at = end + 1;
    }
    Ok(cells)
}
