//! What a job and the process that tries parents write to each other, and why that fails.

use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    account::Counts,
    chem::{ChemistryError, TransformSettings},
    filter::FilterSet,
    reagents::{Combinations, Reagents, RuleReagents, StepReagents},
    store::plain,
    table::source::{ParentRow, TextKind},
};

/// The line with which a process reports that its rules are compiled: what follows is caused by the parents.
pub(super) const READY: &str = "ready";
/// The answer for a parent that exceeded its time.
pub(super) const LATE: &str = "late";

/// What parents are tried with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// Rule files, by absolute path.
    pub rules: Vec<PathBuf>,
    /// How parents are transformed.
    pub settings: TransformSettings,
    /// Products of each parent to be returned.
    pub products_kept: usize,
    /// What rules of several reactants combine the parents with.
    pub reagents: TriedReagents,
    /// The filters of parents and products.
    pub filters: FilterSet,
    /// CPU time that one parent may use without giving a product.
    pub time_max: Duration,
}

/// What rules of several reactants combine parents with while they are tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TriedReagents {
    texts: Vec<String>,
    /// Numbers of texts.
    lists: Vec<Vec<u32>>,
    rules: Vec<Option<RuleReagents>>,
    /// Per rule: how many products of the job a product stands for.
    weights: Vec<f64>,
}

impl TriedReagents {
    /// Those of the rules of a step. `weights`: per rule, how many combinations of the job one stands for.
    pub fn new(texts: Vec<String>, step: &StepReagents, weights: Vec<f64>) -> Self {
        Self {
            texts,
            lists: step.lists.iter().map(|list| list.to_vec()).collect(),
            rules: step.rules.clone(),
            weights,
        }
    }

    /// The same where a product of such a rule stands for `share` times as many.
    #[must_use]
    pub fn drawn(mut self, share: f64) -> Self {
        let combine = self.rules.iter().map(Option::is_some);
        for (weight, _) in self
            .weights
            .iter_mut()
            .zip(combine)
            .filter(|(_, combines)| *combines)
        {
            *weight *= share;
        }
        self
    }

    pub(super) fn combinations(&self) -> Combinations {
        let texts = self.texts.iter();
        let reagents = Reagents::in_memory(texts.map(|smiles| (&b""[..], smiles.as_bytes())));
        let step = StepReagents {
            rules: self.rules.clone(),
            lists: self.lists.iter().map(|list| list[..].into()).collect(),
        };
        let combinations = Combinations::new(reagents.into(), step.into(), None, KEPT_BYTES_MAX);
        combinations.with_room_for(0)
    }

    /// How many products of the job a product of a rule stands for.
    pub(super) fn weight(&self, rule: u16) -> f64 {
        self.weights.get(usize::from(rule)).copied().unwrap_or(1.0)
    }
}

/// Bytes of reagents that are kept ready.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// A parent to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its place in the order in which rows are read, from 0.
    pub ordinal: u64,
    pub(super) text: String,
    pub(super) mol_block: bool,
}

impl Candidate {
    /// A row of the input; `None` if RDKit would never see it.
    pub fn of(row: ParentRow<'_>) -> Option<Self> {
        let text = String::from_utf8(row.text.to_vec()).ok();
        text.filter(|_| row.fault.is_none()).map(|text| Self {
            ordinal: row.ordinal,
            text,
            mol_block: row.kind == TextKind::MolBlock,
        })
    }

    /// A product of an earlier step.
    pub fn of_product(smiles: String) -> Self {
        Self {
            ordinal: 0,
            text: smiles,
            mol_block: false,
        }
    }

    /// Its SMILES, if that is how it is given.
    pub fn smiles(&self) -> Option<&str> {
        (!self.mol_block).then_some(self.text.as_str())
    }
}

/// What a parent gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Whether it can be used.
    pub usable: bool,
    /// Distinct products.
    pub products: u64,
    /// Bytes of their SMILES.
    pub text_bytes: u64,
    /// What was made and not kept.
    pub counts: Counts,
    /// As many of the products as were asked for: those with the least keys.
    pub kept: Vec<String>,
}

/// What parents are tried for.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    /// The step whose rules are applied.
    pub step: usize,
    /// How parents are transformed.
    pub settings: TransformSettings,
    /// Products of each parent to be returned.
    pub products_kept: usize,
    /// The share of the combinations with reagents that the job draws.
    pub share: f64,
}

impl Tried {
    /// A row that is kept as it is written.
    pub fn of_row(text_bytes: u64) -> Self {
        Self {
            usable: true,
            products: 1,
            text_bytes,
            ..Self::default()
        }
    }
}

/// Why parents can't be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// RDKit does not accept a rule, or fails in a way that is not a parent's fault.
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
    /// The operating system can't start the process, or can't wait for it.
    #[error("cannot {action} the process that tries parents: {reason}")]
    Process {
        /// `start` or `wait for`.
        action: &'static str,
        /// The operating system's words.
        reason: String,
    },
    /// The process ended before its rules were compiled.
    #[error("the process that tries parents did not start ({0})")]
    NotReady(ExitStatus),
    /// A signal from outside ended the process.
    #[error("the process that tries parents was ended from outside ({0})")]
    EndedFromOutside(ExitStatus),
    /// In the process: standard input does not hold what the job writes there.
    #[error("standard input is not what a job writes to try-parents: {0}")]
    Input(String),
    /// In the process: its thread can't be started, or panicked.
    #[error("the thread that tries parents failed: {0}")]
    Thread(String),
}

impl TrialError {
    pub(super) fn process(action: &'static str, error: &io::Error) -> Self {
        let reason = plain(error);
        Self::Process { action, reason }
    }
}
