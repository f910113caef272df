//! A sample of what a job drops, with the reasons: `--explain-drops`.
//!
//! Of each reason the sample keeps the drops with the least hashes. A hash depends on the step, the parent and the number
//! of the drop within the parent. So the sample is a function of the input and the settings, whatever the number of
//! threads; and a part of the input that is worked on twice, after an interruption, changes nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::limits::DROP_TEXT_BYTES_MAX;

/// Something dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drop {
    /// The step, from 1.
    pub step: u8,
    /// The reason.
    pub cause: Cause,
    /// 0-based row of the parent over all inputs, or of the step before.
    pub parent_row: u64,
    /// Its id.
    pub parent_id: String,
    /// Its SMILES.
    pub parent_smiles: String,
    /// Number of the rule; none of a parent.
    pub rule: Option<u32>,
    /// Number of the site.
    pub site: u16,
    /// Of the product; empty where there is none.
    pub smiles: String,
    /// Value of the property that a filter looks at.
    pub value: f64,
    /// Number of the pattern of the filter that matches.
    pub pattern: u32,
    /// Name of the alert that matches, or RDKit's text.
    pub text: String,
}

/// Why something is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// A filter, by its number in [`crate::filter::FilterSet::iter`].
    Filter(u32),
    /// RDKit can't sanitize the product.
    Invalid,
}

/// The least hashes of each reason, with their drops.
type Kept = BTreeMap<(u8, Cause), BTreeMap<u64, Drop>>;

/// The sample, which all workers share.
#[derive(Debug)]
pub struct DropSample {
    /// Drops of each reason.
    most: usize,
    kept: Mutex<Kept>,
}

impl DropSample {
    /// At most so many drops of each reason, and what is known of them.
    pub fn new(most: usize, known: Vec<(u64, Drop)>) -> Self {
        let sample = Self {
            most,
            kept: Mutex::default(),
        };
        known
            .into_iter()
            .for_each(|(hash, drop)| sample.add(hash, drop));
        sample
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hash from which on a drop of this reason is not wanted.
    fn unwanted_from(&self, step: u8, cause: Cause) -> u64 {
        let kept = self.kept();
        let full = kept
            .get(&(step, cause))
            .filter(|drops| drops.len() >= self.most);
        let last = full.and_then(BTreeMap::last_key_value);
        last.map_or(u64::MAX, |(hash, _)| *hash)
    }

    fn add(&self, hash: u64, drop: Drop) {
        let mut kept = self.kept();
        let drops = kept.entry((drop.step, drop.cause)).or_default();
        drops.insert(hash, drop);
        if drops.len() > self.most {
            drops.pop_last();
        }
    }

    /// The drops with their hashes: by step and reason, then by hash.
    pub fn drops(&self) -> Vec<(u64, Drop)> {
        let kept = self.kept();
        let drops = kept.values().flatten();
        drops.map(|(hash, drop)| (*hash, drop.clone())).collect()
    }
}

/// The parent whose drops are logged.
#[derive(Debug, Default)]
struct LoggedParent {
    ordinal: u64,
    row: u64,
    id: String,
    smiles: String,
    /// Drops so far.
    drops: u64,
    /// Of the drop that was asked for last.
    hash: u64,
}

/// Names the parents of one worker to its log.
#[derive(Clone, Debug)]
pub struct DropParents(Arc<Mutex<LoggedParent>>);

impl DropParents {
    /// Begins a parent: its place in the order of reading, its row, id and SMILES.
    pub fn begin(&self, ordinal: u64, row: u64, id: &[u8], smiles: &[u8]) {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        *lock(&self.0) = LoggedParent {
            ordinal,
            row,
            id: text(id),
            smiles: text(smiles),
            ..LoggedParent::default()
        };
    }
}

fn lock(parent: &Mutex<LoggedParent>) -> MutexGuard<'_, LoggedParent> {
    parent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something dropped, as the chemistry says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoggedDrop<'a> {
    /// Number of the filter among those of products, or of parents; `u32::MAX`: RDKit can't sanitize the product.
    pub filter: u32,
    /// Whether it is the parent itself.
    pub is_parent: bool,
    /// Number of the rule.
    pub rule: u32,
    /// Number of the site.
    pub site: u16,
    /// Of the product; empty if it has none.
    pub smiles: &'a str,
    /// Of the property of the filter.
    pub value: f64,
    /// Number of the pattern of the filter that matches.
    pub pattern: u32,
    /// Name of the alert, or RDKit's text.
    pub text: &'a str,
}

