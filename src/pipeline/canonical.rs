//! `--canonical`: RDKit writes the canonical SMILES of the new rows, on a thread pool, while the sink waits.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use rayon::prelude::*;

use super::{error::PipelineError, in_work::InWork};
use crate::{
    chem::RdKit,
    cores::{Cores, Rank, chemistry_pool},
    slot::Slot,
};

/// Rows that one task writes: many enough that taking a core does not count.
const TASK_ROWS: usize = 64;

pub(super) struct Canonical<'a> {
    pool: rayon::ThreadPool,
    cores: Arc<Cores>,
    rdkit: RdKit,
    unread: &'a AtomicU64,
}

impl<'a> Canonical<'a> {
    pub(super) fn new(
        rdkit: RdKit,
        cores: &Arc<Cores>,
        unread: &'a AtomicU64,
    ) -> Result<Self, PipelineError> {
        let pool = chemistry_pool(cores.count(), "canon")
            .map_err(|error| PipelineError::Spawn(error.to_string()))?;
        Ok(Self {
            pool,
            cores: Arc::clone(cores),
            rdkit,
            unread,
        })
    }

    /// The canonical SMILES of some rows of a slot. A row that RDKit can't read stays as written and is counted; it would
    /// be an error of the structure key.
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
            // If the record can't be written, a crash can't be attributed to its row; nothing else is lost.
            let _ = in_work.begin(worker, parent.row);
            let canonical = self.rdkit.identity_smiles(&text);
            in_work.leave(worker);
            canonical.unwrap_or_else(|rejection| {
                self.unread.fetch_add(1, Relaxed);
                tracing::warn!("row {}: {text}: {rejection}", parent.row);
                text.into_owned()
            })
        };
        let write_all = |rows: &[usize]| -> Vec<String> {
            let _core = self.cores.take(Rank::Sink);
            rows.iter().map(write).collect()
        };
        let tasks = rows.par_chunks(TASK_ROWS);
        self.pool
            .install(|| tasks.flat_map_iter(write_all).collect())
    }
}
