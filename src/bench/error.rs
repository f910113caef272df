//! Why nothing can be measured.

use crate::{chem::ChemistryError, rules::RuleError, sieve::EngineError, slot::LayoutError};

/// Why nothing can be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BenchError {
    /// An engine that is named is not there; in mid-run: it fails.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An engine gives wrong answers: its figures are worth nothing.
    #[error("engine {engine}: gives wrong answers, it {fault}")]
    Wrong {
        /// The engine and its device.
        engine: String,
        /// What it did.
        fault: &'static str,
    },
    /// RDKit does not work.
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
    /// RDKit does not read one of the built-in molecules.
    #[error("RDKit does not read a molecule that is built in: {0}")]
    Molecule(String),
    /// The built-in rule can't be read; a fault of molsieve.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A slot can't be made; a fault of molsieve.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}
