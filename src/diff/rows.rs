//! The rows that only one side has: read again by their numbers, counted, written.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::{DataType, SchemaRef, UInt8Type, UInt16Type},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use super::{DiffError, OnlyCounts, WrittenFile, side::Side};
use crate::{
    store::{NewFile, StoreError, sorter::Sorted},
    table::part::{Part, Reading},
};

/// Bytes at which a row group is closed, as they are encoded so far.
const ROW_GROUP_BYTES: usize = 8 << 20;

/// The numbers of the rows that only one side has: those of the first side, then those of the second.
pub(super) struct OnlyRows {
    sorted: Sorted,
    next: Option<(u8, u64)>,
}

impl OnlyRows {
    pub fn new(sorted: Sorted) -> Result<Self, StoreError> {
        let mut rows = Self { sorted, next: None };
        rows.advance()?;
        Ok(rows)
    }

    fn advance(&mut self) -> Result<(), StoreError> {
        let item = self.sorted.next_item()?;
        self.next = item.and_then(|item| {
            let (side, row) = item.split_first()?;
            Some((*side, u64::from_be_bytes(*row.first_chunk()?)))
        });
        Ok(())
    }

    /// Whether there is a row of this side before `end`.
    fn has_row_before(&self, side: u8, end: u64) -> bool {
        self.next.is_some_and(|next| next < (side, end))
    }

    /// Which of `rows` rows of a side, of which the first has the number `begin`, these are.
    fn mask(&mut self, side: u8, begin: u64, rows: usize) -> Result<BooleanArray, StoreError> {
        let mut mask = vec![false; rows];
        let end = begin + rows as u64;
        while let Some((_, row)) = self.next.filter(|next| *next < (side, end)) {
            // Rows that were skipped had none of them, so no number lies before `begin`.
            if let Some(wanted) = mask.get_mut(row.wrapping_sub(begin) as usize) {
                *wanted = true;
            }
            self.advance()?;
        }
        Ok(mask.into())
    }
}

/// Reads the rows of a side that the other has not, counts them, and writes them to `file`. `go_on` gets the number of
/// rows since its last call.
pub(super) fn read(
    side: &Side,
    number: u8,
    only: &mut OnlyRows,
    file: &mut Option<RowFile>,
    mut go_on: impl FnMut(u64) -> Result<(), DiffError>,
) -> Result<OnlyCounts, DiffError> {
    let mut counts = OnlyCounts::default();
    let mut begin = 0;
    for part in &side.parts {
        let part = Part::open(part)?;
        let columns = counted_columns(part.schema());
        for (index, group) in part.row_groups().iter().enumerate() {
            let end = begin + group.num_rows().max(0) as u64;
            // Without a file and without columns to count by there is nothing to read.
            let is_needed = file.is_some() || !columns.is_empty();
            if !is_needed || !only.has_row_before(number, end) {
                begin = end;
                continue;
            }
            let reading = Reading {
                row_group: Some(index),
                columns: file.is_none().then_some(columns.as_slice()),
                ..Reading::default()
            };
            for batch in part.batches(reading)? {
                let batch = batch?;
                let mask = only.mask(number, begin, batch.num_rows())?;
                begin += batch.num_rows() as u64;
                let rows = filter_record_batch(&batch, &mask);
                let rows = rows.map_err(|error| part.damaged(error.to_string()))?;
                counts.add(&rows);
                if let Some(file) = file {
                    file.write(&rows)?;
                }
                go_on(rows.num_rows() as u64)?;
            }
            begin = end;
        }
    }
    Ok(counts)
}

const STEP: &str = "step";
const RULE: &str = "rule";

/// The columns that rows are counted by, of those that there are.
fn counted_columns(schema: &SchemaRef) -> Vec<&'static str> {
    let is_there = |(name, data_type): &(&str, DataType)| {
        let field = schema.field_with_name(name);
        field.is_ok_and(|field| field.data_type() == data_type)
    };
    let rule = DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8));
    let columns = [(STEP, DataType::UInt8), (RULE, rule)];
    let columns = columns.into_iter().filter(is_there);
    columns.map(|(name, _)| name).collect()
}

impl OnlyCounts {
    fn add(&mut self, rows: &RecordBatch) {
        let steps = rows.column_by_name(STEP);
        if let Some(steps) = steps.and_then(|steps| steps.as_primitive_opt::<UInt8Type>()) {
            for step in steps.iter().flatten() {
                *self.by_step.entry(step).or_default() += 1;
            }
        }
        let rules = rows.column_by_name(RULE);
        let Some(rules) = rules.and_then(|rules| rules.as_dictionary_opt::<UInt16Type>()) else {
            return;
        };
        let Some(names) = rules.values().as_string_opt::<i32>() else {
            return;
        };
        let mut by_number = vec![0; names.len()];
        for number in rules.keys().iter().flatten() {
            if let Some(count) = by_number.get_mut(usize::from(number)) {
                *count += 1;
            }
        }
        let named = names.iter().zip(by_number).filter(|(_, count)| *count > 0);
        for (name, count) in named {
            *self
                .by_rule
                .entry(name.unwrap_or_default().into())
                .or_default() += count;
        }
    }
}

/// A file of rows that is being written.
pub(super) struct RowFile {
    path: PathBuf,
    writer: ArrowWriter<Held>,
    rows: u64,
}

/// A file that can be taken back from the encoder after its last write.
struct Held(Option<NewFile>);

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), NewFile::flush)
    }
}

impl RowFile {
    /// Begins a file with the columns of a side.
    pub fn create(path: &Path, side: &Side) -> Result<Self, DiffError> {
        let part = side.parts.first();
        let part = part.ok_or_else(|| DiffError::NotComplete(side.directory.clone()))?;
        let schema = Arc::clone(Part::open(part)?.schema());
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder()
            .set_created_by(format!("molsieve {}", env!("CARGO_PKG_VERSION")))
            .set_compression(zstd)
            .set_dictionary_page_size_limit(256 << 10)
            .set_data_page_size_limit(512 << 10)
            .build();
        let file = Held(Some(NewFile::create(path)?));
        let writer = ArrowWriter::try_new(file, schema, Some(properties));
        Ok(Self {
            path: path.into(),
            writer: writer.map_err(|error| encode_error(path, error))?,
            rows: 0,
        })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<(), DiffError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.rows += rows.num_rows() as u64;
        let mut written = self.writer.write(rows);
        if written.is_ok() && self.writer.in_progress_size() >= ROW_GROUP_BYTES {
            written = self.writer.flush();
        }
        written.map_err(|error| encode_error(&self.path, error))
    }

    /// Writes what is left and the footer. The file still has to be published.
    pub fn finish(mut self) -> Result<(NewFile, WrittenFile), DiffError> {
        // Taking the writer apart instead (`into_inner`) would turn an error of the disk into a text.
        let finished = self.writer.finish();
        finished.map_err(|error| encode_error(&self.path, error))?;
        let written = WrittenFile {
            rows: self.rows,
            bytes: self.writer.bytes_written() as u64,
            path: self.path,
        };
        let file = self.writer.inner_mut().0.take();
        Ok((
            file.expect("it is taken here only, and the writer is consumed"),
            written,
        ))
    }
}

/// The file system's own error, if it caused the encoder's.
fn encode_error(path: &Path, error: ParquetError) -> DiffError {
    let reason = match error {
        ParquetError::External(inner) => match inner.downcast_ref::<io::Error>() {
            Some(io) => return StoreError::io(path, "write", io).into(),
            None => inner.to_string(),
        },
        other => other.to_string(),
    };
    DiffError::Encode {
        path: path.into(),
        reason,
    }
}
