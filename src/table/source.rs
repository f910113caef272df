//! A library of parents, read from one or several files, in order, in bounded memory.
//!
//! Parquet, SMILES files, CSV/TSV and SD files are read, the text formats also packed with gzip,
//! bzip2, xz or zstd. The way
//! in is [`Library::open`], which checks every file as far as its head or footer tells, before any
//! work. [`Library::reader`] then hands out rows in batches that depend on the input alone.
//!
//! Constraints:
//! - No buffer grows with the input; each has its maximum in [`crate::limits`]. A Parquet row group
//!   is read page by page.
//! - A bad row is a row with a [`fault`](ParentRow::fault), never an error: rows keep their numbers
//!   whatever is wrong with them. A bad file is a [`SourceError`].
//! - Chemistry is not looked at: a SMILES without fault is non-empty UTF-8, no more.
//! - The `parquet` crate may panic on damaged files: see [`quiet`] and [`in_guarded_call`].

mod batch;
mod columns;
mod delimited;
mod error;
mod format;
mod guard;
mod headerless;
mod input_file;
mod inputs;
mod lines;
mod parquet_delta;
mod parquet_footer;
mod parquet_pages;
mod parquet_rows;
mod parquet_schema;
mod parquet_stretch;
mod parquet_thrift;
mod parquet_unpack;
mod sample;
mod sdf;
mod smiles_lines;
#[cfg(test)]
mod tests;
mod unpack;

use std::path::PathBuf;

pub use batch::{ParentBatch, ParentRow, RowFault, RowId, TextKind};
pub use columns::{ColumnChoice, ID_NAMES, SMILES_NAMES};
pub use error::{ColumnRole, SourceError};
pub use format::InputFormat;
pub use format::names_a_format;
pub use guard::{in_guarded_call, quiet};
pub use input_file::InputFile;
pub use inputs::{is_pattern, resolve as resolve_inputs};
pub use sample::RowsEstimate;
pub use smiles_lines::smiles_of_line;
pub use unpack::Packing;

use crate::limits::PARENT_BATCH_BYTES_MAX;
use input_file::{FileRows, Layout};

/// The files of a library, checked, in the order given.
#[derive(Debug, Clone)]
pub struct Library {
    files: Vec<InputFile>,
}

impl Library {
    /// Resolves `inputs` (files, directories, patterns) and looks at every file: that it exists,
    /// can be read, is of a known format, has the columns, and holds rows.
    ///
    /// # Errors
    /// The first thing that is wrong; see [`SourceError`].
    pub fn open(inputs: &[PathBuf], columns: &ColumnChoice) -> Result<Library, SourceError> {
        let files = inputs::resolve(inputs)?
            .iter()
            .map(|path| InputFile::inspect(path, columns))
            .collect::<Result<Vec<_>, _>>()?;
        // An empty Parquet part is common beside others; alone it can't be meant.
        if let Some(first) = files.first()
            && files.iter().all(|file| file.rows == Some(0))
        {
            return Err(SourceError::NoRows {
                path: first.path.clone(),
            });
        }
        Ok(Library { files })
    }

    /// Reads Parquet pages of more than `bytes_max` bytes in stretches.
    #[must_use]
    pub fn with_page_bytes_max(mut self, bytes_max: usize) -> Library {
        for file in &mut self.files {
            if let Layout::Parquet(layout) = &mut file.layout {
                layout.page_bytes_max = bytes_max;
            }
        }
        self
    }

    /// The largest Parquet page that reading can have in memory, in bytes; 0 without Parquet.
    pub fn page_bytes(&self) -> u64 {
        let page_bytes = |file: &InputFile| match &file.layout {
            Layout::Parquet(layout) => layout.chunk_bytes.min(layout.page_bytes_max as u64),
            _ => 0,
        };
        self.files.iter().map(page_bytes).max().unwrap_or(0)
    }

    /// Memory that unpacking text takes, in bytes.
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

