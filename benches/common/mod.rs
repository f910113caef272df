//! What the benchmarks share: the allocator, the shipped library and rules, slots filled from them.
//!
//! Everything here is set-up and runs outside the timed stretches. Inputs are real: parents are the
//! shipped natural products, products are what RDKit makes of them by the shipped rules.

#![allow(
    dead_code,
    reason = "every benchmark includes this module and uses some of it"
)]

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::Duration,
};

use criterion::Criterion;
use molsieve::{
    chem::{Method, Progress, RdKit, TransformSettings, Transformer},
    limits::{BATCH_PARENTS_MAX, SLOT_BYTES_DEFAULT_MAX},
    property::PropertySet,
    rules::RuleSet,
    slot::{ParentFlags, Slot, SlotLayout, SlotParent},
    table::source::{ColumnChoice, Library, ParentBatch, RowId},
};

/// The allocator of `main.rs`, for C++ too. RDKit spends much of its time allocating small blocks, so
/// with the system's allocator the benchmarks would measure another program than the one that runs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A rule of one line that every aromatic parent answers: the one the Python baseline is measured by.
pub const FLUORINATION: &str =
    "[[rule]]\nname = \"aromatic_fluorination\"\nsmirks = \"[cH:1]>>[c:1]F\"\n";

/// Ten samples of at least one pass each: a pass takes up to seconds, and what matters is far larger
/// than the noise between passes.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
}

/// RDKit, warmed up.
pub fn rdkit() -> RdKit {
    RdKit::initialise().unwrap()
}

/// `examples/natural_products.csv`.
pub fn library_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/natural_products.csv")
}

/// `examples/rules/natural_products.toml`.
fn rules_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rules/natural_products.toml")
}

/// The shipped library, opened as a job opens it.
pub fn library() -> Library {
    Library::open(&[library_file()], &ColumnChoice::default()).unwrap()
}

/// A parent as the source hands it to a worker.
#[derive(Clone)]
pub struct Parent {
    pub id: String,
    pub smiles: Vec<u8>,
}

/// The parents of the shipped library.
pub fn parents() -> Vec<Parent> {
    let (mut reader, mut batch) = (library().reader().unwrap(), ParentBatch::new());
    let mut parents = Vec::new();
    while reader.next_batch(&mut batch, BATCH_PARENTS_MAX).unwrap() {
        parents.extend(batch.iter().map(|row| Parent {
            id: match row.id {
                RowId::Named(id) => id.to_owned(),
                RowId::RowNumber => row.row.to_string(),
            },
            smiles: row.text.to_vec(),
        }));
    }
    parents
}

/// All shipped rules.
pub fn shipped_rules() -> RuleSet {
    RuleSet::load(&[rules_file()]).unwrap()
}

/// A rule file with the shipped rules of these names, in the order of the shipped file.
pub fn shipped_rules_text(names: &[&str]) -> String {
    let text = std::fs::read_to_string(rules_file()).unwrap();
    let mut table: toml::Table = text.parse().unwrap();
    let rules = table["rule"].as_array_mut().unwrap();
    rules.retain(|rule| names.contains(&rule["name"].as_str().unwrap()));
    assert_eq!(rules.len(), names.len(), "a rule was renamed");
    table.to_string()
}

/// The rule [`FLUORINATION`].
pub fn fluorination() -> RuleSet {
    RuleSet::parse(Path::new("fluorination.toml"), FLUORINATION).unwrap()
}

/// A transformer with the settings of a job, properties left out.
pub fn transformer(rules: &RuleSet, method: Method) -> Transformer {
    let settings = TransformSettings {
        method,
        ..TransformSettings::default()
    };
    Transformer::new(rdkit(), rules, settings).unwrap()
}

/// The slot of a job with a budget of 1 GiB or more, no properties.
pub fn layout() -> SlotLayout {
    SlotLayout::new(SLOT_BYTES_DEFAULT_MAX, PropertySet::NONE).unwrap()
}

