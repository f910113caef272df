//! A rule file's text, and the tree that every format is read into.
//!
//! The formats differ in syntax only. Each reader turns its file into [`Node`]s, which carry their byte offset.
//! The module `record` turns the nodes into rules.

use super::place::{LineIndex, Position, Quoting, TextPlace};

/// The format of a rule file, by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Toml,
    Yaml,
    /// CSV or TSV: one row is one rule.
    Table {
        delimiter: u8,
    },
    Json,
    /// A reaction SMARTS on each line.
    List,
}

/// The text of a rule file, without its byte order mark.
pub(super) struct Source<'t> {
    pub text: &'t str,
    pub format: Format,
    lines: LineIndex,
}

/// A value in a rule file.
#[derive(Debug)]
pub(super) struct Node {
    /// Byte offset of its first character, quote or bracket.
    pub at: usize,
    pub value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    List(Vec<Node>),
    /// In the order of the file.
    Table(Vec<Entry>),
    Null,
    /// True or false.
    Flag(bool),
    /// A whole number from 0 on.
    Whole(u64),
    /// A value of a type that no key accepts; the name of the type.
    Other(&'static str),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub key: String,
    /// Byte offset of the key; of the value in a CSV row.
    pub key_at: usize,
    pub node: Node,
}

/// A text and its place.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub text: String,
    pub place: TextPlace,
}

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str, format: Format) -> Source<'t> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Source {
            text,
            format,
            lines: LineIndex::new(text),
        }
    }

    pub(super) fn position(&self, byte: usize) -> Position {
        self.lines.position(self.text, byte)
    }

    /// Places a decoded text whose node starts at `at`.
    pub(super) fn place(&self, text: &str, at: usize) -> Placed {
        let (content_at, quoting) = self.content(text, at);
        Placed {
            text: text.to_owned(),
            place: TextPlace::align(text, self.text, content_at, quoting, |byte| {
                self.position(byte)
            }),
        }
    }

    /// The byte offset of the content after the opening quote, and the quoting.
    fn content(&self, text: &str, at: usize) -> (usize, Quoting) {
        let raw = self.text.get(at..).unwrap_or_default();
        // YAML points at the first character of a block, which may be a quote that is content.
        let is_content = self.format == Format::Yaml && text.starts_with(['"', '\'']);
        let (quote_bytes, quoting) = match self.format {
            Format::Toml if raw.starts_with("\"\"\"") => (3, Quoting::Backslash),
            Format::Toml if raw.starts_with("'''") => (3, Quoting::Plain),
            Format::Toml if raw.starts_with('\'') => (1, Quoting::Plain),
            Format::Toml | Format::Yaml | Format::Json if raw.starts_with('"') && !is_content => {
                (1, Quoting::Backslash)
            }
            Format::Yaml if raw.starts_with('\'') && !is_content => (1, Quoting::Doubled('\'')),
            Format::Table { .. } if raw.starts_with('"') => (1, Quoting::Doubled('"')),
            _ => (0, Quoting::Plain),
        };
        // TOML leaves out a line break right behind its triple quotes.
        let content = raw.get(quote_bytes..).unwrap_or_default();
        let break_bytes = match quote_bytes {
            3 if content.starts_with("\r\n") => 2,
            3 if content.starts_with('\n') => 1,
            _ => 0,
        };
        (at + quote_bytes + break_bytes, quoting)
    }
}

impl Placed {
    /// The text without surrounding blanks.
    pub(super) fn trimmed(&self) -> Placed {
        let text = self.text.trim();
        self.piece(self.text.len() - self.text.trim_start().len(), text)
    }

    /// The non-empty parts between separators, without surrounding blanks.
    pub(super) fn pieces(&self, separator: fn(char) -> bool) -> Vec<Placed> {
        let mut start = 0;
        let mut pieces = Vec::new();
        for part in self.text.split_inclusive(separator) {
            let blank = |c: char| separator(c) || c.is_whitespace();
            let piece = part.trim_matches(blank);
            let skipped = part.len() - part.trim_start_matches(blank).len();
            if !piece.is_empty() {
                pieces.push(self.piece(start + skipped, piece));
            }
            start += part.len();
        }
        pieces
    }

    pub(super) fn split(self) -> (String, TextPlace) {
        (self.text, self.place)
    }

    /// A part of the text that begins at a byte.
    pub(super) fn piece(&self, at: usize, text: &str) -> Placed {
        Placed {
            text: text.to_owned(),
            place: self.place.skip(at),
        }
    }
}

impl Value {
    /// The name of the type in messages.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Null => "nothing",
            Value::Flag(_) => "true or false",
            Value::Whole(_) => "a number",
            Value::Other(name) => name,
        }
    }
}
