//! The counts of a job. One type from the slot to the manifest: a worker counts into the account of its slot, the sink
//! adds accounts up, a checkpoint stores the sum, the progress display and the manifest show it.

use std::{collections::BTreeMap, ops::AddAssign};

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    cleaning::{CleanStep, CleanSteps},
    limits::KEY_REASONS_MAX,
    reject::RejectCode,
};

/// What became of the parents and products of a slot or a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Parents and products.
    pub counts: Counts,
    /// Rejected parents by code.
    pub rejected_by_code: RejectCounts,
    /// Products by rule, in the order of the rules. Empty without rules.
    pub by_rule: Vec<RuleAccount>,
    /// How structure keys were made.
    pub keys: KeyCounts,
    /// With `--clean`: what was done to the molecules.
    #[serde(default)]
    pub cleaning: CleanCounts,
    /// Distinct products that the filter took for seen and that settling brought back.
    pub settled: u64,
    /// Distinct products expected to have been taken for seen by the filter.
    pub lost_expected: f64,
    /// Distinct products that the cap on a step left out.
    pub left_out: u64,
    /// Products and parents left out, by filter, in the order of [`crate::filter::FilterSet::iter`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_filter: Vec<u64>,
}

impl Account {
    /// Sets everything to zero and keeps the memory of `by_rule` and `by_filter`.
    pub fn clear(&mut self) {
        let mut by_rule = std::mem::take(&mut self.by_rule);
        let mut by_filter = std::mem::take(&mut self.by_filter);
        by_rule.clear();
        by_filter.clear();
        *self = Self {
            by_rule,
            by_filter,
            ..Self::default()
        };
    }

    /// Counts a parent that a filter leaves out.
    pub fn filter_parent(&mut self, filter: usize) {
        self.counts.parents_filtered += 1;
        if self.by_filter.len() <= filter {
            self.by_filter.resize(filter + 1, 0);
        }
        self.by_filter[filter] += 1;
    }

    /// Counts a rejected parent.
    pub fn reject(&mut self, code: RejectCode) {
        self.counts.parents_rejected += 1;
        self.rejected_by_code.0[code as usize] += 1;
    }

    /// Counts a row that is written, by its rule.
    pub fn count_unique(&mut self, rule: u16) {
        if let Some(rule) = self.by_rule.get_mut(usize::from(rule)) {
            rule.unique += 1;
        }
    }

    /// Counts distinct products that the cap on a step leaves out: until now they were counted as duplicates.
    pub fn leave_out(&mut self, products: u64) {
        self.counts.products_capped += products;
        self.counts.products_duplicate -= products;
        self.left_out += products;
    }

    /// Counts rows that are written after all: until now they were counted as duplicates.
    pub fn keep(&mut self, rows: u64) {
        self.counts.products_unique += rows;
        self.counts.products_duplicate -= rows;
    }

    /// Counts rows that settling brought back: until now they were counted as duplicates.
    pub fn settle(&mut self, rows: u64) {
        self.keep(rows);
        self.settled += rows;
    }
}

impl AddAssign<&Account> for Account {
    fn add_assign(&mut self, other: &Self) {
        self.counts += other.counts;
        self.rejected_by_code += other.rejected_by_code;
        if self.by_rule.len() < other.by_rule.len() {
            self.by_rule
                .resize(other.by_rule.len(), RuleAccount::default());
        }
        for (rule, others) in self.by_rule.iter_mut().zip(&other.by_rule) {
            *rule += *others;
        }
        self.keys += other.keys;
        self.cleaning += other.cleaning;
        self.settled += other.settled;
        self.lost_expected += other.lost_expected;
        self.left_out += other.left_out;
        if self.by_filter.len() < other.by_filter.len() {
            self.by_filter.resize(other.by_filter.len(), 0);
        }
        for (filter, others) in self.by_filter.iter_mut().zip(&other.by_filter) {
            *filter += others;
        }
    }
}

