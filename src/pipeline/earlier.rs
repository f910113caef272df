//! The products of earlier runs, which a run excludes (`--exclude`): their keys, read from the `key` or
//! `structure_key` column of the parts that the manifest names.
//!
//! Memory does not grow with the earlier run: some thousands of keys are decoded at a time.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use arrow::array::{Array, AsArray};
use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder};

use crate::{
    identity::KeyKind,
    key::Key,
    report::manifest::{Manifest, ManifestError},
    store::plain,
    table::{sink::OutputFormat, source::quiet},
};

/// Keys decoded at a time.
const KEYS_AT_A_TIME: usize = 8_192;

/// A complete run whose products are known.
#[derive(Clone, Debug)]
pub struct EarlierRun {
    parts: Vec<PathBuf>,
    /// The column of the keys.
    column: &'static str,
    rows: u64,
}

/// Why an earlier run can't be excluded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EarlierRunError {
    /// The directory has no manifest.
    #[error("--exclude {}: holds no manifest.json, so no run is complete there", .0.display())]
    NotComplete(PathBuf),
    /// The manifest can't be read.
    #[error("--exclude {0}")]
    Manifest(#[from] ManifestError),
    /// The manifest names a part that is not there.
    #[error("--exclude {}: this part is missing, though the manifest names it", .0.display())]
    PartMissing(PathBuf),
    /// The parts are text.
    #[error("--exclude {}: its parts are {format}, and keys are read from Parquet; run it again with --format parquet",
        directory.display())]
    NotParquet {
        /// The output directory of the earlier run.
        directory: PathBuf,
        /// The format of its parts.
        format: OutputFormat,
    },
    /// The keys have another definition, so they can't be compared.
    #[error("--exclude {}: its {key} keys are of {}, this molsieve makes definition {ours}: run it again",
        directory.display(), theirs.map_or("an earlier definition".into(), |n| format!("definition {n}")))]
    Definition {
        /// The output directory of the earlier run.
        directory: PathBuf,
        /// The kind of key.
        key: &'static str,
        /// The definition of its keys; none where its manifest names none.
        theirs: Option<u8>,
        /// The definition of this molsieve's keys.
        ours: u8,
    },
    /// The keys are of canonical SMILES of another release of RDKit, which may write a molecule otherwise.
    #[error("--exclude {}: its keys are of canonical SMILES by RDKit {theirs}, and this molsieve writes those of \
        {ours}: run it again", directory.display())]
    Release {
        /// The output directory of the earlier run.
        directory: PathBuf,
        /// RDKit's version then.
        theirs: String,
        /// RDKit's version now.
        ours: String,
    },
    /// A part has no such column of keys.
    #[error("--exclude {}: has no column `{column}` of 16 bytes; a run with another --key or --columns leaves others",
        part.display())]
    NoColumn {
        /// The part.
        part: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// A part can't be read.
    #[error("--exclude {}: {reason}", part.display())]
    Unreadable {
        /// The part.
        part: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl EarlierRun {
    /// The run in an output directory. It must be complete, its parts must be there and have keys of this kind;
    /// `rdkit` is RDKit's version.
    pub fn open(directory: &Path, key: KeyKind, rdkit: &str) -> Result<Self, EarlierRunError> {
        let manifest = Manifest::read(directory)?
            .ok_or_else(|| EarlierRunError::NotComplete(directory.into()))?;
        if let Some(format) = manifest.text_format() {
            return Err(EarlierRunError::NotParquet {
                directory: directory.into(),
                format,
            });
        }
        let theirs = manifest.key_definition;
        // Keys of another kind stand in another column, which the parts will show.
        if let Some(ours) = key.definition()
            && manifest.key == key
            && theirs != Some(ours)
        {
            return Err(EarlierRunError::Definition {
                directory: directory.into(),
                key: key.name(),
                theirs,
                ours,
            });
        }
        if manifest.key == KeyKind::Canonical
            && key == KeyKind::Canonical
            && manifest.software.rdkit != rdkit
        {
            return Err(EarlierRunError::Release {
                directory: directory.into(),
                theirs: manifest.software.rdkit,
                ours: rdkit.into(),
            });
        }
        let mut run = Self {
            parts: Vec::new(),
            column: key.column(),
            rows: 0,
        };
        for file in &manifest.files {
            let part = directory.join(&file.name);
            if !part.is_file() {
                return Err(EarlierRunError::PartMissing(part));
            }
            run.parts.push(part);
            run.rows += file.rows;
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

fn for_each_key_of<E: From<EarlierRunError>>(
    part: &Path,
    column: &'static str,
    take: &mut impl FnMut(&[[u64; 2]]) -> Result<(), E>,
) -> Result<(), E> {
    let damaged = |reason: String| EarlierRunError::Unreadable {
        part: part.into(),
        reason,
    };
    let file = File::open(part).map_err(|error| damaged(plain(&error)))?;
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
        let keys = keys.ok_or_else(|| EarlierRunError::NoColumn {
            part: part.into(),
            column,
        })?;
        words.clear();
        let keys = keys.iter().flatten().filter_map(|key| key.first_chunk());
        words.extend(keys.map(|key| Key::from(*key).words()));
        take(&words)?;
    }
    Ok(())
}
