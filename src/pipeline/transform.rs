//! The work of a job with rules: the products of a parent, written into slots.

use std::borrow::Cow;

use super::{
    batch_writer::{BatchWriter, Interruption},
    error::PipelineError,
    parents::{id_of, smiles_of},
    resources::WorkerPorts,
};
use crate::{
    chem::{Progress, Transformer},
    identity::{KeyKind, KeyMaker},
    key::Key,
    property::PropertySet,
    reject::{RejectCode, Rejection},
    slot::{ParentFlags, Root, Slot, SlotParent, text_range},
    table::source::{ParentRow, TextKind},
};

/// What a worker needs to transform parents.
pub(super) struct Transforming<'a> {
    ports: &'a WorkerPorts<'a>,
    transformer: Transformer,
    /// With `--key structure`: makes the products' keys.
    keys: Option<Box<KeyMaker>>,
}

impl<'a> Transforming<'a> {
    pub(super) fn new(ports: &'a WorkerPorts<'a>) -> Result<Self, PipelineError> {
        let job = ports.job;
        let structure_key = job.spec.key() == KeyKind::Structure;
        let rules = job.rules.of(ports.step);
        let mut settings = job.spec.transform_settings();
        if ports.step == 0 {
            // Only keys are kept of what the library itself holds.
            settings.properties = PropertySet::NONE;
        }
        Ok(Self {
            ports,
            transformer: Transformer::with_reagents(
                job.rdkit,
                rules,
                settings,
                ports.reagents.combinations(),
            )?,
            keys: structure_key.then(|| KeyMaker::new(job.rdkit).into()),
        })
    }

    /// Writes the products of a parent.
    pub(super) fn add<'w>(
        &mut self,
        writer: BatchWriter<'w>,
        parent: ParentRow<'_>,
    ) -> Result<BatchWriter<'w>, Interruption> {
        writer.begin_rdkit(parent.ordinal)?;
        let mut number = Vec::new();
        let id = id_of(parent, &mut number);
        let times = self.ports.times;
        let smiles = match times.measure(&times.chemistry, || self.begin(parent)) {
            Ok(smiles) => smiles,
            Err(rejection) => return Ok(writer.reject(parent, id, rejection)?),
        };
        let root = match times.measure(&times.chemistry, || self.root(parent)) {
            Ok(root) => root,
            Err(rejection) => return Ok(writer.reject(parent, id, rejection)?),
        };
        let accepted = SlotParent {
            row: parent.row,
            id,
            smiles: &smiles,
            root,
            // Of what the library itself holds no row is written.
            kept: if self.ports.step == 0 {
                &[]
            } else {
                parent.kept
            },
            ..SlotParent::default()
        };
        self.write_products(writer, accepted)
    }

    /// Where the current parent comes from, in a job of several steps.
    fn root(&mut self, parent: ParentRow<'_>) -> Result<Root, Rejection> {
        if let Some(root) = parent.root {
            return Ok(root);
        }
        if !self.ports.job.plan.slot.roots {
            return Ok(Root::default());
        }
        let canonical = self.transformer.parent_smiles()?;
        let key = match &mut self.keys {
            Some(maker) => maker.of_canonical(canonical).0,
            None => Key::of(canonical),
        };
        Ok(Root {
            row: parent.row,
            key: key.words(),
        })
    }

    /// Parses a parent; returns its SMILES.
    fn begin<'p>(&mut self, parent: ParentRow<'p>) -> Result<Cow<'p, [u8]>, Rejection> {
        if let Some(rejection) = self.ports.poisoned.rows.get(&parent.ordinal) {
            return Err(rejection.clone());
        }
        let smiles = smiles_of(self.ports.job.rdkit, parent)?;
        match parent.kind {
            TextKind::Smiles => self.transformer.begin(parent.ordinal, &smiles)?,
            TextKind::MolBlock => {
                (self.transformer).begin_mol_block(parent.ordinal, parent.text, &smiles)?
            }
        }
        Ok(smiles)
    }

    fn write_products<'w>(
        &mut self,
        writer: BatchWriter<'w>,
        accepted: SlotParent<'_>,
    ) -> Result<BatchWriter<'w>, Interruption> {
        let WorkerPorts { control, times, .. } = self.ports;
        let (mut writer, mut index) = writer.push(accepted)?;
        loop {
            let slot = writer.slot_mut();
            let progress = times.measure(&times.chemistry, || {
                let first = slot.rows();
                let progress = self.transformer.fill(slot, index);
                self.add_keys(slot, first);
                progress
            });
            let progress = match progress {
                Ok(progress) => progress,
                // The products made so far are kept; the parent is among the rejects, with the reason.
                Err(error) => {
                    let rejection = RejectCode::Rdkit.because(error.to_string()).shortened();
                    let rejected = ParentFlags::rejected(rejection.code);
                    let failed = SlotParent {
                        reason: rejection.reason.as_bytes(),
                        flags: ParentFlags::CONTINUED.and(rejected),
                        kept: &[],
                        ..accepted
                    };
                    return Ok(writer.push(failed)?.0);
                }
            };
            match progress {
                Progress::Finished => return Ok(writer),
                Progress::Paused if control.is_stopping() => return Err(Interruption::Stopped),
                Progress::Paused => {
                    writer.note_progress();
                    writer.give_way();
                }
                Progress::SlotFull => {
                    writer.note_progress();
                    let continued = SlotParent {
                        flags: ParentFlags::CONTINUED,
                        ..accepted
                    };
                    (writer, index) = writer.next()?.push(continued)?;
                }
            }
        }
    }

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

    /// Ends a batch: releases the last parent and reports the time its chemistry took.
    pub(super) fn end_batch(&mut self) {
        self.transformer.end();
        let times = self.ports.times;
        times.add_chemistry(self.transformer.take_times());
    }
}
