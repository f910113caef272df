//! The kept columns of a Parquet file, beside its SMILES and ids.
//!
//! Of whatever type they are, the `parquet` crate decodes them as Arrow arrays, [`KEPT_ROWS_PER_READ`] rows at a time, from
//! pages that [`BoundedPages`] reads; then they become kept rows. A value that is longer than a kept row may be, and may be
//! repeated by a dictionary, is replaced in its dictionary by one that is little longer than allowed, so that its rows are
//! rejected.
//!
//! Not bounded here: a list that repeats values of a dictionary very often in one row.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::compute::cast;
use arrow::row::Rows;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, RowGroups, RowSelection, RowSelector,
};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::Type as PhysicalType;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::error::SourceError;
use super::kept_of_file::{KeptOfFile, Places};
use super::parquet_file::{PageFile, guarded};
use super::parquet_footer::Chunk;
use super::parquet_kept_schema::KeptSchema;
use super::parquet_pages::BoundedPages;
use crate::limits::{KEPT_ROW_BYTES_MAX, KEPT_ROWS_PER_READ};

/// What is needed to read the kept columns of a file.
pub(super) struct KeptReader {
    kept: KeptOfFile,
    file: Arc<PageFile>,
    schema: KeptSchema,
    levels: FieldLevels,
    /// Their columns of values, by number in the file.
    pub leaves: Vec<usize>,
    /// For each kept column of the job, which of the columns that are read it is.
    order: Vec<Option<usize>>,
}

impl KeptReader {
    /// `None` if the file has none of the columns.
    pub fn open(path: &Path, kept: &KeptOfFile) -> Result<Option<KeptReader>, SourceError> {
        let Places::Roots(places) = &*kept.places else {
            return Ok(None);
        };
        let mut roots: Vec<usize> = places.iter().flatten().copied().collect();
        roots.sort_unstable();
        roots.dedup();
        let mut file = PageFile::open(path, kept.page_bytes_max)?;
        file.budget_divisor = kept.budget_divisor;
        let schema = KeptSchema::read(path, &file)?;
        let levels = guarded(path, || {
            let mask = ProjectionMask::roots(schema.descriptor(), roots.iter().copied());
            parquet_to_arrow_field_levels(schema.descriptor(), mask, Some(&schema.fields))
        })?;
        let order = places
            .iter()
            .map(|place| roots.binary_search(&(*place)?).ok());
        Ok(Some(KeptReader {
            order: order.collect(),
            leaves: schema.leaves(&roots),
            kept: kept.clone(),
            file: Arc::new(file),
            schema,
            levels,
        }))
    }
}

/// The kept columns of a row group.
pub(super) struct KeptGroup {
    of_file: Arc<KeptReader>,
    chunks: Vec<Chunk>,
    rows: usize,
    /// Rows taken or skipped.
    position: usize,
    /// Rows decoded or skipped.
    decoded_to: usize,
    reader: Option<ParquetRecordBatchReader>,
    decoded: Option<Rows>,
}

impl KeptGroup {
    /// `chunks`: those of the reader's leaves.
    pub fn new(of_file: &Arc<KeptReader>, chunks: &[Chunk], rows: u64) -> ParquetResult<KeptGroup> {
        Ok(KeptGroup {
            of_file: Arc::clone(of_file),
            chunks: chunks.to_vec(),
            rows: usize::try_from(rows)?,
            position: 0,
            decoded_to: 0,
            reader: None,
            decoded: None,
        })
    }

    /// Skips rows.
    pub fn skip(&mut self, rows: usize) {
        self.position += rows;
        if self.position >= self.decoded_to {
            // A new reader begins behind them.
            (self.reader, self.decoded) = (None, None);
            self.decoded_to = self.position;
        }
    }

