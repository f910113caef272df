//! A rule while it is read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::place::Position;
use super::reactants::{ParentText, ReagentsText, default_set};
use super::rule::{Example, Origin, Rule};
use super::source::Placed;

/// A rule in which parts may be missing.
#[derive(Default)]
pub(super) struct Draft {
    pub name: Option<Placed>,
    pub smirks: Option<Placed>,
    pub reactants: usize,
    pub label: Option<Placed>,
    pub tags: Vec<Placed>,
    pub exclude: Vec<Placed>,
    pub require: Option<Placed>,
    pub add_hydrogens: bool,
    pub parent: Option<ParentText>,
    pub reagents: Vec<ReagentsText>,
    pub examples: Vec<(Position, Example)>,
}

impl Draft {
    /// The rule, if it has what it needs. `parent`: which of its reactants the parent can be.
    pub fn finish(self, file: &Arc<Path>, parent: Vec<u8>) -> Option<Rule> {
        let (name, smirks) = (self.name?, self.smirks?);
        let named = self.reagents.into_iter().filter_map(ReagentsText::named);
        let named: BTreeMap<u8, Placed> = named.collect();
        let reactants = 0..self.reactants as u8;
        let others = reactants.filter(|reactant| parent != [*reactant]);
        let reagents = others.map(|reactant| match named.get(&reactant) {
            Some(set) => (reactant, set.text.clone()),
            None => (reactant, default_set(reactant)),
        });
        let reagents = reagents.collect();
        let places = named
            .into_iter()
            .map(|(reactant, set)| (reactant, set.place));
        let examples = self.examples.into_iter().map(|(_, example)| example);
        let (exclude, exclude_places) = self.exclude.into_iter().map(Placed::split).unzip();
        let (require, require_place) = self.require.map(Placed::split).unzip();
        Some(Rule {
            origin: Origin {
                file: file.clone(),
                smirks: smirks.place,
                exclude: exclude_places,
                require: require_place,
                reagents: places.collect(),
            },
            name: name.text,
            smirks: smirks.text,
            reactants: self.reactants,
            parent,
            reagents,
            label: self.label.map(|label| label.text),
            tags: self.tags.into_iter().map(|tag| tag.text).collect(),
            exclude,
            require,
            add_hydrogens: self.add_hydrogens,
            examples: examples.collect(),
        })
    }
}
