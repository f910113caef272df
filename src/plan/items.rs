//! The memory sum and its items: every buffer has one.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use super::{KeptNeeds, Needs, Plan};
use crate::{
    account::RuleAccount,
    cleaning::CleanStep,
    config::{JobSpec, Work},
    filter::FilterSet,
    limits::{
        BASE_BYTES, CHECKED_MOLECULE_BYTES, CHEMISTRY_THREAD_BYTES, CLEANER_BYTES,
        COMPILED_RULE_BYTES, DROP_BYTES, DROP_TEXT_BYTES_MAX, FILTER_CATALOGUE_BYTES,
        FILTER_PATTERN_BYTES, GATHERED_PER_SLOT, KEPT_COLUMN_WRITER_BYTES, KEPT_ENCODER_BYTES,
        KEPT_PART_COLUMN_BYTES, KEPT_WORKER_BYTES, SEEN_KEY_BYTES, SETTLE_BYTES_MAX,
        SETTLE_BYTES_MIN, SOURCE_BYTES, SPILL_BYTES, TAUTOMERS_BYTES,
    },
    sieve::{
        CpuEngine, FirstRows,
        structure_key::{KeyBatch, KeyOutcome, KeyRoom},
    },
    units::{ByteSize, count, counted},
};

/// One line of the memory sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryItem {
    /// What it is for.
    pub name: Cow<'static, str>,
    /// Its bound.
    pub bytes: u64,
    /// How the bound is computed.
    pub detail: String,
}

/// The memory sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// `--memory`.
    pub budget: ByteSize,
    /// The items.
    pub items: Vec<MemoryItem>,
}

impl MemoryPlan {
    /// A sum without items.
    pub(super) fn new(budget: ByteSize) -> Self {
        let items = Vec::new();
        Self { budget, items }
    }

    fn add(&mut self, name: &'static str, bytes: usize, detail: impl Into<String>) {
        self.items.push(MemoryItem {
            name: name.into(),
            bytes: bytes as u64,
            detail: detail.into(),
        });
    }

    /// The sum of the items.
    pub fn total(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum()
    }
}

impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for MemoryItem {
            name,
            bytes,
            detail,
        } in &self.items
        {
            writeln!(f, "  {name:<10} {:>10}   {detail}", mebibytes(*bytes))?;
        }
        let (total, budget) = (mebibytes(self.total()), self.budget);
        write!(f, "  {:<10} {total:>10}   of {budget} allowed", "total")
    }
}

/// Sizes in one column are easier to compare in one unit.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1 << 20) as f64)
}

impl Plan {
    /// What an encoder takes: a row group, what becomes of it, and the rows of a slot: as arrays, and for the log, which
    /// does not repeat a parent, and with `--duplicates` once more.
    pub(super) fn encoder_bytes(&self, spec: &JobSpec) -> usize {
        let parts = spec.parts(self.row_group_bytes);
        let kept = if self.slot.kept {
            KEPT_ENCODER_BYTES
        } else {
            0
        };
        let seen = usize::from(spec.duplicates());
        let gathered = (GATHERED_PER_SLOT + 1 + seen) * self.slot.bytes;
        parts.sink_bytes(1) - parts.sink_bytes(0) + gathered + kept
    }
}

