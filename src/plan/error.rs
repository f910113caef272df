//! Why there is no plan.

use super::memory::{MemoryPlan, mebibytes};
use crate::{sieve::EngineError, table::source::SourceError, trial::TrialError, units::ByteSize};

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The job does not fit its budget, whatever is done about it.
    #[error(
        "the job needs {} and --memory allows {}{}\n{plan}",
        mebibytes(ByteSize(plan.total())), plan.budget, advice(*threads)
    )]
    Budget {
        /// The smallest plan there is.
        plan: Box<MemoryPlan>,
        /// The number of threads with which it would fit.
        threads: Option<usize>,
    },
    /// An input can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The sample can't be transformed.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// The engine that was asked for is not there, or has no room for the filter.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

fn advice(threads: Option<usize>) -> String {
    match threads {
        Some(threads) => format!("; with --threads {threads} it fits"),
        None => "; give it more memory".into(),
    }
}
