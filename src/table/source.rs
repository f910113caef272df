//! Reads a library of parents from one or more files, in order, in bounded memory.
//!
//! The formats are Parquet, SMILES files, CSV/TSV and SD files. The text formats may be compressed with gzip,
//! bzip2, xz or zstd. Begin with [`Library::open`]: it checks the head or footer of every file before any
//! work. [`Library::reader`] then returns rows in batches that depend on the input alone.
//!
//! Constraints:
//! - No buffer grows with the input; each has its maximum in [`crate::limits`]. A Parquet row group
//!   is read page by page.
//! - A bad row is a row with a [`fault`](ParentRow::fault), never an error, so rows keep their numbers.
//!   A bad file is a [`SourceError`].
//! - This module does no chemistry: a SMILES without fault is non-empty UTF-8, and may still not parse.
//! - The `parquet` crate may panic on damaged files: see [`quiet`] and [`in_guarded_call`].

mod batch;
mod columns;
mod delimited;
mod error;
mod file_rows;
mod format;
mod guard;
mod headerless;
mod input_file;
mod inputs;
mod keep_columns;
mod kept_files;
mod kept_of_file;
mod lines;
mod parquet_delta;
mod parquet_file;
mod parquet_footer;
mod parquet_kept;
mod parquet_kept_schema;
mod parquet_large_page;
mod parquet_leaves;
mod parquet_page_header;
mod parquet_pages;
mod parquet_rows;
mod parquet_schema;
mod parquet_streams;
mod parquet_thrift;
mod parquet_unpack;
mod products;
mod sample;
mod sdf;
mod smiles_likeness;
mod smiles_lines;
#[cfg(test)]
mod tests;
mod unpack;

use std::{path::PathBuf, sync::Arc};

pub use batch::{ParentBatch, ParentRow, RowFault, RowId, TextKind};
pub use columns::{ColumnChoice, ID_NAMES, SMILES_NAMES};
pub use error::{ColumnRole, SourceError};
pub use format::InputFormat;
pub use format::names_a_format;
pub use guard::{in_guarded_call, quiet};
pub use input_file::InputFile;
pub use inputs::{is_pattern, resolve as resolve_inputs};
pub use keep_columns::KeepColumns;
pub use products::{Products, Settled};
pub use sample::RowsEstimate;
pub use smiles_lines::smiles_of_line;
pub use unpack::Packing;

use super::kept::KeptColumns;
use crate::limits::PARENT_BATCH_BYTES_MAX;
use file_rows::{FileRows, Layout};
use kept_files::KeptFiles;
use kept_of_file::KeptOfFile;
use products::ProductReader;

/// The files of a library, checked, in the order given.
#[derive(Debug, Clone)]
pub struct Library {
    files: Vec<InputFile>,
    kept: Option<KeptFiles>,
}

impl Library {
    /// Resolves `inputs` (files, directories, patterns) and checks that every file exists, can be read, has a
    /// known format and the columns, and holds rows.
    ///
    /// # Errors
    /// The first check that fails; see [`SourceError`].
    pub fn open(inputs: &[PathBuf], columns: &ColumnChoice) -> Result<Library, SourceError> {
        let files = inputs::resolve(inputs)?
            .iter()
            .map(|path| InputFile::inspect(path, columns))
            .collect::<Result<Vec<_>, _>>()?;
        // An empty Parquet part beside others is common; a library of empty parts is a mistake.
        if let Some(first) = files.first()
            && files.iter().all(|file| file.rows == Some(0))
        {
            return Err(SourceError::NoRows {
                path: first.path.clone(),
            });
        }
        let kept = KeptFiles::find(&files, &columns.keep)?;
        Ok(Library { files, kept })
    }

    /// Splits Parquet pages of more than `bytes_max` bytes into small pages.
    #[must_use]
    pub fn with_page_bytes_max(mut self, bytes_max: usize) -> Library {
        for file in &mut self.files {
            if let Layout::Parquet(layout) = &mut file.layout {
                layout.page_bytes_max = bytes_max;
            }
        }
        if let Some(kept) = &mut self.kept {
            kept.set_page_bytes_max(bytes_max);
        }
        self
    }

