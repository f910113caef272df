//! The work of `molsieve dedup`: the key of each molecule as it is written, straight into a slot. Where the engine has
//! devices for structure keys, a device makes the keys of a batch before the worker goes through its rows.

use std::borrow::Cow;

use super::{
    batch_writer::{BatchWriter, Interruption},
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
    /// What a device answered for the rows of the batch; `None` for a row that no device was asked about.
    outcomes: Vec<Option<KeyOutcome>>,
    /// For the text of a row number.
    number: Vec<u8>,
}

impl<'a> Identifier<'a> {
    pub(super) fn new(ports: &'a WorkerPorts<'a>) -> Self {
        Self {
            ports,
            keys: KeyMaker::new(ports.job.rdkit),
            outcomes: Vec::new(),
            number: Vec::new(),
        }
    }

    /// Has a device make the keys of a batch, where the job has any. The worker holds no slot while it waits.
    pub(super) fn ask_device(
        &mut self,
        batch: &ParentBatch,
        core: &mut Core,
    ) -> Result<(), Interruption> {
        self.outcomes.clear();
        let WorkerPorts { control, times, .. } = self.ports;
        let Some(devices) = self.ports.key_devices else {
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
        let (smiles, key, reason) = match self.identify(&writer, parent, outcome) {
            Ok(identified) => identified,
            Err(Fault::Row(rejection)) => return Ok(writer.reject(parent, id, rejection)?),
            Err(Fault::Job(interruption)) => return Err(interruption),
        };
        // The SMILES is that of the row.
        let accepted = SlotParent {
            row: parent.row,
            id,
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
                        return self.identify_block(writer, parent, smiles);
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
        Ok((smiles, key, reason))
    }

    /// A mol block whose SMILES RDKit can't read back (porphyrins): its key is made from what RDKit writes.
    fn identify_block<'p>(
        &mut self,
        writer: &BatchWriter<'_>,
        parent: ParentRow<'p>,
        smiles: Cow<'p, [u8]>,
    ) -> Result<Identified<'p>, Fault> {
        let write = || self.ports.job.rdkit.mol_block_to_identity(parent.text);
        let written = in_rdkit(writer, parent.row, write)?.map_err(Fault::Row)?;
        if written.is_empty() {
            let empty = RejectCode::Empty.because("the molecule has no atoms");
            return Err(Fault::Row(empty));
        }
        let (key, reason) = self.keys.of_canonical(written.as_bytes());
        Ok((smiles, key, reason))
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

/// The SMILES of a row, its key, and why RDKit was needed for it, if it was.
type Identified<'p> = (Cow<'p, [u8]>, Key, Option<Reason>);

/// What is wrong: with the row, or with the job.
enum Fault {
    Row(Rejection),
    Job(Interruption),
}
