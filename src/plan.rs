//! The plan of a job: what it is expected to make, and where its memory goes.
//!
//! The memory sum (`molsieve plan` prints it, item by item):
//!
//! ```text
//!   base        program, RDKit's libraries and tables
//! + chemistry   threads × (working memory + compiled rules + keys of one parent's products)
//! + source      decoding of the inputs
//! + reagents    their texts and lists; threads × those that are kept ready
//! + ring        slots × slot size
//! + filter      at most a quarter of the budget
//! + sieve       the cpu engine's table and threads
//! + sink        the open row group; encoders × (a row group, what becomes of it, the rows of a slot); the spills' buffers
//! + keys        of dedup on a GPU: devices × a batch's texts and keys, threads × its outcomes
//! + engine      what a GPU's driver takes on the host
//! ≤ budget      (--memory)
//! ```
//!
//! Settling comes when the input is read: it works in the place of ring, filter and sieve, and in what
//! of the budget nothing else needs.
//!
//! Slot size, row group size and the largest filter follow from the budget alone, and the batch size
//! from the sample, never from the number of threads: files are the same for any number of them. A run
//! that is resumed keeps them, whatever its memory (`begun`). If the sum is over the budget, slots go first
//! (down to two) and encoders (down to one), then, unless `--threads` was given, threads; of a resumed run
//! threads in any case, and then the filter. What still does not fit is refused.

mod begun;
mod device;
mod estimate;
mod items;
mod sizes;

use std::path::PathBuf;

pub use begun::Sizes;
pub use device::device_bytes_max;
pub use estimate::{Estimate, TryParents};
pub use items::{MemoryItem, MemoryPlan};

use estimate::estimate;
use items::mebibytes;

use crate::{
    config::{JobSpec, written_path},
    filter::FilterSet,
    limits::{
        BATCH_PARENTS_MAX, PARQUET_PAGE_BYTES_MAX, REAGENTS_KEPT_BYTES_MAX, SLOTS_MAX, SLOTS_MIN,
    },
    machine,
    sieve::{Chosen, EngineError, FilterShape, choose, gpu::Room},
    slot::SlotLayout,
    table::source::{Library, SourceError},
    trial::{Assignment, Purpose, TrialError, TriedReagents},
    units::ByteSize,
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
    /// Bytes of reagents that a thread keeps ready.
    pub kept_reagent_bytes: usize,
    /// Bytes of content at which a row group is closed.
    pub row_group_bytes: usize,
    /// Threads of the sink: so many row groups are encoded at a time.
    pub encoders: usize,
    /// Parents a worker takes at a time.
    pub batch_parents: usize,
    /// Memory that settling works in, bytes.
    pub settle_bytes: usize,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The job does not fit its budget, whatever is done about it.
    #[error(
        "the job needs {} and --memory allows {}{}\n{plan}",
        mebibytes(plan.total()), plan.budget, advice(*threads, *least)
    )]
    Budget {
        /// The smallest plan there is.
        plan: Box<MemoryPlan>,
        /// The number of threads with which it would fit.
        threads: Option<usize>,
        /// Of a run to be resumed: the least memory with which it fits.
        least: Option<ByteSize>,
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

fn advice(threads: Option<usize>, least: Option<ByteSize>) -> String {
    match (least, threads) {
        (Some(least), _) => {
            format!(
                "; with the sizes that it was begun with, --memory {least} is the least that resumes it"
            )
        }
        (None, Some(threads)) => format!("; with --threads {threads} it fits"),
        (None, None) => "; give it more memory".into(),
    }
}

/// Plans a job: transforms a sample, sizes everything, adds it up. `excluded` is the number of products
/// of earlier runs that are to be left out, `rules` the number of rules of each step, `filters` their filters,
/// `begun` the sizes of the run that is to be resumed.
pub fn plan(
    (spec, begun): (&JobSpec, Option<Sizes>),
    (rules, filters): (&[usize], &[FilterSet]),
    library: &Library,
    excluded: u64,
    reagents: ReagentNeeds,
    try_parents: &TryParents<'_>,
) -> Result<Plan, PlanError> {
    let mut estimate = estimate(spec, library, &reagents, try_parents)?;
    estimate.excluded = excluded;
    let needs = Needs {
        spec,
        begun,
        estimate,
        rules: rules.iter().copied().max().unwrap_or_default(),
        filters,
        reagents,
        page_bytes: library.page_bytes() as usize,
        unpack_bytes: library.unpack_bytes() as usize,
        kept: library.kept().map(|columns| KeptNeeds {
            columns: columns.len(),
            source_bytes: library.kept_bytes() as usize,
        }),
    };
    needs.fit_begun()
}

/// What the rules of several reactants of a job need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReagentNeeds {
    /// Bytes that the reagents take.
    pub bytes: usize,
    /// Reagents in all lists together.
    pub listed: usize,
    /// Reagents that a row names.
    pub per_row: usize,
    /// By step, combinations with a parent.
    pub combinations: Vec<f64>,
}

impl ReagentNeeds {
    /// Bytes of reagents that a thread keeps ready.
    pub fn kept_bytes_max(&self, memory: ByteSize) -> usize {
        let share = (memory.0 as usize / 64).min(REAGENTS_KEPT_BYTES_MAX);
        share.min(self.listed * KEPT_REAGENT_BYTES)
    }
}

/// What a reagent takes at most that is kept ready, with its molecule as RDKit holds it.
const KEPT_REAGENT_BYTES: usize = 64 << 10;