/// What became of parents and products. Every parent read and every product made is counted in one
/// place: `parents_read = parents_transformed + parents_rejected + parents_filtered`, and `products_made` is the sum of
/// unique, duplicate, symmetric, unchanged, invalid, capped and filtered ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Counts {
    /// Rows of the input.
    pub parents_read: u64,
    /// Rows whose products were made.
    pub parents_transformed: u64,
    /// Rows that can't be used; they are in `rejects.parquet`.
    pub parents_rejected: u64,
    /// Parents at which a cap took effect.
    pub parents_capped: u64,
    /// Product molecules made, those included that a cap kept from being made or written.
    pub products_made: u64,
    /// Rows written.
    pub products_unique: u64,
    /// Products given before by another parent; until they are settled, as far as the filter can tell.
    pub products_duplicate: u64,
    /// Products that the filter took for seen: settled exactly, or dropped with `--dedup bloom`.
    pub products_maybe: u64,
    /// Products that the same parent had given before.
    pub products_symmetric: u64,
    /// Products equal to their parent.
    pub products_unchanged: u64,
    /// Products that RDKit can't sanitize.
    pub products_invalid: u64,
    /// Products that a cap kept from being made or written; of sites beyond the cap, at least as many.
    pub products_capped: u64,
    /// Parents with enhanced stereo (CXSMILES), which is in none of their products' SMILES.
    #[serde(default)]
    pub enhanced_stereo_dropped: u64,
    /// Parents that a filter leaves out: no rule is applied to them.
    #[serde(default)]
    pub parents_filtered: u64,
    /// Products that a filter leaves out.
    #[serde(default)]
    pub products_filtered: u64,
    /// Products with open stereo centres that `--expand-stereo` has replaced by their stereoisomers. They are in no other
    /// count; the stereoisomers are.
    #[serde(default)]
    pub products_expanded: u64,
    /// Of those, products that have more stereoisomers than were asked for.
    #[serde(default)]
    pub products_expanded_in_part: u64,
    /// Parents that `--clean` has changed.
    #[serde(default)]
    pub parents_cleaned: u64,
}

impl Counts {
    /// Products made but for those that a cap kept from being made: what took time.
    pub fn products_worked_out(&self) -> u64 {
        self.products_made - self.products_capped
    }

    /// Parents, and products that are in no part: what a part does not grow by. Capped products are left out: most of
    /// them were not made and took no time.
    pub fn unwritten(&self) -> u64 {
        self.parents_read + self.products_worked_out() - self.products_unique
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        add(self, &other);
        // A parent may be read in one slot and rejected in a later one, so these two don't add up slot by slot.
        let left_out = self.parents_rejected + self.parents_filtered;
        self.parents_transformed = self.parents_read.saturating_sub(left_out);
        self.products_made = self.products_unique
            + self.products_duplicate
            + self.products_symmetric
            + self.products_unchanged
            + self.products_invalid
            + self.products_capped
            + self.products_filtered;
    }
}

/// Adds each number of `other` to the same number of `sum`.
fn add<T: Pod>(sum: &mut T, other: &T) {
    let others: &[u64] = bytemuck::must_cast_slice(std::slice::from_ref(other));
    let sums: &mut [u64] = bytemuck::must_cast_slice_mut(std::slice::from_mut(sum));
    (sums.iter_mut().zip(others)).for_each(|(sum, other)| *sum += other);
}

/// Rejected parents by code. In JSON: an object of the codes that occurred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct RejectCounts([u64; RejectCode::ALL.len()]);

impl RejectCounts {
    /// The codes that occurred, each with its number of parents.
    pub fn iter(&self) -> impl Iterator<Item = (RejectCode, u64)> {
        let counted = RejectCode::ALL.into_iter().zip(self.0);
        counted.filter(|(_, count)| *count > 0)
    }

    /// The number of parents rejected with `code`.
    pub fn of(&self, code: RejectCode) -> u64 {
        self.0[code as usize]
    }
}

