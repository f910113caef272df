//! The work of `molsieve dedup`: a key for each molecule as it is written, straight into a slot.

use std::borrow::Cow;

use super::{
    PipelineError, Shared,
    check::Checks,
    workers::{Interruption, Stretch, cut, parent_smiles},
};
use crate::{
    chem,
    identity::{KeyMaker, Reason, StructureKeys},
    key::Key,
    slot::{ParentFlags, SlotParent},
    table::source::ParentRow,
};

/// What a worker needs for it.
pub(super) struct Identifier {
    keys: StructureKeys,
    by_rdkit: KeyMaker,
}

impl Identifier {
    pub(super) fn new(shared: &Shared<'_>) -> Self {
        Self {
            keys: StructureKeys::new(),
            by_rdkit: KeyMaker::new(shared.job.rdkit),
        }
    }

    /// Adds a molecule to the slot, or to the next one.
    pub(super) fn add<'a>(
        &mut self,
        stretch: Stretch<'a>,
        parent: ParentRow<'_>,
        id: &[u8],
    ) -> Result<Stretch<'a>, Interruption> {
        let shared = stretch.shared();
        let times = &shared.times;
        let Identified {
            smiles,
            key,
            reason,
        } = match times.measure(&times.chemistry, || self.key(&stretch, parent)) {
            Ok(found) => found,
            Err(Fault::Row(reason)) => return reject(stretch, parent, id, reason),
            Err(Fault::Job(error)) => return Err(Interruption::Failed(error)),
        };
        if let Some(checks) = &shared.checks {
            checks.look_at(parent.row, &smiles, key, &mut self.by_rdkit);
        }
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
        if let Some(reason) = reason {
            slot.keys_by_rdkit[reason as usize] += 1;
        }
        Ok(stretch)
    }

    fn key<'p>(
        &mut self,
        stretch: &Stretch<'_>,
        parent: ParentRow<'p>,
    ) -> Result<Identified<'p>, Fault> {
        let shared = stretch.shared();
        if let Some(reason) = shared.poisoned.get(&parent.row) {
            return Err(Fault::Row(reason.clone()));
        }
        let smiles = parent_smiles(shared, parent).map_err(Fault::Row)?;
        chem::check_text(&smiles).map_err(Fault::Row)?;
        let reason = match self.keys.key(&smiles) {
            Ok(key) => {
                return Ok(Identified {
                    smiles,
                    key,
                    reason: None,
                });
            }
            Err(reason) => reason,
        };
        // From here on RDKit has the molecule: whoever goes on after a crash must know which one it was.
        stretch.begin_rdkit(parent.row).map_err(Fault::Job)?;
        let made = self.by_rdkit.key(&smiles);
        stretch.end_rdkit();
        match made {
            Ok((key, _)) => Ok(Identified {
                smiles,
                key,
                reason: Some(reason),
            }),
            Err(reason) => Err(Fault::Row(reason)),
        }
    }
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
    Row(String),
    Job(PipelineError),
}

fn reject<'a>(
    stretch: Stretch<'a>,
    parent: ParentRow<'_>,
    id: &[u8],
    reason: String,
) -> Result<Stretch<'a>, Interruption> {
    let reason = cut(reason);
    let rejected = SlotParent {
        row: parent.row,
        id,
        smiles: parent.text,
        reason: reason.as_bytes(),
        flags: ParentFlags::REJECTED,
    };
    Ok(stretch.push(rejected)?.0)
}

impl Checks {
    /// See [`Checks::look`].
    fn look_at(&self, row: u64, smiles: &[u8], key: Key, keys: &mut KeyMaker) {
        if self.wants(key)
            && let Ok(smiles) = std::str::from_utf8(smiles)
        {
            self.look(row, smiles, key, keys);
        }
    }
}