impl Needs<'_> {
    /// Adds up what a plan of certain sizes takes.
    pub(super) fn add_items(&self, plan: &mut Plan) {
        let (spec, rules, threads) = (self.spec, self.rules, plan.threads);
        let size = |bytes: usize| ByteSize(bytes as u64);
        let filter_detail = self.filter_detail(plan);
        let memory = &mut plan.memory;
        memory.add("base", BASE_BYTES, "program, RDKit's libraries and tables");

        let seen = spec.transform_settings().products_per_parent_max as usize * SEEN_KEY_BYTES;
        // With reagents, the products of a combination are remembered too.
        let seen = if self.reagents.listed > 0 {
            2 * seen
        } else {
            seen
        };
        let worker = CHEMISTRY_THREAD_BYTES + rules * COMPILED_RULE_BYTES + seen;
        let each = mebibytes(worker as u64);
        let detail = format!("{threads} threads × {each}, {rules} rules each");
        memory.add("chemistry", threads * worker, detail);
        self.add_cleaning(memory, threads);
        self.add_filters(memory, threads);

        let source = SOURCE_BYTES + 4 * self.page_bytes + self.unpack_bytes;
        memory.add("source", source, "decoding of the inputs");

        self.add_kept(memory, (threads, plan.encoders));

        if self.reagents.listed > 0 {
            let kept = plan.kept_reagent_bytes;
            let detail = format!(
                "{} that match, and {threads} threads × {} kept ready",
                count(self.reagents.listed as u64),
                mebibytes(kept as u64)
            );
            memory.add("reagents", self.reagents.bytes + threads * kept, detail);
        }

        let slot = plan.slot.bytes + rules * size_of::<RuleAccount>();
        let detail = format!("{} slots × {}", plan.slots, size(plan.slot.bytes));
        memory.add("ring", plan.slots * slot, detail);

        memory.add("filter", plan.filter.bytes(), filter_detail);
        let sieve = CpuEngine::bytes(plan.slot.rows_max, threads);
        let tables = threads * FirstRows::bytes(plan.slot.rows_max);
        memory.add("sieve", sieve + tables, "engine cpu: tables and threads");

        let row_group = plan.row_group_bytes;
        let sink = spec.parts(row_group).sink_bytes(0) + SPILL_BYTES;
        let encoder = plan.encoder_bytes(spec);
        let what = match spec.format.text() {
            None => format!("row groups of {}", size(row_group)),
            Some(_) => format!("text of {}", spec.format),
        };
        let each = mebibytes(encoder as u64);
        let detail = format!("{} encoders × {each}, {what}", plan.encoders);
        let encoders = plan.encoders * encoder;
        plan.memory.add("sink", sink + encoders, detail);

        self.add_keys(plan);
        self.add_optional(plan);
        add_settling(plan);
    }

    /// What cleaning takes.
    fn add_cleaning(&self, memory: &mut MemoryPlan, threads: usize) {
        if !self.spec.clean.is_empty() {
            let tautomers = match self.spec.clean.has(CleanStep::Tautomer) {
                true => TAUTOMERS_BYTES,
                false => 0,
            };
            let cleaner = CLEANER_BYTES + tautomers;
            let detail = format!("{threads} threads × {}", mebibytes(cleaner as u64));
            memory.add("cleaning", threads * cleaner, detail);
        }
    }

    /// What columns of the input take that rows carry.
    fn add_kept(&self, memory: &mut MemoryPlan, (threads, encoders): (usize, usize)) {
        if let Some(KeptNeeds {
            columns,
            source_bytes,
        }) = self.kept
        {
            let steps = if self.spec.steps() > 1 { columns } else { 0 };
            let bytes = source_bytes
                + steps * KEPT_PART_COLUMN_BYTES
                + (threads + 1) * KEPT_WORKER_BYTES
                + (encoders + 1) * columns * KEPT_COLUMN_WRITER_BYTES;
            let detail = format!("{} kept", counted(columns as u64, "column"));
            memory.add("columns", bytes, detail);
        }
    }

    /// What compiled filters take, those of the step that has most, and the sample of what they leave out.
    fn add_filters(&self, memory: &mut MemoryPlan, threads: usize) {
        let bytes = |filters: &FilterSet| {
            filters.patterns() * FILTER_PATTERN_BYTES
                + filters.catalogues() * FILTER_CATALOGUE_BYTES
        };
        let worker = self.filters.iter().map(bytes).max().unwrap_or_default();
        if worker > 0 {
            let detail = format!("{threads} threads × {}", mebibytes(worker as u64));
            memory.add("filters", threads * worker, detail);
        }
        if let Some(most) = self.spec.drops_explained() {
            let reasons: usize = self.filters.iter().map(FilterSet::reasons).sum();
            let each = DROP_TEXT_BYTES_MAX + DROP_BYTES;
            let detail = format!("{} of each of {reasons} reasons", count(most as u64));
            // A checkpoint copies them and writes them as JSON, and then with a checksum before them.
            memory.add("drops", 4 * most * reasons * each, detail);
        }
    }

    /// What making structure keys on a device takes of the host's memory, page-locked where the device wants it.
    fn add_keys(&self, plan: &mut Plan) {
        let devices = plan.engine.key_devices(plan.threads);
        if !matches!(self.spec.work, Work::Dedup(_)) || devices == 0 {
            return;
        }
        let staged = KeyBatch::bytes(KeyRoom::for_batches(plan.batch_parents));
        let outcomes = plan.batch_parents * size_of::<Option<KeyOutcome>>();
        let molecules = count(plan.batch_parents as u64);
        let detail = format!("batches of {molecules} molecules for the GPU, {devices} at a time");
        let bytes = devices * staged + plan.threads * outcomes;
        plan.memory.add("keys", bytes, detail);
    }

    /// What `--canonical`, `--check` and the driver of a GPU take.
    fn add_optional(&self, plan: &mut Plan) {
        let (threads, checked) = (plan.threads, self.spec.molecules_checked());
        if self.spec.canonical() {
            let detail = format!("{threads} threads that write what remains");
            let bytes = threads * CHEMISTRY_THREAD_BYTES;
            plan.memory.add("canonical", bytes, detail);
        }
        if checked > 0 {
            let bytes = (checked * CHECKED_MOLECULE_BYTES) as usize;
            let detail = format!("{} molecules", count(checked));
            plan.memory.add("check", bytes, detail);
        }
        if plan.engine.host_bytes() > 0 {
            // Filter and sieve stay in the sum: if the device is lost, the cpu engine replaces it.
            let detail = format!("the driver of the engine {}", plan.engine.name());
            plan.memory.add("engine", plan.engine.host_bytes(), detail);
        }
    }

    fn filter_detail(&self, plan: &Plan) -> String {
        let (filter, products) = (plan.filter, plan.filter_products);
        let rate = filter.false_positive_rate(products);
        let smaller = if rate > 1.5 * self.spec.false_positive_rate() {
            ", as large as the budget allows"
        } else {
            ""
        };
        format!(
            "{} bits, {} hashes: {} products at {rate:.1e}{smaller}",
            count(filter.bits as u64),
            filter.hashes,
            count(products)
        )
    }
}

/// Adds what settling needs at least beyond the items in whose place it works, and sets what it may
/// use: these and half of what the budget leaves, at most [`SETTLE_BYTES_MAX`].
fn add_settling(plan: &mut Plan) {
    let memory = &mut plan.memory;
    let freed = |item: &&MemoryItem| ["ring", "filter", "sieve"].contains(&item.name.as_ref());
    let freed = memory.items.iter().filter(freed);
    let freed: u64 = freed.map(|item| item.bytes).sum();
    let spare = memory.budget.0.saturating_sub(memory.total());
    let bytes = (freed + spare / 2).clamp(SETTLE_BYTES_MIN as u64, SETTLE_BYTES_MAX as u64);
    let place = "in the place of ring, filter and sieve";
    let detail = format!("{} at the end, {place}", mebibytes(bytes));
    let beyond = SETTLE_BYTES_MIN.saturating_sub(freed as usize);
    memory.add("settle", beyond, detail);
    plan.settle_bytes = bytes as usize;
}
