//! Reagents: the molecules with which rules of several reactants combine a parent.
//!
//! A *set* is a file of molecules. The molecules of all sets of a job are numbered, set after set and row after row
//! ([`Reagents`]). A rule takes those molecules of a set that match its reactant: a *list* of numbers
//! ([`StepReagents`]). [`Combinations`] goes through what a rule combines a parent with: all of it, or a sample.

mod combinations;
mod texts;

pub use combinations::{Combinations, RuleReagents, Sample, StepReagents};
pub use texts::{ReagentText, ReagentWriter, Reagents};

/// In place of a number: there is no reagent.
pub const NO_REAGENT: u32 = u32::MAX;
