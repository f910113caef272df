//! Reads lists of reaction SMARTS: one on each line, and beside it a name, a number and a comment.
//!
//! The reaction is the field that holds `>>`, so it may stand before the name or behind it. Fields are separated by
//! tabs; in a line without a tab, blanks end the reaction and the rest is the name. A line that begins with `#` or
//! `//` is a comment, and so is a field that does.

use super::error::RuleFault;
use super::place::Position;
use super::source::{Entry, Node, Source, Value};

/// The file as a list of tables. `may_be_other`: the extension says only that it is text, so the first line must be
/// a reaction.
///
/// # Errors
/// The first line is none.
pub(super) fn read(source: &Source<'_>, may_be_other: bool) -> Result<Node, (Position, RuleFault)> {
    let text = source.text;
    let lines = text.lines().filter(|line| {
        let line = line.trim();
        !line.is_empty() && !is_comment(line)
    });
    let mut rules = Vec::new();
    for line in lines {
        let line = line.trim();
        if may_be_other && rules.is_empty() && !line.contains('>') {
            let position = source.position(offset(text, line));
            return Err((position, RuleFault::UnknownFormat));
        }
        rules.push(rule(text, line));
    }
    let value = Value::List(rules);
    Ok(Node { at: 0, value })
}

fn is_comment(text: &str) -> bool {
    text.starts_with('#') || text.starts_with("//")
}

/// The byte at which a part of `text` begins.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

fn rule(text: &str, line: &str) -> Node {
    let (smirks, fields) = fields(line);
    let entry = |key: &str, part: &str, value: String| {
        let at = offset(text, part);
        Entry {
            key: key.to_owned(),
            key_at: at,
            node: Node {
                at,
                value: Value::Text(value),
            },
        }
    };
    let mut entries = vec![entry("smirks", smirks, smirks.to_owned())];
    let (comments, fields): (Vec<&str>, Vec<&str>) =
        fields.into_iter().partition(|field| is_comment(field));
    // A number beside a name is a probability or a count; alone it is the name.
    let is_number = |field: &&str| field.parse::<f64>().is_ok();
    let has_text = fields.iter().any(|field| !is_number(field));
    let (numbers, mut texts): (Vec<&str>, Vec<&str>) = fields
        .into_iter()
        .partition(|field| has_text && is_number(field));
    entries.extend(
        numbers
            .first()
            .map(|first| entry("score", first, (*first).to_owned())),
    );
    if !texts.is_empty() {
        let name = texts.remove(0);
        entries.push(entry("name", name, name.to_owned()));
    }
    let comments = comments
        .into_iter()
        .map(|comment| comment.trim_start_matches(['#', '/']).trim());
    let remarks: Vec<&str> = texts
        .into_iter()
        .chain(comments)
        .filter(|remark| !remark.is_empty())
        .collect();
    if let Some(first) = remarks.first() {
        entries.push(entry("description", first, remarks.join("; ")));
    }
    Node {
        at: offset(text, line),
        value: Value::Table(entries),
    }
}

/// The reaction of a line, and its other fields.
fn fields(line: &str) -> (&str, Vec<&str>) {
    let parts: Vec<&str> = match line.contains('\t') {
        true => line.split('\t').map(str::trim).collect(),
        false => line.split_whitespace().collect(),
    };
    let holds = |sign: &str| parts.iter().position(|part| part.contains(sign));
    let reaction = holds(">>").or_else(|| holds(">")).unwrap_or_default();
    let smirks = parts[reaction];
    let mut others: Vec<&str> = if line.contains('\t') {
        let before = parts[..reaction].iter();
        before.chain(&parts[reaction + 1..]).copied().collect()
    } else {
        let begin = offset(line, smirks);
        let behind = line[begin + smirks.len()..].trim();
        // A comment behind the name.
        let comment = behind.find(" #").unwrap_or(behind.len());
        let (name, comment) = behind.split_at(comment);
        vec![line[..begin].trim(), name, comment.trim()]
    };
    others.retain(|field| !field.is_empty());
    (smirks, others)
}
