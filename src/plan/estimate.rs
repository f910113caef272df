//! What a job is expected to make, from a sample of its parents.

use super::PlanError;
use crate::{
    account::Counts,
    chem::TransformSettings,
    config::{JobSpec, Task},
    identity::StructureKeys,
    limits::{SAMPLE_PARENTS, SAMPLE_PRODUCTS_PER_PARENT_MAX},
    reject::Rejection,
    table::source::Library,
    trial::{Candidate, TrialError, Tried},
};

/// Transforms parents and discards their products; in separate processes where a parent may kill its process.
pub type TryParents<'a> = dyn Fn(TransformSettings, &[Candidate]) -> Result<Vec<Result<Tried, Rejection>>, TrialError>
    + 'a;

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
    /// Distinct products per parent.
    pub products_per_parent: f64,
    /// Mean length of a product's SMILES, bytes.
    pub smiles_bytes: f64,
    /// Products of earlier runs, which are left out.
    pub excluded: u64,
}

impl Estimate {
    /// Products expected, repeats between parents counted.
    pub fn products(&self) -> u64 {
        (self.parents as f64 * self.products_per_parent).ceil() as u64
    }

    /// Largest number of bytes of temporary files in the output directory: the keys of products, and
    /// twice that for partitions while they are settled.
    pub fn disk_bytes_while_running(&self) -> u64 {
        3 * 16 * (self.products() + self.excluded)
    }

    /// Bytes of all parts. Per row: the key as it is, SMILES compressed about 8 : 1 (the products of
    /// a parent are adjacent and differ little) and a few bytes for the columns that repeat; seen
    /// on natural products.
    pub fn disk_bytes(&self) -> u64 {
        (self.products() as f64 * (16.0 + 4.0 + self.smiles_bytes / 8.0)) as u64
    }
}

/// What the rules make of a sample of the library.
pub(super) fn estimate(
    spec: &JobSpec,
    library: &Library,
    try_parents: &TryParents<'_>,
) -> Result<Estimate, PlanError> {
    let rows = library.rows_estimate()?;
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
    if !candidates.is_empty() {
        let tried = try_parents(settings, &candidates)?;
        usable.extend(tried.into_iter().flatten().filter(|tried| tried.usable));
    }
    let sum = |of: fn(&Tried) -> u64| usable.iter().map(of).sum::<u64>();
    let (products, text_bytes) = (sum(|tried| tried.products), sum(|tried| tried.text_bytes));
    let mut counts = Counts::default();
    usable.iter().for_each(|tried| counts += tried.counts);
    let sampled = sample.len() as u64;
    Ok(Estimate {
        parents: rows.rows,
        parents_exact: rows.exact,
        sampled,
        sampled_rejects: sampled - usable.len() as u64,
        products_per_parent: with_capped(products, &counts) / sampled.max(1) as f64,
        smiles_bytes: text_bytes as f64 / products.max(1) as f64,
        excluded: 0,
    })
}

/// Of a deduplication: what those rows give whose key does not take RDKit, and the other rows.
fn kept_as_written(candidates: Vec<Candidate>) -> (Vec<Tried>, Vec<Candidate>) {
    let mut keys = StructureKeys::new();
    let mut kept = Vec::new();
    let mut others = candidates;
    others.retain(|candidate| {
        let smiles = candidate.smiles().map(str::as_bytes);
        let smiles = smiles.filter(|smiles| keys.key(smiles).is_ok());
        let row = smiles.map(|smiles| Tried::of_row(smiles.len() as u64));
        kept.extend(row);
        row.is_none()
    });
    (kept, others)
}

/// The distinct products a sample would have given without the cap on its parents: of those not made,
/// as large a share is taken to be distinct as of those made.
fn with_capped(products: u64, counts: &Counts) -> f64 {
    let left_out = counts.products_symmetric + counts.products_unchanged + counts.products_invalid;
    let made = products + left_out;
    products as f64 * (1.0 + counts.products_capped as f64 / made.max(1) as f64)
}
