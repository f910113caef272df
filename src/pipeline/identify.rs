//! The work of `molsieve dedup`: a key for each molecule as it is written, straight into a slot. Where the
//! engine has devices for that, one makes the keys of a batch before the worker goes through its rows.

use std::borrow::Cow;

use super::{
    PipelineError, Shared,
    workers::{Interruption, Stretch, parent_smiles},
};
use crate::{
    chem,
    identity::{KeyMaker, Reason},
    key::Key,
    reject::{RejectCode, Rejection},
    sieve::structure_key::Told,
    slot::{ParentFlags, SlotParent},
    table::source::{ParentBatch, ParentRow, TextKind},
};

/// What a worker needs for it.
pub(super) struct Identifier {
    keys: KeyMaker,
    /// What a device said of the rows of the batch; of those that were not for a device, nothing.
    told: Vec<Option<Told>>,
}

impl Identifier {
    pub(super) fn new(shared: &Shared<'_>) -> Self {
        Self {
            keys: KeyMaker::new(shared.job.rdkit),
            told: Vec::new(),
        }
    }

    /// Has a device make the keys of a batch, where the job has any. The worker holds no slot yet.
    pub(super) fn ask(
        &mut self,
        shared: &Shared<'_>,
        batch: &ParentBatch,
    ) -> Result<(), Interruption> {
        self.told.clear();
        let Some(devices) = &shared.key_devices else {
            return Ok(());
        };
        let device = devices
            .take(&|| shared.is_stopping())
            .ok_or(Interruption::Stopped)?;
        let times = &shared.times;
        let told = times.measure(&times.chemistry, || {
            device.tell(batch.iter().map(for_device), &mut self.told)
        });
        told.map_err(|error| Interruption::Failed(error.into()))
    }

    /// Adds a molecule, the one in this place of the batch, to the slot or to the next one.
    pub(super) fn add<'a>(
        &mut self,
        stretch: Stretch<'a>,
        place: usize,
        parent: ParentRow<'_>,
        id: &[u8],
    ) -> Result<Stretch<'a>, Interruption> {
        let times = &stretch.shared().times;
        let told = self.told.get(place).copied().flatten();
        let identified = times.measure(&times.chemistry, || self.identify(&stretch, parent, told));
        let Identified {
            smiles,
            key,
            reason,
        } = match identified {
            Ok(found) => found,
            Err(Fault::Row(rejection)) => return Ok(stretch.reject(parent, id, rejection)?),
            Err(Fault::Job(error)) => return Err(Interruption::Failed(error)),
        };
        // The row itself has the SMILES.
        let accepted = SlotParent {
            row: parent.row,
            id,
            smiles: b"",
            reason: b"",
            flags: ParentFlags::NONE,
        };
        let (mut stretch, mut index) = stretch.push(accepted)?;
        while !stretch.slot_mut().push_row(&smiles, index, key) {
            let continued = SlotParent {
                flags: ParentFlags::CONTINUED,
                ..accepted
            };
            (stretch, index) = stretch.next()?.push(continued)?;
        }
        let slot = stretch.slot_mut();
        slot.keys_given = true;
        let keys = &mut slot.account.keys;
        keys.too_large_for_device += u64::from(told == Some(Told::TooLarge));
        if let Some(reason) = reason {
            keys.by_rdkit[reason as usize] += 1;
        }
        Ok(stretch)
    }

    fn identify<'p>(
        &mut self,
        stretch: &Stretch<'_>,
        parent: ParentRow<'p>,
        told: Option<Told>,
    ) -> Result<Identified<'p>, Fault> {
        let shared = stretch.shared();
        let row = parent.row;
        if let Some(rejection) = shared.poisoned.get(&row) {
            return Err(Fault::Row(rejection.clone()));
        }
        let smiles = match parent.kind {
            TextKind::Smiles => parent_smiles(shared, parent),
            TextKind::MolBlock => in_rdkit(stretch, row, || parent_smiles(shared, parent))?,
        };
        let smiles = smiles.map_err(Fault::Row)?;
        chem::check_text(&smiles).map_err(Fault::Row)?;
        let direct = match told {
            Some(Told::Key(key)) => Ok(key),
            Some(Told::Reason(reason)) => Err(reason),
            Some(Told::TooLarge) | None => self.keys.direct(&smiles),
        };
        let (key, reason) = match direct {
            Ok(key) => (key, None),
            Err(reason) => {
                let key = in_rdkit(stretch, row, || self.keys.by_rdkit(&smiles))?;
                match (key, parent.kind) {
                    (Ok(key), _) => (key, Some(reason)),
                    (Err(_), TextKind::MolBlock) => {
                        return self.identify_block(stretch, parent, smiles);
                    }
                    (Err(fault), TextKind::Smiles) => return Err(Fault::Row(fault)),
                }
            }
        };
        if let Some(checks) = shared.checks.as_ref().filter(|checks| checks.wants(key))
            && let Ok(text) = std::str::from_utf8(&smiles)
        {
            in_rdkit(stretch, row, || checks.look(row, text, key, &mut self.keys))?;
        }
        Ok(Identified {
            smiles,
            key,
            reason,
        })
    }

    /// A mol block whose SMILES RDKit can't read back (porphyrins): its key is made of what RDKit writes.
    fn identify_block<'p>(
        &mut self,
        stretch: &Stretch<'_>,
        parent: ParentRow<'p>,
        smiles: Cow<'p, [u8]>,
    ) -> Result<Identified<'p>, Fault> {
        let rdkit = stretch.shared().job.rdkit;
        let write = || rdkit.mol_block_to_identity(parent.text);
        let written = in_rdkit(stretch, parent.row, write)?.map_err(Fault::Row)?;
        if written.is_empty() {
            let empty = RejectCode::Empty.because("the molecule has no atoms");
            return Err(Fault::Row(empty));
        }
        let (key, reason) = self.keys.of_canonical(written.as_bytes());
        Ok(Identified {
            smiles,
            key,
            reason,
        })
    }
}

/// The text of a row that a device is asked about.
fn for_device<'p>(parent: ParentRow<'p>) -> Option<&'p [u8]> {
    let asked = parent.fault.is_none() && parent.kind == TextKind::Smiles;
    let text = asked.then_some(parent.text)?;
    // An extension of CXSMILES is for RDKit.
    if text.contains(&b' ') {
        return None;
    }
    chem::check_text(text).is_ok().then_some(text)
}

/// Gives a row to RDKit: whoever goes on after a crash must know which one it was.
fn in_rdkit<T>(stretch: &Stretch<'_>, row: u64, work: impl FnOnce() -> T) -> Result<T, Fault> {
    stretch.begin_rdkit(row).map_err(Fault::Job)?;
    let done = work();
    stretch.end_rdkit();
    Ok(done)
}

/// A row with its key.
struct Identified<'p> {
    smiles: Cow<'p, [u8]>,
    key: Key,
    /// Why it took RDKit, if it did.
    reason: Option<Reason>,
}

/// What is wrong: with the row, or with the job.
enum Fault {
    Row(Rejection),
    Job(PipelineError),
}
