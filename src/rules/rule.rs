//! A rule and where its parts stand in its file.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::error::{RuleError, RuleFault, printable};
use super::place::{Position, TextPlace};

/// A reaction rule: its name, its reaction, its restrictions and its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Unique; 1 to [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX) bytes, no control characters, no blank at either end.
    pub name: String,
    /// Visible ASCII with exactly one `>>`, one reactant and one or more products.
    pub smirks: String,
    /// Description for the reader.
    pub label: Option<String>,
    /// From `tags` and `scope_classes`, in the order of the file.
    pub tags: Vec<String>,
    /// SMARTS; atoms that they match are protected from the rule.
    pub exclude: Vec<String>,
    /// SMARTS (`require` or `query_smarts`); the rule applies only to parents that match it.
    pub require: Option<String>,
    /// Whether the rule applies to the parent with explicit hydrogens (RDKit's `AddHs`). They are removed from each
    /// product (`RemoveHs`).
    pub add_hydrogens: bool,
    /// Known parents and products, for `molsieve rules check`.
    pub examples: Vec<Example>,
    /// Its place in the rule file.
    pub origin: Origin,
}

/// A parent and all products that the rule makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// SMILES of the parent.
    pub from: String,
    /// SMILES of the products; empty if the rule must make none.
    pub to: Vec<String>,
    /// 1-based line of the example.
    pub line: usize,
    /// 1-based column of the example.
    pub column: usize,
}

/// The places of the parts of a rule in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, as given.
    pub file: Arc<Path>,
    /// Position of the name.
    pub name: Position,
    /// Place of the SMIRKS.
    pub smirks: TextPlace,
    /// Places of [`Rule::exclude`], in its order.
    pub exclude: Vec<TextPlace>,
    /// Place of [`Rule::require`].
    pub require: Option<TextPlace>,
}

/// A part of a rule that only RDKit can check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RulePart {
    /// The SMIRKS.
    Smirks,
    /// The SMARTS that a parent must match.
    Require,
    /// The SMARTS of this index in [`Rule::exclude`].
    Exclude(usize),
    /// The example of this index.
    Example(usize),
}

/// `FILE:LINE:COLUMN` of the SMIRKS.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.smirks.start();
        let file = printable(&self.file.to_string_lossy());
        write!(f, "{file}:{line}:{column}")
    }
}

impl Rule {
    /// The error for a well-formed part that RDKit refuses, or for an example with other products. `byte` is the byte
    /// of the part's text, if known; an example has a single position.
    pub fn refusal(&self, part: RulePart, byte: Option<usize>, message: &str) -> RuleError {
        let byte = byte.unwrap_or(0);
        let place = |place: Option<&TextPlace>| place.map(|place| place.at(byte));
        let (key, position) = match part {
            RulePart::Smirks => ("smirks", place(Some(&self.origin.smirks))),
            RulePart::Require => ("require", place(self.origin.require.as_ref())),
            RulePart::Exclude(index) => ("exclude", place(self.origin.exclude.get(index))),
            RulePart::Example(index) => {
                let example = self.examples.get(index);
                let position = example.map(|Example { line, column, .. }| Position {
                    line: *line,
                    column: *column,
                });
                ("examples", position)
            }
        };
        RuleError {
            file: self.origin.file.clone(),
            position: Some(position.unwrap_or(self.origin.name)),
            rule: Some(self.name.as_str().into()),
            fault: RuleFault::Refused {
                key,
                message: printable(message),
            },
        }
    }
}
