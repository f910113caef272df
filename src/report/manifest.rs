//! The manifest: what a job made, from what, and how. A job writes `manifest.json` last: where it is, the
//! output is complete.
//!
//! One JSON object. `schema_version` is raised when a field changes its meaning or goes; a reader refuses a
//! newer schema and ignores fields that it does not know. Manifests of schema 1 lack the fields marked with
//! a default. Times are in seconds, sizes in bytes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use super::reagents::{ManifestReagents, ManifestSample, ReagentUse, RejectedReagent};
use super::timeline::TimelinePoint;

use crate::{
    account::{CleanCounts, Counts, RejectCounts},
    chem::SmilesForm,
    config::{Dedup, Task},
    identity::KeyKind,
    limits::SEALED_BYTES_MAX,
    store::{StoreError, disk},
};

/// Name of the file, in the output directory.
pub const MANIFEST: &str = "manifest.json";
/// Version of the schema that this molsieve writes.
pub const SCHEMA_VERSION: u32 = 2;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the schema.
    pub schema_version: u32,
    /// What wrote the files.
    pub software: Software,
    /// What became of parents and products.
    pub counts: Counts,
    /// Rejected parents by code.
    #[serde(default)]
    pub rejected_by_code: RejectCounts,
    /// With `--clean`: what was done to the molecules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleaning: Option<CleanCounts>,
    /// The published parts.
    pub files: Vec<ManifestFile>,
    /// The rejected rows' file, if there are any.
    pub rejects: Option<ManifestFile>,
    /// With `--explain-drops`: the file of the sample, if anything was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drops: Option<ManifestFile>,
    /// With `--duplicates`: the file that says which rows were merged into which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<ManifestFile>,
    /// Parents at which a cap took effect: the first thousand; `counts` has their number.
    pub capped_parents: Vec<CappedParent>,
    /// Parents named at most in `capped_parents`.
    pub capped_parents_named_max: u64,
    /// The filter as planned and at the end.
    pub filter: ManifestFilter,
    /// The inputs, in the order given.
    pub inputs: Vec<ManifestInput>,
    /// The sets of reagents that rules combine parents with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reagents: Vec<ManifestReagents>,
    /// With `--sample`: what each step has drawn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<ManifestSample>,
    /// Number of rules.
    pub rules: u64,
    /// What each rule made, in the order of the rules.
    #[serde(default)]
    pub by_rule: Vec<RuleCounts>,
    /// What each filter left out, in the order in which filters are decided; those of products come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_filter: Vec<FilterCounts>,
    /// What each step made, in a job of several: all other counts are sums over the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepCounts>,
    /// How products that the filter had seen were treated.
    #[serde(default = "of_schema_1")]
    pub dedup: Dedup,
    /// What the job did.
    #[serde(default)]
    pub task: Task,
    /// The kind of key.
    #[serde(default = "canonical")]
    pub key: KeyKind,
    /// How the SMILES of rows are written; `None`: as they were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smiles: Option<SmilesForm>,
    /// Definition of the structure key: keys of two definitions can't be compared.
    pub key_definition: Option<u8>,
    /// Rows for whose structure key RDKit was needed, by reason.
    #[serde(default)]
    pub keys_by_rdkit: BTreeMap<String, u64>,
    /// The engine that made the keys; of structure keys, those for which RDKit was not needed.
    #[serde(default)]
    pub keys_made_by: String,
    /// Rows whose structure key a device left to the CPU because they are too large for it.
    #[serde(default)]
    pub keys_too_large_for_device: u64,
    /// Rows that `--canonical` left as written because RDKit can't read them.
    #[serde(default)]
    pub left_as_written: u64,
    /// Rows of SDF parts whose mol block is empty because RDKit makes none.
    #[serde(default)]
    pub without_mol_block: u64,
    /// What RDKit found for the sampled molecules, with `--check`.
    pub check: Option<CheckAccount>,
    /// Distinct products that `--max-products-per-step` left out; they are among the capped ones.
    #[serde(default)]
    pub products_left_out: u64,
    /// Products of earlier runs that were excluded.
    #[serde(default)]
    pub products_excluded: u64,
    /// Times the run was interrupted and resumed.
    #[serde(default)]
    pub interruptions: u64,
    /// The engine that ran.
    pub engine: String,
    /// Why the engine is not the one that was chosen, if that one failed.
    pub engine_lost: Option<String>,
    /// Chemistry workers.
    pub threads: u64,
    /// Bound on resident memory.
    pub memory_budget_bytes: u64,
    /// Largest resident memory of the process (VmHWM).
    pub peak_memory_bytes: u64,
    /// Wall-clock time.
    pub elapsed_seconds: f64,
    /// Work per stage, summed over threads.
    pub stage_seconds: Stages,
    /// Work of the chemistry by step.
    #[serde(default)]
    pub chemistry_seconds: ChemistryStages,
    /// How products were made.
    #[serde(default)]
    pub chemistry_products: ChemistryProducts,
    /// Searches for patterns.
    #[serde(default)]
    pub chemistry_searches: ChemistrySearches,
    /// Time that workers waited for a slot, summed over workers.
    pub slot_wait_seconds: f64,
    /// Times a worker waited for a slot.
    pub slot_waits: u64,
    /// How the job went over time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelinePoint>,
}

