//! Lines of a text library, decompressed if necessary, in bounded memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::SourceError;
use super::unpack::{self, Packing};
use crate::limits::{LINE_BYTES_MAX, READ_BUFFER_BYTES};

/// Reads one line after another and holds the last one.
///
/// A line ends at `\n`, `\r\n` or the end of the text. The line excludes its end, and a UTF-8 byte order mark at
/// the start of the text. Of a line longer than `LINE_BYTES_MAX` only the beginning is kept.
pub(super) struct Lines {
    path: PathBuf,
    packing: Packing,
    text: Box<dyn BufRead + Send>,
    /// Bytes of the file consumed, as stored.
    disk_bytes: Arc<AtomicU64>,
    line: Vec<u8>,
    line_bytes: u64,
    number: u64,
    position: u64,
}

impl Lines {
    /// The lines of `path` from its start.
    pub fn open(path: &Path, packing: Packing) -> Result<Lines, SourceError> {
        let file = File::open(path).map_err(|error| SourceError::unreadable(path, &error))?;
        Lines::new(path, file, packing, 0)
    }

    /// The lines of the uncompressed `path` that start at or after byte `offset`. Line numbers count from there.
    pub fn open_at(path: &Path, offset: u64) -> Result<Lines, SourceError> {
        let unreadable = |error| SourceError::unreadable(path, &error);
        let mut file = File::open(path).map_err(unreadable)?;
        // Begin one byte early: if that byte is a line end, a line begins at `offset`.
        let start = offset.saturating_sub(1);
        file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        let mut lines = Lines::new(path, file, Packing::None, start)?;
        if offset > 0 {
            lines.advance()?;
        }
        Ok(lines)
    }

    fn new(path: &Path, file: File, packing: Packing, start: u64) -> Result<Lines, SourceError> {
        let disk_bytes = Arc::new(AtomicU64::new(start));
        let counted = Counted {
            file: BufReader::with_capacity(READ_BUFFER_BYTES, file),
            consumed: Arc::clone(&disk_bytes),
        };
        let text = packing.unpack(counted);
        let text = text.map_err(|error| SourceError::unreadable(path, &error))?;
        Ok(Lines {
            path: path.to_owned(),
            packing,
            text,
            disk_bytes,
            line: Vec::new(),
            line_bytes: 0,
            number: 0,
            position: start,
        })
    }

    /// Reads the next line; false at the end of the text.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`]. For compressed text also [`SourceError::Corrupt`] if the stream is truncated or
    /// damaged, and [`SourceError::Window`].
    pub fn advance(&mut self) -> Result<bool, SourceError> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let advanced = self.advance_onto(&mut line);
        self.line = line;
        advanced
    }

    /// As [`advance`](Self::advance), with the line appended to `text` and not held: at most `LINE_BYTES_MAX` bytes and one.
    pub fn advance_onto(&mut self, text: &mut Vec<u8>) -> Result<bool, SourceError> {
        let (start, begin) = (self.position, text.len());
        self.line_bytes = 0;
        loop {
            let chunk = match self.text.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.read_error(&error)),
            };
            if chunk.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', chunk);
            let content = end.unwrap_or(chunk.len());
            // One byte more than the limit, for `\r`.
            let room = (LINE_BYTES_MAX + 1).saturating_sub(text.len() - begin);
            text.extend_from_slice(&chunk[..content.min(room)]);
            self.line_bytes += content as u64;
            let taken = content + usize::from(end.is_some());
            self.position += taken as u64;
            self.text.consume(taken);
            if end.is_some() {
                break;
            }
        }
        if self.position == start {
            return Ok(false);
        }
        self.number += 1;
        self.strip(text, begin, start == 0);
        Ok(true)
    }

    /// The line, without its end; its first `LINE_BYTES_MAX` bytes if it is longer.
    pub fn line(&self) -> &[u8] {
        &self.line[..self.line.len().min(LINE_BYTES_MAX)]
    }

    /// Bytes of the whole line, without its end.
    pub fn line_bytes(&self) -> u64 {
        self.line_bytes
    }

    /// Whether the line is longer than `LINE_BYTES_MAX`.
    pub fn too_long(&self) -> bool {
        self.line_bytes > LINE_BYTES_MAX as u64
    }

    /// The line's number, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Bytes of decompressed text consumed.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the file consumed, as stored. For compressed text this runs ahead of the lines by at most one read
    /// buffer.
    fn disk_bytes(&self) -> u64 {
        self.disk_bytes.load(Ordering::Relaxed)
    }

    /// Stored bytes of the text consumed so far, estimated from its share of the decompressed text.
    pub fn disk_bytes_of_position(&mut self) -> Result<f64, SourceError> {
        let ahead = match self.text.fill_buf() {
            Ok(chunk) => chunk.len() as u64,
            Err(error) => return Err(self.read_error(&error)),
        };
        if self.disk_bytes() == self.position {
            return Ok(self.position as f64);
        }
        let share = self.position as f64 / (self.position + ahead).max(1) as f64;
        Ok(self.disk_bytes() as f64 * share)
    }

    /// Removes what does not belong to the line that begins at `begin`.
    fn strip(&mut self, text: &mut Vec<u8>, begin: usize, first: bool) {
        const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
        let line = &text[begin..];
        if line.last() == Some(&b'\r') && line.len() as u64 == self.line_bytes {
            text.pop();
            self.line_bytes -= 1;
        }
        if first && text[begin..].starts_with(BYTE_ORDER_MARK) {
            text.drain(begin..begin + BYTE_ORDER_MARK.len());
            self.line_bytes -= BYTE_ORDER_MARK.len() as u64;
        }
    }

    fn read_error(&self, error: &io::Error) -> SourceError {
        read_error(&self.path, self.packing, error, self.number + 1)
    }
}

