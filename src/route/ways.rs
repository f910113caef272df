//! All ways to molecules of a step: the products of its parents, made again.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{RouteError, RouteRoot, RouteStep, rows::Parts};
use crate::{
    chem::{Progress, Transformer},
    identity::{KeyKind, KeyMaker},
    key::Key,
    limits::STAGE_STACK_BYTES,
    pipeline::{Job, PrepareError, ReadyReagents, parents},
    reagents::{NO_REAGENT, ReagentText},
    slot::{Slot, SlotParent},
    table::product::Reagent,
    table::source::{LibraryReader, ParentBatch, ParentRow, TextKind},
};

/// A way to a molecule from one of the step before.
pub(super) struct Way {
    /// The words of the molecule's key.
    pub product: [u64; 2],
    pub step: RouteStep,
    pub parent: RouteRoot,
    /// The words of the parent's key.
    pub parent_key: [u64; 2],
}

/// What the threads share.
struct Search<'a> {
    job: &'a Job,
    step: u64,
    targets: &'a BTreeSet<[u64; 2]>,
    reagents: ReadyReagents,
    reader: Mutex<LibraryReader>,
    found: Mutex<Vec<Way>>,
    /// Rows to be read.
    rows: u64,
    watch: &'a (dyn Fn(u64, u64, u64) + Sync),
}

/// All ways of step `step` to the molecules with the keys `targets`, in the order of the parents.
pub(super) fn find(
    job: &Job,
    parts: &Parts,
    step: u64,
    targets: &BTreeSet<[u64; 2]>,
    watch: &(dyn Fn(u64, u64, u64) + Sync),
) -> Result<Vec<Way>, RouteError> {
    let (reader, rows, parents) = match step {
        1 => (job.library.reader()?, job.plan.estimate.parents, None),
        step => {
            let products = parts.products(step - 1);
            (products.reader()?, products.rows(), Some(products.rows()))
        }
    };
    let reagents = job.ready_reagents(step as usize, parents, &job.reagents_in_memory());
    let reagents = reagents.map_err(PrepareError::from)?;
    let search = Search {
        job,
        step,
        targets,
        reagents,
        reader: Mutex::new(reader),
        found: Mutex::default(),
        rows,
        watch,
    };
    thread::scope(|scope| {
        let start = |_| {
            thread::Builder::new()
                .stack_size(STAGE_STACK_BYTES)
                .spawn_scoped(scope, || search.work())
                .map_err(|error| RouteError::Thread(error.to_string()))
        };
        let threads = (0..job.plan.threads).map(start);
        let threads = threads.collect::<Result<Vec<_>, _>>()?;
        threads.into_iter().try_for_each(|thread| {
            let panicked = |_| Err(RouteError::Thread("a thread panicked".into()));
            thread.join().unwrap_or_else(panicked)
        })
    })?;
    let mut found = search
        .found
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|way| (way.parent.row, way.product));
    Ok(found)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Search<'_> {
    /// The body of a thread.
    fn work(&self) -> Result<(), RouteError> {
        let (job, rules) = (self.job, self.job.rules.of(self.step as usize));
        let (settings, combinations) =
            (job.spec.transform_settings(), self.reagents.combinations());
        let transformer = Transformer::with_reagents(job.rdkit, rules, settings, combinations);
        let mut transformer = transformer.map_err(PrepareError::from)?;
        let filters = job.filters.of(self.step as usize);
        transformer.filter_by(filters).map_err(PrepareError::from)?;
        let mut maker = Maker {
            transformer,
            keys: (job.spec.key() == KeyKind::Structure).then(|| KeyMaker::new(job.rdkit)),
            slot: Slot::new(job.plan.slot.smallest_like()),
        };
        let mut batch = ParentBatch::new();
        loop {
            let read = {
                let mut reader = lock(&self.reader);
                if !reader.next_batch(&mut batch, job.plan.batch_parents)? {
                    return Ok(());
                }
                reader.rows_read()
            };
            (self.watch)(self.step, read, self.rows.max(read));
            for parent in batch.iter() {
                if let Some(mut ways) = self.ways_of(&mut maker, parent) {
                    lock(&self.found).append(&mut ways);
                }
            }
        }
    }

    /// The ways from a parent; `None` for one that can't be used.
    fn ways_of(&self, maker: &mut Maker, parent: ParentRow<'_>) -> Option<Vec<Way>> {
        let (job, transformer) = (self.job, &mut maker.transformer);
        let smiles = parents::smiles_of(job.rdkit, parent).ok()?;
        match parent.kind {
            TextKind::Smiles => transformer.begin(parent.ordinal, &smiles).ok()?,
            TextKind::MolBlock => {
                (transformer.begin_mol_block(parent.ordinal, parent.text, &smiles)).ok()?
            }
        }
        if transformer.filter_parent().ok()?.is_some() {
            return None;
        }
        let mut number = Vec::new();
        let id = parents::id_of(parent, &mut number);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut ways = Vec::new();
        loop {
            maker.slot.clear();
            let index = maker.slot.push_parent(SlotParent::default())?;
            let progress = maker.transformer.fill(&mut maker.slot, index).ok()?;
            for row in 0..maker.slot.rows() {
                let product = maker.key(row);
                if !self.targets.contains(&product) {
                    continue;
                }
                let (rule, site) = {
                    let columns = maker.slot.columns();
                    (columns.rule[row], columns.site[row])
                };
                let reagents = self.reagents_of(&maker.slot, row);
                let rule = &job.rules.of(self.step as usize).rules()[usize::from(rule)];
                ways.push(Way {
                    product,
                    step: RouteStep {
                        step: self.step,
                        rule: rule.name.clone(),
                        site,
                        reagents,
                        smiles: text(maker.slot.smiles(row)),
                    },
                    parent: RouteRoot {
                        row: parent.row,
                        id: text(id),
                        smiles: text(&smiles),
                    },
                    parent_key: parent.root.map_or_else(Default::default, |root| root.key),
                });
            }
            if progress == Progress::Finished {
                return Some(ways);
            }
        }
    }
}

impl Search<'_> {
    /// The reagents that a row of a slot was made with; they are in memory.
    fn reagents_of(&self, slot: &Slot, row: usize) -> Vec<Reagent> {
        let per_row = slot.layout().reagents;
        let numbers = &slot.columns().reagents[per_row * row..per_row * (row + 1)];
        let numbers = numbers.iter().filter(|number| **number != NO_REAGENT);
        let reagent = |number: &u32| {
            let mut reagent = ReagentText::default();
            self.reagents.texts.read(*number, &mut reagent).ok()?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Some(Reagent {
                id: text(reagent.id()),
                smiles: text(reagent.smiles()),
            })
        };
        numbers.filter_map(reagent).collect()
    }
}

/// What a thread makes products with.
struct Maker {
    transformer: Transformer,
    keys: Option<KeyMaker>,
    slot: Slot,
}

impl Maker {
    /// The words of the key of a product.
    fn key(&mut self, row: usize) -> [u64; 2] {
        let smiles = self.slot.smiles(row);
        let key = match &mut self.keys {
            Some(maker) => maker.of_canonical(smiles).0,
            None => Key::of(smiles),
        };
        key.words()
    }
}