/// Schema 1 knew no exact deduplication.
fn of_schema_1() -> Dedup {
    Dedup::Bloom
}

/// Schema 1 knew no other key.
fn canonical() -> KeyKind {
    KeyKind::Canonical
}

/// Versions of what wrote the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// molsieve.
    pub molsieve: String,
    /// RDKit.
    pub rdkit: String,
}

/// Seconds of work per stage, summed over threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stages {
    /// Reading and decoding.
    pub source: f64,
    /// RDKit.
    pub chemistry: f64,
    /// Keys and filter.
    pub sieve: f64,
    /// Encoding and writing.
    pub sink: f64,
    /// Exact deduplication, with the writing of the rows that survive it.
    #[serde(default)]
    pub settle: f64,
}

/// Seconds of chemistry, summed over threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChemistryStages {
    /// Parsing and sanitizing parents.
    pub parse: f64,
    /// Finding the sites of rules.
    pub find_sites: f64,
    /// Running reactions.
    pub react: f64,
    /// Finishing products, so that their SMILES can be written.
    pub finish: f64,
    /// Writing SMILES.
    pub write: f64,
    /// Computing properties.
    #[serde(default)]
    pub describe: f64,
    /// Making structure keys, with `--smiles direct`.
    #[serde(default)]
    pub keys: f64,
}

/// How products were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChemistryProducts {
    /// On flat graphs. RDKit made the others.
    pub on_graphs: u64,
    /// On graphs and, for comparison, by RDKit too.
    pub checked: u64,
    /// Products whose properties RDKit computed; those of the others were computed on graphs.
    #[serde(default)]
    pub described_by_rdkit: u64,
}

/// How patterns of rules were searched for in parents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChemistrySearches {
    /// On flat graphs.
    pub on_graphs: u64,
    /// By RDKit.
    pub by_rdkit: u64,
}

/// A published file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Path relative to the output directory. Schema 1 had the parts in the directory itself.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Size.
    pub bytes: u64,
    /// SHA-256, in hex.
    pub sha256: String,
}

/// The filter as planned and at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestFilter {
    /// Size in bits.
    pub bits: u64,
    /// Hashes per key.
    pub hashes: u32,
    /// Distinct products it was sized for.
    pub products_planned: u64,
    /// Rate of false positives it was sized for.
    pub false_positive_rate_planned: f64,
    /// The rate at the end, computed from the number of keys.
    pub false_positive_rate_final: f64,
    /// False positives per distinct product, as the exact deduplication found them; unknown with `--dedup
    /// bloom`.
    pub false_positive_rate_observed: Option<f64>,
    /// Distinct products that were false positives and that the exact deduplication restored.
    #[serde(default)]
    pub products_settled: u64,
    /// Distinct products expected to be lost as false positives.
    pub expected_products_lost: f64,
}

/// An input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestInput {
    /// The file.
    pub path: String,
    /// Its format.
    pub format: String,
    /// Its size.
    pub bytes: u64,
    /// Name of the column (of an SDF, the tag) with the SMILES; a number in a table without header.
    pub smiles_column: Option<String>,
    /// Name of the column with the id, likewise.
    pub id_column: Option<String>,
    /// Remarks on how the columns were found.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A parent at which a cap took effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CappedParent {
    /// In a job of several steps: the step that it was a parent in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u8>,
    /// 0-based row over all inputs, or of the step before.
    pub row: u64,
    /// Its id, or that of the molecule of the library that it was made from.
    pub id: String,
    /// The caps.
    pub caps: Vec<String>,
}

