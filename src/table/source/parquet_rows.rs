//! Rows of a Parquet file, read page by page, so that a row group may have any size.
//!
//! The two columns, SMILES and ids, are read through the column readers of the `parquet` crate and not as Arrow arrays. Values are
//! then slices of their page: no copy, and no growth where a dictionary value repeats. Text that isn't UTF-8
//! is a fault of its row instead of an error of the file. Memory per column: the current page, a dictionary,
//! and the pages that one read of at most `PARQUET_READ_ROWS_MAX` rows spans.
//!
//! Not bounded here: a gzip or Brotli page that decompresses to more than its header states.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FixedLenByteArray};
use parquet::errors::{ParquetError, Result as ParquetResult};

use super::batch::{ParentBatch, TextKind};
use super::error::SourceError;
use super::kept_of_file::KeptOfFile;
use super::parquet_file::{PageFile, guarded};
use super::parquet_footer::{GroupFooter, Groups};
use super::parquet_kept::{KeptGroup, KeptReader};
use super::parquet_leaves::Leaf;
use super::parquet_pages::BoundedPages;
use super::parquet_schema::{ColumnType, ParquetLayout};
use crate::{
    limits::{PARQUET_READ_BYTES, PARQUET_READ_ROWS_MAX},
    reject::RejectCode,
};

/// Reads the rows of one file.
pub(super) struct ParquetRows {
    path: PathBuf,
    file: Arc<PageFile>,
    layout: ParquetLayout,
    groups: Groups,
    /// The row group after the current one, if already read.
    ahead: Option<GroupFooter>,
    /// Row groups opened or skipped.
    group_number: usize,
    group: Option<Group>,
    id_text: Vec<u8>,
    rows_read: u64,
    kept: Option<Arc<KeptReader>>,
}

