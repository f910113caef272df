//! Compressed text (gzip, bzip2, xz, zstd), decompressed while it is read.
//!
//! A decoder keeps a window of the preceding text, whose size the stream states at its start: zstd up to 128 MiB
//! (`--long=27`), xz its dictionary (8 MiB by default, 64 MiB with `-9`), bzip2 4 MiB, gzip 32 KiB. The plan
//! counts the window of the first frame. A later frame with a larger window, over
//! `UNPACK_WINDOW_BYTES_DEFAULT`, is refused.

use std::fmt;
use std::io::{self, BufRead, BufReader};

use flate2::bufread::MultiGzDecoder;

use crate::limits::{READ_BUFFER_BYTES, UNPACK_WINDOW_BYTES_DEFAULT, UNPACK_WINDOW_BYTES_MAX};

/// The compression of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// None.
    None,
    /// By its magic 1f 8b.
    Gzip,
    /// By its magic `BZh` and that of its first block.
    Bzip2,
    /// By its magic fd `7zXZ`. Blocks may need this window.
    Xz {
        /// The window of the first block, at least the default, in bytes.
        window_bytes: u64,
    },
    /// By its magic 28 b5 2f fd. Frames may need this window.
    Zstd {
        /// The window of the first frame, at least the default, in bytes.
        window_bytes: u64,
    },
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Packing::None => "unpacked",
            Packing::Gzip => "gzip",
            Packing::Bzip2 => "bzip2",
            Packing::Xz { .. } => "xz",
            Packing::Zstd { .. } => "zstd",
        })
    }
}

/// Bytes read to detect the compression: an xz block header of at most 1 KiB follows 12 bytes.
pub(super) const START_BYTES: u64 = 12 + 1024;

impl Packing {
    /// Detects the compression from the first `START_BYTES` of a file.
    pub(super) fn of(start: &[u8]) -> Packing {
        let at_least_default =
            |bytes: Option<u64>| bytes.unwrap_or(0).max(UNPACK_WINDOW_BYTES_DEFAULT);
        if start.starts_with(b"\x1F\x8B") {
            return Packing::Gzip;
        }
        // `BZh` alone could begin a name, so check the magic of the first block, which follows one digit.
        if start.starts_with(b"BZh") && start.get(4..10) == Some(b"1AY&SY") {
            return Packing::Bzip2;
        }
        if start.starts_with(b"\xFD7zXZ\0") {
            let window_bytes = at_least_default(xz_dictionary(start));
            return Packing::Xz { window_bytes };
        }
        if start.starts_with(b"\x28\xB5\x2F\xFD") {
            let window_bytes = at_least_default(zstd_window(start));
            return Packing::Zstd { window_bytes };
        }
        Packing::None
    }

    /// Whether the text is compressed and can't be read from the middle.
    pub fn is_packed(self) -> bool {
        self != Packing::None
    }

    /// Memory for decompression, besides the read buffers, in bytes.
    pub(super) fn memory_bytes(self) -> u64 {
        match self {
            Packing::None | Packing::Gzip => 0,
            Packing::Bzip2 => 4 << 20,
            Packing::Xz { window_bytes } | Packing::Zstd { window_bytes } => {
                window_bytes + (1 << 20)
            }
        }
    }

    /// Whether this program unpacks it at all.
    pub(super) fn is_too_large(self) -> bool {
        match self {
            Packing::Xz { window_bytes } | Packing::Zstd { window_bytes } => {
                window_bytes > UNPACK_WINDOW_BYTES_MAX
            }
            _ => false,
        }
    }

