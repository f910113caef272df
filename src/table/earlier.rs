//! The products of earlier runs, which a run is to leave out (`--exclude`): their keys, read from the
//! `key` or `structure_key` column of the parts that the manifest names. It names them relative to the output
//! directory, where earlier versions had the parts in the directory itself.
//!
//! Memory does not grow with the run: keys are decoded some thousands at a time.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use arrow::array::{Array, AsArray};
use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder};

use super::source::quiet;
use crate::{
    identity::KeyKind,
    key::Key,
    limits::SEALED_BYTES_MAX,
    store::{StoreError, disk},
};

/// Keys decoded at a time.
const KEYS_AT_A_TIME: usize = 8_192;

/// A complete run whose products are known.
#[derive(Clone, Debug)]
pub struct EarlierRun {
    parts: Vec<PathBuf>,
    /// Of the keys.
    column: &'static str,
    rows: u64,
}

/// Why an earlier run can't be excluded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--exclude {}: {reason}", path.display())]
pub struct EarlierRunError {
    path: PathBuf,
    reason: String,
}

impl EarlierRun {
    /// The run in an output directory. It must be complete, its parts must be there and have keys of this kind.
    pub fn open(directory: &Path, key: KeyKind) -> Result<Self, EarlierRunError> {
        let manifest = directory.join("manifest.json");
        let content = disk::read(&manifest, SEALED_BYTES_MAX)
            .map_err(|error: StoreError| fault(directory, error))?
            .ok_or_else(|| {
                fault(
                    directory,
                    "holds no manifest.json, so no run is complete there",
                )
            })?;
        let manifest: serde_json::Value =
            serde_json::from_slice(&content).map_err(|error| fault(&manifest, error))?;
        check_definition(directory, key, &manifest)?;
        let files = manifest["files"].as_array();
        let files = files.ok_or_else(|| fault(directory, "its manifest.json lists no files"))?;
        let mut run = Self {
            parts: Vec::new(),
            column: key.column(),
            rows: 0,
        };
        for file in files {
            let (name, rows) = (file["name"].as_str(), file["rows"].as_u64());
            let (Some(name), Some(rows)) = (name, rows) else {
                return Err(fault(
                    directory,
                    "its manifest.json lists a file without name or rows",
                ));
            };
            let part = directory.join(name);
            if !part.is_file() {
                return Err(fault(&part, "is missing, though the manifest names it"));
            }
            run.parts.push(part);
            run.rows += rows;
        }
        Ok(run)
    }

    /// Products of the run.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Gives the words of all keys to `take`, some thousands at a time.
    pub fn for_each_key<E: From<EarlierRunError>>(
        &self,
        mut take: impl FnMut(&[[u64; 2]]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.parts
            .iter()
            .try_for_each(|part| for_each_key_of(part, self.column, &mut take))
    }
}

/// A run with another kind of key has another column, which its parts will show.
fn check_definition(
    directory: &Path,
    key: KeyKind,
    manifest: &serde_json::Value,
) -> Result<(), EarlierRunError> {
    let theirs = manifest["key_definition"].as_u64();
    let same_kind = manifest["key"] == key.name();
    match key.definition() {
        Some(ours) if same_kind && theirs != Some(ours.into()) => {
            let theirs = theirs.map_or("an earlier definition".into(), |theirs| {
                format!("definition {theirs}")
            });
            let reason = format!(
                "its {} keys are of {theirs}, this molsieve makes definition {ours}: run it again",
                key.name()
            );
            Err(fault(directory, reason))
        }
        _ => Ok(()),
    }
}

fn for_each_key_of<E: From<EarlierRunError>>(
    part: &Path,
    column: &str,
    take: &mut impl FnMut(&[[u64; 2]]) -> Result<(), E>,
) -> Result<(), E> {
    let damaged = |error: String| fault(part, error);
    let file = File::open(part).map_err(|error| damaged(crate::store::plain(&error)))?;
    // The parquet crate may panic on a damaged file.
    let mut reader = quiet(|| {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), [column]);
        builder
            .with_projection(mask)
            .with_batch_size(KEYS_AT_A_TIME)
            .build()
    })
    .map_err(damaged)?
    .map_err(|error| damaged(error.to_string()))?;
    let mut words = Vec::with_capacity(KEYS_AT_A_TIME);
    while let Some(batch) = quiet(|| reader.next()).map_err(damaged)? {
        let batch = batch.map_err(|error| damaged(error.to_string()))?;
        let keys = batch.column_by_name(column);
        let keys = keys.and_then(|keys| keys.as_fixed_size_binary_opt());
        let keys = keys.filter(|keys| keys.value_length() == 16 && keys.null_count() == 0);
        let keys = keys.ok_or_else(|| damaged(no_column(column)))?;
        words.clear();
        words.extend(keys.iter().flatten().map(|key| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(key);
            Key::from(bytes).words()
        }));
        take(&words)?;
    }
    Ok(())
}

fn no_column(column: &str) -> String {
    format!("has no column `{column}` of 16 bytes; a run with another --key leaves another column")
}

fn fault(path: &Path, reason: impl std::fmt::Display) -> EarlierRunError {
    EarlierRunError {
        path: path.into(),
        reason: reason.to_string(),
    }
}