/// The first `bytes_max` bytes of `path`'s text.
pub(super) fn head(
    path: &Path,
    packing: Packing,
    bytes_max: usize,
) -> Result<Vec<u8>, SourceError> {
    let lines = Lines::open(path, packing)?;
    let mut head = Vec::with_capacity(bytes_max);
    match lines.text.take(bytes_max as u64).read_to_end(&mut head) {
        Ok(_) => Ok(head),
        Err(error) => Err(read_error(path, packing, &error, 1)),
    }
}

/// Distinguishes damage in a compressed stream from a failing disk.
fn read_error(path: &Path, packing: Packing, error: &io::Error, line: u64) -> SourceError {
    if packing.is_packed() && unpack::needs_more(error) {
        return SourceError::window(path, packing);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => SourceError::corrupt(
            path,
            format_args!("the {packing} stream ends early, at or after line {line}"),
        ),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            SourceError::corrupt(path, format_args!("at or after line {line}: {error}"))
        }
        // zstd has no error kinds for damage in a stream.
        io::ErrorKind::Other if matches!(packing, Packing::Zstd { .. }) => {
            SourceError::corrupt(path, format_args!("at or after line {line}: {error}"))
        }
        _ => SourceError::unreadable(path, error),
    }
}

/// Counts the bytes consumed from a file, excluding read-ahead.
struct Counted {
    file: BufReader<File>,
    consumed: Arc<AtomicU64>,
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.file.consume(bytes);
        self.consumed.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.consumed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &[u8]) -> Vec<(Vec<u8>, u64)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut lines = Lines::open(file.path(), Packing::None).unwrap();
        let mut read = Vec::new();
        while lines.advance().unwrap() {
            read.push((lines.line().to_vec(), lines.line_bytes()));
        }
        assert_eq!(lines.number(), read.len() as u64);
        assert_eq!(lines.position(), text.len() as u64);
        read
    }

    #[test]
    fn line_ends_and_the_byte_order_mark_are_no_part_of_a_line() {
        let lines = lines_of(b"\xEF\xBB\xBFC\r\n\nCC\rC\n\xEF\xBB\xBFO");
        let lines: Vec<&[u8]> = lines.iter().map(|(line, _)| line.as_slice()).collect();
        assert_eq!(lines, [&b"C"[..], b"", b"CC\rC", b"\xEF\xBB\xBFO"]);
    }

    #[test]
    fn the_longest_line_is_read_and_one_byte_more_is_not() {
        let mut text = vec![b'C'; LINE_BYTES_MAX];
        text.extend_from_slice(b"\r\n");
        text.extend(vec![b'N'; LINE_BYTES_MAX + 1]);
        text.extend_from_slice(b"\nO");
        let lines = lines_of(&text);
        assert_eq!(lines[0].0.len(), LINE_BYTES_MAX);
        assert_eq!(lines[0].1, LINE_BYTES_MAX as u64);
        assert_eq!(lines[1].0.len(), LINE_BYTES_MAX);
        assert_eq!(lines[1].1, LINE_BYTES_MAX as u64 + 1);
        assert_eq!(lines[2].0, b"O");
    }

    #[test]
    fn a_seek_lands_on_the_next_whole_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"aaa\nbbb\nccc\n").unwrap();
        for (offset, expected) in [(0, "aaa"), (1, "bbb"), (3, "bbb"), (4, "bbb"), (5, "ccc")] {
            let mut lines = Lines::open_at(file.path(), offset).unwrap();
            assert!(lines.advance().unwrap());
            assert_eq!(lines.line(), expected.as_bytes(), "offset {offset}");
        }
        assert!(!Lines::open_at(file.path(), 9).unwrap().advance().unwrap());
    }
}
