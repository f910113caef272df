//! One of the two outputs.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, AsArray},
    datatypes::SchemaRef,
};
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{
        ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    },
};

use super::{Counted, DiffError, KEY_BYTES, OnlyCounts, Share, SideCounts, WrittenFile};
use crate::{
    identity::KeyKind,
    report::manifest::{Manifest, RuleCounts},
    store::plain,
    table::source::quiet,
};

/// Keys decoded at a time.
const KEYS_AT_A_TIME: usize = 8_192;

/// A complete output.
pub(super) struct Side {
    pub directory: PathBuf,
    /// The same without links.
    pub real: PathBuf,
    pub key: KeyKind,
    /// Of structure keys.
    pub definition: Option<u8>,
    /// RDKit's release.
    pub rdkit: String,
    pub parts: Vec<PathBuf>,
    /// As the manifest says.
    pub rows: u64,
    steps: Vec<(String, u64)>,
    rules: Vec<(String, u64)>,
}

impl Side {
    pub fn open(directory: &Path) -> Result<Self, DiffError> {
        let manifest = Manifest::read(directory)?;
        let manifest = manifest.ok_or_else(|| DiffError::NotComplete(directory.into()))?;
        let mut parts = Vec::with_capacity(manifest.files.len());
        for file in &manifest.files {
            let part = directory.join(&file.name);
            if part
                .extension()
                .is_none_or(|extension| extension != "parquet")
            {
                return Err(DiffError::NotParquet(part));
            }
            if !part.is_file() {
                let reason = "this part is missing, though the manifest names it".into();
                return Err(DiffError::Part { part, reason });
            }
            parts.push(part);
        }
        let of_rule = |rule: &RuleCounts| (rule.name.clone(), rule.unique);
        let steps = manifest.steps.iter();
        let steps = steps.map(|step| (step.step.to_string(), step.counts.products_unique));
        Ok(Self {
            real: super::real_path(directory),
            directory: directory.into(),
            key: manifest.key,
            definition: manifest.key_definition,
            parts,
            rows: manifest.files.iter().map(|file| file.rows).sum(),
            steps: steps.collect(),
            rules: manifest.by_rule.iter().map(of_rule).collect(),
            rdkit: manifest.software.rdkit,
        })
    }

    /// Gives the keys of all rows to `take`, in their order.
    pub fn for_each_key(
        &self,
        mut take: impl FnMut(&[u8; KEY_BYTES]) -> Result<(), DiffError>,
    ) -> Result<(), DiffError> {
        let column = self.key.column();
        for part in &self.parts {
            let part = Part::open(part)?;
            let mut reader = part.reader(None, Some(&[column]), KEYS_AT_A_TIME)?;
            while let Some(batch) = quiet(|| reader.next()).map_err(|why| part.damaged(why))? {
                let batch = batch.map_err(|error| part.damaged(error.to_string()))?;
                let keys = batch.column_by_name(column);
                let keys = keys.and_then(|keys| keys.as_fixed_size_binary_opt());
                let keys = keys.filter(|keys| keys.null_count() == 0);
                let keys = keys.map(|keys| keys.value_data().as_chunks::<KEY_BYTES>().0);
                let keys = keys.filter(|keys| keys.len() == batch.num_rows());
                let keys = keys.ok_or_else(|| {
                    part.damaged(format!("it has no column {column} of {KEY_BYTES} bytes"))
                })?;
                keys.iter().try_for_each(&mut take)?;
            }
        }
        Ok(())
    }

    /// What there is to say of the side.
    pub fn counts(
        &self,
        rows: u64,
        counted: &Counted,
        (only, file): (OnlyCounts, Option<WrittenFile>),
    ) -> SideCounts {
        let of_steps = only.by_step.iter();
        let by_step = of_steps.map(|(step, only)| (step.to_string(), *only));
        SideCounts {
            directory: self.directory.clone(),
            rows,
            keys: counted.keys,
            only: counted.only,
            by_step: shares(&self.steps, by_step.collect()),
            by_rule: shares(&self.rules, only.by_rule),
            file,
        }
    }
}

/// Of each of `all`, with its rows: how many of them only one side has.
fn shares(all: &[(String, u64)], mut only: BTreeMap<String, u64>) -> Vec<Share> {
    let share = |(name, rows): &(String, u64)| Share {
        only: only.remove(name).unwrap_or(0),
        name: name.clone(),
        rows: *rows,
    };
    all.iter().map(share).collect()
}

/// A part, with its footer.
pub(super) struct Part {
    pub path: PathBuf,
    file: File,
    pub footer: ArrowReaderMetadata,
}

impl Part {
    pub fn open(path: &Path) -> Result<Self, DiffError> {
        let damaged = |reason: String| DiffError::Part {
            part: path.into(),
            reason,
        };
        let file = File::open(path).map_err(|error| damaged(plain(&error)))?;
        // The parquet crate may panic on a damaged file.
        let footer = quiet(|| ArrowReaderMetadata::load(&file, Default::default()));
        let footer = footer.map_err(damaged)?;
        Ok(Self {
            footer: footer.map_err(|error| damaged(error.to_string()))?,
            path: path.into(),
            file,
        })
    }

    pub fn schema(&self) -> &SchemaRef {
        self.footer.schema()
    }

    /// Reads one row group, or all, and of it the columns of these names, or all; so many rows at a time.
    pub fn reader(
        &self,
        row_group: Option<usize>,
        columns: Option<&[&str]>,
        rows: usize,
    ) -> Result<ParquetRecordBatchReader, DiffError> {
        let file = self.file.try_clone();
        let file = file.map_err(|error| self.damaged(plain(&error)))?;
        let reader = quiet(|| {
            let footer = self.footer.clone();
            let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
            if let Some(row_group) = row_group {
                builder = builder.with_row_groups(vec![row_group]);
            }
            if let Some(columns) = columns {
                let mask = builder.parquet_schema();
                let mask = ProjectionMask::columns(mask, columns.iter().copied());
                builder = builder.with_projection(mask);
            }
            builder.with_batch_size(rows).build()
        });
        let reader = reader.map_err(|why| self.damaged(why))?;
        reader.map_err(|error| self.damaged(error.to_string()))
    }

    pub fn damaged(&self, reason: String) -> DiffError {
        DiffError::Part {
            part: self.path.clone(),
            reason,
        }
    }
}
