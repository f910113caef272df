//! Turns the tree of a file into rules and makes every check that needs no RDKit. Each fault has a position.

use std::path::Path;
use std::sync::Arc;

use super::draft::Draft;
use super::error::{RuleFault, is_control};
use super::place::Position;
use super::reactants::{ParentChoice, ParentText, ReactantKeys, ReagentsText};
use super::rule::{Example, Rule};
use super::smirks::{check_characters, check_smarts, check_smirks};
use super::source::{Entry, Format, Node, Placed, Source, Value};
use crate::limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX, SMIRKS_BYTES_MAX};
use crate::named::nearest;

/// Every key of a rule; last the key for which a table has no column.
pub(super) const RULE_KEYS: &[&str] = &[
    "name",
    "smirks",
    "label",
    "tags",
    "scope_classes",
    "exclude",
    "require",
    "query_smarts",
    "add_hydrogens",
    "parent",
    "reagents",
    "examples",
];

/// Every column of a CSV or TSV file: a row has no room for examples.
pub(super) const COLUMN_KEYS: &[&str] = match RULE_KEYS {
    [columns @ .., _examples] => columns,
    [] => RULE_KEYS,
};

/// The keys under which a file may list its rules.
pub(super) const LIST_KEYS: &[&str] = &["rule", "rules", "reactions"];

const EXAMPLE_KEYS: &[&str] = &["from", "to"];

/// The nodes of a file that hold one rule each.
pub(super) fn rule_nodes(
    source: &Source<'_>,
    document: Node,
) -> (Vec<Node>, Vec<(Position, RuleFault)>) {
    let wrong = |key: &str, node: &Node| RuleFault::WrongType {
        key: key.to_owned(),
        expected: "a list of rules",
        found: node.value.type_name(),
    };
    let mut rules = Vec::new();
    let mut faults = Vec::new();
    match document.value {
        Value::List(items) => rules = items,
        Value::Null => {}
        Value::Table(entries) => {
            for entry in entries {
                let position = source.position(entry.key_at);
                match entry.node.value {
                    _ if !LIST_KEYS.contains(&entry.key.as_str()) => {
                        faults.push((position, unknown_key(&entry.key, LIST_KEYS)));
                    }
                    Value::List(items) => rules.extend(items),
                    Value::Null => {}
                    _ => faults.push((position, wrong(&entry.key, &entry.node))),
                }
            }
        }
        _ => faults.push((source.position(document.at), wrong("the file", &document))),
    }
    (rules, faults)
}

/// The fault of a key that isn't among `known`.
pub(super) fn unknown_key(key: &str, known: &'static [&'static str]) -> RuleFault {
    let short = key.len() <= NAME_BYTES_MAX;
    RuleFault::UnknownKey {
        key: key.to_owned(),
        nearest: short.then(|| nearest(key, known)).flatten(),
        known,
    }
}

/// The result of reading one node.
#[derive(Default)]
pub(super) struct ParsedRule {
    /// The rule's name and its position, if the name is valid.
    pub named: Option<(String, Position)>,
    /// The rule, if it has no faults.
    pub rule: Option<Rule>,
    /// The faults, in the order of the file.
    pub faults: Vec<(Position, RuleFault)>,
}

/// Reads one rule of a file.
pub(super) fn read_rule(source: &Source<'_>, file: &Arc<Path>, node: &Node) -> ParsedRule {
    let mut reader = RuleReader {
        source,
        faults: Vec::new(),
    };
    let Some(entries) = reader.table("rule", &["name", "smirks"], node) else {
        return ParsedRule {
            faults: reader.faults,
            ..ParsedRule::default()
        };
    };
    let draft = reader.draft(entries);
    let named = draft.name.as_ref();
    let named = named.map(|name| (name.text.clone(), name.place.start()));
    let parent = reader.check_reactants(&draft);
    let rule = parent.and_then(|parent| draft.finish(file, parent));
    ParsedRule {
        named,
        rule: rule.filter(|_| reader.faults.is_empty()),
        faults: reader.faults,
    }
}

