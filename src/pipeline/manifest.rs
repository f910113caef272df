//! Fills in the manifest of a job that is done.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Duration};

use super::{
    check::Checks, checkpoint::Checkpoint, job::Job, meters::Meters, resources::Resources,
    run_files::Beside,
};
use crate::{
    account::{Account, RuleAccount},
    chem::ChemistryTimes,
    config::{Dedup, written_path},
    filter::FilterSet,
    identity::{KeyKind, Reason},
    limits::{CAPPED_PARENTS_NAMED_MAX, KEY_REASONS_MAX},
    report::manifest::{
        ChemistryProducts, ChemistrySearches, ChemistryStages, FilterCounts, Manifest,
        ManifestFile, ManifestFilter, ManifestInput, ManifestSample, RuleCounts, SCHEMA_VERSION,
        Software, StepCounts,
    },
    rules::{Rule, RuleSet},
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
            describe: times.describe.as_secs_f64(),
            keys: times.keys.as_secs_f64(),
        }
    }
}

impl From<ChemistryTimes> for ChemistryProducts {
    fn from(times: ChemistryTimes) -> Self {
        Self {
            on_graphs: times.on_graphs,
            checked: times.checked,
            described_by_rdkit: times.described_by_rdkit,
        }
    }
}

impl From<Part> for ManifestFile {
    fn from(part: Part) -> Self {
        let Part { file, rows, .. } = part;
        Self {
            name: file.name,
            rows,
            bytes: file.bytes,
            sha256: file.sha256,
        }
    }
}

fn by_reason(counts: [u64; KEY_REASONS_MAX]) -> BTreeMap<String, u64> {
    let counted = Reason::ALL.iter().zip(counts);
    let counted = counted.filter(|(_, count)| *count > 0);
    counted.map(|(reason, n)| (reason.to_string(), n)).collect()
}

/// The accounts of all rules with the names of the rules.
fn by_rule(accounts: &[RuleAccount], rules: &RuleSet) -> Vec<RuleCounts> {
    let named = |(rule, account): (&Rule, &RuleAccount)| RuleCounts {
        name: rule.name.clone(),
        parents: account.parents,
        sites: account.sites,
        seconds: Duration::from_nanos(account.nanoseconds).as_secs_f64(),
        made: account.made,
        unique: account.unique,
        unchanged: account.unchanged,
        invalid: account.invalid,
        capped: account.capped,
        filtered: account.filtered,
    };
    rules.rules().iter().zip(accounts).map(named).collect()
}

/// What the rules made in all steps, by name, in the order in which names come first.
fn by_rule_of_all(state: &Checkpoint, job: &Job) -> Vec<RuleCounts> {
    let mut all: Vec<RuleCounts> = Vec::new();
    for (step, account) in state.accounts() {
        for rule in by_rule(&account.by_rule, job.rules.of(step)) {
            match all.iter_mut().find(|known| known.name == rule.name) {
                Some(known) => *known += &rule,
                None => all.push(rule),
            }
        }
    }
    all
}

/// The counts of filters with the names of the filters.
fn by_filter(counts: &[u64], filters: &FilterSet) -> Vec<FilterCounts> {
    let counts = counts.iter().copied().chain(std::iter::repeat(0));
    let named = filters.labels().into_iter().zip(counts);
    let counted = named.map(|(filter, left_out)| FilterCounts { filter, left_out });
    counted.collect()
}

/// What filters left out in all steps, by name, in the order in which names come first.
fn by_filter_of_all(state: &Checkpoint, job: &Job) -> Vec<FilterCounts> {
    let mut all: Vec<FilterCounts> = Vec::new();
    for (step, account) in state.accounts() {
        for counted in by_filter(&account.by_filter, job.filters.of(step)) {
            match all.iter_mut().find(|known| known.filter == counted.filter) {
                Some(known) => known.left_out += counted.left_out,
                None => all.push(counted),
            }
        }
    }
    all
}

/// What each step made, in a job of several.
fn steps(state: &Checkpoint, job: &Job) -> Vec<StepCounts> {
    if !job.spec.has_roots() {
        return Vec::new();
    }
    let first_part = |step: usize| match step - job.first_step() {
        0 => 0,
        before => state.done[before - 1].parts,
    };
    let counts = |(step, account): (usize, &Account)| StepCounts {
        step: step as u64,
        counts: account.counts,
        rejected_by_code: account.rejected_by_code,
        products_left_out: account.left_out,
        first_part: first_part(step) as u64,
        by_rule: by_rule(&account.by_rule, job.rules.of(step)),
        by_filter: by_filter(&account.by_filter, job.filters.of(step)),
    };
    state.accounts().map(counts).collect()
}

