//! The plan of a job: what it is expected to make, and where its memory goes.
//!
//! The memory sum (`molsieve plan` prints it, item by item):
//!
//! ```text
//!   base        program, RDKit's libraries and tables
//! + chemistry   threads × (working memory + compiled rules + keys of one parent's products)
//! + source      decoding of the inputs
//! + ring        slots × slot size
//! + filter      at most a quarter of the budget
//! + sieve       the cpu engine's table and threads
//! + sink        one row group and what encodes it, the spills' buffers
//! + keys        of dedup on a GPU: devices × a batch's texts and keys, threads × what is told of it
//! + engine      what a GPU's driver takes on the host
//! ≤ budget      (--memory)
//! ```
//!
//! Settling comes when the input is read: it works in the place of ring, filter and sieve, and in what
//! of the budget nobody else needs.
//!
//! Slot size, row group size and the largest filter follow from the budget alone, and the batch size
//! from the sample, never from the number of threads: files are the same for any number of them. If
//! the sum is over the budget, slots go first (down to two), then, unless `--threads` was given,
//! threads; what still does not fit is refused.

use std::{fmt, num::NonZeroUsize, path::PathBuf};

use crate::{
    account::{Counts, RuleAccount},
    chem::TransformSettings,
    config::{JobSpec, Task, written_path},
    limits::*,
    reject::Rejection,
    rules::RuleSet,
    sieve::{
        Chosen, CpuEngine, EngineError, FilterShape, choose,
        gpu::Room,
        structure_key::{KeyBatch, KeyRoom, Told},
    },
    slot::SlotLayout,
    table::source::{Library, SourceError},
    trial::{Assignment, Candidate, TrialError, Tried},
    units::{ByteSize, count},
};

/// A job's plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the job is expected to make.
    pub estimate: Estimate,
    /// Where its memory goes.
    pub memory: MemoryPlan,
    /// Chemistry workers.
    pub threads: usize,
    /// Slots in the ring.
    pub slots: usize,
    /// How a slot is divided.
    pub slot: SlotLayout,
    /// What computes keys and holds the filter.
    pub engine: Chosen,
    /// The filter.
    pub filter: FilterShape,
    /// Distinct products the filter is made for.
    pub filter_products: u64,
    /// Encoded bytes at which a row group is closed.
    pub row_group_bytes: usize,
    /// Parents a worker takes at a time.
    pub batch_parents: usize,
    /// Memory that settling works in, bytes.
    pub settle_bytes: usize,
}

/// What a job is expected to make, from a sample of its parents.
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

    /// Bytes of what waits in the output directory until the end, at most: the keys of products, and
    /// twice that for partitions while they are settled.
    pub fn disk_bytes_while_running(&self) -> u64 {
        3 * 16 * (self.products() + self.excluded)
    }

    /// Bytes of all parts. Per row: the key as it is, SMILES compressed about 8 : 1 (the products of
    /// a parent stand together and differ little) and a few bytes for the columns that repeat; seen
    /// on natural products.
    pub fn disk_bytes(&self) -> u64 {
        (self.products() as f64 * (16.0 + 4.0 + self.smiles_bytes / 8.0)) as u64
    }
}

/// One line of the memory sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryItem {
    /// What it is for.
    pub name: &'static str,
    /// Its bound.
    pub bytes: u64,
    /// How it comes about.
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
    /// The sum of the items.
    pub fn total(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum()
    }
}

impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for item in &self.items {
            let size = ByteSize(item.bytes);
            writeln!(
                f,
                "  {:<10} {:>10}   {}",
                item.name,
                mebibytes(size),
                item.detail
            )?;
        }
        let total = ByteSize(self.total());
        write!(
            f,
            "  {:<10} {:>10}   of {} allowed",
            "total",
            mebibytes(total),
            self.budget
        )
    }
}

