//! Positions in a rule file.
//!
//! Lines and columns count from 1. A column counts characters, not bytes; a byte order mark does not count. Each
//! text is stored with a [`TextPlace`], which maps any byte of the decoded text to its position in the file,
//! through quotes, escapes, indentation and line folding.

use std::sync::Arc;

/// How a text is quoted in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// Without escapes.
    Plain,
    /// With backslash escapes.
    Backslash,
    /// With this quote doubled.
    Doubled(char),
}

/// A position in a rule file: 1-based line, 1-based column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
}

/// The place of a decoded text in its file.
///
/// Positions are exact for plain and quoted texts of every format, escapes included. In a YAML block or folded
/// text whose line breaks changed in decoding, they are exact within a line. Where text and file can't be
/// aligned, positions count on from the last aligned character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPlace {
    /// Decoded bytes before the text: trimmed blanks and earlier list items.
    skipped_bytes: usize,
    /// Never empty, ascending in `text_byte`, the first at 0.
    runs: Arc<[Run]>,
}

/// From `text_byte` on, up to the next run, text and file agree byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    text_byte: usize,
    position: Position,
}

impl TextPlace {
    /// The position of the first character.
    pub fn start(&self) -> Position {
        self.at(0)
    }

    /// The position of the character at `byte` of the (ASCII) text. For the end of the text and beyond, it
    /// counts on from the last known position.
    pub fn at(&self, byte: usize) -> Position {
        let byte = byte.saturating_add(self.skipped_bytes);
        let after = self.runs.partition_point(|run| run.text_byte <= byte);
        let run = self.runs[after.saturating_sub(1)];
        Position {
            line: run.position.line,
            column: run.position.column.saturating_add(byte - run.text_byte),
        }
    }

    /// The place of the rest of the text after its first `bytes` bytes.
    pub(super) fn skip(&self, bytes: usize) -> TextPlace {
        TextPlace {
            skipped_bytes: self.skipped_bytes + bytes,
            runs: self.runs.clone(),
        }
    }

    /// Aligns `text` with the bytes of the file from which it was decoded, beginning at `raw_at`.
    pub(super) fn align(
        text: &str,
        file: &str,
        raw_at: usize,
        quoting: Quoting,
        position: impl Fn(usize) -> Position,
    ) -> TextPlace {
        let mut runs = vec![Run {
            text_byte: 0,
            position: position(raw_at),
        }];
        let mut raw_byte = raw_at;
        let mut expected_raw = raw_at;
        for (text_byte, character) in text.char_indices() {
            let Some((start, end)) = decoded_from(file, raw_byte, character, quoting) else {
                break;
            };
            if start != expected_raw {
                runs.pop_if(|run| run.text_byte == text_byte);
                runs.push(Run {
                    text_byte,
                    position: position(start),
                });
            }
            // Columns count characters and `at` counts bytes, so a wide character ends a run too.
            let same = character != '\n' && file.as_bytes().get(start) == Some(&(character as u8));
            let same = same && character.is_ascii() && end - start == 1;
            expected_raw = if same { end } else { usize::MAX };
            raw_byte = end;
        }
        TextPlace {
            skipped_bytes: 0,
            runs: runs.into(),
        }
    }
}

/// The bytes `start..end` of the file that `character` was decoded from, at or after `raw_byte`;
/// `None` when they don't match.
fn decoded_from(
    file: &str,
    raw_byte: usize,
    character: char,
    quoting: Quoting,
) -> Option<(usize, usize)> {
    let rest = file.get(raw_byte..)?;
    let rest = match quoting {
        Quoting::Backslash => behind_folds(rest),
        _ => rest,
    };
    let start = file.len() - rest.len();
    let raw = rest.chars().next()?;
    match quoting {
        Quoting::Backslash if raw == '\\' => return Some((start, start + escape_bytes(rest))),
        Quoting::Doubled(quote) if raw == quote => return Some((start, start + 2)),
        _ if raw == character => return Some((start, start + raw.len_utf8())),
        _ => {}
    }
    // YAML folds line breaks, and indentation is no part of a block's text.
    let unblanked = rest.trim_start();
    let behind_blanks = file.len() - unblanked.len();
    match (raw.is_whitespace(), character.is_whitespace()) {
        (true, true) => Some((start, behind_blanks)),
        (true, false) if unblanked.starts_with(character) => {
            Some((behind_blanks, behind_blanks + character.len_utf8()))
        }
        (false, true) => Some((start, start)),
        (_, false) => None,
    }
}

/// Skips the line ends that a backslash takes out of a text, with the blanks around them.
fn behind_folds(mut rest: &str) -> &str {
    while let Some(folded) = rest.strip_prefix('\\') {
        let folded = folded.trim_start_matches([' ', '\t']);
        if !folded.starts_with(['\n', '\r']) {
            break;
        }
        rest = folded.trim_start();
    }
    rest
}

/// Length of the escape that `rest` starts with; TOML's and YAML's agree where both know one.
fn escape_bytes(rest: &str) -> usize {
    match rest[1..].chars().next() {
        Some('x') => 4,
        Some('u') => 6,
        Some('U') => 10,
        Some(other) => 1 + other.len_utf8(),
        None => 1,
    }
}

/// Bytes between two marks of a [`LineIndex`]: bounds both its size and the cost of a look-up.
const MARK_STRIDE_BYTES: usize = 1024;

/// Turns byte offsets of a file into positions, in constant time even when all of it is one line.
#[derive(Debug)]
pub(super) struct LineIndex {
    /// The first character at or after each multiple of `MARK_STRIDE_BYTES`.
    marks: Vec<(usize, Position)>,
}

impl LineIndex {
    pub(super) fn new(text: &str) -> LineIndex {
        let mut marks = Vec::with_capacity(text.len() / MARK_STRIDE_BYTES + 1);
        let mut position = Position { line: 1, column: 1 };
        for (byte, character) in text.char_indices() {
            if byte >= marks.len() * MARK_STRIDE_BYTES {
                marks.push((byte, position));
            }
            position = step(position, character);
        }
        if marks.is_empty() {
            marks.push((0, position));
        }
        LineIndex { marks }
    }

    /// The position of the character at `byte`; the end of the text has one too.
    pub(super) fn position(&self, text: &str, byte: usize) -> Position {
        let after = self.marks.partition_point(|(at, _)| *at <= byte);
        let (marked, position) = self.marks[after.saturating_sub(1)];
        text[marked..]
            .char_indices()
            .take_while(|(offset, _)| marked + offset < byte)
            .fold(position, |position, (_, character)| {
                step(position, character)
            })
    }
}

fn step(position: Position, character: char) -> Position {
    match character {
        '\n' => Position {
            line: position.line + 1,
            column: 1,
        },
        _ => Position {
            column: position.column + 1,
            ..position
        },
    }
}
