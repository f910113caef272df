//! What a rule combines a parent with, in order.
//!
//! All combinations of a step have an index: parent after parent, rule after rule, reactant after reactant that the
//! parent can be, and then the reagents, of which the last changes first. A sample of N of T combinations divides the
//! indices into N equal strata and draws one from each by a hash of the stratum's number. So each combination is as
//! likely as any other, none is drawn twice, and the draws of a parent are found without those before it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::texts::{ReagentText, Reagents};
use crate::store::StoreError;

/// The reagents of a rule that has several reactants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReagents {
    /// Which of its reactants the parent can be, in this order.
    pub parent: Vec<u8>,
    /// Per reactant, the number of its list; `None` where it is always the parent.
    pub lists: Vec<Option<u32>>,
}

/// The reagents of the rules of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepReagents {
    /// Per rule; `None` for one of one reactant.
    pub rules: Vec<Option<RuleReagents>>,
    /// Numbers of reagents, in their order.
    pub lists: Vec<Arc<[u32]>>,
}

impl StepReagents {
    /// The number of reagents that rows of a rule name, at most.
    pub fn per_row(&self) -> usize {
        let rules = self.rules.iter().flatten();
        rules.map(|rule| rule.lists.len() - 1).max().unwrap_or(0)
    }

    /// Combinations of a rule with one parent, if it matches every reactant that it can be.
    pub fn of_rule(&self, rule: usize) -> u128 {
        let Some(reagents) = &self.rules[rule] else {
            return 0;
        };
        let parent = reagents.parent.iter();
        parent
            .map(|place| self.of_place(reagents, usize::from(*place)))
            .fold(0, u128::saturating_add)
    }

    /// The same of all rules.
    pub fn of_parent(&self) -> u128 {
        (0..self.rules.len()).fold(0, |sum, rule| sum.saturating_add(self.of_rule(rule)))
    }

    fn of_place(&self, rule: &RuleReagents, place: usize) -> u128 {
        sizes(self, rule, place).fold(1, |product, size| product.saturating_mul(size.into()))
    }
}

/// The lengths of the lists of a rule whose reactant `place` is the parent.
fn sizes<'a>(
    step: &'a StepReagents,
    rule: &'a RuleReagents,
    place: usize,
) -> impl DoubleEndedIterator<Item = u32> + 'a {
    let lists = rule.lists.iter().enumerate();
    let lists = lists.filter(move |(reactant, _)| *reactant != place);
    lists.map(|(_, list)| list.map_or(0, |list| step.lists[list as usize].len() as u32))
}

/// A sample of the combinations of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    drawn: u128,
    all: u128,
}

impl Sample {
    /// `drawn` of the combinations of `parents` parents with these reagents. `None`: there are too many of them to be
    /// counted.
    pub fn new(drawn: u64, parents: u64, reagents: &StepReagents) -> Option<Self> {
        let all = reagents.of_parent().checked_mul(parents.into())?;
        let drawn = all.min(drawn.into());
        all.checked_add(1)?.checked_mul(drawn + 1)?;
        Some(Self { drawn, all })
    }

    /// The combinations that are drawn, and about how many there are.
    pub fn size(&self) -> (u64, f64) {
        (self.drawn as u64, self.all as f64)
    }

    /// The first stratum that has an index from `index` on.
    fn stratum_from(&self, index: u128) -> u128 {
        if self.drawn == 0 {
            return 0;
        }
        let stratum = ((index + 1) * self.drawn - 1) / self.all;
        stratum + u128::from(self.index_of(stratum) < index)
    }

    /// The index drawn from a stratum.
    fn index_of(&self, stratum: u128) -> u128 {
        let begin = stratum * self.all / self.drawn;
        let end = (stratum + 1) * self.all / self.drawn;
        begin + hash(stratum) % (end - begin).max(1)
    }
}

