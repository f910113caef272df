//! Keys and columns of other tools: which key of ours each of them means, and what becomes of the others.
//!
//! Files of RDKit-based tools differ in names more than in content. This module renames their keys before `record`
//! reads a rule, so that every check of names, SMIRKS and lists applies to them too. TOML is molsieve's own format
//! and is not translated.
//!
//! A key that does not change what a rule makes is left out with a note. One that does is a fault. In a rule with
//! the key `smirks`, which is ours, any other unknown key stays a fault, because it may be a misspelt one.

use super::error::{RuleFault, printable};
use super::note::NoteKind;
use super::place::Position;
use super::record::{RULE_KEYS, unknown_key};
use super::source::{Entry, Format, Node, Source, Value};
use crate::limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX};

/// Names of the SMIRKS, the clearest first.
const SMIRKS: &[&str] = &[
    "smirks",
    "reaction_smarts",
    "reaction_smirks",
    "rxn_smarts",
    "rxn_smirks",
    "rule_smarts",
    "rule_smirks",
    "syn_smarts",
    "reaction_string",
    "smarts",
    "reaction",
    "rxn",
];

/// Names of the name; an id only if there is no name.
const NAMES: &[&str] = &[
    "name",
    "reaction_name",
    "rxn_name",
    "rule_name",
    "rule_id",
    "reaction_id",
    "rxn_id",
    "id",
    "reaction",
    "rxn",
];

/// Names of the label.
const LABELS: &[&str] = &["label", "long_name", "description", "comment", "comments"];

/// Names of further tags.
const TAGS: &[&str] = &["family", "category", "reaction_class"];

/// Keys that don't change what a rule makes.
const NEUTRAL: &[&str] = &[
    "author",
    "code",
    "display_smarts",
    "doi",
    "example_rxn_product",
    "example_rxn_reactants",
    "functional_groups",
    "group_smarts",
    "highlight_mapnums",
    "ld_data",
    "legacy_id",
    "legacy_rule_id",
    "meta",
    "metadata",
    "notes",
    "num_reactants",
    "probability",
    "product_highlight_symbol",
    "reference",
    "references",
    "retro_smarts",
    "rhs_classes",
    "rxn_num",
    "score",
    "source",
    "template_hash",
    "tier",
    "url",
    "version",
];

/// Keys that change what a rule makes, with what to do instead. `enabled` has an effect when it is false, the others
/// when they hold anything.
const CHANGING: &[(&str, &str)] = &[
    ("enabled", "take the rule out of the file"),
    ("disabled", "take the rule out of the file"),
    ("halogens", "write one rule for each halogen"),
    (
        "max_sites",
        "molsieve makes the products of every site; take the key out",
    ),
    (
        "max_sites_per_parent",
        "molsieve makes the products of every site; take the key out",
    ),
    (
        "sugar_mask",
        "protect these atoms with SMARTS under \"exclude\"",
    ),
    (
        "exclude_sugar_like",
        "protect these atoms with SMARTS under \"exclude\"",
    ),
    (
        "incompatible_groups",
        "leave such parents out with a SMARTS under \"require\", such as [!$(…)]",
    ),
];

/// What a key means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// This key of ours.
    Own(&'static str),
    /// Nothing that changes what a rule makes.
    Neutral,
    /// Something that molsieve lacks; what to do instead.
    Changing(&'static str),
    /// The same as the key with this number.
    Repeats(usize),
    /// Not known.
    Unknown,
}

/// The meaning of each key of a rule or column of a table.
pub(super) struct Meanings {
    pub each: Vec<Meaning>,
    /// Whether the SMIRKS has a name of another tool.
    pub foreign: bool,
}

/// Finds out what keys mean that stand together.
pub(super) fn meanings(keys: &[&str]) -> Meanings {
    let plain: Vec<String> = keys.iter().map(|key| normalised(key)).collect();
    let is_own = |key: &'static str| keys.contains(&key);
    let foreign = !is_own("smirks") && plain.iter().any(|key| SMIRKS.contains(&key.as_str()));
    let mut each = vec![Meaning::Unknown; keys.len()];
    for (key, meaning) in keys.iter().zip(&mut each) {
        if let Some(own) = RULE_KEYS.iter().find(|own| *own == key) {
            *meaning = Meaning::Own(own);
        }
    }
    // The first of the names that is there and means nothing yet.
    let mut give = |own: &'static str, names: &[&str]| {
        let free = |at: &usize| each[*at] == Meaning::Unknown;
        let place = |name: &&str| (0..plain.len()).find(|at| plain[*at] == **name && free(at));
        let at = (!is_own(own))
            .then(|| names.iter().find_map(place))
            .flatten();
        if let Some(at) = at {
            each[at] = Meaning::Own(own);
        }
        at
    };
    let smirks_at = foreign.then(|| give("smirks", SMIRKS)).flatten();
    // In a rule of ours `reaction` and `rxn` could be the SMIRKS of another one.
    let names = if foreign {
        NAMES.len()
    } else {
        NAMES.len() - 2
    };
    give("name", &NAMES[..names]);
    give("label", LABELS);
    for (key, meaning) in plain.iter().zip(&mut each) {
        if *meaning == Meaning::Unknown {
            *meaning = leftover(key, smirks_at);
        }
    }
    Meanings { each, foreign }
}