impl AddAssign for RejectCounts {
    fn add_assign(&mut self, other: Self) {
        add(self, &other);
    }
}

impl Serialize for RejectCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for RejectCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut counts = Self::default();
        for (code, count) in BTreeMap::<RejectCode, u64>::deserialize(deserializer)? {
            counts.0[code as usize] = count;
        }
        Ok(counts)
    }
}

/// Products of one rule by what became of them. `made` includes repeats, which are in no other count. The chemistry
/// writes these numbers in this order (`RuleCount` in `transformer.h`); a checkpoint stores them as a list, because it has
/// one for each of thousands of rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable, Serialize, Deserialize)]
#[serde(from = "[u64; 9]", into = "[u64; 9]")]
#[repr(C)]
pub struct RuleAccount {
    /// All, those included that a cap kept from being made or written.
    pub made: u64,
    /// Products equal to their parent.
    pub unchanged: u64,
    /// Products that RDKit can't sanitize.
    pub invalid: u64,
    /// Products that a cap kept from being made or written; of sites beyond the cap, at least as many.
    pub capped: u64,
    /// Products that a filter leaves out.
    pub filtered: u64,
    /// Rows written.
    pub unique: u64,
    /// Parents that have a site.
    pub parents: u64,
    /// Their sites.
    pub sites: u64,
    /// Time spent on finding sites and making products.
    pub nanoseconds: u64,
}

impl AddAssign for RuleAccount {
    fn add_assign(&mut self, other: Self) {
        add(self, &other);
    }
}

impl From<RuleAccount> for [u64; 9] {
    fn from(rule: RuleAccount) -> Self {
        bytemuck::cast(rule)
    }
}

impl From<[u64; 9]> for RuleAccount {
    fn from(numbers: [u64; 9]) -> Self {
        bytemuck::cast(numbers)
    }
}

/// Rows whose structure key was not made from the text alone, or not where it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable, Serialize, Deserialize)]
#[repr(C)]
pub struct KeyCounts {
    /// Rows whose key took RDKit, by the number of the reason.
    pub by_rdkit: [u64; KEY_REASONS_MAX],
    /// Rows whose key a device left to the CPU because they are too large for it.
    pub too_large_for_device: u64,
}

impl AddAssign for KeyCounts {
    fn add_assign(&mut self, other: Self) {
        add(self, &other);
    }
}

/// What `--clean` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable, Serialize, Deserialize)]
#[repr(C)]
pub struct CleanCounts {
    /// Parents that a step changed, by the step.
    pub changed_by: CleanStepCounts,
    /// Parents that were given to RDKit: of the others, the outcome is known without it.
    pub by_rdkit: u64,
    /// Of the others, those that RDKit has cleaned as well, to check the outcome.
    pub checked: u64,
    /// Parents for which RDKit stopped before it had all tautomers.
    pub tautomers_capped: u64,
}

impl CleanCounts {
    /// Counts a parent that these steps have changed.
    pub fn count_changed(&mut self, steps: CleanSteps) {
        (steps.iter()).for_each(|step| self.changed_by.0[step as usize] += 1);
    }
}

impl AddAssign for CleanCounts {
    fn add_assign(&mut self, other: Self) {
        add(self, &other);
    }
}

/// A number for each step of cleaning. In JSON: an object of the steps that have one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct CleanStepCounts([u64; CleanStep::ALL.len()]);

impl CleanStepCounts {
    /// The steps that changed parents, each with their number.
    pub fn iter(&self) -> impl Iterator<Item = (CleanStep, u64)> {
        let counted = CleanStep::ALL.into_iter().zip(self.0);
        counted.filter(|(_, count)| *count > 0)
    }
}

impl Serialize for CleanStepCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(step, count)| (step.name(), count)))
    }
}