/// What a rule made. `made` includes repeats, which no other count has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleCounts {
    /// The rule.
    pub name: String,
    /// Parents that have a site.
    #[serde(default)]
    pub parents: u64,
    /// Their sites.
    #[serde(default)]
    pub sites: u64,
    /// Product molecules made, those included that a cap kept from being made or written.
    pub made: u64,
    /// Rows written.
    pub unique: u64,
    /// Products equal to their parent.
    pub unchanged: u64,
    /// Products that RDKit can't sanitize.
    pub invalid: u64,
    /// Products that a cap kept from being made or written; of sites beyond the cap, at least as many.
    pub capped: u64,
    /// Products that a filter leaves out.
    #[serde(default)]
    pub filtered: u64,
    /// Time spent on finding sites and making products, summed over threads.
    #[serde(default)]
    pub seconds: f64,
}

/// What a filter left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterCounts {
    /// The filter: `where`, `require`, `reject` or `alerts` and what was given, with `parent` before it if it acts on
    /// parents.
    pub filter: String,
    /// Products, or parents, that fail it and none before it.
    pub left_out: u64,
}

impl std::ops::AddAssign<&RuleCounts> for RuleCounts {
    fn add_assign(&mut self, other: &Self) {
        self.parents += other.parents;
        self.sites += other.sites;
        self.seconds += other.seconds;
        self.made += other.made;
        self.unique += other.unique;
        self.unchanged += other.unchanged;
        self.invalid += other.invalid;
        self.capped += other.capped;
        self.filtered += other.filtered;
    }
}

/// What a step made of its parents: the molecules of the library in the first step, the products of the step before in
/// any other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepCounts {
    /// Its number, from 1.
    pub step: u64,
    /// What became of parents and products.
    pub counts: Counts,
    /// Rejected parents by code.
    pub rejected_by_code: RejectCounts,
    /// Distinct products that `--max-products-per-step` left out.
    #[serde(default)]
    pub products_left_out: u64,
    /// Number of its first part, of those in `files`. Its last is the one before the first of the next step.
    pub first_part: u64,
    /// What each rule made, in the order of the rules.
    pub by_rule: Vec<RuleCounts>,
    /// What each filter left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_filter: Vec<FilterCounts>,
}

/// What `--check` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckAccount {
    /// Distinct molecules whose rows RDKit checked.
    pub molecules: u64,
    /// Their rows, of those read since the run began or was last resumed.
    pub decisions: u64,
    /// Rows on which RDKit disagrees.
    pub disagreements: u64,
    /// The first of them.
    pub listed: Vec<Disagreement>,
}

/// A row on which RDKit disagrees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// What is wrong.
    pub fault: String,
    /// 0-based row over all inputs.
    pub row: u64,
    /// Its SMILES as written.
    pub smiles: String,
    /// RDKit's canonical SMILES; none if RDKit can't read the row.
    pub canonical: Option<String>,
    /// The row with the same key, where that is the fault.
    pub other_row: Option<u64>,
}

/// Why a manifest can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The file can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A newer molsieve wrote it.
    #[error("{}: a newer molsieve wrote this manifest (schema {schema}; this one reads up to {SCHEMA_VERSION}); use that version", path.display())]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// Its schema.
        schema: u32,
    },
    /// It is not JSON, or lacks a field of its schema.
    #[error("{}: cannot read this manifest: {reason}", path.display())]
    Unreadable {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Manifest {
    /// Reads the manifest of the run in an output directory; none where no run is complete.
    pub fn read(output: &Path) -> Result<Option<Self>, ManifestError> {
        let path = output.join(MANIFEST);
        let content = disk::read(&path, SEALED_BYTES_MAX)?;
        content
            .map(|content| Self::parse(&path, &content))
            .transpose()
    }

    /// Reads the content of the file at `path`.
    fn parse(path: &Path, content: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Versioned {
            schema_version: u32,
        }
        let unreadable = |error: serde_json::Error| ManifestError::Unreadable {
            path: path.into(),
            reason: error.to_string(),
        };
        let Versioned { schema_version } = serde_json::from_slice(content).map_err(unreadable)?;
        if schema_version > SCHEMA_VERSION {
            return Err(ManifestError::Newer {
                path: path.into(),
                schema: schema_version,
            });
        }
        serde_json::from_slice(content).map_err(unreadable)
    }

    /// The content of `manifest.json`.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("the manifest has string keys and finite numbers only");
        text.push('\n');
        text
    }

    /// Rows that are not in the output as they should be: rejected, left as written, or disputed by RDKit.
    pub fn rows_at_fault(&self) -> u64 {
        let disagreements = self.check.as_ref().map_or(0, |check| check.disagreements);
        let reagents = self.reagents.iter().map(|set| set.rejected).sum::<u64>();
        self.counts.parents_rejected
            + reagents
            + disagreements
            + self.left_as_written
            + self.without_mol_block
    }
}
