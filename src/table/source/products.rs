//! The products of a step, read back from the parts that the job has written, as parents of the next step.
//!
//! They are read in the order in which they were made, so that the next step depends on nothing else. The parts have that
//! order but for the rows that settling has brought back, which stand behind the others. How many of the others were made
//! before each of them is in a file ([`Settled`]).

use std::{
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{Array, AsArray, FixedSizeBinaryArray, RecordBatch, StringArray, UInt64Array},
    datatypes::UInt64Type,
    row::Rows,
};
use bytes::Bytes;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    },
    errors::{ParquetError, Result as ParquetResult},
    file::reader::{ChunkReader, Length},
};

use super::{
    batch::ParentBatch,
    error::{SourceError, one_line},
    guard::quiet,
};
use crate::{
    key::Key,
    limits::KEPT_ROWS_PER_READ,
    slot::Root,
    store::{
        StoreError,
        disk::DiskFile,
        spill::{Items, Kind, SpillLength},
    },
    table::kept::KeptColumns,
};

/// Rows that are decoded at a time.
const ROWS_AT_A_TIME: usize = 1_024;

/// The parts that hold the products of a step, in their order.
#[derive(Debug, Clone)]
pub struct Products {
    /// Each with its number of rows.
    pub parts: Vec<(PathBuf, u64)>,
    /// Name of the column of the keys.
    pub key_column: &'static str,
    /// The rows that settling has brought back, if there are any.
    pub settled: Option<Settled>,
    /// The kept columns, which are the last ones of the parts.
    pub kept: Option<Arc<KeptColumns>>,
}

/// The last rows of a step: those that settling has brought back.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The first of their parts.
    pub first_part: usize,
    /// A spill of their places: for each, how many of the other rows were made before it.
    pub places: (PathBuf, SpillLength),
}

impl Products {
    /// Number of products.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|(_, rows)| rows).sum()
    }
}

/// Reads products from the first that was made to the last.
pub(super) struct ProductReader {
    others: PartsReader,
    settled: Option<SettledReader>,
    /// Rows returned or skipped.
    rows_read: u64,
}

/// The settled rows, which are read between the others.
struct SettledReader {
    parts: PartsReader,
    places: Items<8>,
    /// The place of the next one.
    next_place: Option<u64>,
}

/// Reads parts from the first row to the last.
struct PartsReader {
    parts: std::vec::IntoIter<(PathBuf, u64)>,
    key_column: &'static str,
    kept: Option<Arc<KeptColumns>>,
    part: Option<OpenPart>,
    /// Number of the next row, of all rows of the step.
    next_row: u64,
    /// Rows that are to be skipped before it is read.
    to_skip: u64,
}

struct OpenPart {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    decoded: Option<Decoded>,
}

/// Decoded rows, of which the first `taken` were returned.
struct Decoded {
    smiles: StringArray,
    keys: FixedSizeBinaryArray,
    root_rows: UInt64Array,
    root_ids: StringArray,
    kept: Option<Rows>,
    taken: usize,
}

impl ProductReader {
    pub fn new(mut products: Products) -> Result<Self, SourceError> {
        let settled = products.settled.take();
        let of_settled = settled
            .as_ref()
            .map(|settled| products.parts.split_off(settled.first_part));
        let rows = products.rows();
        let reader = |parts: Vec<_>, next_row| PartsReader {
            parts: parts.into_iter(),
            key_column: products.key_column,
            kept: products.kept.clone(),
            part: None,
            next_row,
            to_skip: 0,
        };
        let settled = settled.zip(of_settled).map(|(settled, parts)| {
            let (path, length) = &settled.places;
            let mut places = Items::open(path, Kind::Ordinals, *length)?;
            let next_place = places.next_item()?;
            Ok::<_, SourceError>(SettledReader {
                parts: reader(parts, rows),
                places,
                next_place: next_place.map(u64::from_le_bytes),
            })
        });
        Ok(Self {
            settled: settled.transpose()?,
            others: reader(products.parts, 0),
            rows_read: 0,
        })
    }

    /// Skips the first rows, of which there are so many. To be called before the first row is read.
    pub fn skip_rows(&mut self, rows: u64) -> Result<u64, SourceError> {
        for _ in 0..rows {
            match &mut self.settled {
                Some(settled) if settled.is_next(&self.others) => {
                    settled.parts.skip_row();
                    settled.advance()?;
                }
                _ => self.others.skip_row(),
            }
        }
        self.rows_read += rows;
        Ok(rows)
    }

    /// Appends the next row to `batch`; false at the end.
    pub fn next_row(&mut self, batch: &mut ParentBatch) -> Result<bool, SourceError> {
        let read = match &mut self.settled {
            Some(settled) if settled.is_next(&self.others) => {
                settled.advance()?;
                settled.parts.next_row(self.rows_read, batch)?
            }
            _ => self.others.next_row(self.rows_read, batch)?,
        };
        self.rows_read += u64::from(read);
        Ok(read)
    }
}

impl SettledReader {
    /// Whether the next settled row was made before the next of the others.
    fn is_next(&self, others: &PartsReader) -> bool {
        self.next_place
            .is_some_and(|place| place <= others.next_row)
    }

    fn advance(&mut self) -> Result<(), SourceError> {
        let place = self.places.next_item()?;
        self.next_place = place.map(u64::from_le_bytes);
        Ok(())
    }
}

impl PartsReader {
    fn skip_row(&mut self) {
        self.to_skip += 1;
        self.next_row += 1;
    }

