//! Bounded access to the pages of a Parquet file.
//!
//! The `parquet` crate allocates what a page header asks for before it looks at the page. Here
//! headers are looked at first, so that a damaged file costs an error and not the memory, and a page
//! that is larger than it may be in memory is read in stretches.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type as PhysicalType};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use super::error::{SourceError, one_line};
use super::guard::quiet;
use super::parquet_delta::check_values;
use super::parquet_footer::Needs;
use super::parquet_stretch::{self as stretch, Stretches};
use super::parquet_thrift::{Thrift, kind};
use super::parquet_unpack::{needs, unpack};
use crate::limits::{
    PARQUET_DELTA_VALUES_MAX, PARQUET_DICTIONARY_VALUES_MAX, PARQUET_PAGE_BYTES_MAX,
};

impl PageFile {
    /// Where the footer is.
    ///
    /// # Errors
    /// [`SourceError::Corrupt`] without a whole footer (a writer that died leaves none),
    /// [`SourceError::Unsupported`] for encrypted files.
    pub fn footer(&self, path: &Path) -> Result<Range<u64>, SourceError> {
        let no_footer = || {
            let reason = "it has no Parquet footer; its writer died before closing it, or the copy was cut short";
            SourceError::corrupt(path, reason)
        };
        const TAIL_BYTES: u64 = 8;
        let Some(tail_at) = self.bytes.checked_sub(TAIL_BYTES).filter(|&at| at >= 4) else {
            return Err(no_footer());
        };
        let mut tail = [0; TAIL_BYTES as usize];
        self.file
            .read_exact_at(&mut tail, tail_at)
            .map_err(|error| SourceError::unreadable(path, &error))?;
        let (length, magic) = tail.split_at(4);
        match magic {
            b"PAR1" => {}
            b"PARE" => {
                return Err(SourceError::Unsupported {
                    path: path.to_owned(),
                    what: "encrypted Parquet (it ends with PARE)",
                    advice: "decrypt it first",
                });
            }
            _ => return Err(no_footer()),
        }
        let footer_bytes = u64::from(u32::from_le_bytes(
            length.try_into().expect("the tail was split after 4 bytes"),
        ));
        if footer_bytes > tail_at - 4 {
            return Err(no_footer());
        }
        Ok(tail_at - footer_bytes..tail_at)
    }

    /// Reads on from a place, up to the end of the file.
    pub fn read_at(&self, at: u64) -> ReadAt {
        ReadAt::new(Arc::clone(&self.file), at)
    }
}

/// Runs a call into the `parquet` crate; its errors and panics become [`SourceError::Corrupt`], a
/// disk that fails [`SourceError::Unreadable`].
pub(super) fn guarded<T>(
    path: &Path,
    call: impl FnOnce() -> ParquetResult<T>,
) -> Result<T, SourceError> {
    quiet(call)
        .map_err(|panic| {
            let reason = format_args!("the Parquet reader gave up on it: {panic}");
            SourceError::corrupt(path, reason)
        })?
        .map_err(|error| match error {
            ParquetError::External(error) => match error.downcast_ref::<io::Error>() {
                Some(error) if error.raw_os_error().is_some() => {
                    SourceError::unreadable(path, error)
                }
                Some(error) if error.get_ref().is_some_and(|inner| inner.is::<Needs>()) => {
                    SourceError::TooLarge {
                        path: path.to_owned(),
                        reason: one_line(&error.to_string()),
                    }
                }
                Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    SourceError::corrupt(path, "a page runs past the end of the file")
                }
                _ => SourceError::corrupt(path, error),
            },
            ParquetError::General(reason) | ParquetError::EOF(reason) => {
                SourceError::corrupt(path, reason)
            }
            error => SourceError::corrupt(path, error),
        })
}

/// A file whose reads never ask for more than a page may have.
pub(super) struct PageFile {
    file: Arc<File>,
    bytes: u64,
    page_bytes_max: usize,
}

impl PageFile {
    pub fn open(path: &Path, page_bytes_max: usize) -> Result<PageFile, SourceError> {
        let unreadable = |error| SourceError::unreadable(path, &error);
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        Ok(PageFile {
            file: Arc::new(file),
            bytes,
            page_bytes_max,
        })
    }
}

impl Length for PageFile {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for PageFile {
    type T = BufReader<ReadAt>;

