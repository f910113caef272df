//! Rows of the parts of a run, by their key or by their number in a step.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{UInt8Type, UInt16Type, UInt64Type},
};
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
};

use super::{RouteError, RouteReagent, RouteStep};
use crate::{
    key::Key,
    report::manifest::Manifest,
    store::plain,
    table::source::{Products, quiet},
};

/// Keys decoded at a time.
const KEYS_AT_A_TIME: usize = 8_192;

/// A row of a part.
pub(super) struct ProductRow {
    /// The words of its key.
    pub key: [u64; 2],
    pub smiles: String,
    /// From 1.
    pub step: u64,
    pub rule: String,
    pub site: u16,
    /// In the step before, or in the library.
    pub parent_row: u64,
    pub parent_id: String,
    pub parent_smiles: String,
    pub reagents: Vec<RouteReagent>,
}

impl ProductRow {
    /// The step of a route that made it.
    pub fn step(&self) -> RouteStep {
        RouteStep {
            step: self.step,
            rule: self.rule.clone(),
            site: self.site,
            reagents: self.reagents.clone(),
            smiles: self.smiles.clone(),
        }
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
        Err(RouteError::Part {
            part: self.steps[step as usize - 1]
                .last()
                .map_or_else(PathBuf::new, |(part, _)| part.clone()),
            reason: format!("step {step} has no row {row}, which a product names as its parent"),
        })
    }

    fn find_in(&self, part: &Path, key: Key) -> Result<Option<u64>, RouteError> {
        let damaged = damaged(part);
        let mut reader = open(part, Some(self.key_column), None)?;
        let mut before = 0;
        while let Some(batch) = quiet(|| reader.next()).map_err(&damaged)? {
            let batch = batch.map_err(|error| damaged(error.to_string()))?;
            let keys = batch.column_by_name(self.key_column);
            let keys = keys.and_then(|keys| keys.as_fixed_size_binary_opt());
            let keys =
                keys.ok_or_else(|| damaged(format!("it has no column {}", self.key_column)))?;
            if let Some(row) = keys.iter().position(|other| other == Some(&key.bytes())) {
                return Ok(Some(before + row as u64));
            }
            before += batch.num_rows() as u64;
        }
        Ok(None)
    }

    fn read(&self, part: &Path, step: u64, row: u64) -> Result<ProductRow, RouteError> {
        let damaged = damaged(part);
        let mut reader = open(part, None, Some(row as usize))?;
        let batch = quiet(|| reader.next()).map_err(&damaged)?;
        let batch = batch.ok_or_else(|| damaged(format!("it has no row {row}")))?;
        let batch = batch.map_err(|error| damaged(error.to_string()))?;
        let row = product_row(&batch, self.key_column, step);
        row.ok_or_else(|| damaged("it is no part of a job with rules".into()))
    }
}

fn damaged(part: &Path) -> impl Fn(String) -> RouteError {
    |reason| RouteError::Part {
        part: part.into(),
        reason,
    }
}

/// Opens a part to read one column, or the row of a number.
fn open(
    part: &Path,
    column: Option<&str>,
    row: Option<usize>,
) -> Result<ParquetRecordBatchReader, RouteError> {
    let damaged = damaged(part);
    let file = File::open(part).map_err(|error| damaged(plain(&error)))?;
    // The parquet crate may panic on a damaged file.
    let reader = quiet(|| {
        let mut builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        if let Some(column) = column {
            let mask = ProjectionMask::columns(builder.parquet_schema(), [column]);
            builder = builder.with_projection(mask);
        }
        if let Some(row) = row {
            builder = builder.with_offset(row).with_limit(1);
        }
        builder.with_batch_size(KEYS_AT_A_TIME).build()
    });
    let reader = reader.map_err(&damaged)?;
    reader.map_err(|error| damaged(error.to_string()))
}

/// The only row of a batch.
fn product_row(batch: &RecordBatch, key_column: &str, step: u64) -> Option<ProductRow> {
    if batch.num_rows() != 1 {
        return None;
    }
    let column = |name: &str| -> Option<&ArrayRef> {
        let column = batch.column_by_name(name)?;
        (column.null_count() == 0).then_some(column)
    };
    let text = |name| Some(column(name)?.as_string_opt::<i32>()?.value(0).to_owned());
    let rules = column("rule")?.as_dictionary_opt::<UInt16Type>()?;
    let rule = rules.values().as_string_opt::<i32>()?.value(rules.key(0)?);
    let key = column(key_column)?.as_fixed_size_binary_opt()?.value(0);
    if let Some(steps) = batch.column_by_name("step") {
        let of_row = steps.as_primitive_opt::<UInt8Type>()?.value(0);
        if u64::from(of_row) != step {
            return None;
        }
    }
    Some(ProductRow {
        key: Key::from(*key.first_chunk()?).words(),
        smiles: text("smiles")?,
        step,
        rule: rule.to_owned(),
        site: column("site")?.as_primitive_opt::<UInt16Type>()?.value(0),
        parent_row: column("parent_row")?
            .as_primitive_opt::<UInt64Type>()?
            .value(0),
        parent_id: text("parent_id")?,
        parent_smiles: text("parent_smiles")?,
        reagents: reagents(batch)?,
    })
}

/// The reagents of the only row of a batch; none if the run has no such columns.
fn reagents(batch: &RecordBatch) -> Option<Vec<RouteReagent>> {
    let texts = |name: &str| -> Option<Vec<String>> {
        let Some(column) = batch.column_by_name(name) else {
            return Some(Vec::new());
        };
        let items = column.as_list_opt::<i32>()?.value(0);
        let items = items.as_string_opt::<i32>()?;
        items.iter().map(|item| item.map(str::to_owned)).collect()
    };
    let (ids, smiles) = (texts("reagent_ids")?, texts("reagent_smiles")?);
    let pairs = ids.into_iter().zip(smiles);
    Some(
        pairs
            .map(|(id, smiles)| RouteReagent { id, smiles })
            .collect(),
    )
}