    /// Up to `n` rows spread over the inputs, the same at every call: over the rows of Parquet and
    /// the bytes of text; of packed text the head. Row numbers count from 0 within the sample.
    /// Holds at most `SAMPLE_BYTES_MAX` bytes and one row.
    ///
    /// # Errors
    /// As [`LibraryReader::next_batch`].
    pub fn sample(&self, n: usize) -> Result<ParentBatch, SourceError> {
        sample::sample(&self.files, n)
    }

    /// Reads the library from its first row.
    ///
    /// # Errors
    /// None as yet: files are opened when they are reached.
    pub fn reader(&self) -> Result<LibraryReader, SourceError> {
        Ok(LibraryReader {
            files: self.files.clone().into_iter(),
            current: None,
            rows_read: 0,
            bytes_done: 0,
            failed: None,
        })
    }
}

/// Reads a library from start to end, batch by batch.
pub struct LibraryReader {
    files: std::vec::IntoIter<InputFile>,
    current: Option<FileRows>,
    rows_read: u64,
    /// Bytes of the files before the current one.
    bytes_done: u64,
    failed: Option<SourceError>,
}

impl LibraryReader {
    /// Fills `batch` (cleared first) with the next rows; false at the end of all inputs.
    ///
    /// A batch ends at `rows_max` rows (at least 1), once its bytes reach
    /// `PARENT_BATCH_BYTES_MAX`, or at the end of all inputs, and for no other reason; it may span
    /// files. So batches are a function of the input and `rows_max`.
    ///
    /// # Errors
    /// [`SourceError::Corrupt`] or [`SourceError::Unreadable`] where a file can't be read on. The
    /// rows before are in `batch`; every later call gives the same error.
    pub fn next_batch(
        &mut self,
        batch: &mut ParentBatch,
        rows_max: usize,
    ) -> Result<bool, SourceError> {
        batch.clear();
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        while batch.len() < rows_max.max(1) && batch.text_bytes() < PARENT_BATCH_BYTES_MAX {
            match self.next_row(batch) {
                Ok(true) => self.rows_read += 1,
                Ok(false) => break,
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        Ok(!batch.is_empty())
    }

    /// Rows handed out or skipped so far.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Bytes of the files read so far, as stored: a measure of progress, out of
    /// [`Library::bytes`]. It runs ahead of the rows by at most the read buffers.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_done + self.current.as_ref().map_or(0, FileRows::disk_bytes)
    }

    /// Passes over the next `rows` rows, or as many as there are, to go on after a checkpoint.
    /// Parquet is not decoded for that, text is parsed.
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch).
    pub fn skip_rows(&mut self, rows: u64) -> Result<u64, SourceError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut skipped = 0;
        while skipped < rows {
            match self.skip_in_file(rows - skipped) {
                Ok(0) => break,
                Ok(step) => skipped += step,
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        self.rows_read += skipped;
        Ok(skipped)
    }

    fn next_row(&mut self, batch: &mut ParentBatch) -> Result<bool, SourceError> {
        let row = self.rows_read;
        while let Some(rows) = self.current()? {
            if rows.next_row(row, batch)? {
                return Ok(true);
            }
            self.leave_file();
        }
        Ok(false)
    }

    /// Passes over some rows, at most `rows`; 0 at the end of all inputs.
    fn skip_in_file(&mut self, rows: u64) -> Result<u64, SourceError> {
        while let Some(file) = self.current()? {
            let skipped = file.skip_rows(rows)?;
            if skipped > 0 {
                return Ok(skipped);
            }
            self.leave_file();
        }
        Ok(0)
    }

    /// The file being read, or else the next; `None` after the last.
    fn current(&mut self) -> Result<Option<&mut FileRows>, SourceError> {
        if self.current.is_none()
            && let Some(file) = self.files.next()
        {
            self.current = Some(FileRows::open(&file)?);
        }
        Ok(self.current.as_mut())
    }

    fn leave_file(&mut self) {
        if let Some(rows) = self.current.take() {
            self.bytes_done += rows.disk_bytes();
        }
    }
}
