//! Writes what a batch of parents gives into slots.

use std::time::{Duration, Instant};

use super::{error::PipelineError, prepared::RowOrigin, resources::WorkerPorts};
use crate::{
    cores::Core,
    reject::Rejection,
    ring::{Permit, Stopped},
    sieve::FirstRows,
    slot::{ParentFlags, Slot, SlotParent},
    table::source::ParentRow,
};

/// Why a batch was left unfinished.
pub(super) enum Interruption {
    Stopped,
    Failed(PipelineError),
}

impl From<Stopped> for Interruption {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// The slot that a batch is being written into. A batch begins in a slot of its own and may take several.
pub(super) struct BatchWriter<'a> {
    ports: &'a WorkerPorts<'a>,
    worker: usize,
    /// The worker's.
    core: &'a mut Core,
    /// Time since the batch's first slot that went to waiting and to other stages.
    aside: Duration,
    batch: u64,
    /// Number of the slot within the batch.
    part: u64,
    slot: Permit,
    /// Where the engine wants slots to be marked.
    first_rows: Option<&'a mut FirstRows>,
}

impl<'a> BatchWriter<'a> {
    /// Waits for the batch's first slot.
    pub(super) fn begin(
        ports: &'a WorkerPorts<'a>,
        (worker, core): (usize, &'a mut Core),
        batch: u64,
        first_rows: Option<&'a mut FirstRows>,
    ) -> Result<Self, Stopped> {
        Ok(Self {
            ports,
            worker,
            slot: core.lend(|| ports.ring.acquire(batch))?,
            core,
            aside: Duration::ZERO,
            batch,
            part: 0,
            first_rows,
        })
    }

    pub(super) fn slot_mut(&mut self) -> &mut Slot {
        &mut self.slot
    }

    /// Records that the worker gives a row to RDKit.
    pub(super) fn begin_rdkit(&self, row: u64) -> Result<(), Interruption> {
        let recorded = self.ports.in_work.begin(self.worker, row);
        recorded.map_err(|error| Interruption::Failed(error.into()))
    }

    /// Lets the sieve or the sink have the core, if they wait for one.
    pub(super) fn give_way(&mut self) {
        if self.core.is_wanted() {
            let began = Instant::now();
            self.core.give_way();
            self.aside += began.elapsed();
        }
    }

    /// Time since the batch's first slot that went to waiting and to other stages.
    pub(super) fn aside(&self) -> Duration {
        self.aside
    }

    /// Restarts the parent's time: it has made products.
    pub(super) fn note_progress(&self) {
        self.ports.in_work.progress(self.worker);
    }

    /// Stops the parent's time: RDKit has returned.
    pub(super) fn end_rdkit(&self) {
        self.ports.in_work.leave(self.worker);
    }

    /// Submits the slot and waits for the next one.
    pub(super) fn next(mut self) -> Result<Self, Stopped> {
        self.keep_slot();
        let began = Instant::now();
        self.mark_slot();
        let ring = self.ports.ring;
        ring.submit(self.slot, self.batch, self.part, false);
        let slot = self.core.lend(|| ring.acquire(self.batch))?;
        self.aside += began.elapsed();
        Ok(Self {
            slot,
            part: self.part + 1,
            ..self
        })
    }

    /// Adds a row that can't be used.
    pub(super) fn reject(
        self,
        parent: ParentRow<'_>,
        id: &[u8],
        rejection: Rejection,
    ) -> Result<Self, Stopped> {
        let rejection = rejection.shortened();
        let rejected = SlotParent {
            row: parent.row,
            id,
            smiles: parent.text_kept(),
            input: &[],
            reason: rejection.reason.as_bytes(),
            flags: ParentFlags::rejected(rejection.code),
            root: parent.root.unwrap_or_default(),
            kept: &[],
        };
        Ok(self.push(rejected)?.0)
    }

    /// Adds a parent to the slot, or to the next one if this one is full.
    pub(super) fn push(mut self, parent: SlotParent<'_>) -> Result<(Self, u32), Stopped> {
        if let Some(index) = self.slot.push_parent(parent) {
            return Ok((self, index));
        }
        let mut next = self.next()?;
        let index = next
            .slot
            .push_parent(parent)
            .expect("limits.rs asserts that an empty slot holds the longest parent");
        Ok((next, index))
    }

    /// Keeps a copy of the slot, if a benchmark wants it.
    fn keep_slot(&self) {
        if let RowOrigin::WorkAndKeep(kept) = &self.ports.job.row_origin {
            kept.keep(self.batch, &self.slot);
        }
    }

    /// Does what the sieve would have to do alone for the slots of all workers.
    fn mark_slot(&mut self) {
        let times = self.ports.times;
        if let Some(first_rows) = &mut self.first_rows {
            times.measure(&times.sieve, || first_rows.mark_slot(&mut self.slot));
        }
    }

    /// Submits the last slot of the batch. `next_row`: the row after the batch.
    pub(super) fn end(mut self, next_row: Option<u64>) -> Result<(), Interruption> {
        let ended = self.ports.in_work.end(self.worker);
        ended.map_err(|error| Interruption::Failed(error.into()))?;
        self.slot.batch_end = next_row;
        self.keep_slot();
        self.mark_slot();
        let ring = self.ports.ring;
        ring.submit(self.slot, self.batch, self.part, true);
        Ok(())
    }
}