/// What a worker does with its parents, without ring and source: fills `slot`, and whenever the slot
/// is full has `pass_on` take the rows out of it. The last slot stays. Gives the products written.
pub fn transform(
    transformer: &mut Transformer,
    parents: &[Parent],
    slot: &mut Slot,
    pass_on: &mut dyn FnMut(&mut Slot),
) -> u64 {
    let mut products = 0;
    for (row, parent) in parents.iter().enumerate() {
        transformer.begin(0, &parent.smiles).unwrap();
        let mut entry = SlotParent {
            row: row as u64,
            id: parent.id.as_bytes(),
            smiles: &parent.smiles,
            reason: b"",
            flags: ParentFlags::NONE,
            ..SlotParent::default()
        };
        let mut index = slot.push_parent(entry).unwrap_or_else(|| {
            pass_on(slot);
            slot.push_parent(entry).unwrap()
        });
        loop {
            let before = slot.rows();
            let progress = transformer.fill(slot, index).unwrap();
            products += (slot.rows() - before) as u64;
            match progress {
                Progress::Finished => break,
                Progress::Paused => {}
                Progress::SlotFull => {
                    pass_on(slot);
                    entry.flags = ParentFlags::CONTINUED;
                    index = slot.push_parent(entry).unwrap();
                }
            }
        }
    }
    transformer.end();
    products
}

/// `count` full slots as the ring carries them, with parents; not sieved yet. They hold the products of
/// the shipped library by all shipped rules and, as that fills one slot and a bit, the products of every
/// 16th of these products, and so on.
pub fn slots_of_products(count: usize) -> Vec<Slot> {
    let mut filled = Vec::new();
    let mut transformer = transformer(&shipped_rules(), Method::Fast);
    let mut generation = parents();
    let mut slot = Slot::new(layout());
    while filled.len() < count {
        let mut next = Vec::new();
        for parent in &generation {
            transform(
                &mut transformer,
                std::slice::from_ref(parent),
                &mut slot,
                &mut |full| {
                    next.extend(every_16th(full));
                    filled.push(std::mem::replace(full, Slot::new(layout())));
                },
            );
            if filled.len() == count {
                break;
            }
        }
        next.extend(every_16th(&slot));
        generation = next;
    }
    filled
}

fn every_16th(slot: &Slot) -> impl Iterator<Item = Parent> {
    (0..slot.rows()).step_by(16).map(|row| Parent {
        id: format!("product-{row}"),
        smiles: slot.smiles(row).to_vec(),
    })
}

/// `count` slots, each as full as its text allows, of canonical SMILES of which no two are equal: the
/// distinct ones of [`slots_of_products`]. Text only, no parents.
pub fn full_slots_of_distinct_smiles(count: usize) -> Vec<Slot> {
    // A full slot of the ring holds fewer rows than a packed one, and some of them are repeats.
    let slots = slots_of_products(2 * count);
    let mut packer = Packer::default();
    let mut seen = HashSet::new();
    let rows = slots
        .iter()
        .flat_map(|slot| (0..slot.rows()).map(|row| slot.smiles(row)));
    rows.filter(|smiles| seen.insert(*smiles))
        .for_each(|smiles| packer.push(smiles));
    assert!(packer.full.len() >= count, "too few distinct products");
    packer.full.truncate(count);
    packer.full
}

/// Packs SMILES densely into slots.
#[derive(Default)]
struct Packer {
    full: Vec<Slot>,
    open: Option<Slot>,
}

impl Packer {
    fn push(&mut self, smiles: &[u8]) {
        let slot = self.open.get_or_insert_with(|| Slot::new(layout()));
        let (row, begin) = (slot.rows(), slot.text_bytes());
        let end = begin + smiles.len();
        if row == slot.layout().rows_max || end > slot.layout().text_bytes_max {
            self.full.extend(self.open.take());
            return self.push(smiles);
        }
        let columns = slot.columns_mut();
        columns.text[begin..end].copy_from_slice(smiles);
        columns.text_end[row] = end as u32;
        slot.set_filled(row + 1, end);
    }
}

/// Rows and bytes of SMILES in `slots`.
pub fn rows_and_bytes(slots: &[Slot]) -> (u64, u64) {
    let rows = slots.iter().map(|slot| slot.rows() as u64).sum();
    let bytes = slots.iter().map(|slot| slot.text_bytes() as u64).sum();
    (rows, bytes)
}

/// Type and device of the file system that holds `path`: times of writing say little without it.
pub fn file_system(path: &Path) -> String {
    let path = path.canonicalize().unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (device, mount, kind) = (fields.next()?, fields.next()?, fields.next()?);
            path.starts_with(mount)
                .then(|| (mount.len(), format!("{kind} on {device}")))
        })
        .max_by_key(|(depth, _)| *depth)
        .map_or_else(|| "unknown".into(), |(_, name)| name)
}
