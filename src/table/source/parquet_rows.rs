//! Rows of a Parquet file, page by page: a row group of any size is never loaded whole.
//!
//! The two columns are read through the `parquet` crate's column readers rather than as Arrow
//! arrays: values then are slices of the page they came from (no copy, and no blow-up where a
//! dictionary value repeats), and text that isn't UTF-8 is a fault of its row instead of an error
//! for the file. In memory at a time, per column: the current page, a dictionary, the pages that one
//! read of at most `PARQUET_READ_ROWS_MAX` rows spans.
//!
//! Not bounded here: a gzip or Brotli page that inflates to more than its header says.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::batch::{ParentBatch, TextKind};
use super::error::SourceError;
use super::parquet_pages::{BoundedPages, PageFile, guarded, read_footer};
use super::parquet_schema::{ColumnType, ParquetLayout};
use crate::limits::{PARQUET_READ_BYTES, PARQUET_READ_ROWS_MAX};

/// Reads the rows of one file.
pub(super) struct ParquetRows {
    path: PathBuf,
    file: Arc<PageFile>,
    metadata: Arc<ParquetMetaData>,
    layout: ParquetLayout,
    /// The row group after the current one.
    next_group: usize,
    group: Option<Group>,
    id_text: String,
    rows_read: u64,
}

impl ParquetRows {
    pub fn open(path: &Path, layout: &ParquetLayout) -> Result<ParquetRows, SourceError> {
        let file = PageFile::open(path, layout.page_bytes_max)?;
        let metadata = read_footer(path, &file)?;
        Ok(ParquetRows {
            path: path.to_owned(),
            file: Arc::new(file),
            metadata,
            layout: layout.clone(),
            next_group: 0,
            group: None,
            id_text: String::new(),
            rows_read: 0,
        })
    }

    /// Rows appended or skipped so far.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Appends the next row to `batch` as number `row`; false at the end.
    pub fn next_row(&mut self, row: u64, batch: &mut ParentBatch) -> Result<bool, SourceError> {
        loop {
            if let Some(group) = &mut self.group {
                if group.take_buffered(row, &mut self.id_text, batch) {
                    self.rows_read += 1;
                    return Ok(true);
                }
                if group.rows_left > 0 {
                    guarded(&self.path, || group.fill())?;
                    continue;
                }
                guarded(&self.path, || group.finish())?;
                self.group = None;
            }
            if !self.open_group()? {
                return Ok(false);
            }
        }
    }

    /// Passes over `rows` rows, or as many as there are, without decoding the pages between.
    pub fn skip_rows(&mut self, rows: u64) -> Result<u64, SourceError> {
        let mut left = rows;
        while left > 0 {
            match &mut self.group {
                Some(group) if group.buffered > 0 || group.rows_left > 0 => {
                    left -= guarded(&self.path, || group.skip(left))?;
                }
                Some(_) => self.group = None,
                None => {
                    if !self.skip_groups(&mut left) && !self.open_group()? {
                        break;
                    }
                }
            }
        }
        self.rows_read += rows - left;
        Ok(rows - left)
    }

    /// Passes over the next row group if all of it is to be skipped.
    fn skip_groups(&mut self, left: &mut u64) -> bool {
        let Some(group) = self.metadata.row_groups().get(self.next_group) else {
            return false;
        };
        let rows = group.num_rows() as u64;
        let whole = rows <= *left;
        if whole {
            *left -= rows;
            self.next_group += 1;
        }
        whole
    }

    fn open_group(&mut self) -> Result<bool, SourceError> {
        let Some(metadata) = self.metadata.row_groups().get(self.next_group) else {
            return Ok(false);
        };
        let number = self.next_group;
        self.next_group += 1;
        let group = guarded(&self.path, || {
            Group::open(&self.file, metadata, number, &self.layout)
        })?;
        self.group = Some(group);
        Ok(true)
    }
}

/// The two columns of a row group, and the rows decoded last.
struct Group {
    number: usize,
    /// Rows not decoded yet.
    rows_left: u64,
    rows_per_read: usize,
    /// Rows decoded and not taken yet.
    buffered: usize,
    smiles: Column<ByteArrayType>,
    id: IdColumn,
}

enum IdColumn {
    None,
    Text(Column<ByteArrayType>),
    Int32(Column<Int32Type>, bool),
    Int64(Column<Int64Type>, bool),
}

