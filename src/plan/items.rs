//! The items of the memory sum: every buffer has one.

use super::{
    memory::{MemoryItem, MemoryPlan, mebibytes},
    sizes::Sizes,
};
use crate::{
    account::RuleAccount,
    config::{JobSpec, Work},
    limits::{
        BASE_BYTES, CHECKED_MOLECULE_BYTES, CHEMISTRY_THREAD_BYTES, COMPILED_RULE_BYTES,
        SEEN_KEY_BYTES, SETTLE_BYTES_MAX, SETTLE_BYTES_MIN, SOURCE_BYTES, SPILL_BYTES,
    },
    sieve::{
        Chosen, CpuEngine,
        structure_key::{KeyBatch, KeyOutcome, KeyRoom},
    },
    units::{ByteSize, count},
};

/// What the memory sum depends on.
#[derive(Clone, Copy)]
pub(super) struct Demand<'a> {
    /// Number of rules.
    pub(super) rules: usize,
    /// Bytes of the largest Parquet page of the inputs.
    pub(super) page_bytes: usize,
    /// Bytes that unpacking text inputs takes.
    pub(super) unpack_bytes: usize,
    pub(super) engine: &'a Chosen,
}

/// Adds everything up but settling. `threads` workers and `slots` slots share the memory.
pub(super) fn items(
    spec: &JobSpec,
    demand: Demand<'_>,
    sizes: &Sizes,
    (threads, slots): (usize, usize),
) -> Vec<MemoryItem> {
    let Demand {
        rules,
        page_bytes,
        unpack_bytes,
        ..
    } = demand;
    let encoder_bytes = spec.parquet(sizes.row_group_bytes).encoder_bytes();
    let seen = spec.transform_settings().products_per_parent_max as usize * SEEN_KEY_BYTES;
    let chemistry = CHEMISTRY_THREAD_BYTES + rules * COMPILED_RULE_BYTES + seen;
    let mut items = vec![
        item(
            "base",
            BASE_BYTES,
            "program, RDKit's libraries and tables".into(),
        ),
        item(
            "chemistry",
            threads * chemistry,
            format!(
                "{threads} threads × {}, {rules} rules each",
                mebibytes(ByteSize(chemistry as u64))
            ),
        ),
        item(
            "source",
            SOURCE_BYTES + 4 * page_bytes + unpack_bytes,
            "decoding of the inputs".into(),
        ),
        item(
            "ring",
            slots * (sizes.slot.bytes + rules * size_of::<RuleAccount>()),
            format!("{slots} slots × {}", ByteSize(sizes.slot.bytes as u64)),
        ),
        item("filter", sizes.filter.bytes(), filter_detail(spec, sizes)),
        item(
            "sieve",
            CpuEngine::bytes(sizes.slot.rows_max, threads),
            "engine cpu: table and threads".into(),
        ),
        item(
            "sink",
            encoder_bytes + SPILL_BYTES + sizes.row_group_bytes,
            format!(
                "a row group of {}, its encoder, the spills",
                ByteSize(sizes.row_group_bytes as u64)
            ),
        ),
    ];
    items.extend(keys_item(spec, demand.engine, threads, sizes.batch_parents));
    items.extend(optional_items(spec, demand.engine, threads));
    items
}

/// What `--canonical`, `--check` and the driver of a GPU take.
fn optional_items(spec: &JobSpec, engine: &Chosen, threads: usize) -> Vec<MemoryItem> {
    let mut items = Vec::new();
    if spec.canonical() {
        let bytes = threads * CHEMISTRY_THREAD_BYTES;
        let detail = format!("{threads} threads that write what remains");
        items.push(item("canonical", bytes, detail));
    }
    if spec.molecules_checked() > 0 {
        let bytes = (spec.molecules_checked() * CHECKED_MOLECULE_BYTES) as usize;
        items.push(item(
            "check",
            bytes,
            format!("{} molecules", count(spec.molecules_checked())),
        ));
    }
    if engine.host_bytes() > 0 {
        // Filter and sieve stay in the sum: if the device is lost, the cpu engine replaces it.
        let detail = format!("the driver of the engine {}", engine.name());
        items.push(item("engine", engine.host_bytes(), detail));
    }
    items
}

fn item(name: &'static str, bytes: usize, detail: String) -> MemoryItem {
    MemoryItem {
        name: name.into(),
        bytes: bytes as u64,
        detail,
    }
}

/// What making structure keys on a device takes of the host's memory, page-locked where the device wants it.
fn keys_item(
    spec: &JobSpec,
    engine: &Chosen,
    threads: usize,
    batch_parents: usize,
) -> Option<MemoryItem> {
    let devices = engine.key_devices(threads);
    if !matches!(spec.work, Work::Dedup(_)) || devices == 0 {
        return None;
    }
    let room = KeyRoom::for_batches(batch_parents);
    let staged = KeyBatch::bytes(room);
    let outcomes = batch_parents * size_of::<Option<KeyOutcome>>();
    let detail = format!(
        "batches of {} molecules for the GPU, {devices} at a time",
        count(batch_parents as u64)
    );
    Some(item("keys", devices * staged + threads * outcomes, detail))
}

/// Adds what settling needs at least beyond the items in whose place it works, and gives what it may
/// use: these and half of what the budget leaves, at most [`SETTLE_BYTES_MAX`].
pub(super) fn add_settling(memory: &mut MemoryPlan) -> usize {
    let freed: u64 = memory
        .items
        .iter()
        .filter(|item| ["ring", "filter", "sieve"].contains(&item.name.as_ref()))
        .map(|item| item.bytes)
        .sum();
    let spare = memory.budget.0.saturating_sub(memory.total());
    let bytes = (freed + spare / 2).clamp(SETTLE_BYTES_MIN as u64, SETTLE_BYTES_MAX as u64);
    let detail = format!(
        "{} at the end, in the place of ring, filter and sieve",
        mebibytes(ByteSize(bytes))
    );
    let more = SETTLE_BYTES_MIN.saturating_sub(freed as usize);
    memory.items.push(item("settle", more, detail));
    bytes as usize
}

fn filter_detail(spec: &JobSpec, sizes: &Sizes) -> String {
    let (filter, products) = (sizes.filter, sizes.filter_products);
    let rate = filter.false_positive_rate(products);
    let smaller = if rate > 1.5 * spec.false_positive_rate {
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
