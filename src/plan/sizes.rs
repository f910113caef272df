//! Sizes that follow from the budget and the sample alone, or from those a run was begun with, never from the number of
//! threads or slots: files are the same for any number of them.

use super::{MemoryPlan, Needs, Plan, Workforce};
use crate::{
    config::Work,
    limits::{
        BATCH_PARENTS_MAX, DEDUP_BATCH_PARENTS_MAX, FILTER_BITS_MIN, FILTER_BUDGET_DIVISOR,
        ROW_GROUP_BYTES_MAX, ROW_GROUP_BYTES_MIN, SLOT_BYTES_DEFAULT_MAX, SLOT_BYTES_MIN,
    },
    sieve::{Chosen, FilterShape},
    slot::SlotLayout,
};

impl Needs<'_> {
    /// The plan for a given engine and workforce, whether it fits or not.
    pub(super) fn sized(&self, engine: &Chosen, workforce: Workforce) -> Plan {
        let (spec, estimate) = (self.spec, self.estimate);
        let budget = spec.memory.0 as usize;
        let begun = self.begun;
        let slot_bytes = spec.slot_size.map(|size| size.0 as usize);
        let slot_bytes = begun.map(|begun| begun.slot_bytes).or(slot_bytes);
        let slot_bytes = slot_bytes.unwrap_or_else(|| {
            let share = (budget / 256).max(1);
            (1usize << share.ilog2()).clamp(SLOT_BYTES_MIN, SLOT_BYTES_DEFAULT_MAX)
        });
        let (properties, roots) = (spec.properties(), spec.has_roots());
        let reagents = self.reagents.per_row;
        let kept = self.kept.is_some();
        let divide = |bytes| SlotLayout::divide_with((bytes, properties, roots, reagents), kept);
        let slot = divide(slot_bytes)
            .or_else(|_| divide(SLOT_BYTES_MIN))
            .expect("the smallest size is in the range");
        let filter_products = self.filter_products();
        let for_budget = || {
            let bits_max = 8 * (budget / FILTER_BUDGET_DIVISOR);
            let rate = spec.false_positive_rate();
            FilterShape::for_items(filter_products, rate, FILTER_BITS_MIN, bits_max)
        };
        let filter = begun.map_or_else(for_budget, |begun| begun.filter);
        let batch_parents = batch_parents(&slot, estimate.products_per_parent, estimate.parents)
            .min(batch_parents_max(&spec.work));
        let batch_parents = begun.map_or(batch_parents, |begun| begun.batch_parents);
        let row_group_bytes = (budget / 128).clamp(ROW_GROUP_BYTES_MIN, ROW_GROUP_BYTES_MAX);
        let row_group_bytes = begun.map_or(row_group_bytes, |begun| begun.row_group_bytes);
        let mut plan = Plan {
            estimate,
            memory: MemoryPlan::new(spec.memory),
            threads: workforce.threads,
            slots: workforce.slots,
            encoders: workforce.encoders,
            slot,
            engine: engine.clone(),
            filter,
            filter_products,
            kept_reagent_bytes: self.reagents.kept_bytes_max(spec.memory),
            row_group_bytes,
            batch_parents,
            settle_bytes: 0,
        };
        self.add_items(&mut plan);
        plan
    }
}

/// Parents of a batch: their products fill about three quarters of a slot, but a step has many batches, so that no
/// worker is left idle.
pub(super) fn batch_parents(slot: &SlotLayout, products_per_parent: f64, parents: u64) -> usize {
    let per_slot = slot.rows_max as f64 * 0.75 / products_per_parent.max(1.0);
    (per_slot as usize).min(parents as usize / 128).max(1)
}

/// Most parents of a batch. Files depend on it, so it is the same for all engines.
fn batch_parents_max(work: &Work) -> usize {
    match work {
        Work::Derive(_) => BATCH_PARENTS_MAX,
        Work::Dedup(_) => DEDUP_BATCH_PARENTS_MAX,
    }
}