/// Sizes in one column are easier to compare in one unit.
fn mebibytes(size: ByteSize) -> String {
    format!("{:.1} MiB", size.0 as f64 / (1 << 20) as f64)
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The job does not fit its budget, whatever is done about it.
    #[error(
        "the job needs {} and --memory allows {}{}\n{plan}",
        mebibytes(ByteSize(plan.total())), plan.budget, advice(*threads)
    )]
    Budget {
        /// The smallest plan there is.
        plan: Box<MemoryPlan>,
        /// The number of threads with which it would fit.
        threads: Option<usize>,
    },
    /// An input can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The sample can't be transformed.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// The engine that was asked for is not there, or has no room for the filter.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

fn advice(threads: Option<usize>) -> String {
    match threads {
        Some(threads) => format!("; with --threads {threads} it fits"),
        None => "; give it more memory".into(),
    }
}

/// Transforms parents and throws their products away: in processes of their own where a parent may be
/// one that kills its process.
pub type TryParents<'a> = dyn Fn(TransformSettings, &[Candidate]) -> Result<Vec<Result<Tried, Rejection>>, TrialError>
    + 'a;

/// Plans a job: transforms a sample, sizes everything, adds it up. `excluded` is the number of products
/// of earlier runs that are to be left out.
pub fn plan(
    spec: &JobSpec,
    rules: &RuleSet,
    library: &Library,
    excluded: u64,
    try_parents: &TryParents<'_>,
) -> Result<Plan, PlanError> {
    let mut estimate = estimate(spec, library, try_parents)?;
    estimate.excluded = excluded;
    let demand = Demand {
        rules: rules.len(),
        estimate,
        page_bytes: library.page_bytes() as usize,
        unpack_bytes: library.unpack_bytes() as usize,
        engine: &Chosen::CPU,
    };
    fit_engine(spec, demand)
}

/// With the engine that was asked for, or the best for which there is room.
fn fit_engine(spec: &JobSpec, demand: Demand<'_>) -> Result<Plan, PlanError> {
    // Filter and slots follow from the budget and the sample alone, whatever the engine.
    let least = sized(spec, demand, 1, SLOTS_MIN);
    let chosen = choose(spec.engine, &Room::new(least.filter, &least.slot))?;
    let on_chosen = fit_threads(
        spec,
        Demand {
            engine: &chosen,
            ..demand
        },
    );
    let Some(instead) = chosen.cpu_instead() else {
        return on_chosen;
    };
    // Chemistry is what takes the time: a GPU for the sieve is not worth a thread.
    let on_cpu = fit_threads(
        spec,
        Demand {
            engine: &instead,
            ..demand
        },
    )?;
    match on_chosen {
        Ok(plan) if plan.threads >= on_cpu.threads => Ok(plan),
        Ok(_) | Err(PlanError::Budget { .. }) => Ok(on_cpu),
        Err(error) => Err(error),
    }
}

/// With as many threads as were asked for, or as many as fit.
fn fit_threads(spec: &JobSpec, demand: Demand<'_>) -> Result<Plan, PlanError> {
    let cpus = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    match spec.threads {
        Some(threads) => fit(spec, demand, threads.get()),
        None => (1..=cpus)
            .rev()
            .map(|threads| fit(spec, demand, threads))
            .find(Result::is_ok)
            .unwrap_or_else(|| fit(spec, demand, 1)),
    }
}

/// The largest Parquet page a budget allows. Two columns are read, and each page exists before and
/// after decompression, so four of them take a sixteenth of the budget.
pub fn page_bytes_max(memory: ByteSize) -> usize {
    (memory.0 as usize / 64).clamp(1 << 20, PARQUET_PAGE_BYTES_MAX)
}

