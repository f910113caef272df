//! Canonical SMILES for the rows of an export, written on several threads.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray},
    datatypes::DataType,
};
use rayon::prelude::*;

use super::ExportError;
use crate::{
    chem::{ChemistryError, RdKit, TransformSettings, Transformer},
    cores::chemistry_pool,
    rules::RuleSet,
};

/// Column with the SMILES of a row.
const SMILES: &str = "smiles";

thread_local! {
    /// A thread of the pool has one from its first row on.
    static WRITER: RefCell<Option<Transformer>> = const { RefCell::new(None) };
}

/// Writes canonical SMILES in place of others.
pub(super) struct CanonicalWriter {
    pool: rayon::ThreadPool,
    rdkit: RdKit,
    /// Rows left as they were, because RDKit can't read them.
    left_as_written: AtomicU64,
}

impl CanonicalWriter {
    pub(super) fn new(rdkit: RdKit, threads: usize) -> Result<Self, ExportError> {
        let pool = chemistry_pool(threads, "canon")
            .map_err(|error| ExportError::Threads(error.to_string()))?;
        Ok(Self {
            pool,
            rdkit,
            left_as_written: AtomicU64::new(0),
        })
    }

    /// Rows left as they were so far.
    pub(super) fn left_as_written(&self) -> u64 {
        self.left_as_written.load(Relaxed)
    }

    /// The rows with canonical SMILES; unchanged if they have none.
    pub(super) fn rewrite(&self, batch: RecordBatch) -> Result<RecordBatch, ExportError> {
        let Some((place, field)) = batch.schema_ref().column_with_name(SMILES) else {
            return Ok(batch);
        };
        if field.data_type() != &DataType::Utf8 {
            return Ok(batch);
        }
        let column = batch.column(place).as_string::<i32>();
        let rows: Vec<usize> = (0..column.len()).collect();
        let write = |&row: &usize| {
            let text = column.value(row);
            self.canonical(text)
                .map(|written| written.unwrap_or_else(|| text.to_owned()))
        };
        let written: Result<Vec<String>, ChemistryError> = self
            .pool
            .install(|| rows.par_iter().with_min_len(16).map(write).collect());
        let written = StringArray::from(written?);
        let mut columns = batch.columns().to_vec();
        columns[place] = Arc::new(written) as ArrayRef;
        let rewritten = RecordBatch::try_new(batch.schema(), columns);
        Ok(rewritten.expect("the column has the type and the length of the one before"))
    }

    /// The canonical SMILES of a SMILES; `None` if RDKit can't read it.
    fn canonical(&self, text: &str) -> Result<Option<String>, ChemistryError> {
        WRITER.with_borrow_mut(|writer| {
            if writer.is_none() {
                let none = RuleSet::default();
                *writer = Some(Transformer::new(
                    self.rdkit,
                    &none,
                    TransformSettings::default(),
                )?);
            }
            let writer = writer.as_mut().expect("it was just set");
            let begun = writer.begin(0, text.as_bytes());
            let written = begun.and_then(|()| writer.parent_smiles().map(<[u8]>::to_vec));
            Ok(match written {
                Ok(written) => Some(String::from_utf8_lossy(&written).into_owned()),
                Err(rejection) => {
                    self.left_as_written.fetch_add(1, Relaxed);
                    tracing::warn!("{text}: {rejection}");
                    None
                }
            })
        })
    }
}
