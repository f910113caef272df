//! What a step reads: the library, or the products of the step before.

use super::job::Job;
use crate::table::source::{LibraryReader, Products, SourceError};

/// The input of a step.
#[derive(Clone, Debug)]
pub(super) struct StepInput {
    /// The step; 0 reads what the library itself holds, and 1 is the first that makes products.
    pub(super) step: usize,
    /// `None`: the library.
    pub(super) products: Option<Products>,
}

impl StepInput {
    /// Reads it from its first row.
    pub(super) fn reader(&self, job: &Job) -> Result<LibraryReader, SourceError> {
        match &self.products {
            Some(products) => products.reader(),
            None => job.library.reader(),
        }
    }

    /// Its number of rows, and whether that is known rather than estimated.
    pub(super) fn rows(&self, job: &Job) -> (u64, bool) {
        match &self.products {
            Some(products) => (products.rows(), true),
            None => (job.plan.estimate.parents, job.plan.estimate.parents_exact),
        }
    }
}
