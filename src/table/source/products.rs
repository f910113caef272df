//! The products of a step, read back from the parts that the job has written, as parents of the next step.

use std::{fs::File, path::PathBuf};

use arrow::array::AsArray;
use arrow::{
    array::{Array, FixedSizeBinaryArray, RecordBatch, StringArray, UInt64Array},
    datatypes::UInt64Type,
};
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
};

use super::{batch::ParentBatch, error::SourceError, guard::quiet};
use crate::{key::Key, slot::Root};

/// Rows that are decoded at a time.
const ROWS_AT_A_TIME: usize = 1_024;

/// The parts that hold the products of a step, in their order.
#[derive(Debug, Clone)]
pub struct Products {
    /// Each with its number of rows.
    pub parts: Vec<(PathBuf, u64)>,
    /// Name of the column of the keys.
    pub key_column: &'static str,
}

impl Products {
    /// Number of products.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|(_, rows)| rows).sum()
    }
}

/// Reads products from the first to the last.
pub(super) struct ProductReader {
    products: Products,
    /// The next part.
    next: usize,
    part: Option<OpenPart>,
    /// Rows that are to be skipped before the next one.
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
    taken: usize,
}

impl ProductReader {
    pub fn new(products: Products) -> Self {
        Self {
            products,
            next: 0,
            part: None,
            to_skip: 0,
        }
    }

    /// Skips the first rows and returns how many. To be called before the first row is read.
    pub fn skip_rows(&mut self, rows: u64) -> u64 {
        let skipped = rows.min(self.products.rows() - self.to_skip);
        self.to_skip += skipped;
        skipped
    }

    /// Appends the next row to `batch` as number `row`; false at the end.
    pub fn next_row(&mut self, row: u64, batch: &mut ParentBatch) -> Result<bool, SourceError> {
        loop {
            if let Some(part) = &mut self.part {
                if part.next_row(row, batch, self.products.key_column)? {
                    return Ok(true);
                }
                self.part = None;
            }
            let Some((path, rows)) = self.products.parts.get(self.next) else {
                return Ok(false);
            };
            self.next += 1;
            if self.to_skip >= *rows {
                self.to_skip -= rows;
                continue;
            }
            let skipped = std::mem::take(&mut self.to_skip);
            self.part = Some(self.products.open(path.clone(), skipped)?);
        }
    }
}

impl Products {
    fn open(&self, path: PathBuf, skipped: u64) -> Result<OpenPart, SourceError> {
        let file = File::open(&path).map_err(|error| SourceError::unreadable(&path, &error))?;
        let columns = ["smiles", self.key_column, "root_row", "root_id"];
        let reader = quiet(|| {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
            builder
                .with_projection(mask)
                .with_batch_size(ROWS_AT_A_TIME)
                .with_offset(skipped as usize)
                .build()
        });
        let reader = reader
            .map_err(|panic| SourceError::corrupt(&path, panic))?
            .map_err(|error| SourceError::corrupt(&path, error))?;
        Ok(OpenPart {
            path,
            reader,
            decoded: None,
        })
    }
}

impl OpenPart {
    fn next_row(
        &mut self,
        row: u64,
        batch: &mut ParentBatch,
        key_column: &str,
    ) -> Result<bool, SourceError> {
        loop {
            if let Some(decoded) = &mut self.decoded
                && decoded.push_next(row, batch)
            {
                return Ok(true);
            }
            let next = quiet(|| self.reader.next().transpose());
            let next = next
                .map_err(|panic| SourceError::corrupt(&self.path, panic))?
                .map_err(|error| SourceError::corrupt(&self.path, error))?;
            let Some(rows) = next else {
                return Ok(false);
            };
            let decoded = Decoded::of(&rows, key_column);
            let foreign = || {
                let reason = "it is not a part that a job of several steps has written";
                SourceError::corrupt(&self.path, reason)
            };
            self.decoded = Some(decoded.ok_or_else(foreign)?);
        }
    }
}

impl Decoded {
    fn of(rows: &RecordBatch, key_column: &str) -> Option<Self> {
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
        let keys = keys?.as_fixed_size_binary_opt()?;
        Some(Self {
            smiles: smiles?.as_string_opt()?.clone(),
            keys: (keys.value_length() == 16).then(|| keys.clone())?,
            root_rows: root_rows?.as_primitive_opt::<UInt64Type>()?.clone(),
            root_ids: root_ids?.as_string_opt()?.clone(),
            taken: 0,
        })
    }

    fn push_next(&mut self, row: u64, batch: &mut ParentBatch) -> bool {
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
        batch.push_product(row, smiles.as_bytes(), id.as_bytes(), root);
        self.taken += 1;
        true
    }
}