impl<'de> Deserialize<'de> for CleanStepCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut counts = Self::default();
        for (name, count) in BTreeMap::<String, u64>::deserialize(deserializer)? {
            let step: CleanStep = name.parse().map_err(D::Error::custom)?;
            counts.0[step as usize] = count;
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An account in which every number differs.
    fn account(rules: u64) -> Account {
        let mut account = Account {
            by_rule: (0..rules)
                .map(|i| std::array::from_fn(|number| i + number as u64).into())
                .collect(),
            settled: 3,
            lost_expected: 0.25,
            by_filter: vec![0, 5],
            ..Account::default()
        };
        account.counts += Counts {
            parents_read: 100,
            parents_capped: 4,
            products_unique: 50,
            products_duplicate: 30,
            products_maybe: 7,
            products_symmetric: 11,
            products_unchanged: 5,
            products_invalid: 3,
            products_capped: 2,
            products_filtered: 5,
            enhanced_stereo_dropped: 1,
            ..Counts::default()
        };
        for (number, code) in RejectCode::ALL.into_iter().enumerate() {
            (0..number).for_each(|_| account.reject(code));
        }
        account.keys.by_rdkit[KEY_REASONS_MAX - 1] = 9;
        account.keys.too_large_for_device = 2;
        account.cleaning.count_changed(CleanSteps::USUAL);
        account.cleaning.by_rdkit = 8;
        account
    }

    #[test]
    fn accounts_add_up() {
        let mut sum = Account::default();
        (0..3).for_each(|_| sum += &account(2));
        assert_eq!(sum.counts.parents_read, 300);
        assert_eq!(sum.counts.parents_rejected, 3 * (0..14).sum::<u64>());
        assert_eq!(
            sum.counts.parents_transformed,
            sum.counts.parents_read - sum.counts.parents_rejected
        );
        assert_eq!(sum.counts.products_made, 3 * (50 + 30 + 11 + 5 + 3 + 2 + 5));
        assert_eq!(sum.by_rule[1], [3, 6, 9, 12, 15, 18, 21, 24, 27].into());
        assert_eq!(sum.by_filter, [0, 15]);
        assert_eq!(sum.keys.by_rdkit[KEY_REASONS_MAX - 1], 27);
        assert_eq!((sum.settled, sum.lost_expected), (9, 0.75));
        assert_eq!(sum.cleaning.by_rdkit, 24);
        assert!(sum.cleaning.changed_by.iter().all(|(_, count)| count == 3));
        let by_code: u64 = sum.rejected_by_code.iter().map(|(_, count)| count).sum();
        assert_eq!(by_code, sum.counts.parents_rejected);
        assert_eq!(sum.rejected_by_code.of(RejectCode::Rdkit), 36);
    }

    #[test]
    fn a_parent_read_in_one_slot_may_be_rejected_in_the_next() {
        let (mut read, mut rejected) = (Account::default(), Account::default());
        read.counts.parents_read = 1;
        rejected.reject(RejectCode::Rdkit);
        let mut sum = Account::default();
        sum += &read;
        assert_eq!(sum.counts.parents_transformed, 1);
        sum += &rejected;
        assert_eq!(sum.counts.parents_transformed, 0);
    }

    #[test]
    fn an_account_survives_the_checkpoint() {
        let account = account(5);
        let json = serde_json::to_vec(&account).unwrap();
        assert_eq!(serde_json::from_slice::<Account>(&json).unwrap(), account);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(
            json["by_rule"][1],
            serde_json::json!([1, 2, 3, 4, 5, 6, 7, 8, 9])
        );
        assert_eq!(json["rejected_by_code"]["syntax"], 5);
        assert!(json["rejected_by_code"].get("empty").is_none());
    }

    #[test]
    fn a_cleared_account_is_zero() {
        let mut account = account(5);
        account.clear();
        assert_eq!(account, Account::default());
    }

    #[test]
    fn what_settling_brings_back_is_no_duplicate_any_more() {
        let mut account = account(0);
        account.settle(6);
        let counts = account.counts;
        assert_eq!(
            (counts.products_unique, counts.products_duplicate),
            (56, 24)
        );
        assert_eq!(account.settled, 9);
    }
}