    /// The largest Parquet page that the reader can hold in memory, in bytes; 0 without Parquet.
    pub fn page_bytes(&self) -> u64 {
        let page_bytes = |file: &InputFile| match &file.layout {
            Layout::Parquet(layout) => layout.chunk_bytes.min(layout.page_bytes_max as u64),
            _ => 0,
        };
        self.files.iter().map(page_bytes).max().unwrap_or(0)
    }

    /// The columns that rows keep, if there are some.
    pub fn kept(&self) -> Option<&Arc<KeptColumns>> {
        self.kept.as_ref().map(|kept| &kept.columns)
    }

    /// Memory for reading the kept columns, in bytes.
    pub fn kept_bytes(&self) -> u64 {
        self.kept.as_ref().map_or(0, KeptFiles::bytes)
    }

    /// Memory for decompressing text, in bytes.
    pub fn unpack_bytes(&self) -> u64 {
        let bytes = self.files.iter().map(|file| file.packing.memory_bytes());
        bytes.max().unwrap_or(0)
    }

    /// The files, in reading order.
    pub fn files(&self) -> &[InputFile] {
        &self.files
    }

    /// Bytes of all files, as stored.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Rows over all inputs: exact for Parquet and for text of at most `ESTIMATE_HEAD_BYTES`, else
    /// from the stored bytes that a row takes in the file's head.
    ///
    /// # Errors
    /// As [`LibraryReader::next_batch`], for damage in the heads.
    pub fn rows_estimate(&self) -> Result<RowsEstimate, SourceError> {
        sample::estimate_rows(&self.files)
    }

    /// Up to `n` rows, the same at every call: spread over the rows of Parquet and the bytes of text, from the
    /// head of compressed text. Row numbers count from 0 within the sample. The sample takes at most
    /// `SAMPLE_BYTES_MAX` bytes and one row.
    ///
    /// # Errors
    /// As [`LibraryReader::next_batch`].
    pub fn sample(&self, n: usize) -> Result<ParentBatch, SourceError> {
        let mut sample = sample::sample(&self.files, n)?;
        complete(&mut sample);
        Ok(sample)
    }

    /// Reads the library from its first row.
    ///
    /// # Errors
    /// None at present: the reader opens each file when it reaches it.
    pub fn reader(&self) -> Result<LibraryReader, SourceError> {
        let of_file = |file| self.kept.as_ref().map(|kept| kept.of_file(file));
        let files = self.files.iter().enumerate();
        let files: Vec<_> = files
            .map(|(number, file)| (file.clone(), of_file(number)))
            .collect();
        let rows = Rows::Files {
            files: files.into_iter(),
            current: None,
        };
        Ok(LibraryReader::of(rows, self.kept()))
    }
}

impl Products {
    /// Reads the products in the order in which they were made. Rows are skipped before the first is read.
    ///
    /// # Errors
    /// [`SourceError::Store`] where the places of settled rows can't be read.
    pub fn reader(&self) -> Result<LibraryReader, SourceError> {
        let products = ProductReader::new(self.clone())?;
        let rows = Rows::Products(Box::new(products), self.rows());
        Ok(LibraryReader::of(rows, self.kept.as_ref()))
    }
}

/// Completes the rows of a batch that [`LibraryReader::take_batch`] has filled: divides lines, checks SMILES and ids.
pub fn complete(batch: &mut ParentBatch) {
    smiles_lines::complete(batch);
}

/// Reads a library, or the products of a step, from start to end, batch by batch.
pub struct LibraryReader {
    rows: Rows,
    rows_read: u64,
    failed: Option<SourceError>,
    kept: Option<Arc<KeptColumns>>,
}

/// A file, and where its kept columns are.
type FileToRead = (InputFile, Option<KeptOfFile>);

/// What a reader reads.
enum Rows {
    Files {
        files: std::vec::IntoIter<FileToRead>,
        current: Option<FileRows>,
    },
    /// With the number of rows that are left.
    Products(Box<ProductReader>, u64),
}

impl LibraryReader {
    fn of(rows: Rows, kept: Option<&Arc<KeptColumns>>) -> Self {
        Self {
            rows,
            rows_read: 0,
            failed: None,
            kept: kept.map(Arc::clone),
        }
    }

