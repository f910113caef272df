//! The chemistry workers: batches of parents in, filled slots out.

use std::sync::{Mutex, PoisonError, atomic::Ordering::Relaxed};

use super::{PipelineError, Shared, identify::Identifier};
use crate::{
    chem::{Progress, Transformer},
    config::{KeyKind, Task},
    identity::KeyMaker,
    limits::REASON_BYTES_MAX,
    reject::{RejectCode, Rejection},
    ring::{Permit, Stopped},
    slot::{ParentFlags, Slot, SlotParent, text_range},
    table::source::{Library, LibraryReader, ParentBatch, ParentRow, RowId, SourceError, TextKind},
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

    /// Fills `batch` and says which one it is; `None` at the end of the input.
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

/// The body of a worker: batch after batch until the input ends or the job stops.
pub(super) fn work(
    shared: &Shared<'_>,
    dispenser: &Mutex<Dispenser>,
    worker: usize,
) -> Result<(), PipelineError> {
    let job = shared.job;
    let mut craft = match job.spec.task {
        Task::Dedup => Craft::Identify(Identifier::new(shared).into()),
        Task::Derive => Craft::Transform(Transforming {
            transformer: Transformer::new(job.rdkit, &job.rules, job.spec.transform_settings())?,
            keys: (job.spec.key == KeyKind::Structure).then(|| KeyMaker::new(job.rdkit).into()),
        }),
    };
    batches(shared, dispenser, &mut craft, worker)
}

/// What a worker does with a row.
enum Craft {
    /// Products out of it.
    Transform(Transforming),
    /// A key for it.
    Identify(Box<Identifier>),
}

struct Transforming {
    transformer: Transformer,
    /// With `--key structure`: makes the products' keys.
    keys: Option<Box<KeyMaker>>,
}

impl Transforming {
    /// The structure keys of the rows of a slot from `first` on.
    fn add_keys(&mut self, slot: &mut Slot, first: usize) {
        let Some(maker) = &mut self.keys else { return };
        let rows = slot.rows();
        let mut by_rdkit = slot.account.keys.by_rdkit;
        let columns = slot.columns_mut();
        for row in first..rows {
            let smiles = &columns.text[text_range(columns.text_end, row)];
            let (key, reason) = maker.of_canonical(smiles);
            if let Some(reason) = reason {
                by_rdkit[reason as usize] += 1;
            }
            columns.key[row] = key.words();
        }
        slot.account.keys.by_rdkit = by_rdkit;
        slot.keys_given = true;
    }
}

fn batches(
    shared: &Shared<'_>,
    dispenser: &Mutex<Dispenser>,
    craft: &mut Craft,
    worker: usize,
) -> Result<(), PipelineError> {
    let job = shared.job;
    let mut batch = ParentBatch::new();
    while !shared.stopping.load(Relaxed) {
        let taken = {
            let mut dispenser = dispenser.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = shared.times.measure(&shared.times.source, || {
                dispenser.take(&mut batch, job.plan.batch_parents)
            })?;
            shared
                .rows_read
                .store(dispenser.reader.rows_read(), Relaxed);
            if taken.is_none() {
                shared.ring.finish(dispenser.next);
            }
            taken
        };
        let Some(number) = taken else { break };
        match work_on_batch(shared, craft, &batch, number, worker) {
            Ok(()) => {}
            Err(Interruption::Stopped) => break,
            Err(Interruption::Failed(error)) => return Err(error),
        }
    }
    Ok(())
}

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

fn work_on_batch(
    shared: &Shared<'_>,
    craft: &mut Craft,
    batch: &ParentBatch,
    number: u64,
    worker: usize,
) -> Result<(), Interruption> {
    if let Craft::Identify(identifier) = craft {
        identifier.ask(shared, batch)?;
    }
    let mut stretch = Stretch {
        shared,
        worker,
        number,
        part: 0,
        slot: shared.ring.acquire(number)?,
    };
    for (place, parent) in batch.iter().enumerate() {
        if shared.stopping.load(Relaxed) {
            return Err(Interruption::Stopped);
        }
        stretch = match craft {
            Craft::Transform(transforming) => {
                stretch
                    .begin_rdkit(parent.row)
                    .map_err(Interruption::Failed)?;
                transform_parent(stretch, transforming, parent)?
            }
            Craft::Identify(identifier) => {
                let number = row_number(parent.row);
                identifier.add(stretch, place, parent, id_of(parent, &number))?
            }
        };
    }
    if let Craft::Transform(Transforming { transformer, .. }) = craft {
        transformer.end();
        let split = &shared.times.chemistry_split;
        *split.lock().unwrap_or_else(PoisonError::into_inner) += transformer.take_times();
    }
    let ended = shared.in_work.end(worker);
    ended.map_err(|error| Interruption::Failed(error.into()))?;
    let Stretch {
        number,
        part,
        mut slot,
        ..
    } = stretch;
    let last = batch.len().checked_sub(1).map(|last| batch.get(last).row);
    slot.batch_end = last.map(|row| row + 1);
    shared.ring.submit(slot, number, part, true);
    Ok(())
}

/// The slot a batch is being written into, and which of the batch's slots it is.
pub(super) struct Stretch<'a> {
    shared: &'a Shared<'a>,
    worker: usize,
    number: u64,
    part: u64,
    slot: Permit,
}

