//! What a step reads: the library, or the products of the step before.

use super::{checkpoint::Checkpoint, job::Job, run_files::places};
use crate::{
    store::OutputDir,
    table::source::{LibraryReader, Products, Settled, SourceError},
};

/// The input of a step.
#[derive(Clone, Debug)]
pub(super) struct StepInput {
    /// The step; 0 reads what the library itself holds, and 1 is the first that makes products.
    pub(super) step: usize,
    /// `None`: the library.
    products: Option<Products>,
}

impl StepInput {
    /// That of the step in work.
    pub(super) fn of(job: &Job, output: &OutputDir, begun: Option<&Checkpoint>) -> Self {
        let step = begun.map_or(job.first_step(), |begun| begun.step);
        let products = begun.filter(|_| step > 1).map(|begun| {
            let parts = begun.parts[begun.parts_of_step_before()].iter();
            let parts = parts.map(|part| (output.path().join(&part.file.name), part.rows));
            let before = begun.parts_of_step_before();
            let done = begun.done.last();
            let settled = done.and_then(|done| {
                let places = output.work_file(places(step - 1));
                Some(Settled {
                    first_part: done.settled_from - before.start,
                    places: (places, done.places?),
                })
            });
            Products {
                parts: parts.collect(),
                key_column: job.spec.key().column(),
                settled,
            }
        });
        Self { step, products }
    }

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
