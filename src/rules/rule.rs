//! A rule and where its parts stand in its file.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::error::printable;
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
}

/// The places of the parts of a rule in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, as given.
    pub file: Arc<Path>,
    /// Place of the SMIRKS.
    pub smirks: TextPlace,
    /// Places of [`Rule::exclude`], in its order.
    pub exclude: Vec<TextPlace>,
    /// Place of [`Rule::require`].
    pub require: Option<TextPlace>,
}

/// `FILE:LINE:COLUMN` of the SMIRKS.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.smirks.start();
        let file = printable(&self.file.to_string_lossy());
        write!(f, "{file}:{line}:{column}")
    }
}
