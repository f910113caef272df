//! Rows of the parts of a run, by their key or by their number in a step.

use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use parquet::arrow::arrow_reader::RowSelection;

use super::{RouteError, RouteStep};
use crate::{
    key::Key,
    report::manifest::Manifest,
    table::{
        part::{Part, PartError, Reading},
        product::ProductRow,
        source::Products,
    },
};

/// Keys decoded at a time.
const KEYS_AT_A_TIME: usize = 8_192;

/// The step of a route that made a row.
pub(super) fn step_of(row: &ProductRow) -> RouteStep {
    RouteStep {
        step: row.step,
        rule: row.rule.clone(),
        site: row.site,
        reagents: row.reagents.clone(),
        smiles: row.smiles.clone(),
    }
}

/// The parts of a run, by step.
pub(super) struct Parts {
    /// Each part with its rows.
    steps: Vec<Vec<(PathBuf, u64)>>,
    key_column: &'static str,
}

impl Parts {
    pub fn of(directory: &Path, manifest: &Manifest) -> Self {
        let parts = manifest.files.iter();
        let parts = parts.map(|file| (directory.join(&file.name), file.rows));
        let mut parts: Vec<_> = parts.collect();
        let firsts = manifest.steps.iter().map(|step| step.first_part as usize);
        let firsts: Vec<usize> = firsts.collect();
        let mut steps: Vec<_> = (firsts.iter().skip(1).rev())
            .map(|first| parts.split_off(*first))
            .collect();
        steps.push(parts);
        steps.reverse();
        Self {
            steps,
            key_column: manifest.key.column(),
        }
    }

    /// The products of a step, to be read as parents.
    pub fn products(&self, step: u64) -> Products {
        Products {
            parts: self.steps[step as usize - 1].clone(),
            key_column: self.key_column,
            settled: None,
            kept: None,
        }
    }

    /// The row with a key.
    pub fn find(&self, key: Key) -> Result<Option<ProductRow>, RouteError> {
        for (step, parts) in (1..).zip(&self.steps) {
            for (part, _) in parts {
                if let Some(row) = self.find_in(part, key)? {
                    return self.read(part, step, row).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// Row number `row` of a step.
    pub fn row(&self, step: u64, row: u64) -> Result<ProductRow, RouteError> {
        let mut before = 0;
        for (part, rows) in &self.steps[step as usize - 1] {
            if row < before + rows {
                return self.read(part, step, row - before);
            }
            before += rows;
        }
        Err(PartError {
            part: self.steps[step as usize - 1]
                .last()
                .map_or_else(PathBuf::new, |(part, _)| part.clone()),
            reason: format!("step {step} has no row {row}, which a product names as its parent"),
        }
        .into())
    }

    fn find_in(&self, part: &Path, key: Key) -> Result<Option<u64>, RouteError> {
        let part = Part::open(part)?;
        let reading = Reading {
            columns: Some(&[self.key_column]),
            rows_at_a_time: KEYS_AT_A_TIME,
            ..Reading::default()
        };
        let mut before = 0;
        for batch in part.batches(reading)? {
            let batch = batch?;
            let keys = batch.column_by_name(self.key_column);
            let keys = keys.and_then(|keys| keys.as_fixed_size_binary_opt());
            let keys =
                keys.ok_or_else(|| part.damaged(format!("it has no column {}", self.key_column)))?;
            if let Some(row) = keys.iter().position(|other| other == Some(&key.bytes())) {
                return Ok(Some(before + row as u64));
            }
            before += batch.num_rows() as u64;
        }
        Ok(None)
    }

    fn read(&self, part: &Path, step: u64, row: u64) -> Result<ProductRow, RouteError> {
        let part = Part::open(part)?;
        let rows = part.rows() as usize;
        let reading = Reading {
            selection: Some(RowSelection::from_consecutive_ranges(
                std::iter::once(row as usize..row as usize + 1),
                rows.max(row as usize + 1),
            )),
            ..Reading::default()
        };
        let batch = part.batches(reading)?.next();
        let batch = batch.ok_or_else(|| part.damaged(format!("it has no row {row}")))??;
        let row = ProductRow::of(&batch, 0, self.key_column);
        let row = row.filter(|row| batch.column_by_name("step").is_none() || row.step == step);
        Ok(row.ok_or_else(|| part.damaged("it is no part of a job with rules"))?)
    }
}
