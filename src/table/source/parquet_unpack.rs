//! Decompresses a page that exceeds the memory limit into an unnamed temporary file.
//!
//! The file lies in `TMPDIR`, or else in `/var/tmp` or `/tmp`. It is as large as the page and disappears when the
//! page has been read or the process ends. Snappy and LZ4 may copy from anywhere in the preceding output; output
//! that is no longer in memory is read back from the file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parquet::basic::Compression;

use super::parquet_file::beyond_limits;

/// Output kept in memory; encoders of Snappy and LZ4 usually copy from no farther back.
const WINDOW_BYTES: usize = 128 << 10;
const CHUNK_BYTES: usize = 64 << 10;

/// Decompresses `packed` to `bytes` bytes in a new file; zstd may use a window of `window_bytes_max` bytes.
pub(super) fn unpack(
    packed: impl Read,
    compression: Compression,
    bytes: u64,
    window_bytes_max: usize,
) -> io::Result<Arc<File>> {
    let mut out = Unpacked::create(bytes)?;
    let mut packed = BufReader::with_capacity(CHUNK_BYTES, packed);
    match compression {
        Compression::SNAPPY => snappy(&mut packed, &mut out)?,
        Compression::LZ4_RAW => lz4(&mut packed, &mut out)?,
        Compression::GZIP(_) => {
            let inflated = flate2::bufread::MultiGzDecoder::new(&mut packed);
            copy(inflated, &mut out)?;
        }
        Compression::ZSTD(_) => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&mut packed)?;
            decoder.window_log_max(window_bytes_max.ilog2().clamp(20, 27))?;
            copy(decoder, &mut out).map_err(|error| match error.to_string() {
                text if text.contains("too much memory") => beyond_limits(format!(
                    "a page of {bytes} bytes was compressed by zstd with a window of more than {} MiB; set a larger --memory",
                    window_bytes_max >> 20
                )),
                _ => error,
            })?;
        }
        Compression::BROTLI(_) => {
            copy(
                brotli::Decompressor::new(&mut packed, CHUNK_BYTES),
                &mut out,
            )?;
        }
        other => {
            return Err(beyond_limits(format!(
                "a page of {bytes} bytes is compressed with {other}, which is supported for smaller pages only; rewrite the file with zstd, or set --memory to 64 times the page size"
            )));
        }
    }
    out.flush()?;
    if out.bytes != bytes {
        let unpacked = out.bytes;
        return Err(io::Error::other(format!(
            "a page decompresses to {unpacked} bytes instead of {bytes}"
        )));
    }
    Ok(Arc::new(out.file))
}

fn copy(mut from: impl Read, out: &mut Unpacked) -> io::Result<()> {
    io::copy(&mut from, out).map(drop)
}

/// The output so far: all of it in the file, the last part in memory.
struct Unpacked {
    file: File,
    /// The end of what was unpacked; its first `written` bytes are in the file too.
    window: Vec<u8>,
    written: usize,
    bytes: u64,
    /// What the page's header says; a damaged page would go on for up to 255 times as long.
    bytes_max: u64,
}

impl Unpacked {
    fn create(bytes_max: u64) -> io::Result<Unpacked> {
        Ok(Unpacked {
            file: file_without_name()?,
            window: Vec::with_capacity(2 * WINDOW_BYTES),
            written: 0,
            bytes: 0,
            bytes_max,
        })
    }

    /// Repeats `length` bytes from `offset` bytes back.
    fn repeat(&mut self, offset: u64, length: usize) -> io::Result<()> {
        if offset == 0 || offset > self.bytes {
            return Err(damaged());
        }
        let mut left = length;
        let mut piece = [0; 256];
        while left > 0 {
            let step = left.min(offset.min(256) as usize);
            match usize::try_from(offset)
                .ok()
                .filter(|&back| back <= self.window.len())
            {
                Some(back) => {
                    let from = self.window.len() - back;
                    piece[..step].copy_from_slice(&self.window[from..from + step]);
                }
                None => {
                    self.flush()?;
                    self.file
                        .read_exact_at(&mut piece[..step], self.bytes - offset)?;
                }
            }
            self.write_all(&piece[..step])?;
            left -= step;
        }
        Ok(())
    }
}

impl Write for Unpacked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.window.len() >= 2 * WINDOW_BYTES {
            self.flush()?;
            self.window.drain(..self.window.len() - WINDOW_BYTES);
            self.written = self.window.len();
        }
        let step = bytes.len().min(2 * WINDOW_BYTES - self.window.len());
        if self.bytes + step as u64 > self.bytes_max {
            let bytes = self.bytes_max;
            return Err(io::Error::other(format!(
                "a page decompresses to more than the {bytes} bytes that its header states"
            )));
        }
        self.window.extend_from_slice(&bytes[..step]);
        self.bytes += step as u64;
        Ok(step)
    }

    fn flush(&mut self) -> io::Result<()> {
        let at = self.bytes - (self.window.len() - self.written) as u64;
        self.file
            .write_all_at(&self.window[self.written..], at)
            .map_err(|error| {
                let reason = format!(
                    "a large page can't be decompressed into a temporary file ({error}); set TMPDIR to a folder with free space"
                );
                beyond_limits(reason)
            })?;
        self.written = self.window.len();
        Ok(())
    }
}

