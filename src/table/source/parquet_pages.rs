//! The pages of a column chunk, in bounded memory.
//!
//! The `parquet` crate allocates what a page header asks for before it checks the page. [`BoundedPages`] reads
//! each header first. A damaged size is then an error instead of an allocation, and a page that exceeds the
//! memory limit is split into small pages ([`SmallPages`]).

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parquet::basic::{Compression, Type as PhysicalType};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use super::parquet_delta::check_values;
use super::parquet_file::{PageFile, ReadAt, beyond_limits};
use super::parquet_large_page::{PageLayout, SmallPages};
use super::parquet_page_header::{DICTIONARY_PAGE, INDEX_PAGE, PageHeader};
use super::parquet_unpack::unpack;
use crate::limits::{PARQUET_DICTIONARY_VALUES_MAX, PARQUET_PAGE_BYTES_MAX};

/// The pages of a column chunk. Splits large pages into small ones and refuses a dictionary of too many bytes or
/// values. Reports the end of the chunk in `ended`: the column reader also stops at a page without values, so
/// it can't tell.
pub(super) struct BoundedPages {
    pages: SerializedPageReader<PageFile>,
    file: Arc<PageFile>,
    column: ColumnDescPtr,
    compression: Compression,
    /// Byte offsets of the next page header and of the chunk's end.
    at: u64,
    end: u64,
    head: Option<PageHeader>,
    /// The large page being split, and a small page of it that `peek_next_page` has read ahead.
    large: Option<SmallPages>,
    ready: Option<Page>,
    pub ended: Arc<AtomicBool>,
}

impl BoundedPages {
    pub fn open(
        file: &Arc<PageFile>,
        chunk: &ColumnChunkMetaData,
        rows: usize,
        ended: Arc<AtomicBool>,
    ) -> ParquetResult<BoundedPages> {
        let (at, bytes) = chunk.byte_range();
        Ok(BoundedPages {
            pages: SerializedPageReader::new(Arc::clone(file), chunk, rows, None)?,
            file: Arc::clone(file),
            column: chunk.column_descr_ptr(),
            compression: chunk.compression(),
            at,
            end: at.saturating_add(bytes),
            head: None,
            large: None,
            ready: None,
            ended,
        })
    }

    /// The next page header; skips index pages.
    fn head(&mut self) -> ParquetResult<Option<PageHeader>> {
        while self.head.is_none() {
            if self.at >= self.end {
                return Ok(None);
            }
            let head = PageHeader::read(BufReader::new(self.file.read_at(self.at)))?;
            let behind = (self.at + head.bytes).checked_add(head.packed_bytes);
            if behind.is_none_or(|behind| behind > self.end.min(self.file.bytes)) {
                let reason = "a page runs past the end of its column";
                return Err(ParquetError::General(reason.to_owned()));
            }
            if head.kind == INDEX_PAGE {
                self.pages.skip_next_page()?;
                self.at += head.bytes + head.packed_bytes;
            } else {
                self.head = Some(head);
            }
        }
        let head = self.head.clone();
        if let Some(head) = head.as_ref().filter(|head| head.kind == DICTIONARY_PAGE) {
            self.check_dictionary(head)?;
        }
        Ok(head)
    }

    /// A dictionary must be in memory as a whole, so it can't be split.
    fn check_dictionary(&self, head: &PageHeader) -> ParquetResult<()> {
        let bytes = head.unpacked_bytes.max(head.packed_bytes);
        if bytes > PARQUET_PAGE_BYTES_MAX as u64
            || head.values > PARQUET_DICTIONARY_VALUES_MAX as u64
        {
            let values = head.values;
            return Err(beyond_limits(format!(
                "a column has a dictionary of {values} values and {bytes} bytes, at most {PARQUET_DICTIONARY_VALUES_MAX} values and {PARQUET_PAGE_BYTES_MAX} bytes are supported; rewrite the file without dictionaries"
            ))
            .into());
        }
        if bytes > self.file.page_bytes_max as u64 {
            let memory = (bytes * self.file.budget_divisor).div_ceil(1 << 20);
            return Err(beyond_limits(format!(
                "a column has a dictionary of {bytes} bytes, which needs --memory {memory}MiB; set that, or rewrite the file without dictionaries"
            ))
            .into());
        }
        Ok(())
    }

    /// Moves past the page with the header `head`.
    fn pass(&mut self, head: &PageHeader) {
        self.head = None;
        self.at += head.bytes + head.packed_bytes;
    }

