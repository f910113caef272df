//! Which reactants take reagents, and from which sets.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{super::step_rules::StepRules, error::ReagentError};
use crate::{
    config::JobSpec,
    reagents::{RuleReagents, StepReagents},
    rules::{Rule, RuleSet},
};

/// A reactant of a rule, and the set that it takes reagents from.
pub(super) struct Use<'a> {
    /// Of the sets of rules.
    pub rules: usize,
    pub rule_number: usize,
    pub rule: &'a Rule,
    /// From 0.
    pub reactant: u8,
    pub set: usize,
    pub list: u32,
}

/// What decides which molecules of a set a reactant takes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pattern<'a> {
    set: usize,
    text: String,
    exclude: &'a [String],
    add_hydrogens: bool,
}

/// Finds out which set each reactant takes. Adds the files of the sets to `paths`.
pub(super) fn uses<'a>(
    spec: &JobSpec,
    rules: &'a StepRules,
    paths: &mut Vec<PathBuf>,
) -> Result<Vec<Use<'a>>, ReagentError> {
    let mut uses: Vec<Use<'a>> = Vec::new();
    let mut patterns: BTreeMap<Pattern<'a>, u32> = BTreeMap::new();
    for (set_of_rules, rules) in rules.distinct().iter().enumerate() {
        for (rule_number, rule) in rules.rules().iter().enumerate() {
            for (reactant, name) in &rule.reagents {
                let path = path_of(spec, rule, *reactant, name)?;
                let known = paths.iter().position(|known| *known == path);
                let set = known.unwrap_or(paths.len());
                if known.is_none() {
                    paths.push(path);
                }
                let pattern = Pattern {
                    set,
                    text: rule.reactant_text(usize::from(*reactant)),
                    exclude: &rule.exclude,
                    add_hydrogens: rule.add_hydrogens,
                };
                let next = patterns.len() as u32;
                uses.push(Use {
                    rules: set_of_rules,
                    rule_number,
                    rule,
                    reactant: *reactant,
                    set,
                    list: *patterns.entry(pattern).or_insert(next),
                });
            }
        }
    }
    let all = rules.distinct().iter().flat_map(RuleSet::rules);
    let mut taken: Vec<String> = all
        .flat_map(|rule| rule.reagents.values().cloned())
        .collect();
    taken.sort();
    taken.dedup();
    match spec
        .reagents()
        .iter()
        .find(|given| !taken.contains(&given.name))
    {
        Some(unused) => Err(ReagentError::Unused {
            set: unused.name.clone(),
            taken,
        }),
        None => Ok(uses),
    }
}

/// The file of a set: the one that was given for its name, or the one that the rule names, from the folder of the rule's
/// file.
fn path_of(spec: &JobSpec, rule: &Rule, reactant: u8, name: &str) -> Result<PathBuf, ReagentError> {
    if let Some(given) = spec.reagents().iter().find(|given| given.name == name) {
        return Ok(given.path.clone());
    }
    let folder = rule.origin.file.parent().unwrap_or(Path::new(""));
    let path = folder.join(name);
    let is_named = rule.origin.reagents.contains_key(&reactant);
    if is_named && (path.exists() || name.contains(['.', '/', '*'])) {
        return Ok(path);
    }
    if !is_named {
        return Err(ReagentError::None {
            origin: rule.origin.to_string(),
            rule: rule.name.clone(),
            reactants: rule.reactants,
            reactant: reactant + 1,
        });
    }
    Err(ReagentError::Unknown {
        origin: rule.origin_of_reagents(reactant),
        rule: rule.name.clone(),
        set: name.to_owned(),
    })
}

/// Of the uses of a set, one for each list.
pub(super) fn one_of_each_list<'u, 'a>(uses: &[&'u Use<'a>]) -> Vec<&'u Use<'a>> {
    let mut one: Vec<&Use<'a>> = Vec::new();
    for taken in uses {
        if one.iter().all(|other| other.list != taken.list) {
            one.push(taken);
        }
    }
    one
}

pub(super) fn of_rules(
    rules: &StepRules,
    uses: &[Use<'_>],
    lists: &[Arc<[u32]>],
) -> Vec<Arc<StepReagents>> {
    let of = |(number, rules): (usize, &RuleSet)| {
        let with_reagents = |rule: &Rule| {
            (rule.reactants > 1).then(|| RuleReagents {
                parent: rule.parent.clone(),
                lists: vec![None; rule.reactants],
            })
        };
        let mut step = StepReagents {
            rules: rules.rules().iter().map(with_reagents).collect(),
            lists: lists.to_vec(),
        };
        for taken in uses.iter().filter(|taken| taken.rules == number) {
            if let Some(rule) = &mut step.rules[taken.rule_number] {
                rule.lists[usize::from(taken.reactant)] = Some(taken.list);
            }
        }
        Arc::new(step)
    };
    rules.distinct().iter().enumerate().map(of).collect()
}