struct RuleReader<'a, 't> {
    source: &'a Source<'t>,
    faults: Vec<(Position, RuleFault)>,
}

impl RuleReader<'_, '_> {
    fn draft(&mut self, entries: &[Entry]) -> Draft {
        let mut draft = Draft::default();
        let mut require_key: Option<&str> = None;
        for Entry { key, key_at, node } in entries {
            let Some(key) = RULE_KEYS.iter().copied().find(|known| known == key) else {
                self.fault(*key_at, unknown_key(key, RULE_KEYS));
                continue;
            };
            match key {
                "name" => draft.name = self.name(node),
                "smirks" => {
                    if let Some((smirks, reactants)) = self.smirks(node) {
                        (draft.smirks, draft.reactants) = (Some(smirks), reactants);
                    }
                }
                // YAML allows an optional key without a value.
                _ if matches!(node.value, Value::Null) => {}
                "label" => draft.label = self.label(node),
                "tags" | "scope_classes" => draft.tags.extend(self.tags(key, node)),
                "exclude" => draft.exclude = self.exclude(node),
                "require" | "query_smarts" => match require_key.replace(key) {
                    None => draft.require = self.require(key, node),
                    Some(first) => {
                        let (key, first) = (key.to_owned(), first.to_owned());
                        self.fault(*key_at, RuleFault::RepeatedKey { key, first });
                    }
                },
                "add_hydrogens" => draft.add_hydrogens = self.flag(key, node),
                "parent" => draft.parent = Some(self.parent(node)),
                "reagents" => draft.reagents = self.reagents(node),
                _ => draft.examples = self.examples(node),
            }
        }
        draft
    }

    fn name(&mut self, node: &Node) -> Option<Placed> {
        let name = self.text("name", node, NAME_BYTES_MAX)?;
        if name.text.trim() != name.text {
            self.fault(node.at, RuleFault::NameEdgeBlank);
            return None;
        }
        self.without_controls("name", name)
    }

    /// The SMIRKS and the number of its reactants.
    fn smirks(&mut self, node: &Node) -> Option<(Placed, usize)> {
        let smirks = self.text("smirks", node, SMIRKS_BYTES_MAX)?.trimmed();
        let checked = check_smirks(&smirks.text);
        let reactants = checked.as_ref().copied().unwrap_or_default();
        let smirks = self.accepted(smirks, checked.map(drop))?;
        Some((smirks, reactants))
    }

    /// Which reactants the parent can be: a number, or `any`.
    fn parent(&self, node: &Node) -> ParentText {
        let choice = match &node.value {
            Value::Whole(number) => Some(ParentChoice::Number(*number)),
            Value::Text(text) => ParentChoice::of_text(text),
            _ => None,
        };
        let at = self.source.position(node.at);
        ParentText { at, choice }
    }

    /// A table of reactants and their sets; in a row of a CSV file `2=amines.smi; 3=FILE`.
    fn reagents(&mut self, node: &Node) -> Vec<ReagentsText> {
        const KEY: &str = "reagents";
        if let (Value::Text(text), Format::Table { .. }) = (&node.value, self.source.format) {
            let pieces = self.source.place(text, node.at).pieces(|c| c == ';');
            let entry = |piece: Placed| {
                let (key, set) = piece.text.split_once('=').unwrap_or((&piece.text, ""));
                let set = piece.piece(key.len() + 1, set).trimmed();
                ReagentsText {
                    at: piece.place.start(),
                    key: key.trim().to_owned(),
                    set: self.without_controls(KEY, set),
                }
            };
            return pieces.into_iter().map(entry).collect();
        }
        let Some(entries) = self.table(KEY, &[], node) else {
            return Vec::new();
        };
        let mut sets = Vec::new();
        for Entry { key, key_at, node } in entries {
            let set = self.text(KEY, node, LABEL_BYTES_MAX);
            sets.push(ReagentsText {
                at: self.source.position(*key_at),
                key: key.clone(),
                set: set.and_then(|set| self.without_controls(KEY, set.trimmed())),
            });
        }
        sets
    }

