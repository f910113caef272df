//! Why a job fails.

use super::{earlier::EarlierRunError, reagent_sets::ReagentError};
use crate::{
    chem::ChemistryError,
    settle::decide::DecideError,
    sieve::EngineError,
    store::StoreError,
    table::{sink::SinkError, source::SourceError},
    trial::TrialError,
};

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PipelineError {
    /// An input can't be read to its end.
    #[error(transparent)]
    Source(SourceError),
    /// RDKit failed.
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
    /// Parents that were being processed when the run was interrupted can't be tried.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// Rows can't be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The output directory can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The *maybe* rows can't be settled.
    #[error(transparent)]
    Settle(#[from] DecideError),
    /// The products of an earlier run can't be read.
    #[error(transparent)]
    Exclude(#[from] EarlierRunError),
    /// The reagents can't be kept, or not be read again.
    #[error(transparent)]
    Reagents(#[from] ReagentError),
    /// The run to be resumed has other settings, rules or inputs.
    #[error("--resume: this is not the run that was begun: {0}; --overwrite starts it again")]
    Changed(String),
    /// The engine can't start, or failed while the job ran.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A thread can't be started.
    #[error("cannot start a thread: {0}")]
    Spawn(String),
    /// A thread of the job panicked: a fault in molsieve.
    #[error("the thread {0} failed; this is a fault in molsieve, please report it")]
    Panicked(String),
}

impl From<SourceError> for PipelineError {
    /// A file that the job itself has written is no input.
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Store(error) => Self::Store(error),
            error => Self::Source(error),
        }
    }
}
