//! One of the two outputs.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use arrow::array::{Array, AsArray};

use super::{Counted, DiffError, KEY_BYTES, OnlyCounts, Share, SideCounts, WrittenFile};
use crate::{
    identity::KeyKind,
    report::manifest::{Manifest, RuleCounts},
    table::part::{Part, PartError, Reading},
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
                return Err(PartError { part, reason }.into());
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
            let keys_only = Reading {
                columns: Some(&[column]),
                rows_at_a_time: KEYS_AT_A_TIME,
                ..Reading::default()
            };
            for batch in part.batches(keys_only)? {
                let batch = batch?;
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