    /// Which of the reactants the parent can be, from 0. Records what is wrong with the keys that concern them.
    fn check_reactants(&mut self, draft: &Draft) -> Option<Vec<u8>> {
        let examples = draft.examples.iter();
        draft.smirks.as_ref()?;
        let keys = ReactantKeys {
            reactants: draft.reactants,
            parent: draft.parent.as_ref(),
            reagents: &draft.reagents,
            // What is wrong with a molecule of an example is said already.
            examples: examples
                .filter(|_| self.faults.is_empty())
                .map(|(at, example)| (*at, example.from.len()))
                .collect(),
        };
        let (parent, mut faults) = keys.check();
        self.faults.append(&mut faults);
        Some(parent)
    }

    fn exclude(&mut self, node: &Node) -> Vec<Placed> {
        let patterns = self.texts("exclude", node, SMIRKS_BYTES_MAX, char::is_whitespace);
        let patterns = patterns.into_iter();
        patterns
            .filter_map(|pattern| self.smarts("exclude", pattern))
            .collect()
    }

    fn require(&mut self, key: &'static str, node: &Node) -> Option<Placed> {
        let pattern = self.text(key, node, SMIRKS_BYTES_MAX)?;
        self.smarts(key, pattern)
    }

    /// True or false; in a row of a CSV file as text.
    fn flag(&mut self, key: &str, node: &Node) -> bool {
        let text = match &node.value {
            Value::Flag(flag) => return *flag,
            Value::Text(text) if matches!(self.source.format, Format::Table { .. }) => text,
            other => {
                self.wrong_type(key, "true or false", other, node.at);
                return false;
            }
        };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => true,
            "false" | "no" | "0" => false,
            _ => {
                self.wrong_type(key, "true or false", &node.value, node.at);
                false
            }
        }
    }

    fn tags(&mut self, key: &'static str, node: &Node) -> Vec<Placed> {
        let tags = self.texts(key, node, LABEL_BYTES_MAX, |c| c == ';');
        tags.into_iter()
            .filter_map(|tag| self.without_controls(key, tag))
            .collect()
    }

    fn examples(&mut self, node: &Node) -> Vec<(Position, Example)> {
        let items = self.list("examples", "a list of { from, to } tables", node);
        items.iter().filter_map(|item| self.example(item)).collect()
    }

    fn example(&mut self, node: &Node) -> Option<(Position, Example)> {
        const KEY: &str = "examples";
        let entries = self.table(KEY, &["from", "to"], node)?;
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for Entry { key, key_at, node } in entries {
            match key.as_str() {
                "from" => from = self.texts("from", node, SMIRKS_BYTES_MAX, char::is_whitespace),
                "to" => to = self.texts("to", node, SMIRKS_BYTES_MAX, char::is_whitespace),
                _ => self.fault(*key_at, unknown_key(key, EXAMPLE_KEYS)),
            }
        }
        let position = self.source.position(node.at);
        let mut smiles = |key, texts: Vec<Placed>| -> Vec<String> {
            let texts = texts.into_iter();
            let smiles = texts.filter_map(|text| self.smiles(key, text.trimmed()));
            smiles.map(|smiles| smiles.text).collect()
        };
        let example = Example {
            from: smiles("from", from),
            to: smiles("to", to),
            line: position.line,
        };
        Some((position, example))
    }

    fn smiles(&mut self, key: &'static str, smiles: Placed) -> Option<Placed> {
        let checked = check_characters(key, &smiles.text);
        self.accepted(smiles, checked)
    }

    fn smarts(&mut self, key: &'static str, pattern: Placed) -> Option<Placed> {
        let pattern = pattern.trimmed();
        let checked = check_smarts(key, &pattern.text);
        self.accepted(pattern, checked)
    }

    fn label(&mut self, node: &Node) -> Option<Placed> {
        let label = self.text("label", node, LABEL_BYTES_MAX)?;
        self.without_controls("label", label)
    }

    fn without_controls(&mut self, key: &'static str, text: Placed) -> Option<Placed> {
        let Some(character) = text.text.chars().find(|c| is_control(*c)) else {
            return Some(text);
        };
        let fault = RuleFault::ControlCharacter(key, character);
        self.faults.push((text.place.start(), fault));
        None
    }

    /// The text, if its check passed; otherwise records the fault at the position of its byte.
    fn accepted(
        &mut self,
        text: Placed,
        checked: Result<(), (usize, RuleFault)>,
    ) -> Option<Placed> {
        let (byte, fault) = match checked {
            Ok(()) => return Some(text),
            Err(found) => found,
        };
        self.faults.push((text.place.at(byte), fault));
        None
    }

    /// A list of texts. A single text is a list of one; a text in a CSV row is split.
    fn texts(
        &mut self,
        key: &'static str,
        node: &Node,
        bytes_max: usize,
        separator: fn(char) -> bool,
    ) -> Vec<Placed> {
        if let (Value::Text(text), Format::Table { .. }) = (&node.value, self.source.format) {
            let pieces = self.source.place(text, node.at).pieces(separator);
            return pieces
                .into_iter()
                .filter_map(|piece| {
                    let at = piece.place.start();
                    self.of_length(key, at, &piece.text, bytes_max)
                        .then_some(piece)
                })
                .collect();
        }
        let items = match &node.value {
            Value::Text(_) => std::slice::from_ref(node),
            _ => self.list(key, "text or a list of texts", node),
        };
        items
            .iter()
            .filter_map(|item| self.text(key, item, bytes_max))
            .collect()
    }

    fn text(&mut self, key: &'static str, node: &Node, bytes_max: usize) -> Option<Placed> {
        let text = match &node.value {
            Value::Text(text) => text,
            Value::Null => "",
            other => {
                self.wrong_type(key, "text in quotes", other, node.at);
                return None;
            }
        };
        let position = self.source.position(node.at);
        self.of_length(key, position, text, bytes_max)
            .then(|| self.source.place(text, node.at))
    }

    /// Whether a text is neither blank nor too long; records a fault otherwise.
    fn of_length(
        &mut self,
        key: &'static str,
        position: Position,
        text: &str,
        bytes_max: usize,
    ) -> bool {
        let bytes = text.len();
        let fault = if text.trim().is_empty() {
            RuleFault::EmptyValue(key)
        } else if bytes > bytes_max {
            RuleFault::TooLong {
                key,
                bytes,
                bytes_max,
            }
        } else {
            return true;
        };
        self.faults.push((position, fault));
        false
    }

    fn list<'n>(&mut self, key: &str, expected: &'static str, node: &'n Node) -> &'n [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        self.wrong_type(key, expected, &node.value, node.at);
        &[]
    }

    /// The entries of a table. Records a fault for each of the `needed` keys that is missing, and returns the entries
    /// anyway, so that their faults are found too.
    fn table<'n>(
        &mut self,
        key: &str,
        needed: &[&'static str],
        node: &'n Node,
    ) -> Option<&'n [Entry]> {
        let Value::Table(entries) = &node.value else {
            self.wrong_type(key, "a table of keys and values", &node.value, node.at);
            return None;
        };
        for key in needed {
            if !entries.iter().any(|entry| entry.key == *key) {
                self.fault(node.at, RuleFault::MissingKey(key));
            }
        }
        Some(entries)
    }

    fn wrong_type(&mut self, key: &str, expected: &'static str, found: &Value, at: usize) {
        let fault = RuleFault::WrongType {
            key: key.to_owned(),
            expected,
            found: found.type_name(),
        };
        self.fault(at, fault);
    }

    fn fault(&mut self, at: usize, fault: RuleFault) {
        self.faults.push((self.source.position(at), fault));
    }
}