    fn open_large(&mut self, head: &PageHeader) -> ParquetResult<SmallPages> {
        let page_at = self.at + head.bytes;
        self.check_crc(head, page_at)?;
        let encoding = head
            .encoding()
            .ok_or_else(|| ParquetError::General("a page has an unknown encoding".to_owned()))?;
        let physical = self.column.physical_type();
        const RLE: i64 = 3;
        if self.column.max_def_level() > 0 && head.level_encoding.is_some_and(|level| level != RLE)
        {
            return Err(beyond_limits(
                "a large page has levels of an old encoding, which is supported for smaller pages only; rewrite the file, or set a larger --memory".to_owned(),
            )
            .into());
        }
        if self.column.max_rep_level() > 0 || physical == PhysicalType::BOOLEAN {
            return Err(beyond_limits(format!(
                "column `{}` has a page of {} bytes, and pages of lists and truth values can't be read in pieces; rewrite the file with smaller pages, or set a larger --memory",
                self.column.path(),
                head.unpacked_bytes.max(head.packed_bytes),
            ))
            .into());
        }
        let layout = PageLayout {
            values: head.values,
            encoding,
            physical,
            width: match physical {
                PhysicalType::INT32 | PhysicalType::FLOAT => 4,
                PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
                PhysicalType::INT96 => 12,
                _ => usize::try_from(self.column.type_length()).unwrap_or(0),
            },
            max_def_level: self.column.max_def_level(),
            levels: head.levels,
        };
        let levels_bytes = head.levels.map_or(0, |(before, levels)| before + levels);
        let bytes = |whole: u64| {
            whole.checked_sub(levels_bytes).ok_or_else(|| {
                ParquetError::General("a page's levels are larger than the page".to_owned())
            })
        };
        let (packed_bytes, unpacked_bytes) =
            (bytes(head.packed_bytes)?, bytes(head.unpacked_bytes)?);
        let values_at = page_at + levels_bytes;
        let file = &self.file.file;
        let unpacked;
        let values = if head.packed && self.compression != Compression::UNCOMPRESSED {
            let packed = ReadAt::new(Arc::clone(file), values_at).take(packed_bytes);
            // The plan reserves memory for four pages (plan.rs).
            let window_bytes_max = 2 * self.file.page_bytes_max;
            unpacked = unpack(packed, self.compression, unpacked_bytes, window_bytes_max)?;
            (&unpacked, 0, unpacked_bytes)
        } else {
            (file, values_at, packed_bytes)
        };
        Ok(SmallPages::open(layout, (file, page_at), values)?)
    }

    fn check_crc(&self, head: &PageHeader, page_at: u64) -> ParquetResult<()> {
        let Some(expected) = head.crc else {
            return Ok(());
        };
        let page = BufReader::new(self.file.read_at(page_at).take(head.packed_bytes));
        let mut page = flate2::CrcReader::new(page);
        io::copy(&mut page, &mut io::sink())?;
        if page.crc().sum() != expected as u32 {
            return Err(ParquetError::General(
                "Page CRC checksum mismatch".to_owned(),
            ));
        }
        Ok(())
    }

    /// The next small page of a large one.
    fn next_small_page(&mut self) -> ParquetResult<Option<Page>> {
        if let Some(page) = self.ready.take() {
            return Ok(Some(page));
        }
        let Some(large) = &mut self.large else {
            return Ok(None);
        };
        let page = large.next()?;
        if page.is_none() {
            self.large = None;
        }
        Ok(page)
    }
}

impl Iterator for BoundedPages {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for BoundedPages {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        loop {
            if let Some(page) = self.next_small_page()? {
                return Ok(Some(page));
            }
            let Some(head) = self.head()? else {
                self.ended.store(true, Ordering::Relaxed);
                return Ok(None);
            };
            if head.kind != DICTIONARY_PAGE && head.is_large(self.file.page_bytes_max) {
                self.large = Some(self.open_large(&head)?);
                self.pages.skip_next_page()?;
                self.pass(&head);
                continue;
            }
            let page = self.pages.get_next_page()?;
            self.pass(&head);
            if let Some(page) = &page {
                let optional = self.column.max_def_level() > 0;
                check_values(page, optional).map_err(ParquetError::General)?;
            }
            return Ok(page);
        }
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        self.ready = self.next_small_page()?;
        if let Some(page) = &self.ready {
            return Ok(Some(PageMetadata {
                num_rows: None,
                num_levels: Some(page.num_values() as usize),
                is_dict: false,
            }));
        }
        Ok(self.head()?.map(|head| PageMetadata {
            num_rows: head.rows.map(|rows| rows as usize),
            num_levels: (head.kind != DICTIONARY_PAGE).then_some(head.values as usize),
            is_dict: head.kind == DICTIONARY_PAGE,
        }))
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        if self.next_small_page()?.is_some() {
            return Ok(());
        }
        if let Some(head) = self.head()? {
            self.pages.skip_next_page()?;
            self.pass(&head);
        }
        Ok(())
    }
}
