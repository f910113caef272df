//! The work of `molsieve dedup`: the key of each molecule as it is written, straight into a slot. Where the engine has
//! devices for structure keys, a device makes the keys of a batch before the worker goes through its rows.

use std::borrow::Cow;

use super::{
    batch_writer::{BatchWriter, Interruption},
    cleaning::{Clean, Cleaning},
    error::PipelineError,
    parents::{id_of, smiles_of},
    resources::WorkerPorts,
};
use crate::{
    chem,
    cores::Core,
    identity::{KeyMaker, Reason},
    key::Key,
    reject::{RejectCode, Rejection},
    sieve::structure_key::KeyOutcome,
    slot::SlotParent,
    table::source::{ParentBatch, ParentRow, TextKind},
};

/// What a worker needs to make keys.
pub(super) struct Identifier<'a> {
    ports: &'a WorkerPorts<'a>,
    keys: KeyMaker,
    /// With `--clean`.
    cleaning: Option<Cleaning>,
    /// What a device answered for the rows of the batch; `None` for a row that no device was asked about.
    outcomes: Vec<Option<KeyOutcome>>,
    /// For the text of a row number.
    number: Vec<u8>,
}

impl<'a> Identifier<'a> {
    pub(super) fn new(ports: &'a WorkerPorts<'a>) -> Result<Self, PipelineError> {
        Ok(Self {
            ports,
            keys: KeyMaker::new(ports.job.rdkit),
            cleaning: Cleaning::new(ports)?,
            outcomes: Vec::new(),
            number: Vec::new(),
        })
    }

    /// Has a device make the keys of a batch, where the job has any. The worker holds no slot while it waits.
    pub(super) fn ask_device(
        &mut self,
        batch: &ParentBatch,
        core: &mut Core,
    ) -> Result<(), Interruption> {
        self.outcomes.clear();
        let WorkerPorts { control, times, .. } = self.ports;
        // What decides whether a molecule needs cleaning makes its key too.
        let devices = self.ports.key_devices.filter(|_| self.cleaning.is_none());
        let Some(devices) = devices else {
            return Ok(());
        };
        let device = core.lend(|| devices.take(&|| control.is_stopping()));
        let device = device.ok_or(Interruption::Stopped)?;
        let asked = times.measure(&times.chemistry, || {
            device.compute_keys(batch.iter().map(for_device), &mut self.outcomes)
        });
        asked.map_err(|error| Interruption::Failed(error.into()))
    }

