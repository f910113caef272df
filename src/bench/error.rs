//! Why nothing can be measured.

use crate::{chem::ChemistryError, rules::RuleError, sieve::EngineError, slot::LayoutError};

/// Why nothing can be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BenchError {
    /// This machine does not have an engine that was named, or an engine fails.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An engine returns wrong results, so its figures mean nothing.
    #[error("engine {engine}: the results are wrong, the engine {fault}")]
    Wrong {
        /// The engine and its device.
        engine: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// RDKit fails.
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
    /// RDKit can't read one of the built-in molecules.
    #[error("RDKit can't read a built-in molecule: {0}")]
    Molecule(String),
    /// The built-in rule can't be read; a bug in molsieve.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A slot can't be made; a bug in molsieve.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}