    /// Appends the next row to `batch`, as the one that was made as number `ordinal`; false at the end.
    fn next_row(&mut self, ordinal: u64, batch: &mut ParentBatch) -> Result<bool, SourceError> {
        loop {
            if let Some(part) = &mut self.part {
                let columns = (self.key_column, self.kept.as_deref());
                if part.next_row((self.next_row, ordinal), batch, columns)? {
                    self.next_row += 1;
                    return Ok(true);
                }
                self.part = None;
            }
            let Some((path, rows)) = self.parts.next() else {
                return Ok(false);
            };
            if self.to_skip >= rows {
                self.to_skip -= rows;
                continue;
            }
            let skipped = std::mem::take(&mut self.to_skip);
            self.part = Some(self.open(path, skipped)?);
        }
    }

    fn open(&self, path: PathBuf, skipped: u64) -> Result<OpenPart, SourceError> {
        let file = PartFile::open(&path)?;
        let names = ["smiles", self.key_column, "root_row", "root_id"];
        let kept = self.kept.as_ref().map_or(0, |kept| kept.len());
        let reader = quiet(|| {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
            let columns = builder.schema().fields();
            let first_kept = columns.len().saturating_sub(kept);
            let named = columns.iter().enumerate().take(first_kept);
            let named = named.filter(|(_, field)| names.contains(&field.name().as_str()));
            let roots = named.map(|(root, _)| root).chain(first_kept..columns.len());
            let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
            builder
                .with_projection(mask)
                .with_batch_size(match kept {
                    0 => ROWS_AT_A_TIME,
                    _ => KEPT_ROWS_PER_READ,
                })
                .with_offset(skipped as usize)
                .build()
        });
        let reader = reader.map_err(|panic| StoreError::damaged(&path, panic))?;
        let reader = reader.map_err(|error| unreadable(&path, error))?;
        Ok(OpenPart {
            path,
            reader,
            decoded: None,
        })
    }
}

/// The error for a part that can't be read.
fn unreadable(path: &Path, error: ParquetError) -> StoreError {
    let external = match &error {
        ParquetError::External(external) => external.downcast_ref::<io::Error>(),
        _ => None,
    };
    match external.filter(|external| external.raw_os_error().is_some()) {
        Some(external) => StoreError::io(path, "read", external),
        None => StoreError::damaged(path, one_line(&error.to_string())),
    }
}

/// A part opened for the `parquet` crate.
struct PartFile {
    file: Arc<DiskFile>,
    bytes: u64,
}

impl PartFile {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let file = DiskFile::open(path)?;
        Ok(Self {
            bytes: file.size()?,
            file: file.into(),
        })
    }
}

impl Length for PartFile {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for PartFile {
    type T = BufReader<ReadPart>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(ReadPart {
            file: Arc::clone(&self.file),
            at: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let within = start.checked_add(length as u64);
        if within.is_none_or(|end| end > self.bytes) {
            let reason = format!("{length} bytes at {start} lie past the end");
            return Err(ParquetError::EOF(reason));
        }
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Reads a part from a position of its own.
struct ReadPart {
    file: Arc<DiskFile>,
    at: u64,
}

impl Read for ReadPart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl OpenPart {
    fn next_row(
        &mut self,
        numbers: (u64, u64),
        batch: &mut ParentBatch,
        (key_column, kept): (&str, Option<&KeptColumns>),
    ) -> Result<bool, SourceError> {
        loop {
            if let Some(decoded) = &mut self.decoded
                && decoded.push_next(numbers, batch)
            {
                return Ok(true);
            }
            let next = quiet(|| self.reader.next().transpose());
            let next = next.map_err(|panic| StoreError::damaged(&self.path, panic))?;
            let next = next.map_err(|error| unreadable(&self.path, error.into()))?;
            let Some(rows) = next else {
                return Ok(false);
            };
            let decoded = Decoded::of(&rows, key_column, kept);
            let reason = "it is not a part that a job of several steps has written";
            let foreign = || StoreError::damaged(&self.path, reason);
            self.decoded = Some(decoded.ok_or_else(foreign)?);
        }
    }
}

impl Decoded {
    fn of(rows: &RecordBatch, key_column: &str, kept: Option<&KeptColumns>) -> Option<Self> {
        let columns = ["smiles", key_column, "root_row", "root_id"];
        let columns = columns.map(|name| rows.column_by_name(name));
        if columns
            .iter()
            .flatten()
            .any(|column| column.null_count() > 0)
        {
            return None;
        }
        let [smiles, keys, root_rows, root_ids] = columns;
        let first_kept = rows
            .num_columns()
            .checked_sub(kept.map_or(0, KeptColumns::len))?;
        let kept = kept.map(|kept| kept.rows(&rows.columns()[first_kept..]));
        let keys = keys?.as_fixed_size_binary_opt()?;
        Some(Self {
            smiles: smiles?.as_string_opt()?.clone(),
            keys: (keys.value_length() == 16).then(|| keys.clone())?,
            root_rows: root_rows?.as_primitive_opt::<UInt64Type>()?.clone(),
            root_ids: root_ids?.as_string_opt()?.clone(),
            kept: kept.transpose().ok()?,
            taken: 0,
        })
    }

    fn push_next(&mut self, numbers: (u64, u64), batch: &mut ParentBatch) -> bool {
        let next = self.taken;
        let key = |bytes: &[u8]| bytes.first_chunk().map(|key| Key::from(*key).words());
        if next == self.smiles.len() {
            return false;
        }
        let Some(key) = key(self.keys.value(next)) else {
            return false;
        };
        let root = Root {
            row: self.root_rows.value(next),
            key,
        };
        let (smiles, id) = (self.smiles.value(next), self.root_ids.value(next));
        batch.push_product(numbers, smiles.as_bytes(), id.as_bytes(), root);
        if let Some(kept) = &self.kept {
            batch.push_kept(kept.row(next).data());
        }
        self.taken += 1;
        true
    }
}
