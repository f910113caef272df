//! Writes rules as TOML, as a person would write them.

use std::fmt::Write;

use super::reactants::{ANY_PARENT, default_set};
use super::rule::{Example, Rule};

/// The rules as a rule file: one `[[rule]]` table each, with every key that is set. Reading the text gives the same
/// rules, but for their places.
pub fn to_toml(rules: &[Rule]) -> String {
    let tables: Vec<String> = rules.iter().map(table).collect();
    tables.join("\n")
}

fn table(rule: &Rule) -> String {
    // A new key must be written too.
    let Rule {
        name,
        smirks,
        reactants,
        parent,
        reagents,
        label,
        tags,
        exclude,
        require,
        add_hydrogens,
        examples,
        origin: _,
    } = rule;
    let mut table = format!(
        "[[rule]]\nname = {}\nsmirks = {}\n",
        text(name),
        text(smirks)
    );
    let mut line = |key: &str, value: String| {
        let _ = writeln!(table, "{key} = {value}");
    };
    if let Some(label) = label {
        line("label", text(label));
    }
    for (key, texts) in [("tags", tags), ("exclude", exclude)] {
        if !texts.is_empty() {
            line(key, list(texts));
        }
    }
    if let Some(require) = require {
        line("require", text(require));
    }
    if *add_hydrogens {
        line("add_hydrogens", "true".into());
    }
    match parent[..] {
        [0] => {}
        [only] if *reactants > 1 => line("parent", (only + 1).to_string()),
        _ => line("parent", text(ANY_PARENT)),
    }
    let named = reagents.iter();
    let named = named.filter(|(reactant, set)| **set != default_set(**reactant));
    let sets: Vec<String> = named
        .map(|(reactant, set)| format!("{} = {}", reactant + 1, text(set)))
        .collect();
    if !sets.is_empty() {
        line("reagents", format!("{{ {} }}", sets.join(", ")));
    }
    if !examples.is_empty() {
        let lines: Vec<String> = examples.iter().map(example).collect();
        line("examples", format!("[\n{}]", lines.concat()));
    }
    table
}

fn example(Example { from, to, line: _ }: &Example) -> String {
    let from = match &from[..] {
        [parent] => text(parent),
        reactants => list(reactants),
    };
    format!("  {{ from = {from}, to = {} }},\n", list(to))
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|member| text(member)).collect();
    format!("[{}]", texts.join(", "))
}

/// A text in quotes: in single ones where that saves escapes.
fn text(text: &str) -> String {
    let is_plain = |c: char| c != '\'' && !c.is_control();
    if text.contains(['\\', '"']) && text.chars().all(is_plain) {
        return format!("'{text}'");
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
