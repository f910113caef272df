//! Why the reagents of a job can't be used.

use std::path::PathBuf;

use crate::{
    chem::ChemistryError, limits::REAGENTS_MAX, store::StoreError, table::source::SourceError,
};

/// Why the reagents of a job can't be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReagentError {
    /// A rule names a set that is neither given nor a file.
    #[error(
        "{origin}: rule \"{rule}\": there is no set of reagents \"{set}\": give --reagents {set}=FILE, or name a file"
    )]
    Unknown {
        /// File, line and column.
        origin: String,
        /// The rule's name.
        rule: String,
        /// The set.
        set: String,
    },
    /// A rule has several reactants and no reagents for one of them.
    #[error(
        "{origin}: rule \"{rule}\" has {reactants} reactants and no reagents for number {reactant}: give --reagents \
         {reactant}=FILE, or name a file in the rule, as in reagents = {{ {reactant} = \"amines.smi\" }}"
    )]
    None {
        /// File, line and column.
        origin: String,
        /// The rule's name.
        rule: String,
        /// Number of reactants.
        reactants: usize,
        /// From 1.
        reactant: u8,
    },
    /// A set is given that no rule takes.
    #[error("--reagents {set}: no rule takes the set \"{set}\"{}", known(taken))]
    Unused {
        /// The set.
        set: String,
        /// Those that rules take.
        taken: Vec<String>,
    },
    /// A set can't be read.
    #[error("{origin}: rule \"{rule}\": {source}")]
    Source {
        /// File, line and column.
        origin: String,
        /// The rule's name.
        rule: String,
        /// Why.
        source: Box<SourceError>,
    },
    /// A set that was read before can't be read again.
    #[error(transparent)]
    Again(Box<SourceError>),
    /// No molecule of a set matches a reactant.
    #[error(
        "{origin}: rule \"{rule}\": none of the {rows} molecules of {} matches reactant {reactant}",
        set.display()
    )]
    NoMatch {
        /// File, line and column.
        origin: String,
        /// The rule's name.
        rule: String,
        /// The file.
        set: PathBuf,
        /// From 1.
        reactant: usize,
        /// Rows of the file.
        rows: u64,
    },
    /// There are more reagents than can be numbered.
    #[error("the sets of reagents have more than {REAGENTS_MAX} molecules")]
    TooMany,
    /// The numbers of the reagents do not fit the budget.
    #[error(
        "--memory is too small for the reagents: more than {0} match; give it more memory, or fewer reagents"
    )]
    Memory(u64),
    /// A set has changed since it was read.
    #[error("a set of reagents has changed while the job started; start it again")]
    Changed,
    /// A sample is asked for, and there is nothing to draw from.
    #[error("--sample: no rule combines its parent with reagents")]
    NothingToSample,
    /// A sample is asked for, of more combinations than can be counted.
    #[error("--sample: there are too many combinations to draw from")]
    TooManyToSample,
    /// A thread can't be started, or panicked.
    #[error("a thread that reads reagents failed: {0}")]
    Thread(String),
    /// The reagents can't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// RDKit refuses a rule.
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
}

impl From<SourceError> for ReagentError {
    fn from(error: SourceError) -> Self {
        Self::Again(error.into())
    }
}

fn known(taken: &[String]) -> String {
    match taken {
        [] => String::new(),
        taken => format!("; the rules take {}", taken.join(", ")),
    }
}
