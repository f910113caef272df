//! The sink's thread: counts what comes out of the sieve, writes what remains.

use std::sync::{atomic::Ordering::Relaxed, mpsc};

use serde::Serialize;

use super::{CappedParent, PipelineError, Shared};
use crate::{
    limits::CAPPED_PARENTS_NAMED_MAX,
    ring::Permit,
    sieve::Tally,
    slot::{ParentFlags, Slot},
    store::OutputDir,
    table::sink::{Part, ProductSink, RejectSink, SinkSettings},
};

/// What became of parents and products. Every parent read and every product made is counted in one
/// place: `parents_read = parents_transformed + parents_rejected`, and `products_made` is the sum of
/// the six kinds below it, less the products that a cap kept from being made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows of the input.
    pub parents_read: u64,
    /// Rows whose products were made.
    pub parents_transformed: u64,
    /// Rows that can't be used; they are in `rejects.parquet`.
    pub parents_rejected: u64,
    /// Parents at which a cap took effect.
    pub parents_capped: u64,
    /// Product molecules made.
    pub products_made: u64,
    /// Rows written.
    pub products_unique: u64,
    /// Products given before by another parent, as far as the filter can tell.
    pub products_duplicate: u64,
    /// Of these, those that only the filter says were seen before.
    pub products_maybe: u64,
    /// Products that the same parent had given before.
    pub products_symmetric: u64,
    /// Products equal to their parent.
    pub products_unchanged: u64,
    /// Products that RDKit can't sanitize.
    pub products_invalid: u64,
    /// Products that a cap kept from being made or written.
    pub products_capped: u64,
}

impl Counts {
    fn add(&mut self, slot: &Slot, tally: Tally, rejected: u64) {
        for parent in (0..slot.parents()).map(|i| slot.parent(i)) {
            if !parent.flags.has(ParentFlags::CONTINUED) {
                self.parents_read += 1;
            }
        }
        self.parents_rejected += rejected;
        self.parents_transformed = self.parents_read - self.parents_rejected;
        self.products_unique += tally.new;
        self.products_duplicate += tally.duplicate + tally.maybe;
        self.products_maybe += tally.maybe;
        self.products_symmetric += slot.dropped.symmetric;
        self.products_unchanged += slot.dropped.unchanged;
        self.products_invalid += slot.dropped.invalid;
        self.products_capped += slot.dropped.capped;
        self.products_made = self.products_unique
            + self.products_duplicate
            + self.products_symmetric
            + self.products_unchanged
            + self.products_invalid;
    }
}

/// What the sink's thread leaves.
pub(crate) struct Sunk {
    /// The published parts.
    pub parts: Vec<Part>,
    /// The rejects, if there are any.
    pub rejects: Option<Part>,
    /// Parents at which a cap took effect, the first ones.
    pub capped: Vec<CappedParent>,
    /// Distinct products expected to have been lost to the filter's false positives.
    pub lost: f64,
}

/// The body of the sink's thread.
pub(super) fn sink(
    shared: &Shared<'_>,
    output: &OutputDir,
    judged: &mpsc::Receiver<(Permit, Tally)>,
) -> Result<Sunk, PipelineError> {
    let settings = SinkSettings {
        rule_names: shared.job.rule_names(),
        properties: shared.job.spec.properties,
        row_group_bytes: shared.job.plan.row_group_bytes,
        part_bytes: shared.job.spec.part_bytes,
    };
    let mut products = ProductSink::new(output, settings);
    let mut rejects = RejectSink::new(output);
    let mut counts = Counts::default();
    let mut capped = Capped::default();
    let mut lost = 0.0;
    while let Ok((slot, tally)) = judged.recv() {
        shared
            .times
            .measure(&shared.times.sink, || -> Result<(), PipelineError> {
                products.write(&slot)?;
                let rejected = rejects.write(&slot)?;
                // Of the rows the filter had not seen, this share was taken for seen.
                let rate = shared
                    .job
                    .plan
                    .filter
                    .false_positive_rate(counts.products_unique);
                lost += tally.new as f64 * rate / (1.0 - rate).max(f64::EPSILON);
                counts.add(&slot, tally, rejected);
                Ok(())
            })?;
        capped.add(&slot);
        counts.parents_capped = capped.parents;
        *shared.counts.lock().unwrap_or_else(|p| p.into_inner()) = counts;
        shared.bytes_written.store(products.bytes(), Relaxed);
        shared.parts.store(products.parts().len() as u64, Relaxed);
    }
    // The end, or a stop on request: what is there is closed and published. After an error the part
    // under way is dropped, with the rejects; parts published before stay.
    if shared.failed() {
        return Ok(Sunk {
            parts: Vec::new(),
            rejects: None,
            capped: Vec::new(),
            lost: 0.0,
        });
    }
    if !shared.stopping.load(Relaxed) {
        products.begin_first_part()?;
    }
    let parts = shared
        .times
        .measure(&shared.times.sink, || products.close())?;
    let bytes = parts.iter().map(|part| part.file.bytes).sum();
    shared.bytes_written.store(bytes, Relaxed);
    shared.parts.store(parts.len() as u64, Relaxed);
    let lost = lost.min(counts.products_maybe as f64);
    Ok(Sunk {
        parts,
        rejects: rejects.publish()?,
        capped: capped.named,
        lost,
    })
}

/// The parents at which a cap took effect. One that spans slots can be capped in several of them.
#[derive(Default)]
struct Capped {
    named: Vec<CappedParent>,
    parents: u64,
    last: Option<u64>,
}

impl Capped {
    fn add(&mut self, slot: &Slot) {
        for parent in (0..slot.parents()).map(|i| slot.parent(i)) {
            if !parent.flags.capped() || self.last == Some(parent.row) {
                continue;
            }
            self.last = Some(parent.row);
            self.parents += 1;
            if self.named.len() < CAPPED_PARENTS_NAMED_MAX {
                self.named.push(CappedParent::of(parent));
            }
        }
    }
}
