//! Reads TOML into the common tree.

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{RuleFault, printable};
use super::place::Position;
use super::source::{Entry, Node, Source, Value};

/// The whole file as one table node.
///
/// # Errors
/// The first syntax error: those behind it are mostly its consequences.
pub(super) fn read(source: &Source<'_>) -> Result<Node, (Position, RuleFault)> {
    let (table, errors) = DeTable::parse_recoverable(source.text);
    let start = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    if let Some(first) = errors.iter().min_by_key(|error| start(error)) {
        let message = printable(first.message());
        return Err((source.position(start(first)), RuleFault::Syntax(message)));
    }
    Ok(Node {
        at: 0,
        value: Value::Table(entries(table.get_ref())),
    })
}

fn entries(table: &DeTable<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_at: key.span().start,
            node: node(value),
        })
        .collect();
    // The parser sorts keys by name.
    entries.sort_by_key(|entry| entry.key_at);
    entries
}

/// Recursion is bounded: the parser refuses more than 80 levels.
fn node(value: &Spanned<DeValue<'_>>) -> Node {
    let at = value.span().start;
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(node).collect()),
        DeValue::Table(table) => Value::Table(entries(table)),
        DeValue::Integer(number) => {
            let whole = u64::from_str_radix(number.as_str(), number.radix());
            whole.map_or(Value::Other("a number"), Value::Whole)
        }
        DeValue::Float(_) => Value::Other("a number"),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Other("a date"),
    };
    Node { at, value }
}
