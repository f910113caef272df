//! Bounded access to the pages of a Parquet file.
//!
//! The `parquet` crate allocates what a page header asks for before it looks at the page. Here
//! headers are looked at first, so that a damaged file costs an error and not the memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::error::SourceError;
use super::guard::quiet;
use super::parquet_delta::check_values;
use crate::limits::{PARQUET_DICTIONARY_VALUES_MAX, PARQUET_FOOTER_BYTES_MAX};

/// Reads the footer, without statistics and page indexes.
///
/// # Errors
/// [`SourceError::Corrupt`] without a whole footer (a writer that died leaves none),
/// [`SourceError::Unsupported`] for encrypted files.
pub(super) fn read_footer(
    path: &Path,
    file: &PageFile,
) -> Result<Arc<ParquetMetaData>, SourceError> {
    let no_footer = || {
        let reason = "it has no Parquet footer; its writer died before closing it, or the copy was cut short";
        SourceError::corrupt(path, reason)
    };
    const TAIL_BYTES: u64 = 8;
    let Some(tail_at) = file.bytes.checked_sub(TAIL_BYTES).filter(|&at| at >= 4) else {
        return Err(no_footer());
    };
    let mut tail = [0; TAIL_BYTES as usize];
    file.file
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
    if footer_bytes > PARQUET_FOOTER_BYTES_MAX {
        let reason = format_args!(
            "its Parquet footer is {footer_bytes} bytes long, at most {PARQUET_FOOTER_BYTES_MAX} are read"
        );
        return Err(SourceError::corrupt(path, reason));
    }
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    guarded(path, || {
        ParquetMetaDataReader::new()
            .with_metadata_options(Some(options))
            .with_page_index_policy(PageIndexPolicy::Skip)
            .parse_and_finish(file)
    })
    .map(Arc::new)
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
    type T = HeaderRead;

    fn get_read(&self, start: u64) -> ParquetResult<HeaderRead> {
        Ok(HeaderRead {
            file: BufReader::new(ReadAt {
                file: Arc::clone(&self.file),
                at: start,
            }),
            checked: start >= self.bytes.saturating_sub(8),
            page_bytes_max: self.page_bytes_max,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let past_end = || ParquetError::EOF(format!("{length} bytes at {start} lie past the end"));
        let end = start.checked_add(length as u64).ok_or_else(past_end)?;
        if end > self.bytes {
            return Err(past_end());
        }
        if length > self.page_bytes_max {
            let reason = page_too_large(length as u64, self.page_bytes_max);
            return Err(ParquetError::General(reason));
        }
        let mut page = vec![0; length];
        self.file.read_exact_at(&mut page, start)?;
        Ok(page.into())
    }
}

fn page_too_large(bytes: u64, bytes_max: usize) -> String {
    format!("a page of {bytes} bytes, at most {bytes_max} are read; a larger --memory allows more")
}

/// Reads page headers, and refuses one that announces too large a page.
///
/// The `parquet` crate reads from a [`ChunkReader`]'s `get_read` only where a page header starts
/// (and the file's last 8 bytes, which are let through).
pub(super) struct HeaderRead {
    file: BufReader<ReadAt>,
    checked: bool,
    page_bytes_max: usize,
}

impl Read for HeaderRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.checked {
            self.checked = true;
            let sizes = page_sizes(self.file.fill_buf()?);
            if let Some(bytes) = sizes.into_iter().flatten().max()
                && bytes > self.page_bytes_max as u64
            {
                return Err(io::Error::other(page_too_large(bytes, self.page_bytes_max)));
            }
        }
        self.file.read(buffer)
    }
}

/// The sizes (before and after compression) in a page header: fields 2 and 3 of a struct in
/// Thrift's compact protocol, both `i32` after field 1, the page type. `None` if it doesn't start
/// so; the `parquet` crate will say what is wrong with it.
fn page_sizes(header: &[u8]) -> Option<[u64; 2]> {
    /// Field header: one more than the last field's number, type `i32`.
    const NEXT_FIELD_I32: u8 = 0x15;
    let mut rest = header;
    let mut values = [0; 3];
    for value in &mut values {
        let (&field, after) = rest.split_first()?;
        if field != NEXT_FIELD_I32 {
            return None;
        }
        rest = after;
        let mut zigzag = 0u64;
        for shift in (0..).step_by(7) {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            if shift > 28 {
                return None;
            }
            zigzag |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        // Negative sizes are refused by the `parquet` crate.
        *value = if zigzag & 1 == 0 { zigzag >> 1 } else { 0 };
    }
    Some([values[1], values[2]])
}

/// Reads a shared file at its own position.
struct ReadAt {
    file: Arc<File>,
    at: u64,
}

impl Read for ReadAt {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The pages of a column chunk; refuses a dictionary or a page of too many values, and tells when the
/// chunk has ended (the column reader alone can't: it also stops short at a page without values).
pub(super) struct BoundedPages {
    pub pages: SerializedPageReader<PageFile>,
    /// Whether there may be nulls.
    pub optional: bool,
    pub ended: Arc<AtomicBool>,
}

impl Iterator for BoundedPages {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for BoundedPages {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        let page = self.pages.get_next_page()?;
        match &page {
            None => self.ended.store(true, Ordering::Relaxed),
            Some(Page::DictionaryPage { num_values, .. })
                if *num_values as usize > PARQUET_DICTIONARY_VALUES_MAX =>
            {
                return Err(ParquetError::General(format!(
                    "a dictionary of {num_values} values, at most {PARQUET_DICTIONARY_VALUES_MAX} are read"
                )));
            }
            Some(page) => check_values(page, self.optional).map_err(ParquetError::General)?,
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        self.pages.skip_next_page()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_are_read_from_the_header() {
        // type 0 (data page), 150 and 70 bytes as zigzag varints
        let header = [0x15, 0x00, 0x15, 0xAC, 0x02, 0x15, 0x8C, 0x01, 0x2C];
        assert_eq!(page_sizes(&header), Some([150, 70]));
        let huge = [
            0x15, 0x00, 0x15, 0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 0x15, 0x02, 0x00,
        ];
        assert_eq!(page_sizes(&huge), Some([i32::MAX as u64, 1]));
        assert_eq!(page_sizes(&header[..4]), None, "cut short");
        assert_eq!(page_sizes(&[0x19, 0x00]), None, "not a page header");
        assert_eq!(
            page_sizes(&[0x15, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
            None
        );
    }
}
