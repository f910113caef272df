//! Rules of several reactants: which of them is the parent, and which reagents the others take.

use super::error::RuleFault;
use super::place::Position;
use super::source::Placed;

/// `parent` as written.
pub(super) struct ParentText {
    pub at: Position,
    pub choice: Option<ParentChoice>,
}

pub(super) enum ParentChoice {
    /// Each reactant in turn.
    Any,
    /// A number, from 1.
    Number(u64),
}

/// The `parent` of a rule whose parent can be each reactant.
pub(super) const ANY_PARENT: &str = "any";

/// The name of the set for a reactant, by number from 0, of a rule that names none: its number from 1.
pub(super) fn default_set(reactant: u8) -> String {
    (reactant + 1).to_string()
}

impl ParentChoice {
    pub fn of_text(text: &str) -> Option<Self> {
        match text.trim() {
            ANY_PARENT => Some(Self::Any),
            number => number.parse().ok().map(Self::Number),
        }
    }
}

/// An entry of `reagents` as written.
pub(super) struct ReagentsText {
    pub at: Position,
    /// The number of a reactant, from 1.
    pub key: String,
    /// Its set, if that is a text.
    pub set: Option<Placed>,
}

impl ReagentsText {
    /// The number of the reactant, from 0, and its set.
    pub fn named(self) -> Option<(u8, Placed)> {
        let number: u8 = self.key.parse().ok()?;
        Some((number.checked_sub(1)?, self.set?))
    }

    fn reactant(&self, reactants: usize) -> Option<usize> {
        let number: usize = self.key.parse().ok()?;
        (1..=reactants).contains(&number).then(|| number - 1)
    }
}

/// What a rule says of its reactants.
pub(super) struct ReactantKeys<'a> {
    /// Number of reactants.
    pub reactants: usize,
    pub parent: Option<&'a ParentText>,
    pub reagents: &'a [ReagentsText],
    /// Per example, its place and the number of molecules in `from`.
    pub examples: Vec<(Position, usize)>,
}

impl ReactantKeys<'_> {
    /// Which of its reactants the parent can be, from 0; and all faults.
    pub fn check(&self) -> (Vec<u8>, Vec<(Position, RuleFault)>) {
        let reactants = self.reactants;
        let mut faults = Vec::new();
        let parent = self.parents(&mut faults);
        let is_always_parent = |reactant: usize| parent == [reactant as u8];
        for entry in self.reagents {
            let fault = match entry.reactant(reactants) {
                None => RuleFault::NoSuchReactant {
                    key: entry.key.clone(),
                    reactants,
                },
                Some(reactant) if is_always_parent(reactant) => {
                    RuleFault::ReagentsOfParent(reactant + 1)
                }
                Some(_) => continue,
            };
            faults.push((entry.at, fault));
        }
        for (at, found) in &self.examples {
            if *found != reactants {
                let found = *found;
                faults.push((*at, RuleFault::ExampleReactants { found, reactants }));
            }
        }
        (parent, faults)
    }

    fn parents(&self, faults: &mut Vec<(Position, RuleFault)>) -> Vec<u8> {
        let Some(ParentText { at, choice }) = self.parent else {
            return vec![0];
        };
        match choice {
            Some(ParentChoice::Any) => (0..self.reactants as u8).collect(),
            Some(ParentChoice::Number(number)) if (1..=self.reactants as u64).contains(number) => {
                vec![*number as u8 - 1]
            }
            _ => {
                faults.push((*at, RuleFault::BadParent(self.reactants)));
                vec![0]
            }
        }
    }
}
