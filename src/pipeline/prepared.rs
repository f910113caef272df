//! Slots that one run of a job keeps and later runs of the same job use in place of the chemistry. `molsieve bench`
//! measures the rest of the pipeline with them; an ordinary job keeps none.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::slot::Slot;

/// Where the workers of a job take the rows of their slots from.
#[derive(Clone, Debug, Default)]
pub enum RowOrigin {
    /// The work of the job.
    #[default]
    Work,
    /// The work of the job; a copy of each slot is kept.
    WorkAndKeep(Arc<KeptSlots>),
    /// Slots that an earlier run of this job has kept.
    Kept(Arc<KeptSlots>),
}

/// The slots of a job by batch, as workers have filled them: not yet hashed. Batches and their slots depend on input,
/// rules and memory limit, not on the number of threads.
#[derive(Debug)]
pub struct KeptSlots {
    bytes_max: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    batches: BTreeMap<u64, Vec<Arc<Slot>>>,
    bytes: u64,
}

impl KeptSlots {
    /// Keeps slots until they take this many bytes together.
    pub fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            kept: Mutex::default(),
        }
    }

    /// Whether every slot was kept.
    pub fn is_complete(&self) -> bool {
        self.lock().bytes <= self.bytes_max
    }

    /// Keeps a copy of the next slot of a batch, unless there is no room left.
    pub(super) fn keep(&self, batch: u64, slot: &Slot) {
        let copy = slot.compact();
        let mut kept = self.lock();
        kept.bytes += copy.layout().bytes as u64;
        if kept.bytes <= self.bytes_max {
            kept.batches.entry(batch).or_default().push(copy.into());
        }
    }

    /// The slots of a batch in their order.
    pub(super) fn of_batch(&self, batch: u64) -> Vec<Arc<Slot>> {
        self.lock().batches.get(&batch).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key::Key, property::PropertySet};

    fn slot(smiles: &[u8]) -> Slot {
        let mut slot = Slot::smallest(PropertySet::NONE);
        assert!(slot.push_row(smiles, 0, Key::of(smiles)));
        slot
    }

    #[test]
    fn slots_are_kept_by_batch_in_their_order_until_the_room_is_used() {
        let first = slot(b"CO");
        let bytes = first.compact().layout().bytes as u64;
        let kept = KeptSlots::new(3 * bytes);
        kept.keep(1, &first);
        kept.keep(0, &slot(b"CN"));
        kept.keep(1, &slot(b"CS"));
        assert!(kept.is_complete());
        let smiles = |batch| -> Vec<_> {
            let slots = kept.of_batch(batch);
            slots.iter().map(|slot| slot.smiles(0).to_vec()).collect()
        };
        assert_eq!(smiles(1), [b"CO", b"CS"]);
        assert_eq!(smiles(0), [b"CN"]);
        kept.keep(2, &first);
        assert!(!kept.is_complete());
        assert!(smiles(2).is_empty());
    }
}