    /// Decodes the next rows if the next one is not decoded yet.
    pub fn fill(&mut self) -> ParquetResult<()> {
        if self.position < self.decoded_to {
            return Ok(());
        }
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.open()?,
        };
        let ended = || ParquetError::General("a kept column has fewer rows than its group".into());
        let batch = reader.next().ok_or_else(ended)??;
        if batch.num_rows() == 0 {
            return Err(ended());
        }
        let columns = &self.of_file.kept.columns;
        let fields = columns.fields().iter().zip(&self.of_file.order);
        let arrays = fields.map(|(field, place)| -> ParquetResult<ArrayRef> {
            let Some(place) = place else {
                return Ok(new_null_array(field.data_type(), batch.num_rows()));
            };
            let array = batch.column(*place);
            match array.data_type() == field.data_type() {
                true => Ok(Arc::clone(array)),
                false => Ok(cast(array, field.data_type())?),
            }
        });
        let arrays = arrays.collect::<ParquetResult<Vec<_>>>()?;
        self.decoded = Some(columns.rows(&arrays)?);
        self.decoded_to += batch.num_rows();
        self.reader = Some(reader);
        Ok(())
    }

    fn open(&self) -> ParquetResult<ParquetRecordBatchReader> {
        let left = self.rows.saturating_sub(self.position);
        let skipped = RowSelector::skip(self.position);
        let selection = RowSelection::from(vec![skipped, RowSelector::select(left)]);
        let selection = (self.position > 0).then_some(selection);
        let levels = &self.of_file.levels;
        let rows = KEPT_ROWS_PER_READ;
        ParquetRecordBatchReader::try_new_with_row_groups(levels, &OneGroup(self), rows, selection)
    }

    /// The kept row of the next row, which [`fill`](Self::fill) has decoded.
    pub fn take(&mut self) -> &[u8] {
        let Some(decoded) = &self.decoded else {
            return &[];
        };
        let row = decoded.num_rows() - (self.decoded_to - self.position);
        self.position += 1;
        decoded.row(row).data()
    }

    /// Whether all rows have been read and none is left.
    pub fn has_ended(&mut self) -> bool {
        let more = self.reader.as_mut().and_then(Iterator::next);
        !more.is_some_and(|more| more.is_ok_and(|more| more.num_rows() > 0))
    }
}

/// A row group as the `parquet` crate asks for it.
struct OneGroup<'a>(&'a KeptGroup);

impl RowGroups for OneGroup<'_> {
    fn num_rows(&self) -> usize {
        self.0.rows
    }

    fn column_chunks(&self, leaf: usize) -> ParquetResult<Box<dyn PageIterator>> {
        let KeptGroup {
            of_file, chunks, ..
        } = self.0;
        let place = of_file.leaves.iter().position(|other| *other == leaf);
        let chunk = place.and_then(|place| chunks.get(place));
        let chunk = chunk.ok_or_else(|| ParquetError::General("a column is missing".to_owned()))?;
        let column = of_file.schema.descriptor().column(leaf);
        let chunk = chunk.metadata(&column)?;
        let pages = BoundedPages::open(&of_file.file, &chunk, self.0.rows, Arc::default())?;
        let clips = column.physical_type() == PhysicalType::BYTE_ARRAY;
        let pages = Box::new(ClippedPages { pages, clips });
        Ok(Box::new(OneChunk(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::empty())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.0.of_file.schema.metadata
    }
}

/// The pages of one column chunk.
struct OneChunk(Option<Box<ClippedPages>>);

impl Iterator for OneChunk {
    type Item = ParquetResult<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let pages = self.0.take()?;
        Some(Ok(pages))
    }
}

impl PageIterator for OneChunk {}

/// Pages whose dictionary has no value that is much longer than a kept row may be.
struct ClippedPages {
    pages: BoundedPages,
    /// Whether values have lengths of their own.
    clips: bool,
}

impl Iterator for ClippedPages {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for ClippedPages {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        let page = self.pages.get_next_page()?;
        Ok(page.map(|page| if self.clips { clip(page) } else { page }))
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        self.pages.skip_next_page()
    }
}

/// Replaces the values of a dictionary of byte arrays that are too long to be kept.
fn clip(page: Page) -> Page {
    let Page::DictionaryPage {
        buf,
        num_values,
        encoding,
        is_sorted,
    } = page
    else {
        return page;
    };
    let mut buf = buf;
    if buf.len() > KEPT_ROW_BYTES_MAX {
        let (mut clipped, mut rest) = (Vec::with_capacity(buf.len()), &buf[..]);
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let bytes = u32::from_le_bytes(*length) as usize;
            let Some((value, behind)) = behind.split_at_checked(bytes) else {
                break;
            };
            rest = behind;
            if bytes > KEPT_ROW_BYTES_MAX {
                clipped.extend((KEPT_ROW_BYTES_MAX as u32 + 1).to_le_bytes());
                clipped.resize(clipped.len() + KEPT_ROW_BYTES_MAX + 1, b'?');
            } else {
                clipped.extend(length);
                clipped.extend_from_slice(value);
            }
        }
        // What is damaged stays for the decoder to find.
        clipped.extend_from_slice(rest);
        buf = clipped.into();
    }
    Page::DictionaryPage {
        buf,
        num_values,
        encoding,
        is_sorted,
    }
}
