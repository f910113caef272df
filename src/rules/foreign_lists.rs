//! How files of other tools list their rules: under `transforms`, as a mapping of names to rules, beside keys that
//! describe the file.

use super::error::RuleFault;
use super::foreign::{Meaning, meanings};
use super::note::NoteKind;
use super::place::Position;
use super::record::LIST_KEYS;
use super::source::{Entry, Format, Node, Source, Value};

/// The key of halogenator's list of rules.
const TRANSFORMS: &str = "transforms";

/// Keys beside the list that describe the file.
const ABOUT_FILE: &[&str] = &[
    "author",
    "date",
    "description",
    "license",
    "meta",
    "metadata",
    "references",
    "schema_version",
    "source",
    "title",
    "version",
];

/// Keys of files that choose among rules that are built into a program.
const BUILT_IN: &[&str] = &["classes", "include_rules", "halogens"];

/// A file's node in which every list of rules stands under a key of ours, and what is left out.
///
/// # Errors
/// The file chooses rules that are built into another program, and holds no SMIRKS.
#[allow(clippy::type_complexity, reason = "as `record::rule_nodes` gives them")]
pub(super) fn lists(
    source: &Source<'_>,
    document: Node,
) -> Result<(Node, Vec<(Position, NoteKind)>), (Position, RuleFault)> {
    let mut notes = Vec::new();
    let Node { at, value } = document;
    let entries = match value {
        Value::Table(entries) if matches!(source.format, Format::Yaml | Format::Json) => entries,
        value => return Ok((Node { at, value }, notes)),
    };
    let lists_rules = |entry: &Entry| LIST_KEYS.contains(&entry.key.as_str());
    let is_list = |entry: &Entry| lists_rules(entry) || entry.key == TRANSFORMS;
    if let Some(entry) = entries.iter().find(|entry| names_only(entry, &is_list)) {
        let position = source.position(entry.key_at);
        let fault = RuleFault::Foreign(format!(
            "\"{}\" names rules that are built into another program; molsieve needs the SMIRKS of each rule",
            entry.key
        ));
        return Err((position, fault));
    }
    if !entries.iter().any(is_list) {
        if !entries.is_empty() && entries.iter().all(|entry| is_rule(&entry.node.value)) {
            let value = Value::List(entries.into_iter().map(named).collect());
            return Ok((Node { at, value }, notes));
        }
        if let Some(entry) = entries.iter().find(|e| BUILT_IN.contains(&e.key.as_str())) {
            let position = source.position(entry.key_at);
            let fault = "this file chooses rules that are built into another program; molsieve needs the SMIRKS of \
                         each rule";
            return Err((position, RuleFault::Foreign(fault.into())));
        }
        let value = Value::Table(entries);
        return Ok((Node { at, value }, notes));
    }
    let mut kept = Vec::with_capacity(entries.len());
    for mut entry in entries {
        if ABOUT_FILE.contains(&entry.key.as_str()) {
            let position = source.position(entry.key_at);
            notes.push((position, NoteKind::LeftOut(entry.key)));
            continue;
        }
        if entry.key == TRANSFORMS {
            entry.key = "rules".into();
        }
        if LIST_KEYS.contains(&entry.key.as_str()) {
            entry.node.value = listed(entry.node.value);
        }
        kept.push(entry);
    }
    let value = Value::Table(kept);
    Ok((Node { at, value }, notes))
}

/// A list of rules; one of a mapping.
fn listed(value: Value) -> Value {
    match value {
        Value::Table(rules)
            if !rules.is_empty() && rules.iter().all(|rule| is_rule(&rule.node.value)) =>
        {
            Value::List(rules.into_iter().map(named).collect())
        }
        value => value,
    }
}

/// Whether a list holds names of rules only.
fn names_only(entry: &Entry, is_list: &impl Fn(&Entry) -> bool) -> bool {
    let is_name = |node: &Node| matches!(&node.value, Value::Text(text) if !text.contains('>'));
    match &entry.node.value {
        Value::List(items) if is_list(entry) => !items.is_empty() && items.iter().all(is_name),
        _ => false,
    }
}

/// Whether the value of a mapping is a rule: a table with a SMIRKS, or a SMIRKS.
fn is_rule(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains(">>"),
        Value::Table(entries) => {
            let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
            meanings(&keys).each.contains(&Meaning::Own("smirks"))
        }
        _ => false,
    }
}

/// The rule of an entry of a mapping: its key is the name, unless the rule has a key `name`.
fn named(entry: Entry) -> Node {
    let at = entry.key_at;
    let mut rule = match entry.node.value {
        Value::Table(entries) => entries,
        value => vec![Entry {
            key: "smirks".into(),
            key_at: entry.node.at,
            node: Node {
                at: entry.node.at,
                value,
            },
        }],
    };
    if !rule.iter().any(|entry| entry.key == "name") {
        let value = Value::Text(entry.key);
        let name = Entry {
            key: "name".into(),
            key_at: at,
            node: Node { at, value },
        };
        rule.insert(0, name);
    }
    Node {
        at,
        value: Value::Table(rule),
    }
}