impl<'a> Stretch<'a> {
    pub(super) fn shared(&self) -> &'a Shared<'a> {
        self.shared
    }

    pub(super) fn slot_mut(&mut self) -> &mut Slot {
        &mut self.slot
    }

    /// The worker gives a row to RDKit.
    pub(super) fn begin_rdkit(&self, row: u64) -> Result<(), PipelineError> {
        Ok(self.shared.in_work.begin(self.worker, row)?)
    }

    /// The parent has made products: its time begins anew.
    fn note_progress(&self) {
        self.shared.in_work.progress(self.worker);
    }

    /// RDKit is done with it.
    pub(super) fn end_rdkit(&self) {
        self.shared.in_work.leave(self.worker);
    }

    /// Passes the slot on and waits for the next one.
    pub(super) fn next(self) -> Result<Self, Stopped> {
        self.shared
            .ring
            .submit(self.slot, self.number, self.part, false);
        let slot = self.shared.ring.acquire(self.number)?;
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
        let reason = cut(rejection.reason);
        let rejected = SlotParent {
            row: parent.row,
            id,
            smiles: parent.text,
            reason: reason.as_bytes(),
            flags: ParentFlags::rejected(rejection.code),
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
}

fn transform_parent<'a>(
    stretch: Stretch<'a>,
    transforming: &mut Transforming,
    parent: ParentRow<'_>,
) -> Result<Stretch<'a>, Interruption> {
    let shared = stretch.shared;
    let number = row_number(parent.row);
    let id = id_of(parent, &number);
    let transformer = &mut transforming.transformer;
    let (smiles, begun) = shared.times.measure(&shared.times.chemistry, || {
        if let Some(rejection) = shared.poisoned.get(&parent.row) {
            return (Err(rejection.clone()), Err(rejection.clone()));
        }
        let smiles = parent_smiles(shared, parent);
        let begun = smiles
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|smiles| match parent.kind {
                TextKind::Smiles => transformer.begin(smiles),
                TextKind::MolBlock => transformer.begin_mol_block(parent.text, smiles),
            });
        (smiles, begun)
    });
    if let Err(rejection) = begun {
        return Ok(stretch.reject(parent, id, rejection)?);
    }
    let smiles = smiles.unwrap_or_default();
    let accepted = SlotParent {
        row: parent.row,
        id,
        smiles: &smiles,
        reason: b"",
        flags: ParentFlags::NONE,
    };
    let (mut stretch, mut index) = stretch.push(accepted)?;
    loop {
        let progress = shared.times.measure(&shared.times.chemistry, || {
            let first = stretch.slot.rows();
            let progress = transforming.transformer.fill(&mut stretch.slot, index);
            transforming.add_keys(&mut stretch.slot, first);
            progress
        });
        let progress = match progress {
            Ok(progress) => progress,
            // What it has given so far stays; it is among the rejects, with the reason.
            Err(error) => {
                let reason = cut(error.to_string());
                let failed = SlotParent {
                    reason: reason.as_bytes(),
                    flags: ParentFlags::CONTINUED.and(ParentFlags::rejected(RejectCode::Rdkit)),
                    ..accepted
                };
                return Ok(stretch.push(failed)?.0);
            }
        };
        match progress {
            Progress::Finished => return Ok(stretch),
            Progress::Paused if shared.stopping.load(Relaxed) => return Err(Interruption::Stopped),
            Progress::Paused => stretch.note_progress(),
            Progress::SlotFull => {
                stretch.note_progress();
                let continued = SlotParent {
                    flags: ParentFlags::CONTINUED,
                    ..accepted
                };
                (stretch, index) = stretch.next()?.push(continued)?;
            }
        }
    }
}

/// A row number as text.
fn row_number(row: u64) -> String {
    row.to_string()
}

/// A parent's id; `number` is that of its row.
fn id_of<'p>(parent: ParentRow<'p>, number: &'p str) -> &'p [u8] {
    match parent.id {
        RowId::Named(id) => id.as_bytes(),
        RowId::RowNumber => number.as_bytes(),
    }
}

/// The SMILES of a parent, or why it has none.
pub(super) fn parent_smiles<'p>(
    shared: &Shared<'_>,
    parent: ParentRow<'p>,
) -> Result<std::borrow::Cow<'p, [u8]>, Rejection> {
    match (parent.fault, parent.kind) {
        (Some(fault), _) => Err(fault.code.because(fault.reason)),
        (None, TextKind::Smiles) => Ok(parent.text.into()),
        (None, TextKind::MolBlock) => shared
            .job
            .rdkit
            .mol_block_to_smiles(parent.text)
            .map(|smiles| smiles.into_bytes().into()),
    }
}

/// A reason, cut at a character boundary to the length that a reject may have.
pub(super) fn cut(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    reason
}
