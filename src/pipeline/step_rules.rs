//! The rules of each step of a job.

use std::path::PathBuf;

use crate::{
    config::JobSpec,
    rules::{RuleError, RuleSet},
};

/// The rules of each step of a job.
pub struct StepRules {
    distinct: Vec<RuleSet>,
    /// Per step, its entry in `distinct`.
    of_step: Vec<usize>,
    /// Those of step 0, which reads what the library itself holds.
    none: RuleSet,
}

impl StepRules {
    /// Reads the rule files of all steps, each list of files once.
    pub(super) fn load(spec: &JobSpec) -> Result<Self, RuleError> {
        let mut read: Vec<&[PathBuf]> = Vec::new();
        let mut rules = Self {
            distinct: Vec::new(),
            of_step: Vec::new(),
            none: RuleSet::default(),
        };
        for step in 1..=spec.steps() {
            let files = spec.rules_of(step);
            let known = read.iter().position(|known| *known == files);
            rules.of_step.push(known.unwrap_or(read.len()));
            if known.is_none() {
                rules.distinct.push(RuleSet::load(files)?);
                read.push(files);
            }
        }
        Ok(rules)
    }

    /// The rules of a step.
    pub fn of(&self, step: usize) -> &RuleSet {
        match step {
            0 => &self.none,
            step => &self.distinct[self.of_step[step - 1]],
        }
    }

    /// The number, among the sets of rules, of that of a step.
    pub fn number_of(&self, step: usize) -> usize {
        self.of_step[step - 1]
    }

    /// The same of every step.
    pub(super) fn of_steps(&self) -> &[usize] {
        &self.of_step
    }

    /// The sets of rules, each once.
    pub fn distinct(&self) -> &[RuleSet] {
        &self.distinct
    }

    /// The number of rules, each counted once.
    pub fn total(&self) -> usize {
        self.distinct.iter().map(RuleSet::len).sum()
    }

    /// The number of rules of each step.
    pub fn counts(&self) -> Vec<usize> {
        (1..=self.of_step.len())
            .map(|step| self.of(step).len())
            .collect()
    }
}