    /// Fills `batch` (cleared first) with the next rows; false at the end of all inputs.
    ///
    /// A batch ends at `rows_max` rows (at least 1), once its bytes reach
    /// `PARENT_BATCH_BYTES_MAX`, or at the end of all inputs, and for no other reason; it may span
    /// files. So batches are a function of the input and `rows_max`.
    ///
    /// # Errors
    /// [`SourceError::Corrupt`] or [`SourceError::Unreadable`] where a file is damaged or can't be read. `batch`
    /// holds the rows before; every later call returns the same error.
    pub fn next_batch(
        &mut self,
        batch: &mut ParentBatch,
        rows_max: usize,
    ) -> Result<bool, SourceError> {
        let any = self.take_batch(batch, rows_max)?;
        complete(batch);
        Ok(any)
    }

    /// As [`next_batch`](Self::next_batch), without what many threads can do at a time: the rows may be used after
    /// [`complete`].
    ///
    /// # Errors
    /// As above.
    pub fn take_batch(
        &mut self,
        batch: &mut ParentBatch,
        rows_max: usize,
    ) -> Result<bool, SourceError> {
        batch.clear();
        batch.set_kept(self.kept.as_ref());
        self.unless_failed(|reader| {
            while batch.len() < rows_max.max(1)
                && batch.text_bytes() < PARENT_BATCH_BYTES_MAX
                && reader.next_row(batch)?
            {}
            Ok(!batch.is_empty())
        })
    }

    /// Rows returned or skipped so far.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Skips the next `rows` rows, or as many as there are, to resume after a checkpoint; returns how many.
    /// Parquet is skipped without decoding, text is parsed.
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch).
    pub fn skip_rows(&mut self, rows: u64) -> Result<u64, SourceError> {
        self.unless_failed(|reader| {
            let mut skipped = 0;
            while skipped < rows {
                match reader.rows.skip_in_file(rows - skipped)? {
                    0 => break,
                    step => skipped += step,
                }
            }
            reader.rows_read += skipped;
            Ok(skipped)
        })
    }

    /// Does `work` unless earlier work has failed; then returns its error again.
    fn unless_failed<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let done = work(self);
        self.failed = done.as_ref().err().cloned();
        done
    }

    fn next_row(&mut self, batch: &mut ParentBatch) -> Result<bool, SourceError> {
        let read = self.rows.next_row(self.rows_read, batch)?;
        self.rows_read += u64::from(read);
        Ok(read)
    }
}

impl Rows {
    /// Appends the next row to `batch` as number `row`; false at the end.
    fn next_row(&mut self, row: u64, batch: &mut ParentBatch) -> Result<bool, SourceError> {
        let (files, current) = match self {
            Self::Files { files, current } => (files, current),
            Self::Products(products, _) => return products.next_row(batch),
        };
        while let Some(rows) = open_next(files, current)? {
            if rows.next_row(row, batch)? {
                return Ok(true);
            }
            *current = None;
        }
        Ok(false)
    }

    /// Skips at most `rows` rows of one file and returns how many; 0 at the end of all inputs.
    fn skip_in_file(&mut self, rows: u64) -> Result<u64, SourceError> {
        let (files, current) = match self {
            Self::Files { files, current } => (files, current),
            Self::Products(products, left) => {
                let skipped = rows.min(*left);
                *left -= skipped;
                return products.skip_rows(skipped);
            }
        };
        while let Some(file) = open_next(files, current)? {
            let skipped = file.skip_rows(rows)?;
            if skipped > 0 {
                return Ok(skipped);
            }
            *current = None;
        }
        Ok(0)
    }
}

/// The file being read, or else the next; `None` after the last.
fn open_next<'a>(
    files: &mut std::vec::IntoIter<FileToRead>,
    current: &'a mut Option<FileRows>,
) -> Result<Option<&'a mut FileRows>, SourceError> {
    if current.is_none()
        && let Some((file, kept)) = files.next()
    {
        *current = Some(match kept {
            Some(kept) => file.open_rows_keeping(&kept)?,
            None => file.open_rows()?,
        });
    }
    Ok(current.as_mut())
}
