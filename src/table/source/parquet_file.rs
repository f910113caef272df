//! A Parquet file opened for reading: its bytes at any offset, where its footer lies, and errors of the
//! `parquet` crate as [`SourceError`]s.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::error::{SourceError, one_line};
use super::guard::quiet;

/// A file from which the `parquet` crate reads at most `page_bytes_max` bytes at a time.
pub(super) struct PageFile {
    pub file: Arc<File>,
    /// Size of the file.
    pub bytes: u64,
    /// The largest page that is read into memory, in bytes.
    pub page_bytes_max: usize,
    /// What part of the memory budget that is, as a divisor.
    pub budget_divisor: u64,
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
            budget_divisor: 64,
        })
    }

    /// The byte range of the footer.
    ///
    /// # Errors
    /// [`SourceError::Corrupt`] without a whole footer (a writer that died leaves none),
    /// [`SourceError::Unsupported`] for encrypted files.
    pub fn footer(&self, path: &Path) -> Result<Range<u64>, SourceError> {
        let no_footer = || {
            let reason = "it has no Parquet footer; its writer died before closing it, or the copy was truncated";
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

    /// A reader from byte `at` to the end of the file.
    pub fn read_at(&self, at: u64) -> ReadAt {
        ReadAt::new(Arc::clone(&self.file), at)
    }
}

impl Length for PageFile {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for PageFile {
    type T = BufReader<ReadAt>;

    /// The `parquet` crate reads page headers through this, after [`PageHeader`](super::parquet_page_header) has
    /// checked them.
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

/// Reads a shared file from a position of its own.
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
                Some(error) => no_damage(path, error).unwrap_or_else(|| match error.kind() {
                    io::ErrorKind::UnexpectedEof => {
                        SourceError::corrupt(path, "a page runs past the end of the file")
                    }
                    _ => SourceError::corrupt(path, error),
                }),
                None => SourceError::corrupt(path, error),
            },
            ParquetError::General(reason) | ParquetError::EOF(reason) => {
                SourceError::corrupt(path, reason)
            }
            error => SourceError::corrupt(path, error),
        })
}

/// The error of a disk that fails, or of a file that exceeds a limit; `None` if the file is damaged.
pub(super) fn no_damage(path: &Path, error: &io::Error) -> Option<SourceError> {
    if error.raw_os_error().is_some() {
        return Some(SourceError::unreadable(path, error));
    }
    let beyond = error.get_ref()?.downcast_ref::<BeyondLimits>()?;
    Some(SourceError::TooLarge {
        path: path.to_owned(),
        reason: one_line(&beyond.0),
    })
}

/// The file is intact but needs more than the limits allow; the text says what and how to help.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BeyondLimits(String);

/// A [`BeyondLimits`] as an I/O error, which passes through the `parquet` crate unchanged.
pub(super) fn beyond_limits(reason: String) -> io::Error {
    io::Error::other(BeyondLimits(reason))
}
