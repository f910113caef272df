//! `duplicates.parquet`: which rows of the input were merged into which.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, UInt64Array},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use super::{
    encoders::Encoders,
    error::{SinkError, encode_error},
    parquet_file::{ParquetFile, ParquetSettings, Part},
};
use crate::{limits::SINK_CHUNK_ROWS, store::OutputDir};

/// Name of the file.
pub const DUPLICATES: &str = "duplicates.parquet";

/// A row that is not in the output, since another one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate<'a> {
    /// 0-based row over all inputs.
    pub row: u64,
    /// Its id, or its row number.
    pub id: &'a str,
    /// Its SMILES as read.
    pub smiles: &'a str,
    /// The row in the output with the same molecule, and its id; none if an excluded output has the molecule.
    pub kept: Option<(u64, &'a str)>,
}

/// Writes `duplicates.parquet`.
pub struct DuplicateSink<'a> {
    output: &'a OutputDir,
    file: ParquetFile,
    schema: SchemaRef,
    rows: Vec<u64>,
    ids: Vec<String>,
    smiles: Vec<String>,
    kept: Vec<Option<(u64, String)>>,
    text_bytes: usize,
}

/// Bytes of text of the rows that are encoded together.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// Bytes at which a row group is closed.
const ROW_GROUP_BYTES: usize = 1 << 20;

impl<'a> DuplicateSink<'a> {
    /// Begins the file.
    pub fn new(output: &'a OutputDir, encoders: &Arc<Encoders>) -> Result<Self, SinkError> {
        let schema = duplicate_schema();
        let settings = ParquetSettings::new(ROW_GROUP_BYTES);
        Ok(Self {
            output,
            file: ParquetFile::begin(output, DUPLICATES, &schema, settings, encoders)?,
            schema,
            rows: Vec::new(),
            ids: Vec::new(),
            smiles: Vec::new(),
            kept: Vec::new(),
            text_bytes: 0,
        })
    }

    /// Appends a row.
    pub fn push(&mut self, duplicate: Duplicate<'_>) -> Result<(), SinkError> {
        let Duplicate {
            row,
            id,
            smiles,
            kept,
        } = duplicate;
        self.text_bytes += id.len() + smiles.len() + kept.map_or(0, |(_, id)| id.len());
        self.rows.push(row);
        self.ids.push(id.into());
        self.smiles.push(smiles.into());
        self.kept.push(kept.map(|(row, id)| (row, id.into())));
        if self.text_bytes > TEXT_BYTES_MAX || self.rows.len() >= SINK_CHUNK_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    /// Publishes the file, which has no row if there is no duplicate.
    pub fn publish(mut self) -> Result<Part, SinkError> {
        self.flush()?;
        self.file.publish(self.output)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let kept = self.kept.iter();
        let kept_ids = kept.map(|kept| kept.as_ref().map(|(_, id)| id.as_str()));
        let kept_rows = self
            .kept
            .iter()
            .map(|kept| kept.as_ref().map(|kept| kept.0));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from_iter_values(self.rows.iter().copied())),
            Arc::new(StringArray::from_iter_values(&self.ids)),
            Arc::new(StringArray::from_iter_values(&self.smiles)),
            Arc::new(kept_rows.collect::<UInt64Array>()),
            Arc::new(kept_ids.collect::<StringArray>()),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        self.file.write(batch.map_err(encode_error)?)?;
        self.rows.clear();
        self.ids.clear();
        self.smiles.clear();
        self.kept.clear();
        self.text_bytes = 0;
        Ok(())
    }
}

/// The schema of `duplicates.parquet`.
pub fn duplicate_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("row", DataType::UInt64, false),
        Field::new("id", DataType::Utf8, false),
        Field::new("smiles", DataType::Utf8, false),
        Field::new("kept_row", DataType::UInt64, true),
        Field::new("kept_id", DataType::Utf8, true),
    ]))
}