fn file_without_name() -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let chosen = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
    let folders = match chosen {
        Some(folder) => vec![folder],
        None => vec!["/var/tmp".into(), "/tmp".into()],
    };
    let mut last = String::new();
    for folder in folders {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(&folder, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => return Ok(file.into()),
            Err(error) => last = format!("{}: {error}", folder.display()),
        }
    }
    Err(beyond_limits(format!(
        "a large page can't be decompressed into a temporary file ({last}); set TMPDIR to a folder with free space"
    )))
}

fn damaged() -> io::Error {
    io::Error::other("a page can't be decompressed")
}

fn byte(from: &mut impl BufRead) -> io::Result<Option<u8>> {
    let byte = from.fill_buf()?.first().copied();
    from.consume(usize::from(byte.is_some()));
    Ok(byte)
}

fn some_byte(from: &mut impl BufRead) -> io::Result<u64> {
    byte(from)?.map(u64::from).ok_or_else(damaged)
}

fn little_endian(from: &mut impl BufRead, bytes: u32) -> io::Result<u64> {
    let mut value = 0;
    for i in 0..bytes {
        value |= some_byte(from)? << (8 * i);
    }
    Ok(value)
}

fn literal(from: &mut impl BufRead, out: &mut Unpacked, length: u64) -> io::Result<()> {
    let copied = io::copy(&mut from.take(length), out)?;
    if copied < length {
        Err(damaged())
    } else {
        Ok(())
    }
}

/// A raw Snappy block: the length as a varint, then literals and copies.
fn snappy(from: &mut impl BufRead, out: &mut Unpacked) -> io::Result<()> {
    while some_byte(from)? & 0x80 != 0 {}
    while let Some(tag) = byte(from)? {
        let high = u64::from(tag >> 2);
        match tag & 3 {
            0 => {
                let length = match high {
                    60.. => little_endian(from, high as u32 - 59)?,
                    short => short,
                };
                literal(from, out, length + 1)?;
            }
            1 => {
                let offset = u64::from(tag >> 5) << 8 | some_byte(from)?;
                out.repeat(offset, usize::from(tag >> 2 & 7) + 4)?;
            }
            2 => {
                let offset = little_endian(from, 2)?;
                out.repeat(offset, high as usize + 1)?;
            }
            _ => {
                let offset = little_endian(from, 4)?;
                out.repeat(offset, high as usize + 1)?;
            }
        }
    }
    Ok(())
}

/// A raw LZ4 block: literals and copies in turn, literals last.
fn lz4(from: &mut impl BufRead, out: &mut Unpacked) -> io::Result<()> {
    fn length(from: &mut impl BufRead, nibble: u8) -> io::Result<u64> {
        let mut length = u64::from(nibble);
        if nibble == 15 {
            loop {
                let more = some_byte(from)?;
                length += more;
                if more < 255 {
                    break;
                }
            }
        }
        Ok(length)
    }
    while let Some(token) = byte(from)? {
        let literals = length(from, token >> 4)?;
        literal(from, out, literals)?;
        if from.fill_buf()?.is_empty() {
            break;
        }
        let offset = little_endian(from, 2)?;
        let repeated = length(from, token & 15)? + 4;
        out.repeat(offset, repeated as usize)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8], compression: Compression, bytes: u64) -> io::Result<Vec<u8>> {
        let file = unpack(packed, compression, bytes, 8 << 20)?;
        let mut all = vec![0; bytes as usize];
        file.read_exact_at(&mut all, 0)?;
        Ok(all)
    }

    #[test]
    fn copies_from_far_back_are_read_from_the_file() {
        // 400,000 bytes of pseudo-random literal, then a copy of 64 bytes from 390,000 back, and one
        // that overlaps itself.
        let text: Vec<u8> = (0..400_000u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let mut packed = vec![0xC4, 0xB5, 0x18];
        packed.push(62 << 2);
        packed.extend(&(text.len() as u32 - 1).to_le_bytes()[..3]);
        packed.extend(&text);
        packed.push(63 << 2 | 3);
        packed.extend(390_000u32.to_le_bytes());
        packed.extend([9 << 2 | 2, 3, 0]);
        let mut expected = text.clone();
        expected.extend_from_slice(&text[10_000..10_064]);
        for _ in 0..10 {
            expected.push(expected[expected.len() - 3]);
        }
        let bytes = expected.len() as u64;
        assert_eq!(
            unpacked(&packed, Compression::SNAPPY, bytes).unwrap(),
            expected
        );
        assert!(unpacked(&packed, Compression::SNAPPY, bytes - 1).is_err());
        assert!(unpacked(&packed[..100], Compression::SNAPPY, bytes).is_err());
    }

    #[test]
    fn a_page_never_takes_more_of_the_disk_than_its_header_says() {
        // LZ4: the literal `a`, then it repeated 4 + 15 + 1,000 × 255 + 1 times, and a last literal.
        let mut packed = vec![0x1F, b'a', 1, 0];
        packed.extend([255; 1_000]);
        packed.extend([1, 0x10, b'z']);
        let bytes = 1 + 4 + 15 + 255_000 + 1 + 1;
        let whole = unpacked(&packed, Compression::LZ4_RAW, bytes).unwrap();
        assert!(whole.ends_with(b"aaz") && whole.starts_with(b"aaa"));
        let error = unpacked(&packed, Compression::LZ4_RAW, 4_096).unwrap_err();
        assert!(
            error.to_string().contains("more than the 4096 bytes"),
            "{error}"
        );
        let mut out = Unpacked::create(4_096).unwrap();
        lz4(&mut &packed[..], &mut out).unwrap_err();
        assert!(out.bytes <= 4_096, "{} bytes", out.bytes);
    }
}