/// The meaning of a key that is neither ours nor the name for one of SMIRKS, name and label.
fn leftover(key: &str, smirks_at: Option<usize>) -> Meaning {
    let changing = CHANGING.iter().find(|(name, _)| *name == key);
    match (changing, smirks_at) {
        (Some((_, advice)), _) => Meaning::Changing(advice),
        _ if TAGS.contains(&key) => Meaning::Own("tags"),
        (_, Some(first)) if SMIRKS.contains(&key) => Meaning::Repeats(first),
        _ if SMIRKS.contains(&key) => Meaning::Unknown,
        // A key of ours in other letters.
        (_, Some(_)) if RULE_KEYS.contains(&key) => {
            let own = RULE_KEYS.iter().find(|own| **own == key);
            own.map_or(Meaning::Unknown, |own| Meaning::Own(own))
        }
        _ if [NAMES, LABELS, NEUTRAL]
            .iter()
            .any(|keys| keys.contains(&key))
            && !RULE_KEYS.contains(&key) =>
        {
            Meaning::Neutral
        }
        _ => Meaning::Unknown,
    }
}

/// A key in small letters, with `_` for blanks and hyphens: `# Reaction SMARTS` is `reaction_smarts`.
fn normalised(key: &str) -> String {
    let key = key.trim_start_matches('#').trim().to_ascii_lowercase();
    key.replace([' ', '-'], "_")
}

/// A rule under our keys.
pub(super) struct Translated {
    pub node: Node,
    pub notes: Vec<(Position, NoteKind)>,
    /// The rule can't be used if there are any.
    pub faults: Vec<(Position, RuleFault)>,
}

/// What a translation must know of the file and of the rules before.
pub(super) struct Surroundings<'a> {
    pub source: &'a Source<'a>,
    /// Begins the names of rules that have none.
    pub stem: &'a str,
    /// Whether an earlier rule has a name.
    pub taken: &'a dyn Fn(&str) -> bool,
    /// Whether one in this file has it.
    pub taken_here: &'a dyn Fn(&str) -> bool,
}

/// Renames the keys of one rule, leaves out what does not change it, and names it if it has no name.
pub(super) fn translate(node: Node, surroundings: &Surroundings<'_>) -> Translated {
    let format = surroundings.source.format;
    let mut translated = Translated {
        node,
        notes: Vec::new(),
        faults: Vec::new(),
    };
    if format == Format::Toml {
        return translated;
    }
    let at = translated.node.at;
    let entries = match std::mem::replace(&mut translated.node.value, Value::Null) {
        Value::Table(entries) => entries,
        // A list of reaction SMARTS.
        value @ Value::Text(_) if format == Format::Json => vec![Entry {
            key: "reaction_smarts".into(),
            key_at: at,
            node: Node { at, value },
        }],
        other => {
            translated.node.value = other;
            return translated;
        }
    };
    let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    let Meanings { each, foreign } = meanings(&keys);
    let firsts: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let mut own = Vec::with_capacity(entries.len());
    for (entry, meaning) in entries.into_iter().zip(each) {
        if let Meaning::Repeats(first) = meaning {
            let position = surroundings.source.position(entry.key_at);
            let (key, first) = (entry.key, firsts[first].clone());
            let fault = RuleFault::RepeatedKey { key, first };
            translated.faults.push((position, fault));
        } else {
            own.extend(translated.entry(entry, &meaning, foreign, surroundings.source));
        }
    }
    // In a file of ours a missing name is a fault.
    if foreign || matches!(format, Format::Json | Format::List) {
        translated.name(at, &mut own, surroundings);
    }
    translated.node.value = Value::Table(own);
    translated
}