/// What a job needs, on whatever engine and with any number of threads and slots.
#[derive(Clone)]
struct Needs<'a> {
    spec: &'a JobSpec,
    /// The sizes of the run that is to be resumed.
    begun: Option<Sizes>,
    estimate: Estimate,
    /// Number of rules, of the step that has most.
    rules: usize,
    /// The filters of each step.
    filters: &'a [FilterSet],
    /// Of a job with rules of several reactants.
    reagents: ReagentNeeds,
    /// Bytes of the largest Parquet page of the inputs.
    page_bytes: usize,
    /// Bytes that unpacking text inputs takes.
    unpack_bytes: usize,
    /// With kept columns.
    kept: Option<KeptNeeds>,
}

/// What kept columns need.
#[derive(Clone, Copy)]
struct KeptNeeds {
    columns: usize,
    /// Bytes that reading them takes.
    source_bytes: usize,
}

impl Plan {
    /// Parents that a worker takes at a time in a step of `rows` parents.
    pub fn batch_parents_of(&self, step: usize, rows: u64) -> usize {
        match step {
            0 | 1 => self.batch_parents,
            step => {
                let growth = self.estimate.growth(step);
                sizes::batch_parents(&self.slot, growth, rows).min(BATCH_PARENTS_MAX)
            }
        }
    }
}

impl Needs<'_> {
    /// With the engine that was asked for, or the best for which there is room.
    fn fit_engine(&self) -> Result<Plan, PlanError> {
        // Filter and slots follow from the budget and the sample alone, whatever the engine.
        let least = self.sized(&Chosen::CPU, LEAST);
        let chosen = choose(self.spec.engine, &Room::new(least.filter, &least.slot))?;
        let on_chosen = self.fit_threads(&chosen);
        let Some(instead) = chosen.cpu_instead() else {
            return on_chosen;
        };
        // Chemistry is what takes the time: a GPU for the sieve is not worth a thread.
        let on_cpu = self.fit_threads(&instead)?;
        match on_chosen {
            Ok(plan) if plan.threads >= on_cpu.threads => Ok(plan),
            Ok(_) | Err(PlanError::Budget { .. }) => Ok(on_cpu),
            Err(error) => Err(error),
        }
    }

    /// With as many threads as were asked for, or as many as fit. A run that is resumed gets fewer than it began with
    /// where its memory has shrunk.
    fn fit_threads(&self, engine: &Chosen) -> Result<Plan, PlanError> {
        let most = match (self.spec.threads, self.begun) {
            (Some(threads), None) => return self.fit(engine, threads.get()),
            (Some(threads), Some(_)) => threads.get(),
            (None, _) => machine::processors(),
        };
        let mut fewer = (1..=most).rev().map(|threads| self.fit(engine, threads));
        fewer
            .find(Result::is_ok)
            .unwrap_or_else(|| self.fit(engine, 1))
    }

    /// Sizes everything for a given number of threads, with as many slots as fit.
    fn fit(&self, engine: &Chosen, threads: usize) -> Result<Plan, PlanError> {
        let budget = self.spec.memory.0;
        let two_each = 2 * threads + 2;
        let (wanted, least) = match (self.spec.slots, self.begun) {
            (Some(slots), None) => (slots, slots),
            // Those it began with say nothing of other threads and another memory.
            (Some(slots), Some(_)) => (slots.max(two_each), SLOTS_MIN),
            (None, _) => (two_each, SLOTS_MIN),
        };
        let sized = |threads, slots, encoders| {
            let workforce = Workforce {
                threads,
                slots,
                encoders,
            };
            self.sized(engine, workforce)
        };
        let plan = sized(threads, least, 1);
        if plan.memory.total() > budget {
            let fits = |fewer: &usize| sized(*fewer, least, 1).memory.total() <= budget;
            return Err(PlanError::Budget {
                threads: (1..threads).rev().find(fits),
                least: self.least_memory(engine),
                plan: Box::new(plan.memory),
            });
        }
        let spare = (budget - plan.memory.total()) as usize;
        // Encoders get a quarter of what is left, slots the rest.
        let encoder = plan.encoder_bytes(self.spec);
        let encoders = (1 + spare / 4 / encoder).min(threads);
        let spare = spare - (encoders - 1) * encoder;
        let slots = wanted.min(least + spare / plan.slot.bytes).min(SLOTS_MAX);
        match (slots, encoders) == (plan.slots, plan.encoders) {
            true => Ok(plan),
            false => Ok(sized(threads, slots, encoders)),
        }
    }
}

/// How much of a job goes on at a time. Files do not depend on it.
#[derive(Clone, Copy)]
struct Workforce {
    threads: usize,
    slots: usize,
    encoders: usize,
}

/// The least there can be.
const LEAST: Workforce = Workforce {
    threads: 1,
    slots: SLOTS_MIN,
    encoders: 1,
};

/// The largest Parquet page a budget allows. Two columns are read, and each page exists before and
/// after decompression, so four of them take a sixteenth of the budget.
pub fn page_bytes_max(memory: ByteSize) -> usize {
    (memory.0 as usize / 64).clamp(1 << 20, PARQUET_PAGE_BYTES_MAX)
}

impl JobSpec {
    /// What parents of this job are tried with in a separate process.
    pub fn assignment(&self, purpose: Purpose) -> Assignment {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        Assignment {
            rules: (self.rules_of(purpose.step).iter().map(absolute))
                .map(|path| written_path(&path))
                .collect(),
            settings: purpose.settings,
            products_kept: purpose.products_kept,
            reagents: TriedReagents::default(),
            filters: FilterSet::default(),
            time_max: self.parent_time_max(),
        }
    }
}
