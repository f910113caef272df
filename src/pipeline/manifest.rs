//! Fills in the manifest of a job that is done.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed};

use super::{Job, Shared, by_rule, check::Checks, sinking::Sunk};
use crate::{
    chem::ChemistryTimes,
    config::{Dedup, KeyKind, written_path},
    identity::Reason,
    limits::{CAPPED_PARENTS_NAMED_MAX, KEY_REASONS_MAX},
    report::manifest::{
        CappedParent, ChemistryProducts, ChemistryStages, Manifest, ManifestFile, ManifestFilter,
        ManifestInput, SCHEMA_VERSION, Software,
    },
    sieve::Chosen,
    slot::{ParentFlags, SlotParent},
    table::sink::Part,
};

/// The rule that the rows of a job without rules are given.
const CLEANING_RULE: &str = "canonical";

impl Job {
    /// The values of the `rule` column.
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

/// The engine that made the keys: the sieve makes keys of canonical SMILES, and the workers or the devices that
/// they use make structure keys.
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
                molsieve: env!("CARGO_PKG_VERSION").into(),
                rdkit: job.rdkit.version(),
            },
            counts: sunk.account.counts,
            rejected_by_code: sunk.account.rejected_by_code,
            files: sunk.parts.into_iter().map(ManifestFile::from).collect(),
            rejects: sunk.rejects.map(ManifestFile::from),
            capped_parents: sunk.capped,
            capped_parents_named_max: CAPPED_PARENTS_NAMED_MAX as u64,
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
            rules: job.rules.len() as u64,
            by_rule: by_rule::named(&sunk.account.by_rule, &job.rules),
            dedup: job.spec.dedup,
            task: job.spec.task,
            key: job.spec.key,
            key_definition: job.spec.key.definition(),
            keys_by_rdkit: by_reason(sunk.account.keys.by_rdkit),
            keys_made_by: keys_made_by(shared).into(),
            keys_too_large_for_device: sunk.account.keys.too_large_for_device,
            left_as_written: shared.left_as_written.load(Relaxed),
            check: shared.checks.as_ref().map(Checks::account),
            products_excluded: plan.estimate.excluded,
            interruptions: sunk.interruptions,
            engine: shared.engine.into(),
            engine_lost: shared.engine_lost.clone(),
            threads: plan.threads as u64,
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
}
