//! What an attempt at a job and its workers work with.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    check::Checks,
    control::Control,
    in_work::{InWork, Poisoned},
    job::Job,
    meters::{SerialClocks, Times},
    reagent_sets::ReadyReagents,
    step_input::StepInput,
};
use crate::{
    chem::drops::DropSample,
    cores::{Core, Cores},
    ring::Ring,
    sieve::{Engine, structure_key::KeyDevices},
    store::OutputDir,
    table::source::{self, LibraryReader, ParentBatch, SourceError},
};

/// What the stages of an attempt work with. Each stage is given the parts it uses.
pub(super) struct Resources<'a> {
    pub(super) job: &'a Job,
    pub(super) output: &'a OutputDir,
    /// What all stages work on.
    pub(super) cores: Arc<Cores>,
    pub(super) ring: Arc<Ring>,
    /// Name of the engine.
    pub(super) engine: &'static str,
    /// Why it is not the one that was chosen.
    pub(super) engine_lost: Option<String>,
    /// With `dedup`: the devices of the engine that make its keys, where it has any.
    pub(super) key_devices: Option<KeyDevices>,
    pub(super) in_work: InWork,
    pub(super) poisoned: Poisoned,
    /// With `--check`.
    pub(super) checks: Option<Checks>,
    /// What the step in work reads.
    pub(super) step: StepInput,
    /// What its rules combine parents with.
    pub(super) reagents: ReadyReagents,
    /// With `--explain-drops`.
    pub(super) drops: Option<Arc<DropSample>>,
}

/// The input, from the next row on, and the engine that has seen the products of the rows before.
pub(super) struct Input {
    pub(super) dispenser: Dispenser,
    pub(super) engine: Box<dyn Engine>,
}

/// What all workers of a job share.
pub(super) struct WorkerPorts<'a> {
    pub(super) job: &'a Job,
    /// The step in work.
    pub(super) step: usize,
    /// What its rules combine parents with.
    pub(super) reagents: &'a ReadyReagents,
    /// Parents of a batch.
    pub(super) batch_parents: usize,
    pub(super) cores: &'a Arc<Cores>,
    pub(super) dispenser: &'a Mutex<Dispenser>,
    pub(super) ring: &'a Arc<Ring>,
    pub(super) control: &'a Control,
    pub(super) times: &'a Times,
    pub(super) rows_read: &'a AtomicU64,
    pub(super) in_work: &'a InWork,
    pub(super) poisoned: &'a Poisoned,
    /// With `dedup`: the devices that make its keys, where the engine has any.
    pub(super) key_devices: Option<&'a KeyDevices>,
    /// With `--check`.
    pub(super) checks: Option<&'a Checks>,
    /// With `--explain-drops`.
    pub(super) drops: Option<&'a Arc<DropSample>>,
    /// Whether workers mark the repeats within a slot.
    pub(super) marks_slots: bool,
}

impl WorkerPorts<'_> {
    /// Fills `batch` and returns its number; `None` at the end of the input.
    pub(super) fn take(
        &self,
        batch: &mut ParentBatch,
        core: &mut Core,
    ) -> Result<Option<u64>, SourceError> {
        let mut dispenser = match self.dispenser.try_lock() {
            Ok(dispenser) => dispenser,
            Err(_) => {
                let dispenser = core.lend(|| self.dispenser.lock());
                dispenser.unwrap_or_else(PoisonError::into_inner)
            }
        };
        let (times, parents_max) = (self.times, self.batch_parents);
        times.measure(&times.source, || {
            let taken =
                SerialClocks::measure(&times.serial.source, || dispenser.take(batch, parents_max))?;
            self.rows_read.store(dispenser.reader.rows_read(), Relaxed);
            if taken.is_none() {
                self.ring.finish(dispenser.next);
            }
            drop(dispenser);
            source::complete(batch);
            Ok(taken)
        })
    }
}

/// Hands out the batches of the input in order.
pub(super) struct Dispenser {
    reader: LibraryReader,
    next: u64,
    ended: bool,
}

impl Dispenser {
    /// Begins at a row at which an earlier run ended a batch, so that batches stay the same.
    pub(super) fn new(input: &StepInput, job: &Job, first_row: u64) -> Result<Self, SourceError> {
        let mut reader = input.reader(job)?;
        reader.skip_rows(first_row)?;
        Ok(Self {
            reader,
            next: 0,
            ended: false,
        })
    }

    /// Fills `batch` and returns its number; `None` at the end of the input.
    fn take(
        &mut self,
        batch: &mut ParentBatch,
        parents_max: usize,
    ) -> Result<Option<u64>, SourceError> {
        if self.ended || !self.reader.take_batch(batch, parents_max)? {
            self.ended = true;
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(self.next - 1))
    }
}
