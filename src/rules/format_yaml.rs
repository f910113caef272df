//! Reads YAML into the common tree.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Span, Spanned};

use super::error::{RuleFault, printable};
use super::place::Position;
use super::source::{Entry, Node, Source, Value};
use crate::limits::RULE_FILE_BYTES_MAX;

/// The whole file as one node; an empty file is [`Value::Null`].
///
/// # Errors
/// The first syntax error. Also: text over the file limit, which only aliases can cause, and the parser's limits on
/// depth (64) and nodes (250,000).
pub(super) fn read(source: &Source<'_>) -> Result<Node, (Position, RuleFault)> {
    // `yes` and `no` are words (a tag, say), not truth values, as in YAML 1.2.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_total_scalar_bytes: RULE_FILE_BYTES_MAX },
        strict_booleans: true,
        emit_comments: false,
    };
    serde_saphyr::from_str_with_options(source.text, options).map_err(|error| {
        // The parser's line and column can't be used: it counts lone carriage returns as line ends.
        let span = error.location().map(|location| location.span());
        let position = source.position(span.map_or(0, |span| start(source.text, span)));
        let message = message(&error, source, position);
        (position, RuleFault::Syntax(message))
    })
}

/// Byte offset of a span. For a syntax error the parser gives an offset in characters only.
fn start(source: &str, span: Span) -> usize {
    let from_characters = || source.char_indices().nth(index(span.offset()));
    match span.byte_offset() {
        Some(byte) => index(byte),
        None => from_characters().map_or(source.len(), |(byte, _)| byte),
    }
}

/// An offset as an index, saturating.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// The parser's message without its position (the error shows it already) and without advice to programmers, and with
/// advice on the most frequent mistake with SMIRKS.
fn message(error: &serde_saphyr::Error, source: &Source<'_>, position: Position) -> String {
    let text = match error.without_snippet() {
        serde_saphyr::Error::MultipleDocuments { .. } => {
            "a second document (---) starts here; a rule file is one document".to_owned()
        }
        other => other.to_string(),
    };
    let text = text.replace(", set DuplicateKeyPolicy in Options if acceptable", "");
    let said = error.location().map_or_else(String::new, |location| {
        format!(" at line {}, column {}", location.line(), location.column())
    });
    let text = printable(text.strip_suffix(&said).unwrap_or(&text));
    let line = source.text.lines().nth(position.line - 1).unwrap_or("");
    match line.contains(">>") {
        true => format!("{text}; put SMIRKS in 'single quotes'"),
        false => text,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Node {
            at: offset(&spanned),
            value: spanned.value,
        })
    }
}

/// Byte offset of the definition of a node (of an alias: its anchor).
fn offset<T>(spanned: &Spanned<T>) -> usize {
    let byte = spanned.defined.span().byte_offset();
    byte.map_or(0, index)
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

/// No key accepts a number of these types.
macro_rules! numbers {
    ($($visit:ident: $type:ty),*) => { $(
        fn $visit<E>(self, _: $type) -> Result<Value, E> {
            Ok(Value::Other("a number"))
        }
    )* };
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a list or a table")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, node)) = map.next_entry::<Spanned<String>, Node>()? {
            entries.push(Entry {
                key_at: offset(&key),
                key: key.value,
                node,
            });
        }
        Ok(Value::Table(entries))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Flag(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(u64::try_from(number).map_or(Value::Other("a number"), Value::Whole))
    }

    numbers!(visit_i128: i128, visit_u128: u128, visit_f64: f64);
}
