//! The work of `molsieve dedup`: a key for each molecule as it is written, straight into a slot.

use std::borrow::Cow;

use super::{
    PipelineError, Shared,
    workers::{Interruption, Stretch, parent_smiles},
};
use crate::{
    chem,
    identity::{KeyMaker, Reason},
    key::Key,
    slot::{ParentFlags, SlotParent},
    table::source::{ParentRow, TextKind},
};

/// What a worker needs for it.
pub(super) struct Identifier {
    keys: KeyMaker,
}

impl Identifier {
    pub(super) fn new(shared: &Shared<'_>) -> Self {
        Self {
            keys: KeyMaker::new(shared.job.rdkit),
        }
    }

    /// Adds a molecule to the slot, or to the next one.
    pub(super) fn add<'a>(
        &mut self,
        stretch: Stretch<'a>,
        parent: ParentRow<'_>,
        id: &[u8],
    ) -> Result<Stretch<'a>, Interruption> {
        let times = &stretch.shared().times;
        let identified = times.measure(&times.chemistry, || self.identify(&stretch, parent));
        let Identified {
            smiles,
            key,
            reason,
        } = match identified {
            Ok(found) => found,
            Err(Fault::Row(reason)) => return Ok(stretch.reject(parent, id, reason)?),
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
        if let Some(reason) = reason {
            slot.keys_by_rdkit[reason as usize] += 1;
        }
        Ok(stretch)
    }

    fn identify<'p>(
        &mut self,
        stretch: &Stretch<'_>,
        parent: ParentRow<'p>,
    ) -> Result<Identified<'p>, Fault> {
        let shared = stretch.shared();
        let row = parent.row;
        if let Some(reason) = shared.poisoned.get(&row) {
            return Err(Fault::Row(reason.clone()));
        }
        let smiles = match parent.kind {
            TextKind::Smiles => parent_smiles(shared, parent),
            TextKind::MolBlock => in_rdkit(stretch, row, || parent_smiles(shared, parent))?,
        };
        let smiles = smiles.map_err(Fault::Row)?;
        chem::check_text(&smiles).map_err(Fault::Row)?;
        let (key, reason) = match self.keys.direct(&smiles) {
            Ok(key) => (key, None),
            Err(reason) => {
                let key = in_rdkit(stretch, row, || self.keys.by_rdkit(&smiles))?;
                (key.map_err(Fault::Row)?, Some(reason))
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
    Row(String),
    Job(PipelineError),
}
