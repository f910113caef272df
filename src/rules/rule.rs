//! A rule and where its parts stand in its file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::error::printable;
use super::place::{Position, TextPlace};
use super::smirks::reactant_text;

/// A reaction rule: its name, its reaction, its restrictions and its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Unique; 1 to [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX) bytes, no control characters, no blank at either end.
    pub name: String,
    /// Visible ASCII with exactly one `>>`, one to [`REACTANTS_MAX`](crate::limits::REACTANTS_MAX) reactants and one or
    /// more products.
    pub smirks: String,
    /// Number of its reactants.
    pub reactants: usize,
    /// Which of them the parent can be, from 0, in the order in which they are tried.
    pub parent: Vec<u8>,
    /// By reactant, from 0: the reagents for it, as the name of a set or a file. A rule that names none for a reactant
    /// takes the set whose name is the number of the reactant, from 1. None for a reactant that is always the parent.
    pub reagents: BTreeMap<u8, String>,
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

impl Rule {
    /// The text of a reactant, by number from 0: equal texts match the same molecules.
    pub fn reactant_text(&self, reactant: usize) -> String {
        reactant_text(&self.smirks, reactant)
    }

    /// `FILE:LINE:COLUMN` of the reagents for a reactant, by number from 0.
    pub fn origin_of_reagents(&self, reactant: u8) -> String {
        match self.origin.reagents.get(&reactant) {
            Some(place) => self.origin.at(place.start()),
            None => self.origin.to_string(),
        }
    }
}

/// A parent and all products that the rule makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// SMILES of the parent; of a rule of several reactants, one for each, in their order.
    pub from: Vec<String>,
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
    /// Places of [`Rule::reagents`], where the rule names them.
    pub reagents: BTreeMap<u8, TextPlace>,
}

/// `FILE:LINE:COLUMN` of the SMIRKS.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.at(self.smirks.start()))
    }
}

impl Origin {
    fn at(&self, Position { line, column }: Position) -> String {
        let file = printable(&self.file.to_string_lossy());
        format!("{file}:{line}:{column}")
    }
}