/// What a transformer tells of what it drops.
pub struct DropLog {
    sample: Arc<DropSample>,
    step: u8,
    /// Filters of products, which are counted before those of parents.
    product_filters: u32,
    parent: DropParents,
    /// By reason: the sample wants nothing from this hash on, as known here.
    unwanted_from: BTreeMap<Cause, u64>,
}

impl DropLog {
    /// A log for the worker of a step, and the place where it learns of its parents.
    pub fn new(sample: &Arc<DropSample>, step: u8, product_filters: usize) -> (Self, DropParents) {
        let parent = DropParents(Arc::default());
        let log = Self {
            sample: Arc::clone(sample),
            step,
            product_filters: product_filters as u32,
            parent: parent.clone(),
            unwanted_from: BTreeMap::new(),
        };
        (log, parent)
    }

    fn cause(&self, filter: u32, is_parent: bool) -> Cause {
        match (filter, is_parent) {
            (u32::MAX, _) => Cause::Invalid,
            (filter, true) => Cause::Filter(self.product_filters + filter),
            (filter, false) => Cause::Filter(filter),
        }
    }

    pub(super) fn wants(&mut self, filter: u32, is_parent: bool) -> bool {
        let cause = self.cause(filter, is_parent);
        let mut parent = lock(&self.parent.0);
        let number = parent.drops;
        parent.drops += 1;
        parent.hash = hash([u64::from(self.step), parent.ordinal, number]);
        let unwanted_from = self.unwanted_from.entry(cause).or_insert(u64::MAX);
        if parent.hash >= *unwanted_from {
            return false;
        }
        *unwanted_from = self.sample.unwanted_from(self.step, cause);
        parent.hash < *unwanted_from
    }

    pub(super) fn add(&mut self, dropped: &LoggedDrop<'_>) {
        let parent = lock(&self.parent.0);
        let of_parent = parent.id.len() + parent.smiles.len();
        let texts = of_parent + dropped.smiles.len() + dropped.text.len();
        if texts > DROP_TEXT_BYTES_MAX {
            return;
        }
        let drop = Drop {
            step: self.step,
            cause: self.cause(dropped.filter, dropped.is_parent),
            parent_row: parent.row,
            parent_id: parent.id.clone(),
            parent_smiles: parent.smiles.clone(),
            rule: (!dropped.is_parent).then_some(dropped.rule),
            site: dropped.site,
            smiles: dropped.smiles.into(),
            value: dropped.value,
            pattern: dropped.pattern,
            text: dropped.text.into(),
        };
        self.sample.add(parent.hash, drop);
    }
}

/// Mixes numbers (the finalizer of splitmix64 after each).
fn hash(numbers: [u64; 3]) -> u64 {
    numbers.into_iter().fold(0, |state, number| {
        let mut mixed = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(row: u64) -> Drop {
        Drop {
            step: 1,
            cause: Cause::Filter(0),
            parent_row: row,
            parent_id: String::new(),
            parent_smiles: "C".into(),
            rule: Some(0),
            site: 0,
            smiles: "CC".into(),
            value: 0.0,
            pattern: 0,
            text: String::new(),
        }
    }

    #[test]
    fn the_sample_is_the_same_in_any_order_and_after_repeats() {
        let hashed: Vec<_> = (0..1_000)
            .map(|row| (hash([1, row, 0]), dropped(row)))
            .collect();
        let forward = DropSample::new(10, hashed.clone());
        let mut backward = hashed.clone();
        backward.reverse();
        backward.extend(hashed.into_iter().take(500));
        let backward = DropSample::new(10, backward);
        assert_eq!(forward.drops().len(), 10);
        assert_eq!(forward.drops(), backward.drops());
        // Rows from everywhere, not the first ones.
        assert!(
            forward
                .drops()
                .iter()
                .any(|(_, drop)| drop.parent_row > 500)
        );
    }

    #[test]
    fn each_reason_has_a_sample_of_its_own() {
        let sample = DropSample::new(2, Vec::new());
        for row in 0..9 {
            let cause = if row < 8 {
                Cause::Filter(1)
            } else {
                Cause::Invalid
            };
            sample.add(
                hash([1, row, 0]),
                Drop {
                    cause,
                    ..dropped(row)
                },
            );
        }
        let causes: Vec<_> = sample.drops().iter().map(|(_, drop)| drop.cause).collect();
        assert_eq!(causes, [Cause::Filter(1), Cause::Filter(1), Cause::Invalid]);
    }
}
