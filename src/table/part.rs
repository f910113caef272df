//! The Parquet parts of an output, read again.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
            RowSelection,
        },
    },
    file::metadata::RowGroupMetaData,
};

use super::source::quiet;
use crate::store::plain;

/// A part that can't be read, or that is not one of its output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", part.display())]
pub struct PartError {
    /// The part.
    pub part: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// A part, with its footer.
pub struct Part {
    path: PathBuf,
    file: File,
    footer: ArrowReaderMetadata,
}

/// What is read of a part, and in which pieces.
#[derive(Clone, Debug, Default)]
pub struct Reading<'a> {
    /// One row group; `None`: all.
    pub row_group: Option<usize>,
    /// The columns of these names; `None`: all.
    pub columns: Option<&'a [&'a str]>,
    /// Of these row groups, the rows to read; `None`: all.
    pub selection: Option<RowSelection>,
    /// Rows decoded at a time; 0: a number that keeps a piece small.
    pub rows_at_a_time: usize,
}

/// Most rows decoded at a time.
const ROWS_AT_A_TIME: usize = 1_024;
/// Bytes, as they are encoded, of the rows decoded at a time.
const BYTES_AT_A_TIME: usize = 1 << 20;

impl Part {
    /// Opens a part and reads its footer.
    pub fn open(path: &Path) -> Result<Self, PartError> {
        let damaged = |reason: String| PartError {
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

    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        self.footer.schema()
    }

    /// Its row groups.
    pub fn row_groups(&self) -> &[RowGroupMetaData] {
        self.footer.metadata().row_groups()
    }

    /// Its rows.
    pub fn rows(&self) -> u64 {
        let rows = self.footer.metadata().file_metadata().num_rows();
        rows.max(0) as u64
    }

    /// Reads rows, some at a time.
    pub fn batches(&self, reading: Reading<'_>) -> Result<Batches<'_>, PartError> {
        let file = self.file.try_clone();
        let file = file.map_err(|error| self.damaged(plain(&error)))?;
        let rows = match reading.rows_at_a_time {
            0 => self.rows_at_a_time(),
            rows => rows,
        };
        let reader = quiet(|| {
            let footer = self.footer.clone();
            let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer);
            if let Some(row_group) = reading.row_group {
                builder = builder.with_row_groups(vec![row_group]);
            }
            if let Some(columns) = reading.columns {
                let fields = self.schema().fields().iter().enumerate();
                let read = fields.filter(|(_, field)| columns.contains(&field.name().as_str()));
                let places: Vec<_> = read.map(|(place, _)| place).collect();
                let mask = ProjectionMask::roots(builder.parquet_schema(), places);
                builder = builder.with_projection(mask);
            }
            if let Some(selection) = reading.selection {
                builder = builder.with_row_selection(selection);
            }
            builder.with_batch_size(rows).build()
        });
        let reader = reader.map_err(|why| self.damaged(why))?;
        Ok(Batches {
            reader: reader.map_err(|error| self.damaged(error.to_string()))?,
            part: self,
        })
    }

    /// How many rows of the largest row group to decode at a time.
    fn rows_at_a_time(&self) -> usize {
        let of_group = |group: &RowGroupMetaData| {
            let rows = group.num_rows().max(1) as usize;
            let of_row = (group.total_byte_size().max(0) as usize).div_ceil(rows);
            (BYTES_AT_A_TIME / of_row.max(1)).clamp(1, ROWS_AT_A_TIME)
        };
        let of_groups = self.row_groups().iter().map(of_group);
        of_groups.min().unwrap_or(ROWS_AT_A_TIME)
    }

    /// The error that this part has a fault.
    pub fn damaged(&self, reason: impl Into<String>) -> PartError {
        PartError {
            part: self.path.clone(),
            reason: reason.into(),
        }
    }
}

/// Rows of a part, some at a time.
pub struct Batches<'a> {
    reader: ParquetRecordBatchReader,
    part: &'a Part,
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch, PartError>;

    fn next(&mut self) -> Option<Self::Item> {
        // The parquet crate may panic on a damaged file.
        let batch = match quiet(|| self.reader.next()) {
            Ok(batch) => batch?.map_err(|error| error.to_string()),
            Err(reason) => Err(reason),
        };
        Some(batch.map_err(|reason| self.part.damaged(reason)))
    }
}