    /// The text of `packed`.
    pub(super) fn unpack(
        self,
        packed: impl BufRead + Send + 'static,
    ) -> io::Result<Box<dyn BufRead + Send>> {
        fn buffered(text: impl io::Read + Send + 'static) -> Box<dyn BufRead + Send> {
            Box::new(BufReader::with_capacity(READ_BUFFER_BYTES, text))
        }
        Ok(match self {
            Packing::None => Box::new(packed),
            Packing::Gzip => buffered(MultiGzDecoder::new(packed)),
            Packing::Bzip2 => buffered(bzip2::bufread::MultiBzDecoder::new(packed)),
            Packing::Xz { window_bytes } => {
                // The limit covers the dictionary, a chunk of 64 KiB and 40 KiB more.
                let kibibytes = window_bytes.div_ceil(1024) + 128;
                let limit = u32::try_from(kibibytes).unwrap_or(u32::MAX);
                buffered(lzma_rust2::XzReader::new_mem_limit(packed, true, limit))
            }
            Packing::Zstd { window_bytes } => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
                decoder.window_log_max(window_bytes.next_power_of_two().ilog2())?;
                buffered(decoder)
            }
        })
    }
}

/// Whether an error says that a stream needs a window over the limit.
pub(super) fn needs_more(error: &io::Error) -> bool {
    // zstd reports this in its message only.
    error.kind() == io::ErrorKind::OutOfMemory || error.to_string().contains("too much memory")
}

/// The window that the first zstd frame states (RFC 8878, 3.1.1.1).
fn zstd_window(start: &[u8]) -> Option<u64> {
    let descriptor = *start.get(4)?;
    let single_segment = descriptor & 0x20 != 0;
    if !single_segment {
        let window = *start.get(5)?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // In a single segment the window is the content size.
    let at = 5 + [0, 1, 2, 4][usize::from(descriptor & 3)];
    let bytes = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let size = start.get(at..at + bytes)?;
    let size = size
        .iter()
        .rev()
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    Some(if bytes == 2 { size + 256 } else { size })
}

/// The dictionary of the first xz block (the .xz file format 1.2.1, 3.1 and 5.3.1).
fn xz_dictionary(start: &[u8]) -> Option<u64> {
    const LZMA2: u64 = 0x21;
    let mut header = start.get(12..)?.iter().copied();
    // A size of 0 is the index: there is no block.
    header.next().filter(|&size| size != 0)?;
    let flags = header.next()?;
    for present in [0x40, 0x80] {
        if flags & present != 0 {
            xz_number(&mut header)?;
        }
    }
    for _ in 0..=flags & 3 {
        let (filter, properties) = (xz_number(&mut header)?, xz_number(&mut header)?);
        if filter == LZMA2 {
            let bits = header.next()?;
            return Some(match bits {
                0..=39 => u64::from(2 | bits & 1) << (bits / 2 + 11),
                _ => u64::from(u32::MAX),
            });
        }
        header
            .by_ref()
            .take(usize::try_from(properties).ok()?)
            .for_each(drop);
    }
    None
}

fn xz_number(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zstd_states_its_window() {
        let mut start = b"\x28\xB5\x2F\xFD\x04\x88".to_vec();
        assert_eq!(zstd_window(&start), Some(128 << 20), "--long=27");
        start[4] = 0x20;
        assert_eq!(zstd_window(&start), Some(0x88), "of a small text its size");
        start[4] = 0x60;
        start.push(1);
        assert_eq!(zstd_window(&start), Some(0x188 + 256));
        assert_eq!(
            Packing::of(&start),
            Packing::Zstd {
                window_bytes: UNPACK_WINDOW_BYTES_DEFAULT
            }
        );
    }

    #[test]
    fn xz_states_its_dictionary() {
        let mut start = b"\xFD7zXZ\0\0\x04\xE6\xD6\xB4\x46".to_vec();
        start.extend(b"\x02\0\x21\x01\x1C");
        assert_eq!(xz_dictionary(&start), Some(64 << 20), "xz -9");
        let both_sizes_and_a_filter_before = b"\x05\xC1\x80\x01\x80\x02\x04\x00\x21\x01\x16";
        start.truncate(12);
        start.extend(both_sizes_and_a_filter_before);
        assert_eq!(xz_dictionary(&start), Some(8 << 20));
        start.truncate(16);
        assert_eq!(xz_dictionary(&start), None);
    }
}
