//! The chemistry workers: each takes a batch of parents and fills slots with what they give.

use std::time::Instant;

use super::{
    batch_writer::{BatchWriter, Interruption},
    error::PipelineError,
    identify::Identifier,
    prepared::{KeptSlots, RowOrigin},
    resources::WorkerPorts,
    transform::Transforming,
};
use crate::{
    config::Work,
    cores::{Core, Rank},
    sieve::FirstRows,
    table::source::ParentBatch,
};

/// The body of worker number `worker`: batch after batch until the input ends or the job stops.
pub(super) fn work(ports: &WorkerPorts<'_>, worker: usize) -> Result<(), PipelineError> {
    let mut row_work = match (&ports.job.row_origin, &ports.job.spec.work) {
        (RowOrigin::Kept(kept), _) => RowWork::Copy(kept),
        (_, Work::Dedup(_)) => RowWork::Identify(Box::new(Identifier::new(ports)?)),
        (_, Work::Derive(_)) => RowWork::Transform(Box::new(Transforming::new(ports)?)),
    };
    let rows_max = ports.job.plan.slot.rows_max;
    let mut first_rows = ports.marks_slots.then(|| FirstRows::new(rows_max));
    let mut batch = ParentBatch::new();
    let mut core = ports.cores.take(Rank::Worker);
    while !ports.control.is_stopping() {
        let Some(number) = ports.take(&mut batch, &mut core)? else {
            break;
        };
        match work_on(
            ports,
            &mut row_work,
            (first_rows.as_mut(), &mut core),
            &batch,
            (worker, number),
        ) {
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
    /// Nothing: the slots of its batch are there.
    Copy(&'a KeptSlots),
}

fn work_on(
    ports: &WorkerPorts<'_>,
    row_work: &mut RowWork<'_>,
    (first_rows, core): (Option<&mut FirstRows>, &mut Core),
    batch: &ParentBatch,
    (worker, number): (usize, u64),
) -> Result<(), Interruption> {
    match row_work {
        RowWork::Copy(kept) => {
            return copy_batch(ports, kept, (first_rows, core), (worker, number));
        }
        RowWork::Identify(identifier) => identifier.ask_device(batch, core)?,
        RowWork::Transform(_) => {}
    }
    let mut writer = BatchWriter::begin(ports, (worker, core), number, first_rows)?;
    let began = Instant::now();
    for (index, parent) in batch.iter().enumerate() {
        if ports.control.is_stopping() {
            return Err(Interruption::Stopped);
        }
        writer.give_way();
        writer = match row_work {
            RowWork::Transform(transforming) => transforming.add(writer, parent)?,
            RowWork::Identify(identifier) => identifier.add(writer, index, parent)?,
            RowWork::Copy(_) => writer,
        };
    }
    match row_work {
        RowWork::Transform(transforming) => transforming.end_batch(),
        // A molecule takes so little that reading the clock for each would count.
        RowWork::Identify(_) => {
            let worked = began.elapsed().saturating_sub(writer.aside());
            ports.times.add(&ports.times.chemistry, worked);
        }
        RowWork::Copy(_) => {}
    }
    let last = batch
        .len()
        .checked_sub(1)
        .map(|last| batch.get(last).ordinal);
    writer.end(last.map(|ordinal| ordinal + 1))
}

/// Submits copies of the slots of batch `number` of worker `worker`.
fn copy_batch(
    ports: &WorkerPorts<'_>,
    kept: &KeptSlots,
    (first_rows, core): (Option<&mut FirstRows>, &mut Core),
    (worker, number): (usize, u64),
) -> Result<(), Interruption> {
    let slots = kept.of_batch(number);
    let mut writer = BatchWriter::begin(ports, (worker, core), number, first_rows)?;
    let mut batch_end = None;
    for (part, slot) in slots.iter().enumerate() {
        if part > 0 {
            writer = writer.next()?;
        }
        writer.give_way();
        let times = ports.times;
        times.measure(&times.chemistry, || writer.slot_mut().copy_from(slot));
        batch_end = slot.batch_end;
    }
    writer.end(batch_end)
}