    /// Adds a molecule, row `index` of the batch, to the slot or to the next one.
    pub(super) fn add<'w>(
        &mut self,
        writer: BatchWriter<'w>,
        index: usize,
        parent: ParentRow<'_>,
    ) -> Result<BatchWriter<'w>, Interruption> {
        let mut number = std::mem::take(&mut self.number);
        let id = id_of(parent, &mut number);
        let outcome = self.outcomes.get(index).copied().flatten();
        let Identified {
            smiles,
            key,
            reason,
            input,
            clean,
        } = match self.identify(&writer, parent, outcome) {
            Ok(identified) => identified,
            Err(Fault::Row(rejection)) => return Ok(writer.reject(parent, id, rejection)?),
            Err(Fault::Job(interruption)) => return Err(interruption),
        };
        // The SMILES is that of the row.
        let accepted = SlotParent {
            row: parent.row,
            id,
            input: &input,
            kept: parent.kept,
            ..SlotParent::default()
        };
        let mut writer = writer;
        if !writer.slot_mut().push_molecule(accepted, &smiles, key) {
            writer = writer.next()?;
            let fits = writer.slot_mut().push_molecule(accepted, &smiles, key);
            assert!(
                fits,
                "limits.rs asserts that an empty slot holds the longest parent"
            );
        }
        self.number = number;
        let slot = writer.slot_mut();
        slot.keys_given = true;
        let keys = &mut slot.account.keys;
        keys.too_large_for_device += u64::from(outcome == Some(KeyOutcome::TooLarge));
        if let Some(reason) = reason {
            keys.by_rdkit[reason as usize] += 1;
        }
        clean.count(&mut slot.account);
        Ok(writer)
    }

    fn identify<'p>(
        &mut self,
        writer: &BatchWriter<'_>,
        parent: ParentRow<'p>,
        outcome: Option<KeyOutcome>,
    ) -> Result<Identified<'p>, Fault> {
        let (row, rdkit) = (parent.row, self.ports.job.rdkit);
        if let Some(rejection) = self.ports.poisoned.rows.get(&row) {
            return Err(Fault::Row(rejection.clone()));
        }
        let smiles = match parent.kind {
            TextKind::Smiles => smiles_of(rdkit, parent),
            TextKind::MolBlock => in_rdkit(writer, row, || smiles_of(rdkit, parent))?,
        };
        let smiles = smiles.map_err(Fault::Row)?;
        chem::check_length(&smiles).map_err(Fault::Row)?;
        let (mut clean, mut outcome) = (Clean::default(), outcome);
        if let Some(cleaning) = &mut self.cleaning {
            let decision = cleaning.decide(parent, &smiles);
            clean.key = decision.unchanged();
            if clean.key.is_none() {
                let finish = || cleaning.finish(decision, parent, &smiles);
                clean = in_rdkit(writer, row, finish)?.map_err(Fault::Row)?;
            }
            if let Some(cleaned) = &mut clean.changed {
                let cleaned = std::mem::take(&mut cleaned.smiles).into_bytes();
                return self.identify_cleaned(writer, row, (cleaned, smiles), clean);
            }
            outcome = clean.key.map(KeyOutcome::Key);
        }
        let direct = match outcome {
            Some(KeyOutcome::Key(key)) => Ok(key),
            Some(KeyOutcome::Reason(reason)) => Err(reason),
            Some(KeyOutcome::TooLarge) | None => self.keys.direct(&smiles),
        };
        // No text with a control character has a key without RDKit.
        if direct.is_err() {
            chem::check_text(&smiles).map_err(Fault::Row)?;
        }
        let (key, reason) = match direct {
            Ok(key) => (key, None),
            Err(reason) => {
                let key = in_rdkit(writer, row, || self.keys.by_rdkit(&smiles))?;
                match (key, parent.kind) {
                    (Ok(key), _) => (key, Some(reason)),
                    (Err(_), TextKind::MolBlock) => {
                        return self.identify_block(writer, parent, smiles, clean);
                    }
                    (Err(rejection), TextKind::Smiles) => return Err(Fault::Row(rejection)),
                }
            }
        };
        if let Some(checks) = self.ports.checks.filter(|checks| checks.wants(key))
            && let Ok(text) = std::str::from_utf8(&smiles)
        {
            in_rdkit(writer, row, || checks.look(row, text, key, &mut self.keys))?;
        }
        Ok(Identified::as_read(smiles, key, reason, clean))
    }

    /// A molecule that cleaning has changed: its SMILES now, and as read.
    fn identify_cleaned<'p>(
        &mut self,
        writer: &BatchWriter<'_>,
        row: u64,
        (cleaned, read): (Vec<u8>, Cow<'p, [u8]>),
        clean: Clean,
    ) -> Result<Identified<'p>, Fault> {
        chem::check_length(&cleaned).map_err(Fault::Row)?;
        let (key, reason) = match clean.key {
            Some(key) => (key, None),
            None => self.keys.of_canonical(&cleaned),
        };
        if let Some(checks) = self.ports.checks.filter(|checks| checks.wants(key)) {
            let text = String::from_utf8_lossy(&cleaned);
            let look = || checks.look(row, &text, key, &mut self.keys);
            in_rdkit(writer, row, look)?;
        }
        Ok(Identified {
            smiles: cleaned.into(),
            key,
            reason,
            input: read,
            clean,
        })
    }

    /// A mol block whose SMILES RDKit can't read back (porphyrins): its key is made from what RDKit writes.
    fn identify_block<'p>(
        &mut self,
        writer: &BatchWriter<'_>,
        parent: ParentRow<'p>,
        smiles: Cow<'p, [u8]>,
        clean: Clean,
    ) -> Result<Identified<'p>, Fault> {
        let write = || self.ports.job.rdkit.mol_block_to_identity(parent.text);
        let written = in_rdkit(writer, parent.row, write)?.map_err(Fault::Row)?;
        if written.is_empty() {
            let empty = RejectCode::Empty.because("the molecule has no atoms");
            return Err(Fault::Row(empty));
        }
        let (key, reason) = self.keys.of_canonical(written.as_bytes());
        Ok(Identified::as_read(smiles, key, reason, clean))
    }
}

/// The text of a row that a device is asked about.
fn for_device(parent: ParentRow<'_>) -> Option<&[u8]> {
    let asked = parent.fault.is_none() && parent.kind == TextKind::Smiles;
    let text = asked.then_some(parent.text)?;
    // RDKit reads CXSMILES extensions.
    if text.contains(&b' ') {
        return None;
    }
    chem::check_text(text).is_ok().then_some(text)
}

/// Gives a row to RDKit, and records that: the attempt after a crash must know the row.
fn in_rdkit<T>(writer: &BatchWriter<'_>, row: u64, work: impl FnOnce() -> T) -> Result<T, Fault> {
    writer.begin_rdkit(row).map_err(Fault::Job)?;
    let done = work();
    writer.end_rdkit();
    Ok(done)
}

/// A row with its key.
struct Identified<'p> {
    /// Its SMILES, or that of the molecule after cleaning.
    smiles: Cow<'p, [u8]>,
    key: Key,
    /// Why RDKit was needed for the key, if it was.
    reason: Option<Reason>,
    /// Its SMILES, if cleaning has changed the molecule; otherwise empty.
    input: Cow<'p, [u8]>,
    clean: Clean,
}

impl<'p> Identified<'p> {
    fn as_read(smiles: Cow<'p, [u8]>, key: Key, reason: Option<Reason>, clean: Clean) -> Self {
        Self {
            smiles,
            key,
            reason,
            input: Cow::Borrowed(&[]),
            clean,
        }
    }
}

/// What is wrong: with the row, or with the job.
enum Fault {
    Row(Rejection),
    Job(Interruption),
}
