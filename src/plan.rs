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
//! + keys        of dedup on a GPU: devices × a batch's texts and keys, threads × its outcomes
//! + engine      what a GPU's driver takes on the host
//! ≤ budget      (--memory)
//! ```
//!
//! Settling comes when the input is read: it works in the place of ring, filter and sieve, and in what
//! of the budget nothing else needs.
//!
//! Slot size, row group size and the largest filter follow from the budget alone, and the batch size
//! from the sample, never from the number of threads: files are the same for any number of them. If
//! the sum is over the budget, slots go first (down to two), then, unless `--threads` was given,
//! threads; what still does not fit is refused.

mod error;
mod estimate;
mod items;
mod memory;
mod sizes;

use std::{num::NonZeroUsize, path::PathBuf};

pub use error::PlanError;
pub use estimate::{Estimate, TryParents};
pub use memory::{MemoryItem, MemoryPlan};

use estimate::estimate;
use items::{Demand, add_settling};
use sizes::Sizes;

use crate::{
    chem::TransformSettings,
    config::{JobSpec, written_path},
    limits::{PARQUET_PAGE_BYTES_MAX, SLOTS_MAX, SLOTS_MIN},
    rules::RuleSet,
    sieve::{Chosen, FilterShape, choose, gpu::Room},
    slot::SlotLayout,
    table::source::Library,
    trial::Assignment,
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
    /// Encoded bytes at which a row group is closed.
    pub row_group_bytes: usize,
    /// Parents a worker takes at a time.
    pub batch_parents: usize,
    /// Memory that settling works in, bytes.
    pub settle_bytes: usize,
}

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
        page_bytes: library.page_bytes() as usize,
        unpack_bytes: library.unpack_bytes() as usize,
        engine: &Chosen::CPU,
    };
    fit_engine(spec, Needs { estimate, demand })
}

/// With the engine that was asked for, or the best for which there is room.
fn fit_engine(spec: &JobSpec, needs: Needs<'_>) -> Result<Plan, PlanError> {
    // Filter and slots follow from the budget and the sample alone, whatever the engine.
    let least = sized(spec, needs, 1, SLOTS_MIN);
    let chosen = choose(spec.engine, &Room::new(least.filter, &least.slot))?;
    let on_chosen = fit_threads(spec, needs.on(&chosen));
    let Some(instead) = chosen.cpu_instead() else {
        return on_chosen;
    };
    // Chemistry is what takes the time: a GPU for the sieve is not worth a thread.
    let on_cpu = fit_threads(spec, needs.on(&instead))?;
    match on_chosen {
        Ok(plan) if plan.threads >= on_cpu.threads => Ok(plan),
        Ok(_) | Err(PlanError::Budget { .. }) => Ok(on_cpu),
        Err(error) => Err(error),
    }
}

/// With as many threads as were asked for, or as many as fit.
fn fit_threads(spec: &JobSpec, needs: Needs<'_>) -> Result<Plan, PlanError> {
    let cpus = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    match spec.threads {
        Some(threads) => fit(spec, needs, threads.get()),
        None => (1..=cpus)
            .rev()
            .map(|threads| fit(spec, needs, threads))
            .find(Result::is_ok)
            .unwrap_or_else(|| fit(spec, needs, 1)),
    }
}

/// The largest Parquet page a budget allows. Two columns are read, and each page exists before and
/// after decompression, so four of them take a sixteenth of the budget.
pub fn page_bytes_max(memory: ByteSize) -> usize {
    (memory.0 as usize / 64).clamp(1 << 20, PARQUET_PAGE_BYTES_MAX)
}

impl JobSpec {
    /// What parents of this job are tried with in a separate process.
    pub fn assignment(&self, settings: TransformSettings) -> Assignment {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        Assignment {
            rules: (self.rules().iter().map(absolute))
                .map(|path| written_path(&path))
                .collect(),
            settings,
            time_max: self.parent_time_max(),
        }
    }
}

/// What a job needs, whatever budget it is given.
#[derive(Clone, Copy)]
struct Needs<'a> {
    estimate: Estimate,
    demand: Demand<'a>,
}

impl<'a> Needs<'a> {
    /// The same on another engine.
    fn on<'b>(self, engine: &'b Chosen) -> Needs<'b>
    where
        'a: 'b,
    {
        let demand = Demand {
            engine,
            ..self.demand
        };
        Needs { demand, ..self }
    }
}

/// Sizes everything for a given number of threads, with as many slots as fit.
fn fit(spec: &JobSpec, needs: Needs<'_>, threads: usize) -> Result<Plan, PlanError> {
    let wanted = spec.slots.unwrap_or(2 * threads + 2);
    let least = if spec.slots.is_some() {
        wanted
    } else {
        SLOTS_MIN
    };
    let mut plan = sized(spec, needs, threads, least);
    let over = plan.memory.total().saturating_sub(spec.memory.0);
    if over > 0 {
        let fewer = (1..threads).rev().find(|fewer| {
            let smaller = sized(spec, needs, *fewer, least);
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
        plan = sized(spec, needs, threads, slots);
    }
    Ok(plan)
}

/// The plan for a given number of threads and slots, whether it fits or not.
fn sized(spec: &JobSpec, needs: Needs<'_>, threads: usize, slots: usize) -> Plan {
    let Needs { estimate, demand } = needs;
    let sizes = Sizes::of(spec, &estimate);
    let mut memory = MemoryPlan {
        budget: spec.memory,
        items: items::items(spec, demand, &sizes, (threads, slots)),
    };
    let settle_bytes = add_settling(&mut memory);
    Plan {
        estimate,
        memory,
        threads,
        slots,
        slot: sizes.slot,
        engine: demand.engine.clone(),
        filter: sizes.filter,
        filter_products: sizes.filter_products,
        row_group_bytes: sizes.row_group_bytes,
        batch_parents: sizes.batch_parents,
        settle_bytes,
    }
}
