//! `--explain-drops`: the sample of what the job drops, kept beside the checkpoints, and what is said of each drop.

use std::sync::Arc;

use super::{error::PipelineError, job::Job};
use crate::{
    chem::drops::{Cause, Drop, DropSample},
    filter::{Filter, FilterSet},
    store::{
        OutputDir, StoreError,
        sealed::{self, Kind},
    },
    table::sink::DropRow,
};

/// The file of the sample: a list of hashes and drops.
pub(super) const DROPS: Kind = Kind {
    name: "drops",
    version: 1,
};

/// The sample of a job that wants one, with what an earlier attempt has kept.
pub(super) fn open(
    job: &Job,
    output: &OutputDir,
) -> Result<Option<Arc<DropSample>>, PipelineError> {
    let Some(most) = job.spec.drops_explained() else {
        return Ok(None);
    };
    let known: Option<Vec<(u64, Drop)>> = sealed::read(&output.work_dir(), DROPS)?;
    let sample = DropSample::new(most, known.unwrap_or_default());
    Ok(Some(Arc::new(sample)))
}

/// Writes the sample to the disk.
pub(super) fn save(output: &OutputDir, sample: &DropSample) -> Result<(), StoreError> {
    sealed::write(&output.work_dir(), DROPS, &sample.drops())
}

/// What is said of each drop, in the order of steps, reasons and parents.
pub(super) fn rows(job: &Job, sample: &DropSample) -> Vec<DropRow> {
    let mut drops: Vec<Drop> = sample.drops().into_iter().map(|(_, drop)| drop).collect();
    drops.sort_by(|a, b| {
        let order = |drop: &Drop| (drop.step, drop.cause, drop.parent_row, drop.rule, drop.site);
        order(a)
            .cmp(&order(b))
            .then_with(|| a.smiles.cmp(&b.smiles))
    });
    let names = |step| StepNames {
        filters: job.filters.of(step),
        labels: job.filters.of(step).labels(),
        rules: job.rule_names(step),
    };
    let names: Vec<_> = (1..=job.spec.steps()).map(names).collect();
    let row = |drop: Drop| names[usize::from(drop.step) - 1].row(drop);
    drops.into_iter().map(row).collect()
}

/// What the numbers of a drop stand for.
struct StepNames<'a> {
    filters: &'a FilterSet,
    labels: Vec<String>,
    rules: Vec<String>,
}

impl StepNames<'_> {
    fn row(&self, drop: Drop) -> DropRow {
        let (kind, filter, reason) = match drop.cause {
            Cause::Invalid => ("invalid", None, drop.text.clone()),
            Cause::Filter(number) => {
                let number = number as usize;
                let kind = match number < self.filters.on_products.len() {
                    true => "filtered",
                    false => "parent filtered",
                };
                let label = self.labels[number].clone();
                (kind, Some(label), reason(self.filters, number, &drop))
            }
        };
        let rule = drop
            .rule
            .and_then(|rule| self.rules.get(rule as usize).cloned());
        DropRow {
            step: drop.step,
            kind,
            filter,
            reason,
            site: rule.is_some().then_some(drop.site),
            rule,
            smiles: (!drop.smiles.is_empty()).then_some(drop.smiles),
            parent_row: drop.parent_row,
            parent_id: drop.parent_id,
            parent_smiles: drop.parent_smiles,
        }
    }
}

/// Why a molecule fails a filter.
fn reason(filters: &FilterSet, number: usize, drop: &Drop) -> String {
    match filters.iter().nth(number) {
        Some(Filter::Where(condition)) => format!("{} is {}", condition.property, drop.value),
        Some(Filter::Require(_)) => "no required SMARTS matches".into(),
        Some(Filter::Reject(patterns)) => {
            let pattern = patterns.patterns.get(drop.pattern as usize);
            format!(
                "matches {}",
                pattern.map_or("", |pattern| pattern.name.as_str())
            )
        }
        Some(Filter::Alerts(_)) => format!("matches {}", drop.text),
        None => String::new(),
    }
}
