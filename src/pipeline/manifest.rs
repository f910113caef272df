//! The manifest: what a job made, of what, and how. Written last; where it stands, the output is
//! complete.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use super::{
    Job, Shared,
    by_rule::{self, RuleCounts},
    check::{CheckAccount, Checks},
    sinking::Sunk,
};
use crate::{
    account::{Counts, RejectCounts},
    chem::ChemistryTimes,
    config::{Dedup, KeyKind, Task, written_path},
    identity::Reason,
    limits::{CAPPED_PARENTS_NAMED_MAX, KEY_REASONS_MAX},
    sieve::Chosen,
    slot::{ParentFlags, SlotParent},
    table::sink::Part,
};

/// Version of the manifest's schema; raised when a field changes its meaning or goes.
const SCHEMA_VERSION: u32 = 2;

/// The name under which a job without rules files its rows.
const CLEANING_RULE: &str = "canonical";

impl Job {
    /// The names the `rule` column can have.
    pub fn rule_names(&self) -> Vec<String> {
        if self.rules.is_empty() {
            return vec![CLEANING_RULE.into()];
        }
        self.rules
            .rules()
            .iter()
            .map(|rule| rule.name.clone())
            .collect()
    }
}

/// See the module's documentation. Times are in seconds, sizes in bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    schema_version: u32,
    software: Software,
    /// What became of parents and products.
    pub counts: Counts,
    /// Rejected parents by code.
    pub rejected_by_code: RejectCounts,
    /// The published parts.
    pub files: Vec<ManifestFile>,
    /// The rejected rows' file, if there are any.
    pub rejects: Option<ManifestFile>,
    /// Parents at which a cap took effect: the first thousand; `counts` has their number.
    pub capped_parents: Vec<CappedParent>,
    capped_parents_named_max: usize,
    /// The filter as made and as it turned out.
    pub filter: ManifestFilter,
    inputs: Vec<ManifestInput>,
    rules: usize,
    /// What each rule made, in the order of the rules.
    pub by_rule: Vec<RuleCounts>,
    /// How products seen before were recognised.
    pub dedup: Dedup,
    /// What the job did.
    pub task: Task,
    /// What told molecules apart.
    pub key: KeyKind,
    /// Of the structure key: keys of two definitions are not to be compared.
    pub key_definition: Option<u8>,
    /// Rows whose structure key took RDKit, by the reason.
    pub keys_by_rdkit: BTreeMap<String, u64>,
    /// The engine that made the keys; of structure keys, those that did not take RDKit.
    pub keys_made_by: &'static str,
    /// Rows whose structure key a device left to the CPU because they are too large for it.
    pub keys_too_large_for_device: u64,
    /// Rows that `--canonical` left as written because RDKit can't read them.
    pub left_as_written: u64,
    /// What RDKit made of the molecules drawn, with `--check`.
    pub check: Option<CheckAccount>,
    /// Products of earlier runs that were left out.
    pub products_excluded: u64,
    /// Times the run was interrupted and gone on with.
    pub interruptions: u64,
    /// The engine it ran on.
    pub engine: &'static str,
    /// Why the engine is not the one that was chosen, if that failed on the way.
    pub engine_lost: Option<String>,
    threads: usize,
    /// Bound on resident memory.
    pub memory_budget_bytes: u64,
    /// Largest resident memory of the process (VmHWM).
    pub peak_memory_bytes: u64,
    /// Wall-clock time.
    pub elapsed_seconds: f64,
    /// Work per stage, added over threads.
    pub stage_seconds: Stages,
    /// How the chemistry's work divides.
    pub chemistry_seconds: ChemistryStages,
    /// How products were made.
    pub chemistry_products: ChemistryProducts,
    /// Time workers waited for a slot, added over workers.
    pub slot_wait_seconds: f64,
    /// How often a worker waited for a slot.
    pub slot_waits: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Software {
    molsieve: &'static str,
    rdkit: String,
}

/// Seconds of work per stage, added over threads.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Stages {
    /// Reading and decoding.
    pub source: f64,
    /// RDKit.
    pub chemistry: f64,
    /// Keys and filter.
    pub sieve: f64,
    /// Encoding and writing.
    pub sink: f64,
    /// Settling, with the writing of what it brings back.
    pub settle: f64,
}

/// Seconds of chemistry, added over threads.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ChemistryStages {
    /// Parsing and sanitizing parents.
    pub parse: f64,
    /// Finding the sites of rules.
    pub find_sites: f64,
    /// Running reactions.
    pub react: f64,
    /// Finishing products, so that their SMILES can be written.
    pub finish: f64,
    /// Writing canonical SMILES.
    pub write: f64,
}

/// Which way products were made.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ChemistryProducts {
    /// On flat graphs. RDKit made the others.
    pub on_graphs: u64,
    /// On graphs and, for comparison, by RDKit too.
    pub checked: u64,
}

impl From<ChemistryTimes> for ChemistryStages {
    fn from(times: ChemistryTimes) -> Self {
        Self {
            parse: times.parse.as_secs_f64(),
            find_sites: times.find_sites.as_secs_f64(),
            react: times.react.as_secs_f64(),
            finish: times.finish.as_secs_f64(),
            write: times.write.as_secs_f64(),
        }
    }
}

/// A published file.
#[derive(Clone, Debug, Serialize)]
pub struct ManifestFile {
    /// Path relative to the output directory.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Size.
    pub bytes: u64,
    /// SHA-256, in hex.
    pub sha256: String,
}

impl From<Part> for ManifestFile {
    fn from(Part { file, rows }: Part) -> Self {
        Self {
            name: file.name,
            rows,
            bytes: file.bytes,
            sha256: file.sha256,
        }
    }
}

