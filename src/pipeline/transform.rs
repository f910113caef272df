//! The work of a job with rules: the products of a parent, written into slots.

use std::borrow::Cow;

use super::{
    batch_writer::{BatchWriter, Interruption},
    cleaning::{Clean, Cleaning},
    error::PipelineError,
    parents::{id_of, smiles_of},
    resources::WorkerPorts,
};
use crate::{
    chem::{
        ProductKeys, Progress, SmilesForm, Transformer, check_length,
        drops::{DropLog, DropParents},
    },
    filter::FilterSet,
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
    filters: &'a FilterSet,
    /// With `--explain-drops`: where the current parent is named.
    drops: Option<DropParents>,
    /// With `--clean`.
    cleaning: Option<Cleaning>,
    /// With `--key structure`: makes keys of canonical SMILES.
    keys: Option<Box<KeyMaker>>,
    /// Whether the transformer gives rows their keys: those of SMILES written directly.
    is_direct: bool,
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
            settings.stereoisomers_max = 0;
        }
        let combinations = ports.reagents.combinations();
        let mut transformer = Transformer::with_reagents(job.rdkit, rules, settings, combinations)?;
        let filters = job.filters.of(ports.step);
        transformer.filter_by(filters)?;
        let is_direct = settings.smiles == SmilesForm::Direct;
        if is_direct {
            transformer.write_directly(ProductKeys::new(KeyMaker::new(job.rdkit)));
        }
        let sample = ports.drops.filter(|_| ports.step > 0);
        let drops = sample.map(|sample| {
            let products = filters.on_products.len();
            let (log, parents) = DropLog::new(sample, ports.step as u8, products);
            transformer.explain(log);
            parents
        });
        Ok(Self {
            ports,
            transformer,
            filters,
            drops,
            cleaning: Cleaning::new(ports)?,
            keys: (structure_key && (!is_direct || job.plan.slot.roots))
                .then(|| KeyMaker::new(job.rdkit).into()),
            is_direct,
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
        let begun = times.measure(&times.chemistry, || self.begin(parent));
        let (read, clean) = match begun {
            Ok(begun) => begun,
            Err(rejection) => return Ok(writer.reject(parent, id, rejection)?),
        };
        let root = match times.measure(&times.chemistry, || self.root(parent)) {
            Ok(root) => root,
            Err(rejection) => return Ok(writer.reject(parent, id, rejection)?),
        };
        let (smiles, input): (&[u8], &[u8]) = match &clean.changed {
            Some(cleaned) => (cleaned.smiles.as_bytes(), &read),
            None => (&read, b""),
        };
        let accepted = SlotParent {
            row: parent.row,
            id,
            smiles,
            input,
            root,
            // Of what the library itself holds no row is written.
            kept: if self.ports.step == 0 {
                &[]
            } else {
                parent.kept
            },
            ..SlotParent::default()
        };
        if let Some(drops) = &self.drops {
            drops.begin(parent.ordinal, parent.row, id, accepted.smiles);
        }
        match times.measure(&times.chemistry, || self.transformer.filter_parent()) {
            Ok(None) => self.write_products(writer, accepted, &clean),
            Ok(Some(filter)) => {
                let filter = self.filters.on_products.len() + filter;
                let (mut writer, _) = writer.push(accepted)?;
                clean.count(&mut writer.slot_mut().account);
                writer.slot_mut().account.filter_parent(filter);
                Ok(writer)
            }
            Err(rejection) => Ok(writer.reject(parent, id, rejection)?),
        }
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

    /// Parses a parent, after cleaning; returns its SMILES as read, and what cleaning made of it.
    fn begin<'p>(&mut self, parent: ParentRow<'p>) -> Result<(Cow<'p, [u8]>, Clean), Rejection> {
        if let Some(rejection) = self.ports.poisoned.rows.get(&parent.ordinal) {
            return Err(rejection.clone());
        }
        let smiles = smiles_of(self.ports.job.rdkit, parent)?;
        let clean = match &mut self.cleaning {
            Some(cleaning) => {
                check_length(&smiles)?;
                let decision = cleaning.decide(parent, &smiles);
                cleaning.finish(decision, parent, &smiles)?
            }
            None => Clean::default(),
        };
        let ordinal = parent.ordinal;
        match (&clean.changed, parent.kind) {
            (Some(cleaned), _) => (self.transformer).begin(ordinal, cleaned.smiles.as_bytes())?,
            (None, TextKind::Smiles) => self.transformer.begin(ordinal, &smiles)?,
            (None, TextKind::MolBlock) => {
                (self.transformer).begin_mol_block(ordinal, parent.text, &smiles)?
            }
        }
        Ok((smiles, clean))
    }

    fn write_products<'w>(
        &mut self,
        writer: BatchWriter<'w>,
        accepted: SlotParent<'_>,
        clean: &Clean,
    ) -> Result<BatchWriter<'w>, Interruption> {
        let WorkerPorts { control, times, .. } = self.ports;
        let (mut writer, mut index) = writer.push(accepted)?;
        clean.count(&mut writer.slot_mut().account);
        loop {
            let slot = writer.slot_mut();
            let progress = times.measure(&times.chemistry, || {
                let first = slot.rows();
                let progress = self.transformer.fill(slot, index);
                if !self.is_direct {
                    self.add_keys(slot, first);
                }
                progress
            });
            let progress = match progress {
                Ok(progress) => progress,
                // The products made so far are kept; the parent is among the rejects, with the reason.
                Err(error) => {
                    let rejection = RejectCode::Rdkit.because(error.to_string()).shortened();
                    let rejected = ParentFlags::rejected(rejection.code);
                    let failed = SlotParent {
                        // Rejects have the text as read.
                        smiles: match accepted.input {
                            [] => accepted.smiles,
                            input => input,
                        },
                        input: b"",
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