impl Group {
    fn open(
        file: &Arc<PageFile>,
        metadata: &RowGroupMetaData,
        number: usize,
        layout: &ParquetLayout,
    ) -> ParquetResult<Group> {
        let rows = u64::try_from(metadata.num_rows())?;
        let open = |leaf: usize| open_column(file, metadata, leaf);
        let (ColumnReader::ByteArrayColumnReader(reader), chunk) = open(layout.smiles)? else {
            return Err(ParquetError::General(
                "SMILES are no byte arrays".to_owned(),
            ));
        };
        let smiles = Column::new(reader, chunk);
        let id = match layout.id {
            None => IdColumn::None,
            Some(leaf) => {
                let field = metadata.column(leaf).column_descr().self_type();
                let signed = ColumnType::of(field) != ColumnType::Integer { signed: false };
                match open(leaf)? {
                    (ColumnReader::ByteArrayColumnReader(reader), chunk) => {
                        IdColumn::Text(Column::new(reader, chunk))
                    }
                    (ColumnReader::Int32ColumnReader(reader), chunk) => {
                        IdColumn::Int32(Column::new(reader, chunk), signed)
                    }
                    (ColumnReader::Int64ColumnReader(reader), chunk) => {
                        IdColumn::Int64(Column::new(reader, chunk), signed)
                    }
                    _ => {
                        return Err(ParquetError::General(
                            "ids are no text or integer".to_owned(),
                        ));
                    }
                }
            }
        };
        let bytes = [Some(layout.smiles), layout.id]
            .into_iter()
            .flatten()
            .map(|leaf| u64::try_from(metadata.column(leaf).uncompressed_size()).unwrap_or(0))
            .fold(0, u64::saturating_add);
        let row_bytes = (bytes / rows.max(1)).max(1);
        Ok(Group {
            number,
            rows_left: rows,
            rows_per_read: (PARQUET_READ_BYTES / row_bytes).clamp(1, PARQUET_READ_ROWS_MAX as u64)
                as usize,
            buffered: 0,
            smiles,
            id,
        })
    }

    /// Decodes the next rows; there must be some left, and none buffered.
    fn fill(&mut self) -> ParquetResult<()> {
        let rows = self.rows_left.min(self.rows_per_read as u64) as usize;
        let mut read = self.smiles.fill(rows)?;
        match &mut self.id {
            IdColumn::None => {}
            IdColumn::Text(column) => read = read.min(column.fill(rows)?),
            IdColumn::Int32(column, _) => read = read.min(column.fill(rows)?),
            IdColumn::Int64(column, _) => read = read.min(column.fill(rows)?),
        }
        if read < rows {
            return Err(self.row_count_error("fewer"));
        }
        self.rows_left -= rows as u64;
        self.buffered = rows;
        Ok(())
    }

    /// Checks that the columns end where the footer says.
    fn finish(&mut self) -> ParquetResult<()> {
        let more = self.smiles.fill(1)?
            + match &mut self.id {
                IdColumn::None => 0,
                IdColumn::Text(column) => column.fill(1)?,
                IdColumn::Int32(column, _) => column.fill(1)?,
                IdColumn::Int64(column, _) => column.fill(1)?,
            };
        if more > 0 {
            return Err(self.row_count_error("more"));
        }
        Ok(())
    }

    fn row_count_error(&self, which: &str) -> ParquetError {
        let number = self.number;
        ParquetError::General(format!(
            "row group {number} has {which} rows than its footer says"
        ))
    }

    /// Passes over at most `rows` rows; returns how many.
    fn skip(&mut self, rows: u64) -> ParquetResult<u64> {
        let buffered = rows.min(self.buffered as u64) as usize;
        let beyond = (rows - buffered as u64).min(self.rows_left) as usize;
        self.smiles.skip(buffered, beyond)?;
        match &mut self.id {
            IdColumn::None => {}
            IdColumn::Text(column) => column.skip(buffered, beyond)?,
            IdColumn::Int32(column, _) => column.skip(buffered, beyond)?,
            IdColumn::Int64(column, _) => column.skip(buffered, beyond)?,
        }
        self.buffered -= buffered;
        self.rows_left -= beyond as u64;
        Ok((buffered + beyond) as u64)
    }