/// What the rules make of a sample of the library.
fn estimate(
    spec: &JobSpec,
    library: &Library,
    try_parents: &TryParents<'_>,
) -> Result<Estimate, PlanError> {
    let rows = library.rows_estimate()?;
    let sample = library.sample(SAMPLE_PARENTS)?;
    let settings = TransformSettings {
        products_per_parent_max: spec
            .products_per_parent_max
            .min(SAMPLE_PRODUCTS_PER_PARENT_MAX),
        ..spec.transform_settings()
    };
    let candidates: Vec<Candidate> = sample.iter().filter_map(Candidate::of).collect();
    let tried = try_parents(settings, &candidates)?;
    let usable: Vec<Tried> = tried
        .into_iter()
        .flatten()
        .filter(|tried| tried.usable)
        .collect();
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

/// The distinct products a sample would have given without the cap on its parents: of those not made,
/// as large a share is taken to be distinct as of those made.
fn with_capped(products: u64, counts: &Counts) -> f64 {
    let left_out = counts.products_symmetric + counts.products_unchanged + counts.products_invalid;
    let made = products + left_out;
    products as f64 * (1.0 + counts.products_capped as f64 / made.max(1) as f64)
}

impl JobSpec {
    /// What parents of this job are tried with in a process of their own.
    pub fn assignment(&self, settings: TransformSettings) -> Assignment {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        Assignment {
            rules: (self.rules.iter().map(absolute))
                .map(|path| written_path(&path))
                .collect(),
            settings,
            time_max: self.parent_timeout,
        }
    }

    /// What a transformer must know of this job.
    pub fn transform_settings(&self) -> TransformSettings {
        TransformSettings {
            method: self.method,
            properties: self.properties,
            products_per_parent_max: self.products_per_parent_max,
        }
    }
}

/// What a job asks for, whatever it is given.
#[derive(Clone, Copy)]
struct Demand<'a> {
    rules: usize,
    estimate: Estimate,
    /// Largest Parquet page of the inputs.
    page_bytes: usize,
    /// What unpacking text inputs takes.
    unpack_bytes: usize,
    engine: &'a Chosen,
}

/// Sizes everything for a given number of threads, with as many slots as fit.
fn fit(spec: &JobSpec, demand: Demand<'_>, threads: usize) -> Result<Plan, PlanError> {
    let wanted = spec.slots.unwrap_or(2 * threads + 2);
    let least = if spec.slots.is_some() {
        wanted
    } else {
        SLOTS_MIN
    };
    let mut plan = sized(spec, demand, threads, least);
    let over = plan.memory.total().saturating_sub(spec.memory.0);
    if over > 0 {
        let fewer = (1..threads).rev().find(|fewer| {
            let smaller = sized(spec, demand, *fewer, least);
            smaller.memory.total() <= spec.memory.0
        });
        return Err(PlanError::Budget {
            plan: Box::new(plan.memory),
            threads: fewer,
        });
    }
    let spare = (spec.memory.0 - plan.memory.total()) as usize / plan.slot.bytes;
    let slots = wanted.min(least + spare).min(SLOTS_MAX);
    if slots != plan.slots {
        plan = sized(spec, demand, threads, slots);
    }
    Ok(plan)
}