impl ParquetRows {
    pub fn open(
        path: &Path,
        layout: &ParquetLayout,
        kept: Option<&KeptOfFile>,
    ) -> Result<ParquetRows, SourceError> {
        let file = PageFile::open(path, layout.page_bytes_max)?;
        let kept = kept.map(|kept| KeptReader::open(path, kept)).transpose()?;
        let kept = kept.flatten().map(Arc::new);
        let leaves = kept.as_ref().map_or(&[][..], |kept| &kept.leaves);
        Ok(ParquetRows {
            path: path.to_owned(),
            groups: layout.row_groups_with(&file, leaves),
            file: Arc::new(file),
            layout: layout.clone(),
            ahead: None,
            group_number: 0,
            group: None,
            id_text: Vec::new(),
            rows_read: 0,
            kept,
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
                if let Some(kept) = group.kept.as_mut().filter(|_| group.buffered > 0) {
                    guarded(&self.path, || kept.fill())?;
                }
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

    /// Skips `rows` rows, or as many as there are, without decoding the pages between.
    pub fn skip_rows(&mut self, rows: u64) -> Result<u64, SourceError> {
        let mut left = rows;
        while left > 0 {
            match &mut self.group {
                Some(group) if group.buffered > 0 || group.rows_left > 0 => {
                    left -= guarded(&self.path, || group.skip(left))?;
                }
                Some(_) => self.group = None,
                None => {
                    if !self.skip_group(&mut left)? && !self.open_group()? {
                        break;
                    }
                }
            }
        }
        self.rows_read += rows - left;
        Ok(rows - left)
    }

    /// Skips the next row group if it lies within the rows to skip.
    fn skip_group(&mut self, left: &mut u64) -> Result<bool, SourceError> {
        if self.ahead.is_none() {
            self.ahead = self.groups.next(&self.path)?;
        }
        let whole = self.ahead.as_ref().is_some_and(|group| group.rows <= *left);
        if whole && let Some(group) = self.ahead.take() {
            *left -= group.rows;
            self.group_number += 1;
        }
        Ok(whole)
    }

    fn open_group(&mut self) -> Result<bool, SourceError> {
        let footer = match self.ahead.take() {
            Some(footer) => Some(footer),
            None => self.groups.next(&self.path)?,
        };
        let Some(footer) = footer else {
            return Ok(false);
        };
        let number = self.group_number;
        self.group_number += 1;
        let group = guarded(&self.path, || {
            let kept = self.kept.as_ref();
            Group::open(&self.file, &footer, number, (&self.layout, kept))
        })?;
        self.group = Some(group);
        Ok(true)
    }
}

/// The two columns of a row group and their decoded rows.
struct Group {
    number: usize,
    /// Rows not decoded yet.
    rows_left: u64,
    rows_per_read: usize,
    /// Rows decoded and not yet returned.
    buffered: usize,
    smiles: Column<ByteArrayType>,
    id: Option<Box<dyn Ids>>,
    kept: Option<KeptGroup>,
}

/// A column of ids of some type.
trait Ids: Send {
    fn fill(&mut self, rows: usize) -> ParquetResult<usize>;
    fn skip(&mut self, buffered: usize, beyond: usize) -> ParquetResult<()>;
    /// Writes the next decoded row's id; false for null.
    fn take(&mut self, text: &mut Vec<u8>) -> bool;
}

/// Writes a value as an id; false if the value means "no id".
struct TypedIds<T: DataType, W> {
    column: Column<T>,
    write: W,
}

impl<T: DataType, W: Fn(&T::T, &mut Vec<u8>) -> bool + Send> Ids for TypedIds<T, W>
where
    ColumnReaderImpl<T>: Send,
{
    fn fill(&mut self, rows: usize) -> ParquetResult<usize> {
        self.column.fill(rows)
    }

    fn skip(&mut self, buffered: usize, beyond: usize) -> ParquetResult<()> {
        self.column.skip(buffered, beyond)
    }

    fn take(&mut self, text: &mut Vec<u8>) -> bool {
        self.column
            .take()
            .is_some_and(|value| (self.write)(value, text))
    }
}

fn open_ids(
    file: &Arc<PageFile>,
    footer: &GroupFooter,
    leaf: &Leaf,
) -> ParquetResult<Box<dyn Ids>> {
    fn ids<T: DataType>(
        (reader, chunk): (ColumnReaderImpl<T>, Chunk),
        write: impl Fn(&T::T, &mut Vec<u8>) -> bool + Send + 'static,
    ) -> Box<dyn Ids>
    where
        ColumnReaderImpl<T>: Send + 'static,
    {
        Box::new(TypedIds {
            column: Column::new(reader, chunk),
            write,
        })
    }
    use ColumnReader as Reader;
    let kind = ColumnType::of(leaf);
    let (reader, chunk) = open_column(file, footer, 1, leaf)?;
    Ok(match reader {
        Reader::ByteArrayColumnReader(reader) => {
            ids((reader, chunk), move |id: &ByteArray, text| {
                kind.write_bytes(id.data(), text);
                true
            })
        }
        Reader::FixedLenByteArrayColumnReader(reader) => {
            ids((reader, chunk), move |id: &FixedLenByteArray, text| {
                kind.write_bytes(id.data(), text);
                true
            })
        }
        Reader::Int32ColumnReader(reader) => ids((reader, chunk), move |&id: &i32, text| {
            let id = match kind {
                ColumnType::Integer { signed: false } => i64::from(id.cast_unsigned()),
                _ => i64::from(id),
            };
            kind.write_integer(id, text);
            true
        }),
        Reader::Int64ColumnReader(reader) => ids((reader, chunk), move |&id: &i64, text| {
            kind.write_integer(id, text);
            true
        }),
        Reader::FloatColumnReader(reader) => ids((reader, chunk), |&id: &f32, text| {
            write_real(text, id, id.is_nan())
        }),
        Reader::DoubleColumnReader(reader) => ids((reader, chunk), |&id: &f64, text| {
            write_real(text, id, id.is_nan())
        }),
        _ => {
            return Err(ParquetError::General(
                "ids are of a type that isn't read".to_owned(),
            ));
        }
    })
}

impl Group {
    fn open(
        file: &Arc<PageFile>,
        footer: &GroupFooter,
        number: usize,
        (layout, kept): (&ParquetLayout, Option<&Arc<KeptReader>>),
    ) -> ParquetResult<Group> {
        let rows = footer.rows;
        let (ColumnReader::ByteArrayColumnReader(reader), chunk) =
            open_column(file, footer, 0, &layout.smiles)?
        else {
            return Err(ParquetError::General(
                "SMILES are no byte arrays".to_owned(),
            ));
        };
        let smiles = Column::new(reader, chunk);
        let id = match &layout.id {
            None => None,
            Some(leaf) => Some(open_ids(file, footer, leaf)?),
        };
        let own = 1 + usize::from(id.is_some());
        let kept = kept.map(|kept| KeptGroup::new(kept, &footer.chunks[own..], rows));
        let bytes = footer.chunks[..own]
            .iter()
            .map(|chunk| u64::try_from(chunk.uncompressed_bytes).unwrap_or(0))
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
            kept: kept.transpose()?,
        })
    }

    /// Decodes the next rows. Requires that rows are left and none are buffered.
    fn fill(&mut self) -> ParquetResult<()> {
        let rows = self.rows_left.min(self.rows_per_read as u64) as usize;
        let mut read = self.smiles.fill(rows)?;
        if let Some(id) = &mut self.id {
            read = read.min(id.fill(rows)?);
        }
        if read < rows {
            return Err(self.row_count_error("fewer"));
        }
        self.rows_left -= rows as u64;
        self.buffered = rows;
        Ok(())
    }

    /// Checks that the columns end after the number of rows in the footer.
    fn finish(&mut self) -> ParquetResult<()> {
        let more = self.smiles.fill(1)?
            + match &mut self.id {
                None => 0,
                Some(id) => id.fill(1)?,
            };
        let kept_ended = self.kept.as_mut().is_none_or(KeptGroup::has_ended);
        if more > 0 || !kept_ended {
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

    /// Skips at most `rows` rows; returns how many.
    fn skip(&mut self, rows: u64) -> ParquetResult<u64> {
        let buffered = rows.min(self.buffered as u64) as usize;
        let beyond = (rows - buffered as u64).min(self.rows_left) as usize;
        self.smiles.skip(buffered, beyond)?;
        if let Some(id) = &mut self.id {
            id.skip(buffered, beyond)?;
        }
        if let Some(kept) = &mut self.kept {
            kept.skip(buffered + beyond);
        }
        self.buffered -= buffered;
        self.rows_left -= beyond as u64;
        Ok((buffered + beyond) as u64)
    }

    /// Appends a decoded row; false if there is none.
    fn take_buffered(&mut self, row: u64, id_text: &mut Vec<u8>, batch: &mut ParentBatch) -> bool {
        if self.buffered == 0 {
            return false;
        }
        self.buffered -= 1;
        id_text.clear();
        let there = self.id.as_mut().is_some_and(|id| id.take(id_text));
        let id = there.then_some(id_text.as_slice());
        match self.smiles.take() {
            Some(smiles) => batch.push_smiles(row, smiles.data(), id),
            None => batch.push_fault(
                row,
                TextKind::Smiles,
                b"",
                id,
                RejectCode::Empty,
                format_args!("SMILES is null"),
            ),
        }
        if let Some(kept) = &mut self.kept {
            batch.push_kept(kept.take());
        }
        true
    }
}

/// Tables without nulls use NaN for a missing number.
fn write_real(text: &mut Vec<u8>, id: impl std::fmt::Display, is_nan: bool) -> bool {
    if !is_nan {
        write!(text, "{id}").expect("writing to a Vec can't fail");
    }
    !is_nan
}

/// The reader of one of the wanted column chunks, with what [`Column`] needs.
fn open_column(
    file: &Arc<PageFile>,
    footer: &GroupFooter,
    wanted: usize,
    leaf: &Leaf,
) -> ParquetResult<(ColumnReader, Chunk)> {
    let unknown = || ParquetError::General("a column has an unknown type".to_owned());
    let column = leaf.descriptor().ok_or_else(unknown)?;
    let chunk = footer.chunks[wanted].metadata(&column)?;
    let rows = usize::try_from(footer.rows)?;
    let ended = Arc::new(AtomicBool::new(false));
    let pages = BoundedPages::open(file, &chunk, rows, Arc::clone(&ended))?;
    let reader = get_column_reader(column, Box::new(pages));
    Ok((
        reader,
        Chunk {
            ended,
            max_def_level: leaf.max_def_level,
        },
    ))
}

struct Chunk {
    /// Set once all pages have been read.
    ended: Arc<AtomicBool>,
    /// The level of a value; 0 where there are no nulls.
    max_def_level: i16,
}

/// One column of a row group and its decoded values.
struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    chunk: Chunk,
    /// Definition levels of an optional column, one per row: the maximum means a value, less means null.
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

    /// Replaces the decoded rows by up to `rows` next ones; fewer only at the end of the chunk.
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
        let there = self.chunk.max_def_level;
        let values = if there > 0 {
            self.levels.iter().filter(|&&level| level == there).count()
        } else {
            filled
        };
        if values != self.values.len()
            || (there > 0 && self.levels.len() != filled)
            || self.levels.iter().any(|&level| level > there)
        {
            return Err(ParquetError::General(
                "a page has another number of values than its levels say".to_owned(),
            ));
        }
        Ok(filled)
    }

    /// Skips `buffered` decoded rows, then `beyond` rows that aren't decoded yet.
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
        if self.chunk.max_def_level > 0 {
            let level = self.levels[self.levels_at];
            self.levels_at += 1;
            if level < self.chunk.max_def_level {
                return None;
            }
        }
        self.values_at += 1;
        Some(&self.values[self.values_at - 1])
    }
}
