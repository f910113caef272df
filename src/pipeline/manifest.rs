//! Fills in the manifest of a job that is done.

use std::collections::BTreeMap;

use super::{by_rule, job::Job, meters::Snapshot, run_files::Sunk};
use crate::{
    chem::ChemistryTimes,
    config::{Dedup, written_path},
    identity::{KeyKind, Reason},
    limits::{CAPPED_PARENTS_NAMED_MAX, KEY_REASONS_MAX},
    report::manifest::{
        CheckAccount, ChemistryProducts, ChemistryStages, Manifest, ManifestFile, ManifestFilter,
        ManifestInput, SCHEMA_VERSION, Software,
    },
    sieve::Chosen,
    table::sink::Part,
};

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

fn by_reason(counts: [u64; KEY_REASONS_MAX]) -> BTreeMap<String, u64> {
    let counted = Reason::ALL
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0);
    counted
        .map(|(reason, count)| (reason.to_string(), count))
        .collect()
}

/// What the manifest is made from.
pub(super) struct ManifestFacts<'a> {
    pub(super) job: &'a Job,
    /// The state of the meters at the end.
    pub(super) end: Snapshot,
    pub(super) chemistry: ChemistryTimes,
    pub(super) left_as_written: u64,
    pub(super) engine: &'static str,
    pub(super) engine_lost: Option<String>,
    /// Name of the engine whose devices made structure keys, if there were any.
    pub(super) key_devices: Option<&'static str>,
    pub(super) check: Option<CheckAccount>,
    pub(super) sunk: Sunk,
}

/// The engine that made the keys: the sieve makes keys of canonical SMILES, and the workers or the devices that
/// they use make structure keys.
fn keys_made_by(facts: &ManifestFacts<'_>) -> &'static str {
    match (facts.key_devices, facts.job.spec.key()) {
        (Some(devices), _) => devices,
        (None, KeyKind::Structure) => Chosen::CPU.name(),
        (None, KeyKind::Canonical) => facts.engine,
    }
}

impl Manifest {
    pub(super) fn new(facts: ManifestFacts<'_>) -> Self {
        let keys_made_by = keys_made_by(&facts);
        let ManifestFacts {
            job,
            end,
            chemistry,
            sunk,
            ..
        } = facts;
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
            task: job.spec.task(),
            key: job.spec.key(),
            key_definition: job.spec.key().definition(),
            keys_by_rdkit: by_reason(sunk.account.keys.by_rdkit),
            keys_made_by: keys_made_by.into(),
            keys_too_large_for_device: sunk.account.keys.too_large_for_device,
            left_as_written: facts.left_as_written,
            check: facts.check,
            products_excluded: plan.estimate.excluded,
            interruptions: sunk.interruptions,
            engine: facts.engine.into(),
            engine_lost: facts.engine_lost,
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
