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
    drops.into_iter().map(|drop| row(job, drop)).collect()
}

fn row(job: &Job, drop: Drop) -> DropRow {
    let step = usize::from(drop.step);
    let filters = job.filters.of(step);
    let (kind, filter, reason) = match drop.cause {
        Cause::Invalid => ("invalid", None, drop.text.clone()),
        Cause::Filter(number) => {
            let number = number as usize;
            let kind = match number < filters.on_products.len() {
                true => "filtered",
                false => "parent filtered",
            };
            let label = filters.labels().swap_remove(number);
            (kind, Some(label), reason(filters, number, &drop))
        }
    };
    let rule = drop.rule.and_then(|rule| {
        let names = job.rule_names(step);
        names.into_iter().nth(rule as usize)
    });
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