    /// Appends a decoded row; false if there is none.
    fn take_buffered(&mut self, row: u64, id_text: &mut String, batch: &mut ParentBatch) -> bool {
        if self.buffered == 0 {
            return false;
        }
        self.buffered -= 1;
        id_text.clear();
        let id = match &mut self.id {
            IdColumn::None => None,
            IdColumn::Text(column) => column.take().map(|id| id.data()),
            IdColumn::Int32(column, signed) => column.take().map(|&id| match signed {
                true => write_id(id_text, id),
                false => write_id(id_text, id.cast_unsigned()),
            }),
            IdColumn::Int64(column, signed) => column.take().map(|&id| match signed {
                true => write_id(id_text, id),
                false => write_id(id_text, id.cast_unsigned()),
            }),
        };
        match self.smiles.take() {
            Some(smiles) => batch.push_smiles(row, smiles.data(), id),
            None => batch.push_fault(
                row,
                TextKind::Smiles,
                b"",
                id,
                format_args!("SMILES is null"),
            ),
        }
        true
    }
}

fn write_id(text: &mut String, id: impl std::fmt::Display) -> &[u8] {
    write!(text, "{id}").expect("writing to a String can't fail");
    text.as_bytes()
}

/// The reader of a column chunk, and what [`Column`] has to know about it.
fn open_column(
    file: &Arc<PageFile>,
    group: &RowGroupMetaData,
    leaf: usize,
) -> ParquetResult<(ColumnReader, Chunk)> {
    let chunk = group.column(leaf);
    let rows = usize::try_from(group.num_rows())?;
    let ended = Arc::new(AtomicBool::new(false));
    let optional = chunk.column_descr().max_def_level() > 0;
    let pages = BoundedPages {
        pages: SerializedPageReader::new(Arc::clone(file), chunk, rows, None)?,
        optional,
        ended: Arc::clone(&ended),
    };
    let reader = get_column_reader(chunk.column_descr_ptr(), Box::new(pages));
    Ok((reader, Chunk { ended, optional }))
}

struct Chunk {
    /// Set once all pages have been read.
    ended: Arc<AtomicBool>,
    /// Whether there may be nulls.
    optional: bool,
}

/// One column of a row group, and what was decoded of it last.
struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    chunk: Chunk,
    /// Per row of an optional column: 1 for a value, 0 for null.
    levels: Vec<i16>,
    levels_at: usize,
    values: Vec<T::T>,
    values_at: usize,
}

impl<T: DataType> Column<T> {
    fn new(reader: ColumnReaderImpl<T>, chunk: Chunk) -> Column<T> {
        Column {
            reader,
            chunk,
            levels: Vec::new(),
            levels_at: 0,
            values: Vec::new(),
            values_at: 0,
        }
    }

    /// Decodes up to `rows` rows in place of the ones before; fewer only at the chunk's end.
    fn fill(&mut self, rows: usize) -> ParquetResult<usize> {
        self.levels.clear();
        self.values.clear();
        (self.levels_at, self.values_at) = (0, 0);
        let mut filled = 0;
        while filled < rows {
            let (read, _, _) = self.reader.read_records(
                rows - filled,
                Some(&mut self.levels),
                None,
                &mut self.values,
            )?;
            filled += read;
            if read == 0 && self.chunk.ended.load(Ordering::Relaxed) {
                break;
            }
        }
        let values = if self.chunk.optional {
            self.levels.iter().filter(|&&level| level > 0).count()
        } else {
            filled
        };
        if values != self.values.len() || (self.chunk.optional && self.levels.len() != filled) {
            return Err(ParquetError::General(
                "a page has another number of values than its levels say".to_owned(),
            ));
        }
        Ok(filled)
    }

    /// Passes over `buffered` decoded rows, then `beyond` rows that aren't decoded yet.
    fn skip(&mut self, buffered: usize, beyond: usize) -> ParquetResult<()> {
        for _ in 0..buffered {
            self.take();
        }
        if self.reader.skip_records(beyond)? < beyond {
            return Err(ParquetError::EOF("a column chunk ends early".to_owned()));
        }
        Ok(())
    }

    /// The next decoded row's value; `None` for null.
    fn take(&mut self) -> Option<&T::T> {
        if self.chunk.optional {
            let level = self.levels[self.levels_at];
            self.levels_at += 1;
            if level == 0 {
                return None;
            }
        }
        self.values_at += 1;
        Some(&self.values[self.values_at - 1])
    }
}
