//! `--canonical`: RDKit writes the molecules that remain, on a pool of its own, while the sink waits.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::{PipelineError, Shared, in_work::InWork};
use crate::{chem::RdKit, limits::STAGE_STACK_BYTES, slot::Slot};

/// See the module's documentation.
pub(super) struct Canonical<'a> {
    pool: rayon::ThreadPool,
    rdkit: RdKit,
    unread: &'a AtomicU64,
}

impl<'a> Canonical<'a> {
    pub(super) fn new(shared: &'a Shared<'_>) -> Result<Self, PipelineError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(shared.job.plan.threads)
            .thread_name(|i| format!("canon-{i}"))
            .stack_size(STAGE_STACK_BYTES)
            .build()
            .map_err(|error| PipelineError::Spawn(error.to_string()))?;
        Ok(Self {
            pool,
            rdkit: shared.job.rdkit,
            unread: &shared.left_as_written,
        })
    }

    /// The canonical SMILES of some rows of a slot. One that RDKit can't read, which would be a fault of the
    /// structure key, stays as written and is counted.
    pub(super) fn write(
        &self,
        slot: &Slot,
        rows: &[usize],
        in_work: &InWork,
        first_worker: usize,
    ) -> Vec<String> {
        let columns = slot.columns();
        let write = |&row: &usize| {
            let worker = first_worker + rayon::current_thread_index().unwrap_or(0);
            let parent = columns.parent(columns.parent[row] as usize);
            let text = String::from_utf8_lossy(columns.smiles(row));
            // If the account can't be kept, a crash can't be put down to its row; nothing else is lost.
            let _ = in_work.begin(worker, parent.row);
            let canonical = self.rdkit.identity_smiles(&text);
            in_work.leave(worker);
            canonical.unwrap_or_else(|rejection| {
                self.unread.fetch_add(1, Relaxed);
                tracing::warn!("row {}: {text}: {rejection}", parent.row);
                text.into_owned()
            })
        };
        self.pool.install(|| rows.par_iter().map(write).collect())
    }
}