/// 128 bits that depend on a number alone.
fn hash(number: u128) -> u128 {
    // The finalizer of SplitMix64 (Steele et al. 2014), for either half.
    let mix = |mut x: u64| {
        x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let low = mix(number as u64 ^ mix((number >> 64) as u64));
    u128::from(mix(low)) << 64 | u128::from(low)
}

/// Goes through the combinations of one parent and one rule at a time.
pub struct Combinations {
    reagents: Arc<Reagents>,
    step: Arc<StepReagents>,
    sample: Option<Sample>,
    /// Bytes of reagents that are kept ready.
    kept_bytes_max: usize,
    per_row: usize,
    /// The sizes of the lists, and the positions in them; of the current rule.
    sizes: Vec<u32>,
    positions: Vec<u32>,
    left: Left,
}

/// What is left of the combinations of a parent and a rule.
enum Left {
    None,
    /// Those from the current positions on.
    All,
    /// Those drawn from a stratum on, up to an index.
    Drawn {
        stratum: u128,
        begin: u128,
        end: u128,
    },
}

impl Combinations {
    /// Those of a step's rules. `sample`: only some of them. `kept_bytes_max`: most bytes of reagents that a thread keeps
    /// ready.
    pub fn new(
        reagents: Arc<Reagents>,
        step: Arc<StepReagents>,
        sample: Option<Sample>,
        kept_bytes_max: usize,
    ) -> Self {
        Self {
            per_row: step.per_row(),
            reagents,
            step,
            sample,
            kept_bytes_max,
            sizes: Vec::new(),
            positions: Vec::new(),
            left: Left::None,
        }
    }

    /// None, whatever the rules: to compile them.
    pub fn none() -> Self {
        Self::new(
            Reagents::none().into(),
            StepReagents::default().into(),
            None,
            0,
        )
    }

    /// The same, where rows have room for `per_row` reagents.
    #[must_use]
    pub fn with_room_for(mut self, per_row: usize) -> Self {
        self.per_row = per_row;
        self
    }

    /// Reagents that a row has room for.
    pub fn per_row(&self) -> usize {
        self.per_row
    }

    /// Most bytes of reagents that are kept ready.
    pub fn kept_bytes_max(&self) -> usize {
        self.kept_bytes_max
    }

    /// Begins those of a parent, as reactant `place` of a rule.
    pub fn begin(&mut self, ordinal: u64, rule: usize, place: usize) {
        self.left = Left::None;
        let Some(Some(reagents)) = self.step.rules.get(rule) else {
            return;
        };
        self.sizes.clear();
        self.sizes.extend(sizes(&self.step, reagents, place));
        if self.sizes.contains(&0) {
            return;
        }
        self.positions.clear();
        self.positions.resize(self.sizes.len(), 0);
        self.left = match &self.sample {
            None => Left::All,
            Some(sample) => {
                let rules_before = (0..rule).map(|rule| self.step.of_rule(rule)).sum::<u128>();
                let places = reagents.parent.iter().map(|place| usize::from(*place));
                let places_before = places.take_while(|other| *other != place);
                let places_before = places_before.map(|place| self.step.of_place(reagents, place));
                let begin = u128::from(ordinal) * self.step.of_parent()
                    + rules_before
                    + places_before.sum::<u128>();
                Left::Drawn {
                    stratum: sample.stratum_from(begin),
                    begin,
                    end: begin + self.step.of_place(reagents, place),
                }
            }
        };
    }

    /// Writes the next combination into `positions`: per reagent, its position in its list. False: there is none left.
    ///
    /// # Panics
    /// If `positions` has another length than the rule has reagents.
    pub fn next(&mut self, positions: &mut [u32]) -> bool {
        match &mut self.left {
            Left::None => return false,
            Left::All => {
                positions.copy_from_slice(&self.positions);
                if !advance(&mut self.positions, &self.sizes) {
                    self.left = Left::None;
                }
            }
            Left::Drawn {
                stratum,
                begin,
                end,
            } => {
                let sample = self.sample.filter(|sample| *stratum < sample.drawn);
                let index = sample.map(|sample| sample.index_of(*stratum));
                let Some(index) = index.filter(|index| *index < *end) else {
                    self.left = Left::None;
                    return false;
                };
                *stratum += 1;
                let mut rest = index - *begin;
                for (position, size) in positions.iter_mut().zip(&self.sizes).rev() {
                    *position = (rest % u128::from(*size)) as u32;
                    rest /= u128::from(*size);
                }
            }
        }
        true
    }

    /// The number of the list for a reactant of a rule.
    pub fn list_of(&self, rule: usize, reactant: usize) -> u32 {
        let reagents = self.step.rules.get(rule).and_then(Option::as_ref);
        let list = reagents.and_then(|reagents| reagents.lists[reactant]);
        list.unwrap_or(u32::MAX)
    }

    /// The number of the reagent at a position of a list.
    pub fn reagent_at(&self, list: u32, position: u32) -> u32 {
        self.step.lists[list as usize][position as usize]
    }

    /// Appends the SMILES of a reagent.
    pub fn read_smiles(&self, reagent: u32, smiles: &mut Vec<u8>) -> Result<(), StoreError> {
        let mut text = ReagentText::default();
        self.reagents.read(reagent, &mut text)?;
        smiles.extend_from_slice(text.smiles());
        Ok(())
    }
}

/// Goes to the next positions, of which the last changes first. False: these were the last.
fn advance(positions: &mut [u32], sizes: &[u32]) -> bool {
    for (position, size) in positions.iter_mut().zip(sizes).rev() {
        *position += 1;
        if *position < *size {
            return true;
        }
        *position = 0;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule of two reactants whose parent can be both, one of one, and one of three.
    fn step(sizes: [u32; 4]) -> StepReagents {
        let lists = sizes.map(|size| (0..size).collect::<Vec<u32>>().into());
        let either = RuleReagents {
            parent: vec![0, 1],
            lists: vec![Some(0), Some(1)],
        };
        let first = RuleReagents {
            parent: vec![0],
            lists: vec![None, Some(2), Some(3)],
        };
        StepReagents {
            rules: vec![Some(either), None, Some(first)],
            lists: lists.into(),
        }
    }

    /// All combinations of some parents: ordinal, rule, reactant that is the parent, positions.
    fn all(combinations: &mut Combinations, parents: u64) -> Vec<(u64, usize, usize, Vec<u32>)> {
        let mut all = Vec::new();
        for ordinal in 0..parents {
            for (rule, place, reagents) in [(0, 0, 1), (0, 1, 1), (1, 0, 0), (2, 0, 2)] {
                combinations.begin(ordinal, rule, place);
                let mut positions = vec![0; reagents];
                while combinations.next(&mut positions) {
                    all.push((ordinal, rule, place, positions.clone()));
                }
            }
        }
        all
    }

    fn of(step: &StepReagents, sample: Option<Sample>) -> Combinations {
        Combinations::new(Reagents::none().into(), step.clone().into(), sample, 0)
    }

    #[test]
    fn the_last_reagent_changes_first() {
        let step = step([2, 3, 2, 2]);
        assert_eq!(
            (step.of_rule(0), step.of_parent(), step.per_row()),
            (5, 9, 2)
        );
        let made = all(&mut of(&step, None), 1);
        let expected = [
            (0, 0, vec![0]),
            (0, 0, vec![1]),
            (0, 0, vec![2]),
            (0, 1, vec![0]),
            (0, 1, vec![1]),
            (2, 0, vec![0, 0]),
            (2, 0, vec![0, 1]),
            (2, 0, vec![1, 0]),
            (2, 0, vec![1, 1]),
        ];
        let expected = expected.map(|(rule, place, positions)| (0, rule, place, positions));
        assert_eq!(made, expected);
        let empty = super::tests::step([0, 0, 5, 0]);
        assert!(all(&mut of(&empty, None), 2).is_empty());
    }

    #[test]
    fn a_sample_has_its_size_and_is_spread_evenly() {
        let step = step([7, 5, 4, 3]);
        let parents = 50;
        let every = all(&mut of(&step, None), parents);
        assert_eq!(every.len(), 50 * 24);
        for drawn in [0, 1, 2, 10, 599, 1_199, 1_200, 5_000] {
            let sample = Sample::new(drawn, parents, &step).unwrap();
            let some = all(&mut of(&step, Some(sample)), parents);
            assert_eq!(some.len(), drawn.min(1_200) as usize);
            // In order, none twice, each one of all.
            let mut every = every.iter();
            assert!(
                some.iter().all(|one| every.any(|other| other == one)),
                "{drawn}"
            );
        }
        // The mean index of a sample is about that of all.
        let sample = Sample::new(100, 1_000_000, &step).unwrap();
        let mean: f64 = (0..100).map(|i| sample.index_of(i) as f64).sum::<f64>() / 100.0;
        assert!((mean / 12_000_000.0 - 1.0).abs() < 0.02, "{mean}");
        assert_eq!(sample.size(), (100, 24_000_000.0));
    }

    #[test]
    fn more_combinations_than_can_be_counted_are_refused() {
        let long: Arc<[u32]> = vec![0; 1 << 22].into();
        let rule = RuleReagents {
            parent: vec![0],
            lists: vec![None, Some(0), Some(0), Some(0)],
        };
        let step = StepReagents {
            rules: vec![Some(rule)],
            lists: vec![long],
        };
        assert_eq!(step.of_parent(), 1 << 66);
        assert!(Sample::new(1 << 20, 1 << 40, &step).is_some());
        assert_eq!(Sample::new(1 << 40, 1 << 40, &step), None);
        assert_eq!(Sample::new(1, u64::MAX, &step), None);
    }
}