/// With `--sample`: what each step has drawn.
fn samples(state: &Checkpoint, job: &Job) -> Vec<ManifestSample> {
    let sample = |(step, account): (usize, &Account)| {
        let sample = job.sample(step, account.counts.parents_read)?;
        let (drawn, combinations) = sample.size();
        Some(ManifestSample {
            step: step as u64,
            drawn,
            combinations,
        })
    };
    state.accounts().filter_map(sample).collect()
}

/// The filter as planned and at the end.
fn filter(job: &Job, account: &Account) -> ManifestFilter {
    let (plan, counts) = (&job.plan, account.counts);
    let exact = job.spec.dedup == Dedup::Exact;
    let lost = account.lost_expected.min(counts.products_maybe as f64);
    let keys = counts.products_unique - account.settled;
    let observed = account.settled as f64 / counts.products_unique.max(1) as f64;
    ManifestFilter {
        bits: plan.filter.bits as u64,
        hashes: plan.filter.hashes,
        products_planned: plan.filter_products,
        false_positive_rate_planned: job.spec.false_positive_rate(),
        false_positive_rate_final: plan.filter.false_positive_rate(keys),
        false_positive_rate_observed: exact.then_some(observed),
        products_settled: account.settled,
        expected_products_lost: if exact { 0.0 } else { lost },
    }
}

/// The engine that made the keys: the sieve makes keys of canonical SMILES, and the workers or the devices that
/// they use make structure keys.
fn keys_made_by(resources: &Resources<'_>) -> &'static str {
    match (&resources.key_devices, resources.job.spec.key()) {
        (Some(devices), _) => devices.name(),
        (None, KeyKind::Structure) => Chosen::CPU.name(),
        (None, KeyKind::Canonical) => resources.engine,
    }
}

impl Manifest {
    /// `state` is that of the run at its end, `beside` the files beside the parts.
    pub(super) fn new(
        resources: &Resources<'_>,
        meters: &Meters,
        state: Checkpoint,
        beside: Beside,
    ) -> Self {
        let job = resources.job;
        let end = meters.snapshot(resources.ring.state());
        let chemistry = meters.times.chemistry();
        let account = state.total();
        let (by_rule, steps) = (by_rule_of_all(&state, job), steps(&state, job));
        let by_filter = by_filter_of_all(&state, job);
        let samples = samples(&state, job);
        let counts = account.counts;
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
            counts,
            rejected_by_code: account.rejected_by_code,
            cleaning: (!job.spec.clean.is_empty()).then_some(account.cleaning),
            without_mol_block: state.parts.iter().map(|part| part.without_mol_block).sum(),
            files: state.parts.into_iter().map(ManifestFile::from).collect(),
            drops: beside.drops.map(ManifestFile::from),
            rejects: beside.rejects.map(ManifestFile::from),
            duplicates: beside.duplicates.map(ManifestFile::from),
            capped_parents: state.capped.named,
            capped_parents_named_max: CAPPED_PARENTS_NAMED_MAX as u64,
            filter: filter(job, &account),
            inputs: inputs.collect(),
            reagents: (job.reagents.as_ref()).map_or_else(Vec::new, |read| read.sets.clone()),
            samples,
            rules: job.rules.total() as u64,
            by_rule,
            by_filter,
            steps,
            dedup: job.spec.dedup,
            task: job.spec.task(),
            key: job.spec.key(),
            smiles: job.spec.smiles(),
            key_definition: job.spec.key().definition(),
            keys_by_rdkit: by_reason(account.keys.by_rdkit),
            keys_made_by: keys_made_by(resources).into(),
            keys_too_large_for_device: account.keys.too_large_for_device,
            left_as_written: meters.left_as_written.load(Relaxed),
            check: resources.checks.as_ref().map(Checks::account),
            products_left_out: account.left_out,
            products_excluded: plan.estimate.excluded,
            interruptions: state.interruptions,
            engine: resources.engine.into(),
            engine_lost: resources.engine_lost.clone(),
            threads: plan.threads as u64,
            memory_budget_bytes: job.spec.memory.0,
            peak_memory_bytes: state.peak_memory_bytes,
            elapsed_seconds: end.elapsed.as_secs_f64(),
            stage_seconds: end.stages,
            chemistry_seconds: chemistry.into(),
            chemistry_products: chemistry.into(),
            chemistry_searches: ChemistrySearches {
                on_graphs: chemistry.searches_on_graphs,
                by_rdkit: chemistry.searches_by_rdkit,
            },
            slot_wait_seconds: end.ring.waited.as_secs_f64(),
            slot_waits: end.ring.waits,
            timeline: meters.whole_timeline().into_points(),
        }
    }
}
