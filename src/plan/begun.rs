//! The sizes that shape files. A run that is resumed keeps those it was begun with, so that its files stay the same
//! with any memory and any number of threads.

use std::collections::BTreeMap;

use super::{LEAST, Needs, Plan, PlanError, page_bytes_max};
use crate::{
    config::{Dedup, JobSpec},
    limits::{FILTER_BITS_MIN, FILTER_BUDGET_DIVISOR},
    sieve::{Chosen, FilterShape},
    units::ByteSize,
};

/// The sizes that the files of a run depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The filter. Where every false positive is settled, it decides the order of rows alone.
    pub filter: FilterShape,
    /// Bytes of a slot.
    pub slot_bytes: usize,
    /// Bytes of content at which a row group is closed.
    pub row_group_bytes: usize,
    /// Parents a worker takes at a time.
    pub batch_parents: usize,
}

const FILTER_BITS: &str = "bits of the filter";
const FILTER_HASHES: &str = "hashes of the filter";
const SLOT_BYTES: &str = "bytes of a slot";
const ROW_GROUP_BYTES: &str = "bytes of a row group";
const BATCH_PARENTS: &str = "parents of a batch";

impl Sizes {
    /// The sizes of a plan.
    pub fn of(plan: &Plan) -> Self {
        Self {
            filter: plan.filter,
            slot_bytes: plan.slot.bytes,
            row_group_bytes: plan.row_group_bytes,
            batch_parents: plan.batch_parents,
        }
    }

    /// Each size by its name.
    pub fn named(&self) -> BTreeMap<String, u64> {
        let sizes = [
            (FILTER_BITS, self.filter.bits as u64),
            (FILTER_HASHES, u64::from(self.filter.hashes)),
            (SLOT_BYTES, self.slot_bytes as u64),
            (ROW_GROUP_BYTES, self.row_group_bytes as u64),
            (BATCH_PARENTS, self.batch_parents as u64),
        ];
        sizes.map(|(name, size)| (name.into(), size)).into()
    }

    /// The reverse; `None` if one is missing.
    pub fn from_named(named: &BTreeMap<String, u64>) -> Option<Self> {
        let size = |name| usize::try_from(*named.get(name)?).ok();
        Some(Self {
            filter: FilterShape {
                bits: size(FILTER_BITS)?,
                hashes: u32::try_from(size(FILTER_HASHES)?).ok()?,
            },
            slot_bytes: size(SLOT_BYTES)?,
            row_group_bytes: size(ROW_GROUP_BYTES)?,
            batch_parents: size(BATCH_PARENTS)?,
        })
    }

    /// Why these settings can't continue a run of these sizes; `None` if they can. `products`: distinct products that
    /// the filter is made for.
    pub fn refusal(&self, spec: &JobSpec, products: u64) -> Option<String> {
        if let Some(given) = spec.slot_size
            && given.0 != self.slot_bytes as u64
        {
            let then = ByteSize(self.slot_bytes as u64);
            return Some(format!("--slot-size was {then} and is {given}"));
        }
        // As large as it became, the filter of the run is the one for these settings.
        let rate = spec.false_positive_rate();
        let bits = self.filter.bits;
        let filter = FilterShape::for_items(products, rate, FILTER_BITS_MIN, bits);
        (filter != self.filter).then(|| {
            "the filter is another: --expected-products or --false-positive-rate is not that of the run"
                .into()
        })
    }
}

impl Needs<'_> {
    /// With the sizes that the run was begun with, if it was. If they don't fit, an exact run gets a smaller filter: that
    /// moves rows, and loses none.
    pub(super) fn fit_begun(mut self) -> Result<Plan, PlanError> {
        let fitted = self.fit_engine();
        let (Some(begun), Err(PlanError::Budget { .. })) = (self.begun, &fitted) else {
            return fitted;
        };
        let filter = self.filter_within(begun.filter);
        if filter == begun.filter {
            return fitted;
        }
        self.begun = Some(Sizes { filter, ..begun });
        self.fit_engine()
    }

    /// The filter that a run continues with in this budget at the least: that of its start, or a smaller one if false
    /// positives are settled.
    fn filter_within(&self, begun: FilterShape) -> FilterShape {
        let bits_max = 8 * (self.spec.memory.0 as usize / FILTER_BUDGET_DIVISOR);
        if self.spec.dedup == Dedup::Bloom || begun.bits <= bits_max.max(FILTER_BITS_MIN) {
            return begun;
        }
        let rate = self.spec.false_positive_rate();
        FilterShape::for_items(self.filter_products(), rate, FILTER_BITS_MIN, bits_max)
    }

    /// Distinct products that the filter is made for: room for a quarter more than the sample says. Samples err, and full
    /// filters err too.
    pub(super) fn filter_products(&self) -> u64 {
        let estimate = &self.estimate;
        let expected = estimate.products() / 4 * 5 + estimate.excluded + estimate.library_keys;
        self.spec.expected_products.unwrap_or(expected).max(1)
    }

    /// The least memory with which a run fits that is to be resumed; `None` if it is not.
    pub(super) fn least_memory(&self, engine: &Chosen) -> Option<ByteSize> {
        const ROUNDS_MAX: usize = 64;
        const UNIT: u64 = 1 << 20;
        let begun = self.begun?;
        let pages_are_cut = self.page_bytes >= page_bytes_max(self.spec.memory);
        let mut memory = self.spec.memory;
        for _ in 0..ROUNDS_MAX {
            let spec = JobSpec {
                memory,
                ..self.spec.clone()
            };
            let mut needs = Needs {
                spec: &spec,
                ..self.clone()
            };
            if pages_are_cut {
                needs.page_bytes = page_bytes_max(memory);
            }
            let filter = needs.filter_within(begun.filter);
            needs.begun = Some(Sizes { filter, ..begun });
            let total = needs.sized(engine, LEAST).memory.total();
            if total <= memory.0 {
                return Some(memory);
            }
            memory = ByteSize(total.next_multiple_of(UNIT));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_were_written() {
        let sizes = Sizes {
            filter: FilterShape {
                bits: 1_024,
                hashes: 7,
            },
            slot_bytes: 1 << 19,
            row_group_bytes: 1 << 21,
            batch_parents: 12,
        };
        let mut named = sizes.named();
        assert_eq!(Sizes::from_named(&named), Some(sizes));
        named.remove(BATCH_PARENTS);
        assert_eq!(Sizes::from_named(&named), None);
    }

    /// What [`Sizes::refusal`] relies on: the bits of a filter, as the most it may have, give that filter.
    #[test]
    fn the_filter_of_a_run_follows_from_its_own_size() {
        for items in [1, 100, 5_000, 1_000_000, 300_000_000] {
            for rate in [1e-9, 1e-6, 0.01, 0.5] {
                for bits_max in [1_000, 100_000, 8 << 20, 8 << 28] {
                    let filter = FilterShape::for_items(items, rate, FILTER_BITS_MIN, bits_max);
                    let bits = filter.bits;
                    let again = FilterShape::for_items(items, rate, FILTER_BITS_MIN, bits);
                    assert_eq!(again, filter, "{items} {rate} {bits_max}");
                }
            }
        }
    }
}