impl Translated {
    /// The entry under our key; `None` if it is left out.
    fn entry(
        &mut self,
        mut entry: Entry,
        meaning: &Meaning,
        foreign: bool,
        source: &Source<'_>,
    ) -> Option<Entry> {
        let position = source.position(entry.key_at);
        let value = &mut entry.node.value;
        let left_out = |kind: fn(String) -> NoteKind, key: &str| (position, kind(key.to_owned()));
        match meaning {
            Meaning::Own("name") if entry.key != "name" => {
                // An id may be a number.
                let is_number = matches!(value, Value::Other(_) | Value::Whole(_));
                if let Some(number) = number_at(source, entry.node.at).filter(|_| is_number) {
                    *value = Value::Text(number.to_owned());
                }
            }
            Meaning::Own("label") if entry.key != "label" => match value {
                Value::Text(text) if text.trim().is_empty() => return None,
                Value::Text(text) if text.len() > LABEL_BYTES_MAX => {
                    self.notes.push(left_out(NoteKind::TooLong, &entry.key));
                    return None;
                }
                // A description may have several lines.
                Value::Text(text) => *text = one_line(text),
                Value::Null => return None,
                _ => {}
            },
            Meaning::Own("tags") if matches!(value, Value::Null) => return None,
            Meaning::Own(_) => {}
            _ if is_nothing(value) => return None,
            Meaning::Neutral => {
                self.notes.push(left_out(NoteKind::LeftOut, &entry.key));
                return None;
            }
            Meaning::Changing(_) if has_no_effect(&entry) => {
                self.notes.push(left_out(NoteKind::LeftOut, &entry.key));
                return None;
            }
            Meaning::Changing(advice) => {
                let fault = RuleFault::Foreign(format!(
                    "molsieve has no key \"{}\", which changes what this rule makes; {advice}",
                    printable(&entry.key)
                ));
                self.faults.push((position, fault));
                return None;
            }
            Meaning::Unknown if foreign => {
                let fault = unknown_key(&entry.key, RULE_KEYS);
                if matches!(fault, RuleFault::UnknownKey { nearest: None, .. }) {
                    self.notes.push(left_out(NoteKind::Unknown, &entry.key));
                    return None;
                }
            }
            Meaning::Unknown | Meaning::Repeats(_) => {}
        }
        if let Meaning::Own(key) = meaning {
            entry.key = (*key).to_owned();
        }
        Some(entry)
    }

    /// Gives the rule a name if it has none, and another one if an earlier rule of the file has the same.
    fn name(&mut self, at: usize, own: &mut Vec<Entry>, surroundings: &Surroundings<'_>) {
        own.retain(|entry| entry.key != "name" || !is_nothing(&entry.node.value));
        let line = surroundings.source.position(at).line;
        let given = own.iter_mut().find(|entry| entry.key == "name");
        let Some(given) = given else {
            let value = Value::Text(free_name(surroundings.stem, line, surroundings.taken));
            let entry = Entry {
                key: "name".into(),
                key_at: at,
                node: Node { at, value },
            };
            return own.insert(0, entry);
        };
        let position = surroundings.source.position(given.node.at);
        let Value::Text(name) = &mut given.node.value else {
            return;
        };
        *name = name.trim().to_owned();
        if name.len() <= NAME_BYTES_MAX && (surroundings.taken_here)(name) {
            let read_as = free_name(name, line, surroundings.taken);
            let note = NoteKind::Renamed(name.clone(), read_as.clone());
            self.notes.push((position, note));
            *name = read_as;
        }
    }
}

/// `STEM_LINE`; with a further number if an earlier rule has that name.
fn free_name(stem: &str, line: usize, taken: &dyn Fn(&str) -> bool) -> String {
    let mut ending = format!("_{line}");
    let mut number = 1;
    loop {
        let room = stem.floor_char_boundary(NAME_BYTES_MAX - ending.len());
        let name = format!("{}{ending}", stem[..room].trim_end());
        if !taken(&name) {
            return name;
        }
        number += 1;
        ending = format!("_{line}_{number}");
    }
}

/// The digits of a number in the file.
fn number_at<'t>(source: &Source<'t>, at: usize) -> Option<&'t str> {
    let rest = source.text.get(at..)?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
    let number = &rest[..end.unwrap_or(rest.len())];
    number
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(number)
}

/// A text with a blank for each run of blanks and line breaks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// Whether a key that changes a rule has a value that changes nothing.
fn has_no_effect(entry: &Entry) -> bool {
    let off = normalised(&entry.key) == "enabled";
    match &entry.node.value {
        Value::Flag(flag) => *flag == off,
        Value::List(items) => items.is_empty(),
        Value::Text(text) => text
            .trim()
            .eq_ignore_ascii_case(if off { "true" } else { "false" }),
        _ => false,
    }
}