/// The plan for a given number of threads and slots, whether it fits or not.
fn sized(spec: &JobSpec, demand: Demand<'_>, threads: usize, slots: usize) -> Plan {
    let Demand {
        rules,
        estimate,
        page_bytes,
        unpack_bytes,
        engine,
    } = demand;
    let budget = spec.memory.0 as usize;
    let slot_bytes = spec.slot_bytes.unwrap_or_else(|| {
        let share = (budget / 256).max(1);
        (1usize << share.ilog2()).clamp(SLOT_BYTES_MIN, SLOT_BYTES_DEFAULT_MAX)
    });
    let slot = SlotLayout::new(slot_bytes, spec.properties)
        .unwrap_or_else(|_| SlotLayout::smallest(spec.properties));
    let row_group_bytes = (budget / 64).clamp(ROW_GROUP_BYTES_MIN, ROW_GROUP_BYTES_MAX);
    // Room for a quarter more than the sample says: samples err, and full filters err too.
    let filter_products = spec
        .expected_products
        .unwrap_or(estimate.products() / 4 * 5 + estimate.excluded)
        .max(1);
    let filter_bits_max = 8 * (budget / FILTER_BUDGET_DIVISOR);
    let filter = FilterShape::for_items(
        filter_products,
        spec.false_positive_rate,
        FILTER_BITS_MIN,
        filter_bits_max,
    );
    // About three quarters of a slot, but many batches per job, so that no worker is left idle.
    let per_slot = slot.rows_max as f64 * 0.75 / estimate.products_per_parent.max(1.0);
    let batch_parents = (per_slot as usize)
        .min(estimate.parents as usize / 128)
        .clamp(1, batch_parents_max(spec.task));
    let seen = spec.products_per_parent_max as usize * SEEN_KEY_BYTES;
    let chemistry = CHEMISTRY_THREAD_BYTES + rules * COMPILED_RULE_BYTES + seen;
    let item = |name, bytes: usize, detail| MemoryItem {
        name,
        bytes: bytes as u64,
        detail,
    };
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
            slots * (slot.bytes + rules * size_of::<RuleAccount>()),
            format!("{slots} slots × {}", ByteSize(slot.bytes as u64)),
        ),
        item(
            "filter",
            filter.bytes(),
            filter_detail(spec, filter, filter_products),
        ),
        item(
            "sieve",
            CpuEngine::bytes(slot.rows_max, threads),
            "engine cpu: table and threads".into(),
        ),
        item(
            "sink",
            SINK_BYTES + SPILL_BYTES + row_group_bytes,
            format!(
                "a row group of {}, its encoder, the spills",
                ByteSize(row_group_bytes as u64)
            ),
        ),
    ];
    items.extend(keys_item(spec, engine, threads, batch_parents));
    if spec.canonical {
        let bytes = threads * CHEMISTRY_THREAD_BYTES;
        items.push(item(
            "canonical",
            bytes,
            format!("{threads} threads that write what remains"),
        ));
    }
    if spec.check > 0 {
        let bytes = (spec.check * CHECKED_MOLECULE_BYTES) as usize;
        items.push(item(
            "check",
            bytes,
            format!("{} molecules", count(spec.check)),
        ));
    }
    if engine.host_bytes() > 0 {
        // Filter and sieve stay in the sum: where the device is lost, the cpu engine takes over.
        let detail = format!("the driver of the engine {}", engine.name());
        items.push(item("engine", engine.host_bytes(), detail));
    }
    let mut memory = MemoryPlan {
        budget: spec.memory,
        items,
    };
    let settle_bytes = add_settling(&mut memory);
    Plan {
        estimate,
        memory,
        threads,
        slots,
        slot,
        engine: engine.clone(),
        filter,
        filter_products,
        row_group_bytes,
        batch_parents,
        settle_bytes,
    }
}

/// Most parents of a batch. What a task's files depend on, so it is the same for all engines.
fn batch_parents_max(task: Task) -> usize {
    match task {
        Task::Derive => BATCH_PARENTS_MAX,
        Task::Dedup => DEDUP_BATCH_PARENTS_MAX,
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
    if spec.task != Task::Dedup || devices == 0 {
        return None;
    }
    let room = KeyRoom::for_batches(batch_parents);
    let staged = KeyBatch::bytes(room);
    let told = batch_parents * size_of::<Option<Told>>();
    Some(MemoryItem {
        name: "keys",
        bytes: (devices * staged + threads * told) as u64,
        detail: format!(
            "batches of {} molecules for the GPU, {devices} at a time",
            count(batch_parents as u64)
        ),
    })
}

/// Adds what settling needs at least beyond the items in whose place it works, and gives what it may
/// use: these and half of what the budget leaves, at most [`SETTLE_BYTES_MAX`].
fn add_settling(memory: &mut MemoryPlan) -> usize {
    let freed: u64 = memory
        .items
        .iter()
        .filter(|item| ["ring", "filter", "sieve"].contains(&item.name))
        .map(|item| item.bytes)
        .sum();
    let spare = memory.budget.0.saturating_sub(memory.total());
    let bytes = (freed + spare / 2).clamp(SETTLE_BYTES_MIN as u64, SETTLE_BYTES_MAX as u64);
    memory.items.push(MemoryItem {
        name: "settle",
        bytes: (SETTLE_BYTES_MIN as u64).saturating_sub(freed),
        detail: format!(
            "{} at the end, in the place of ring, filter and sieve",
            mebibytes(ByteSize(bytes))
        ),
    });
    bytes as usize
}

fn filter_detail(spec: &JobSpec, filter: FilterShape, products: u64) -> String {
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
