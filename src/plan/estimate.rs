//! What a job is expected to make, from a sample of its parents.

use super::{PlanError, ReagentNeeds};
use crate::{
    account::Counts,
    chem::TransformSettings,
    config::{JobSpec, Task},
    identity::StructureKeys,
    limits::{SAMPLE_PARENTS, SAMPLE_PRODUCTS_PER_PARENT_MAX, STEPS_MAX},
    reject::Rejection,
    table::{
        sink::{OutputFormat, TextCompression, TextKind},
        source::Library,
    },
    trial::{Candidate, Purpose, TrialError, Tried},
};

/// Transforms parents and discards their products; in separate processes where a parent may kill its process.
pub type TryParents<'a> =
    dyn Fn(Purpose, &[Candidate]) -> Result<Vec<Result<Tried, Rejection>>, TrialError> + 'a;

/// What a job is expected to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Rows of the inputs.
    pub parents: u64,
    /// Whether that is known rather than estimated.
    pub parents_exact: bool,
    /// Parents whose products were counted.
    pub sampled: u64,
    /// Of those, parents that can't be used.
    pub sampled_rejects: u64,
    /// Distinct products per parent, of the library.
    pub products_per_parent: f64,
    /// Of a product, by step from the second on. Nothing for the steps that a job does not have.
    pub products_per_product: [f64; STEPS_MAX as usize - 1],
    /// Mean length of a product's SMILES, bytes.
    pub smiles_bytes: f64,
    /// Products of earlier runs, which are left out.
    pub excluded: u64,
    /// Most distinct products of a step that are kept.
    pub products_per_step_max: Option<u64>,
    /// With `--duplicates`: bytes that are kept of each row until the end.
    pub seen_row_bytes: u64,
    /// With `--new-only`: molecules of the library, which are left out too.
    pub library_keys: u64,
    /// What the parts are.
    pub format: OutputFormat,
}

impl Estimate {
    /// Products expected of all steps, repeats between parents counted where they can't be foreseen.
    pub fn products(&self) -> u64 {
        self.products_by_step().iter().sum::<f64>().ceil() as u64
    }

    /// The same by step.
    ///
    /// A product of step `s` is made of `s` products of the step before, on average: its changes can be made in any
    /// order, and each can be the last. It is counted once.
    pub fn products_by_step(&self) -> Vec<f64> {
        let kept = |products: f64| match self.products_per_step_max {
            Some(most) => products.min(most as f64),
            None => products,
        };
        let first = kept(self.parents as f64 * self.products_per_parent);
        let later = self.products_per_product.iter().zip(2u8..);
        let mut products = vec![first];
        for (growth, step) in later.take_while(|(growth, _)| **growth > 0.0) {
            let before = products.last().copied().unwrap_or_default();
            products.push(kept(before * growth / f64::from(step)));
        }
        products
    }

    /// Keys that the filter is to hold.
    pub fn keys(&self) -> u64 {
        self.products() + self.excluded + self.library_keys
    }

    /// Distinct products of a parent of step `step`, of which the first is 1.
    pub fn growth(&self, step: usize) -> f64 {
        match step {
            0 => 1.0,
            1 => self.products_per_parent,
            step => self.products_per_product[step - 2],
        }
    }

    /// Largest number of bytes of temporary files in the output directory: the keys of products, and
    /// twice that for partitions while they are settled; with `--duplicates` also the rows that were seen.
    pub fn disk_bytes_while_running(&self) -> u64 {
        // With their keys and ids, rows are sorted twice.
        3 * 16 * self.keys() + 2 * self.seen_row_bytes * self.parents
    }

    /// Bytes of all parts.
    pub fn disk_bytes(&self) -> u64 {
        let smiles = self.smiles_bytes;
        let row = match self.format {
            // The key as it is, SMILES compressed about 8 : 1 (the products of a parent are adjacent and differ little) and
            // a few bytes for the columns that repeat; seen on natural products.
            OutputFormat::Parquet => 16.0 + 4.0 + smiles / 8.0,
            OutputFormat::Text(kind, compression) => {
                let text = match kind {
                    TextKind::Smi => smiles + 48.0,
                    TextKind::Csv => 2.0 * smiles + 96.0,
                    TextKind::Sdf => 52.0 * smiles + 256.0,
                };
                match compression {
                    TextCompression::None => text,
                    TextCompression::Gzip | TextCompression::Zstd => text / 4.0,
                }
            }
        };
        (self.products() as f64 * row) as u64
    }
}

