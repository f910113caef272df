//! The chemistry workers: each takes a batch of parents and fills slots with what they give.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    batch_writer::{BatchWriter, Interruption},
    check::Checks,
    control::Control,
    error::PipelineError,
    identify::Identifier,
    in_work::{InWork, Poisoned},
    job::Job,
    times::Times,
    transform::Transforming,
};
use crate::{
    config::Task,
    ring::Ring,
    sieve::structure_key::KeyDevices,
    table::source::{Library, LibraryReader, ParentBatch, SourceError},
};

/// Hands out the batches of the input in order.
pub(super) struct Dispenser {
    reader: LibraryReader,
    next: u64,
    ended: bool,
}

impl Dispenser {
    /// Begins at a row at which an earlier run ended a batch, so that batches stay the same.
    pub(super) fn new(library: &Library, first_row: u64) -> Result<Self, SourceError> {
        let mut reader = library.reader()?;
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
        if self.ended || !self.reader.next_batch(batch, parents_max)? {
            self.ended = true;
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(self.next - 1))
    }
}

/// What all workers of a job share.
#[derive(Clone, Copy)]
pub(super) struct WorkerPorts<'a> {
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
}

/// The body of worker number `worker`: batch after batch until the input ends or the job stops.
pub(super) fn work(job: &Job, ports: WorkerPorts<'_>, worker: usize) -> Result<(), PipelineError> {
    let WorkerPorts {
        control,
        times,
        poisoned,
        ..
    } = ports;
    let mut row_work = match job.spec.task {
        Task::Dedup => RowWork::Identify(Box::new(Identifier::new(
            job.rdkit,
            ports.key_devices,
            ports.checks,
            poisoned,
            control,
            times,
        ))),
        Task::Derive => {
            RowWork::Transform(Box::new(Transforming::new(job, poisoned, control, times)?))
        }
    };
    let mut batch = ParentBatch::new();
    while !control.is_stopping() {
        let Some(number) = ports.take(&mut batch, job.plan.batch_parents)? else {
            break;
        };
        match ports.work_on(&mut row_work, &batch, number, worker) {
            Ok(()) => {}
            Err(Interruption::Stopped) => break,
            Err(Interruption::Failed(error)) => return Err(error),
        }
    }
    Ok(())
}

/// What a worker does with a row.
enum RowWork<'a> {
    /// Makes its products.
    Transform(Box<Transforming<'a>>),
    /// Makes its key.
    Identify(Box<Identifier<'a>>),
}

impl WorkerPorts<'_> {
    /// Takes the next batch; `None` at the end of the input.
    fn take(self, batch: &mut ParentBatch, parents_max: usize) -> Result<Option<u64>, SourceError> {
        let mut dispenser = self
            .dispenser
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let times = self.times;
        let taken = times.measure(&times.source, || dispenser.take(batch, parents_max))?;
        self.rows_read.store(dispenser.reader.rows_read(), Relaxed);
        if taken.is_none() {
            self.ring.finish(dispenser.next);
        }
        Ok(taken)
    }

    fn work_on(
        self,
        row_work: &mut RowWork<'_>,
        batch: &ParentBatch,
        number: u64,
        worker: usize,
    ) -> Result<(), Interruption> {
        if let RowWork::Identify(identifier) = row_work {
            identifier.ask_device(batch)?;
        }
        let mut writer = BatchWriter::begin(self.ring, self.in_work, worker, number)?;
        for (index, parent) in batch.iter().enumerate() {
            if self.control.is_stopping() {
                return Err(Interruption::Stopped);
            }
            writer = match row_work {
                RowWork::Transform(transforming) => transforming.add(writer, parent)?,
                RowWork::Identify(identifier) => identifier.add(writer, index, parent)?,
            };
        }
        if let RowWork::Transform(transforming) = row_work {
            transforming.end_batch();
        }
        let last = batch.len().checked_sub(1).map(|last| batch.get(last).row);
        writer.end(last.map(|row| row + 1))
    }
}