    /// Page headers are read so, after [`BoundedPages`] has looked at them.
    fn get_read(&self, start: u64) -> ParquetResult<BufReader<ReadAt>> {
        Ok(BufReader::new(self.read_at(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let past_end = || ParquetError::EOF(format!("{length} bytes at {start} lie past the end"));
        let end = start.checked_add(length as u64).ok_or_else(past_end)?;
        if end > self.bytes {
            return Err(past_end());
        }
        if length > self.page_bytes_max {
            let reason = format!("a page of {length} bytes, which its header doesn't say");
            return Err(ParquetError::General(reason));
        }
        let mut page = vec![0; length];
        self.file.read_exact_at(&mut page, start)?;
        Ok(page.into())
    }
}

/// Reads a shared file at its own position.
pub(super) struct ReadAt {
    file: Arc<File>,
    at: u64,
}

impl ReadAt {
    pub fn new(file: Arc<File>, at: u64) -> ReadAt {
        ReadAt { file, at }
    }

    pub fn at(&self) -> u64 {
        self.at
    }
}

impl Read for ReadAt {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// A page's header, as far as it matters here.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
struct Head {
    kind: i64,
    /// Of the header itself.
    bytes: u64,
    unpacked_bytes: u64,
    packed_bytes: u64,
    crc: Option<i64>,
    values: u64,
    rows: Option<u64>,
    encoding: i64,
    /// The definition levels' encoding, of a page of the first version.
    level_encoding: Option<i64>,
    /// Bytes of the repetition and the definition levels, in front of the values of a page of the
    /// second version.
    levels: Option<(u64, u64)>,
    packed: bool,
}

const INDEX_PAGE: i64 = 1;
const DICTIONARY_PAGE: i64 = 2;

impl Head {
    fn read(from: impl BufRead) -> io::Result<Head> {
        let mut thrift = Thrift::new(from);
        let mut head = Head {
            packed: true,
            ..Head::default()
        };
        let size = |value: i64| {
            u64::try_from(value).map_err(|_| io::Error::other("a page has a negative size"))
        };
        let mut last = 0;
        while let Some((field, kind)) = thrift.field(&mut last)? {
            match (field, kind) {
                (1, 5) => head.kind = thrift.integer()?,
                (2, 5) => head.unpacked_bytes = size(thrift.integer()?)?,
                (3, 5) => head.packed_bytes = size(thrift.integer()?)?,
                (4, 5) => head.crc = Some(thrift.integer()?),
                (5 | 7, kind::STRUCT) => {
                    let mut last = 0;
                    while let Some((field, kind)) = thrift.field(&mut last)? {
                        match (field, kind) {
                            (1, 5) => head.values = size(thrift.integer()?)?,
                            (2, 5) => head.encoding = thrift.integer()?,
                            (3, 5) => head.level_encoding = Some(thrift.integer()?),
                            _ => thrift.skip(kind)?,
                        }
                    }
                }
                (8, kind::STRUCT) => {
                    let (mut last, mut definition, mut repetition) = (0, 0, 0);
                    while let Some((field, kind)) = thrift.field(&mut last)? {
                        match (field, kind) {
                            (1, 5) => head.values = size(thrift.integer()?)?,
                            (3, 5) => head.rows = Some(size(thrift.integer()?)?),
                            (4, 5) => head.encoding = thrift.integer()?,
                            (5, 5) => definition = size(thrift.integer()?)?,
                            (6, 5) => repetition = size(thrift.integer()?)?,
                            (7, kind::FALSE) => head.packed = false,
                            _ => thrift.skip(kind)?,
                        }
                    }
                    head.levels = Some((repetition, definition));
                }
                _ => thrift.skip(kind)?,
            }
        }
        head.bytes = thrift.read;
        Ok(head)
    }

    fn encoding(&self) -> Option<Encoding> {
        #[allow(deprecated, reason = "old files have it")]
        Some(match self.encoding {
            0 => Encoding::PLAIN,
            2 => Encoding::PLAIN_DICTIONARY,
            3 => Encoding::RLE,
            5 => Encoding::DELTA_BINARY_PACKED,
            6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            7 => Encoding::DELTA_BYTE_ARRAY,
            8 => Encoding::RLE_DICTIONARY,
            9 => Encoding::BYTE_STREAM_SPLIT,
            _ => return None,
        })
    }

    /// Whether the page, or what its decoder allocates, is more than fits.
    fn is_large(&self, bytes_max: usize) -> bool {
        let delta = matches!(self.encoding, 5..=7);
        self.unpacked_bytes.max(self.packed_bytes) > bytes_max as u64
            || (delta && self.values > PARQUET_DELTA_VALUES_MAX)
    }
}

/// The pages of a column chunk. Large ones are handed out as many small ones; a dictionary of too many
/// bytes or values is refused. Tells when the chunk has ended (the column reader alone can't: it also
/// stops short at a page without values).
pub(super) struct BoundedPages {
    pages: SerializedPageReader<PageFile>,
    file: Arc<PageFile>,
    column: ColumnDescPtr,
    compression: Compression,
    /// Where the next page's header is, and the chunk's end.
    at: u64,
    end: u64,
    head: Option<Head>,
    /// The large page in work, and a small page of it that was looked at.
    large: Option<Stretches>,
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

    /// The next page's header; index pages are passed over.
    fn head(&mut self) -> ParquetResult<Option<Head>> {
        while self.head.is_none() {
            if self.at >= self.end {
                return Ok(None);
            }
            let head = Head::read(BufReader::new(self.file.read_at(self.at)))?;
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

    /// Dictionaries are kept whole, so they can't be read in stretches.
    fn check_dictionary(&self, head: &Head) -> ParquetResult<()> {
        let bytes = head.unpacked_bytes.max(head.packed_bytes);
        if bytes > PARQUET_PAGE_BYTES_MAX as u64
            || head.values > PARQUET_DICTIONARY_VALUES_MAX as u64
        {
            let values = head.values;
            return Err(needs(format!(
                "a column has a dictionary of {values} values and {bytes} bytes, at most {PARQUET_DICTIONARY_VALUES_MAX} values and {PARQUET_PAGE_BYTES_MAX} bytes are read; write the file again without dictionaries"
            ))
            .into());
        }
        if bytes > self.file.page_bytes_max as u64 {
            let memory = (bytes * 64).div_ceil(1 << 20);
            return Err(needs(format!(
                "a column has a dictionary of {bytes} bytes, which needs --memory {memory}MiB; give that, or write the file again without dictionaries"
            ))
            .into());
        }
        Ok(())
    }

    /// Turns to the pages behind the one with `head`.
    fn pass(&mut self, head: &Head) {
        self.head = None;
        self.at += head.bytes + head.packed_bytes;
    }

    fn open_large(&mut self, head: &Head) -> ParquetResult<Stretches> {
        let page_at = self.at + head.bytes;
        self.check_crc(head, page_at)?;
        let encoding = head
            .encoding()
            .ok_or_else(|| ParquetError::General("a page has an unknown encoding".to_owned()))?;
        let physical = self.column.physical_type();
        const RLE: i64 = 3;
        if self.column.max_def_level() > 0 && head.level_encoding.is_some_and(|level| level != RLE)
        {
            return Err(needs(
                "a large page has levels of an old encoding, of which only smaller pages are read; rewrite the file, or give a larger --memory".to_owned(),
            )
            .into());
        }
        let layout = stretch::Layout {
            values: head.values,
            encoding,
            physical,
            width: match physical {
                PhysicalType::INT32 | PhysicalType::FLOAT => 4,
                PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
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
            // As much as four pages may take.
            let window_bytes_max = 2 * self.file.page_bytes_max;
            unpacked = unpack(packed, self.compression, unpacked_bytes, window_bytes_max)?;
            (&unpacked, 0, unpacked_bytes)
        } else {
            (file, values_at, packed_bytes)
        };
        Ok(Stretches::open(layout, (file, page_at), values)?)
    }

    fn check_crc(&self, head: &Head, page_at: u64) -> ParquetResult<()> {
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
    fn next_stretch(&mut self) -> ParquetResult<Option<Page>> {
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
            if let Some(page) = self.next_stretch()? {
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
        self.ready = self.next_stretch()?;
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
        if self.next_stretch()?.is_some() {
            return Ok(());
        }
        if let Some(head) = self.head()? {
            self.pages.skip_next_page()?;
            self.pass(&head);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_whole() {
        // type 0 (data page), 150 and 70 bytes as zigzag varints, then 3 values as PLAIN.
        let bytes = [
            0x15, 0x00, 0x15, 0xAC, 0x02, 0x15, 0x8C, 0x01, 0x2C, 0x15, 0x06, 0x15, 0x00, 0x00,
            0x00,
        ];
        let head = Head::read(&bytes[..]).unwrap();
        let told = (
            head.bytes,
            head.unpacked_bytes,
            head.packed_bytes,
            head.values,
        );
        assert_eq!(told, (bytes.len() as u64, 150, 70, 3));
        for length in 0..bytes.len() {
            Head::read(&bytes[..length]).unwrap_err();
        }
        Head::read(&[0x15, 0x00, 0x15, 0x03, 0x00][..]).unwrap_err();
    }
}