/// The filter as made and as it turned out.
#[derive(Clone, Debug, Serialize)]
pub struct ManifestFilter {
    bits: u64,
    hashes: u32,
    /// Distinct products it was made for.
    pub products_planned: u64,
    /// Rate of false positives it was made for.
    pub false_positive_rate_planned: f64,
    /// The rate it had at the end, from its fill.
    pub false_positive_rate_final: f64,
    /// Of the distinct products, the share that it took for seen and that settling brought back; unknown
    /// with `--dedup bloom`.
    pub false_positive_rate_observed: Option<f64>,
    /// Distinct products that settling brought back.
    pub products_settled: u64,
    /// Distinct products expected to have been taken for seen and dropped.
    pub expected_products_lost: f64,
}

#[derive(Clone, Debug, Serialize)]
struct ManifestInput {
    path: String,
    format: String,
    bytes: u64,
    /// Name of the column (of an SDF, the tag) that gave the SMILES; a table without header has numbers.
    smiles_column: Option<String>,
    /// The same of the id.
    id_column: Option<String>,
    /// What there is to say of how the columns were found.
    notes: Vec<String>,
}

/// A parent at which a cap took effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CappedParent {
    /// 0-based row over all inputs.
    pub row: u64,
    /// Its id.
    pub id: String,
    /// What was capped.
    pub caps: Vec<String>,
}

impl CappedParent {
    pub(super) fn of(parent: SlotParent<'_>) -> Self {
        let caps = [
            (ParentFlags::CAPPED_PRODUCTS, "products per parent"),
            (ParentFlags::CAPPED_SITES, "sites per rule"),
            (ParentFlags::CAPPED_LENGTH, "length of a product"),
        ];
        Self {
            row: parent.row,
            id: String::from_utf8_lossy(parent.id).into_owned(),
            caps: caps
                .iter()
                .filter(|cap| parent.flags.has(cap.0))
                .map(|cap| cap.1.to_owned())
                .collect(),
        }
    }
}

fn by_reason(counts: [u64; KEY_REASONS_MAX]) -> BTreeMap<String, u64> {
    let counted = Reason::ALL
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0);
    counted
        .map(|(reason, count)| (reason.to_string(), count))
        .collect()
}

/// Structure keys are made by the workers or the devices they ask, others by the sieve.
fn keys_made_by(shared: &Shared<'_>) -> &'static str {
    match (&shared.key_devices, shared.job.spec.key) {
        (Some(devices), _) => devices.name(),
        (None, KeyKind::Structure) => Chosen::CPU.name(),
        (None, KeyKind::Canonical) => shared.engine,
    }
}

impl Manifest {
    pub(super) fn new(shared: &Shared<'_>, chemistry: ChemistryTimes, sunk: Sunk) -> Self {
        let (job, end) = (shared.job, shared.snapshot());
        let plan = &job.plan;
        let inputs = job.library.files().iter().map(|file| ManifestInput {
            path: written_path(&file.path).display().to_string(),
            format: file.format.to_string(),
            bytes: file.bytes,
            smiles_column: file.smiles_column.clone(),
            id_column: file.id_column.clone(),
            notes: file.notes.clone(),
        });
        Self {
            schema_version: SCHEMA_VERSION,
            software: Software {
                molsieve: env!("CARGO_PKG_VERSION"),
                rdkit: job.rdkit.version(),
            },
            counts: sunk.account.counts,
            rejected_by_code: sunk.account.rejected_by_code,
            files: sunk.parts.into_iter().map(ManifestFile::from).collect(),
            rejects: sunk.rejects.map(ManifestFile::from),
            capped_parents: sunk.capped,
            capped_parents_named_max: CAPPED_PARENTS_NAMED_MAX,
            filter: ManifestFilter {
                bits: plan.filter.bits as u64,
                hashes: plan.filter.hashes,
                products_planned: plan.filter_products,
                false_positive_rate_planned: job.spec.false_positive_rate,
                false_positive_rate_final: plan.filter.false_positive_rate(
                    sunk.account.counts.products_unique - sunk.account.settled,
                ),
                false_positive_rate_observed: (job.spec.dedup == Dedup::Exact).then(|| {
                    sunk.account.settled as f64 / sunk.account.counts.products_unique.max(1) as f64
                }),
                products_settled: sunk.account.settled,
                expected_products_lost: sunk.lost,
            },
            inputs: inputs.collect(),
            rules: job.rules.len(),
            by_rule: by_rule::named(&sunk.account.by_rule, &job.rules),
            dedup: job.spec.dedup,
            task: job.spec.task,
            key: job.spec.key,
            key_definition: job.spec.key.definition(),
            keys_by_rdkit: by_reason(sunk.account.keys.by_rdkit),
            keys_made_by: keys_made_by(shared),
            keys_too_large_for_device: sunk.account.keys.too_large_for_device,
            left_as_written: shared.left_as_written.load(Relaxed),
            check: shared.checks.as_ref().map(Checks::account),
            products_excluded: plan.estimate.excluded,
            interruptions: sunk.interruptions,
            engine: shared.engine,
            engine_lost: shared.engine_lost.clone(),
            threads: plan.threads,
            memory_budget_bytes: job.spec.memory.0,
            peak_memory_bytes: sunk.peak_memory_bytes,
            elapsed_seconds: end.elapsed.as_secs_f64(),
            stage_seconds: end.stages,
            chemistry_seconds: chemistry.into(),
            chemistry_products: ChemistryProducts {
                on_graphs: chemistry.on_graphs,
                checked: chemistry.checked,
            },
            slot_wait_seconds: end.ring.waited.as_secs_f64(),
            slot_waits: end.ring.waits,
        }
    }

    /// As it stands in `manifest.json`.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("the manifest has string keys and finite numbers only");
        text.push('\n');
        text
    }
}