/// What the rules make of a sample of the library.
pub(super) fn estimate(
    spec: &JobSpec,
    library: &Library,
    reagents: &ReagentNeeds,
    try_parents: &TryParents<'_>,
) -> Result<Estimate, PlanError> {
    let rows = library.rows_estimate()?;
    let share = |step: usize, parents: f64| {
        let combinations = reagents.combinations.get(step - 1).copied().unwrap_or(0.0);
        let drawn = spec.sample().map_or(f64::INFINITY, |drawn| drawn as f64);
        (drawn / (parents * combinations).max(1.0)).min(1.0)
    };
    let steps = spec.steps();
    let sample = library.sample(SAMPLE_PARENTS)?;
    let settings = TransformSettings {
        products_per_parent_max: spec
            .transform_settings()
            .products_per_parent_max
            .min(SAMPLE_PRODUCTS_PER_PARENT_MAX),
        ..spec.transform_settings()
    };
    let candidates: Vec<Candidate> = sample.iter().filter_map(Candidate::of).collect();
    let (mut usable, candidates) = match spec.task() {
        Task::Derive => (Vec::new(), candidates),
        Task::Dedup => kept_as_written(candidates),
    };
    let mut purpose = Purpose {
        step: 1,
        settings,
        products_kept: if steps > 1 { SAMPLE_PRODUCTS_KEPT } else { 0 },
        share: share(1, rows.rows as f64),
    };
    if !candidates.is_empty() {
        let tried = try_parents(purpose, &candidates)?;
        usable.extend(tried.into_iter().flatten().filter(|tried| tried.usable));
    }
    let sampled = sample.len() as u64;
    let (products, mut smiles_bytes) = yields(&usable);
    let mut products_per_product = [0.0; STEPS_MAX as usize - 1];
    let mut parents = drawn(&usable);
    let mut made = rows.rows as f64 * products / sampled.max(1) as f64;
    for growth in &mut products_per_product[..steps - 1] {
        purpose.step += 1;
        // Only molecules of the library are cleaned.
        purpose.settings.clean = Default::default();
        purpose.share = share(purpose.step, made);
        if parents.is_empty() {
            break;
        }
        let tried = try_parents(purpose, &parents)?;
        let usable: Vec<Tried> = tried.into_iter().flatten().collect();
        let (products, bytes) = yields(&usable);
        *growth = products / parents.len() as f64;
        made *= *growth / purpose.step as f64;
        // Most products are those of the last step.
        smiles_bytes = if products > 0.0 { bytes } else { smiles_bytes };
        parents = drawn(&usable);
    }
    Ok(Estimate {
        parents: rows.rows,
        parents_exact: rows.exact,
        sampled,
        sampled_rejects: sampled - usable.len() as u64,
        products_per_parent: products / sampled.max(1) as f64,
        products_per_product,
        smiles_bytes,
        excluded: 0,
        products_per_step_max: spec.products_per_step_max(),
        seen_row_bytes: match spec.duplicates() {
            true => SEEN_ROW_BYTES + smiles_bytes as u64,
            false => 0,
        },
        library_keys: if spec.new_only() { rows.rows } else { 0 },
        format: spec.format,
    })
}

/// Distinct products of a sample, and the mean length of their SMILES in bytes.
fn yields(usable: &[Tried]) -> (f64, f64) {
    let sum = |of: fn(&Tried) -> u64| usable.iter().map(of).sum::<u64>();
    let (products, text_bytes) = (sum(|tried| tried.products), sum(|tried| tried.text_bytes));
    let mut counts = Counts::default();
    usable.iter().for_each(|tried| counts += tried.counts);
    let smiles_bytes = text_bytes as f64 / products.max(1) as f64;
    (with_capped(products, &counts), smiles_bytes)
}

/// Products of a sample that are the sample of the next step: of each parent a share that follows its number of
/// products.
fn drawn(usable: &[Tried]) -> Vec<Candidate> {
    let products: u64 = usable.iter().map(|tried| tried.products).sum();
    let share = SAMPLE_PARENTS as f64 / products.max(1) as f64;
    let (mut due, mut drawn) = (0.0, Vec::new());
    for tried in usable {
        due += share * tried.products as f64;
        let wanted = (due as usize).saturating_sub(drawn.len());
        let taken = tried.kept.iter().take(wanted).cloned();
        drawn.extend(taken.map(Candidate::of_product));
    }
    drawn
}

/// What is kept of a row that was seen, beside its SMILES: its key, its number, its id.
const SEEN_ROW_BYTES: u64 = 48;

/// Products that a sampled parent keeps at most for the sample of the next step.
const SAMPLE_PRODUCTS_KEPT: usize = 16;

/// Of a deduplication: what those rows give whose key does not take RDKit, and the other rows.
fn kept_as_written(candidates: Vec<Candidate>) -> (Vec<Tried>, Vec<Candidate>) {
    let mut keys = StructureKeys::new();
    let mut kept = Vec::new();
    let mut others = candidates;
    others.retain(|candidate| {
        let smiles = candidate.smiles().map(str::as_bytes);
        let smiles = smiles.filter(|smiles| keys.key(smiles).is_ok());
        let row = smiles.map(|smiles| Tried::of_row(smiles.len() as u64));
        let is_other = row.is_none();
        kept.extend(row);
        is_other
    });
    (kept, others)
}

/// The distinct products a sample would have given without the cap on its parents: of those not made,
/// as large a share is taken to be distinct as of those made.
fn with_capped(products: u64, counts: &Counts) -> f64 {
    let left_out = counts.products_symmetric
        + counts.products_unchanged
        + counts.products_invalid
        + counts.products_filtered;
    let made = products + left_out;
    products as f64 * (1.0 + counts.products_capped as f64 / made.max(1) as f64)
}
