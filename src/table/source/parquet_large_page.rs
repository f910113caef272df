//! A page that exceeds the memory limit, split into small pages.
//!
//! The page is read from the file itself, or from the temporary file into which it was decompressed, through one
//! [`Cursor`] for the levels and one for each stream of values. The small pages hold PLAIN values, or dictionary
//! indices if the page has a dictionary. Their levels are encoded again.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::column::page::Page;

use super::parquet_file::beyond_limits;
use super::parquet_streams::{Cursor, Delta, Hybrid, cursor, one_byte};
use super::parquet_thrift::wrong;
use crate::limits::LINE_BYTES_MAX;

/// A small page ends once it has this many values, or this many bytes of values.
const SMALL_PAGE_VALUES: u64 = 8192;
const SMALL_PAGE_BYTES: usize = 256 << 10;

/// How the values and levels of a page are stored, from its header and its column.
pub(super) struct PageLayout {
    pub values: u64,
    pub encoding: Encoding,
    pub physical: PhysicalType,
    /// Bytes of a value of fixed length.
    pub width: usize,
    /// The largest definition level; 0 for a column without nulls.
    pub max_def_level: i16,
    /// The definition levels of a version 2 page: bytes before them and their length. A version 1 page begins
    /// with the length of its levels.
    pub levels: Option<(u64, u64)>,
}

/// Splits a large page into small pages.
pub(super) struct SmallPages {
    layout: PageLayout,
    left: u64,
    levels: Option<Hybrid>,
    values: Values,
}

#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each open column"
)]
enum Values {
    /// Byte arrays, each preceded by its length.
    PlainText(Cursor),
    PlainFixed(Cursor),
    Indices(Hybrid),
    Numbers(Delta),
    Texts {
        lengths: Delta,
        texts: Cursor,
        /// Lengths of the prefixes shared with the previous value, and that value.
        shared: Option<(Delta, Vec<u8>)>,
    },
    /// BYTE_STREAM_SPLIT: stream n holds byte n of every value.
    Split(Vec<Cursor>),
}

impl SmallPages {
    /// Opens a page. `values` is the file with the values, their offset and their length in bytes. `levels` is
    /// the file and offset of the levels of a version 2 page; those of a version 1 page precede its values.
    pub fn open(
        layout: PageLayout,
        levels: (&Arc<File>, u64),
        values: (&Arc<File>, u64, u64),
    ) -> io::Result<SmallPages> {
        let (file, mut at, bytes) = values;
        let end = at + bytes;
        let levels = match (layout.max_def_level, layout.levels) {
            (0, _) => None,
            (max, Some((before, _))) => Some(Hybrid::new(
                cursor(levels.0, levels.1 + before),
                level_bits(max),
            )),
            (max, None) => {
                let mut length = [0; 4];
                cursor(file, at).read_exact(&mut length)?;
                let levels = Hybrid::new(cursor(file, at + 4), level_bits(max));
                at += 4 + u64::from(u32::from_le_bytes(length));
                Some(levels)
            }
        };
        if at > end {
            return Err(wrong("levels run past their page"));
        }
        let values = Values::open(&layout, file, at, end - at)?;
        Ok(SmallPages {
            left: layout.values,
            layout,
            levels,
            values,
        })
    }

    /// The next small page; `None` after the last.
    pub fn next(&mut self) -> io::Result<Option<Page>> {
        if self.left == 0 {
            return Ok(None);
        }
        let (mut levels, mut body) = (Vec::new(), Vec::new());
        let mut indices = Vec::new();
        let mut rows = 0u32;
        while self.left > 0 && u64::from(rows) < SMALL_PAGE_VALUES && body.len() < SMALL_PAGE_BYTES
        {
            self.left -= 1;
            rows += 1;
            let there = match &mut self.levels {
                None => true,
                Some(from) => {
                    let level = from.next()?;
                    levels.push(level as u16);
                    level == self.layout.max_def_level as u32
                }
            };
            if there {
                self.values.take(&self.layout, &mut body, &mut indices)?;
            }
        }
        let mut buffer = Vec::with_capacity(body.len() + indices.len() + levels.len() + 64);
        if self.layout.max_def_level > 0 {
            let written = runs(&levels);
            buffer.extend((written.len() as u32).to_le_bytes());
            buffer.extend(written);
        }
        let encoding = match &self.values {
            Values::Indices(from) => {
                write_indices(&indices, from.bits, &mut buffer);
                Encoding::RLE_DICTIONARY
            }
            _ => Encoding::PLAIN,
        };
        buffer.extend(body);
        Ok(Some(Page::DataPage {
            buf: Bytes::from(buffer),
            num_values: rows,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        }))
    }
}

/// Bits per level for levels up to `max`.
fn level_bits(max: i16) -> u32 {
    16 - (max.cast_unsigned()).leading_zeros()
}

/// Levels encoded as runs of equal levels, one byte per level.
fn runs(levels: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for run in levels.chunk_by(|a, b| a == b) {
        varint((run.len() as u64) << 1, &mut bytes);
        bytes.push(run[0] as u8);
    }
    bytes
}

/// Writes the bit width, then all indices as one bit-packed run.
fn write_indices(indices: &[u32], bits: u32, out: &mut Vec<u8>) {
    out.push(bits as u8);
    let groups = indices.len().div_ceil(8);
    varint((groups as u64) << 1 | 1, out);
    let (mut pending, mut there) = (0u64, 0);
    let padded = indices.iter().copied().chain(std::iter::repeat(0));
    for index in padded.take(groups * 8) {
        pending |= u64::from(index) << there;
        there += bits;
        while there >= 8 {
            out.push(pending as u8);
            pending >>= 8;
            there -= 8;
        }
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl Values {
    fn open(layout: &PageLayout, file: &Arc<File>, at: u64, bytes: u64) -> io::Result<Values> {
        let text = layout.physical == PhysicalType::BYTE_ARRAY;
        Ok(match layout.encoding {
            Encoding::PLAIN if text => Values::PlainText(cursor(file, at)),
            Encoding::PLAIN => Values::PlainFixed(cursor(file, at)),
            #[allow(deprecated, reason = "old files have it")]
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => {
                let mut from = cursor(file, at);
                // There is no width if all rows are null.
                let mut bits = [0];
                if bytes > 0 {
                    from.read_exact(&mut bits)?;
                }
                if bits[0] > 32 {
                    return Err(wrong("indices of more than 32 bits"));
                }
                Values::Indices(Hybrid::new(from, u32::from(bits[0])))
            }
            Encoding::DELTA_BINARY_PACKED => Values::Numbers(Delta::open(file, at)?),
            Encoding::DELTA_LENGTH_BYTE_ARRAY => {
                let texts_at = Delta::end(file, at)?;
                Values::Texts {
                    lengths: Delta::open(file, at)?,
                    texts: cursor(file, texts_at),
                    shared: None,
                }
            }
            Encoding::DELTA_BYTE_ARRAY => {
                let lengths_at = Delta::end(file, at)?;
                let texts_at = Delta::end(file, lengths_at)?;
                Values::Texts {
                    lengths: Delta::open(file, lengths_at)?,
                    texts: cursor(file, texts_at),
                    shared: Some((Delta::open(file, at)?, Vec::new())),
                }
            }
            Encoding::BYTE_STREAM_SPLIT if !text && layout.width > 0 && layout.width <= 64 => {
                let each = bytes / layout.width as u64;
                Values::Split(
                    (0..layout.width as u64)
                        .map(|n| cursor(file, at + n * each))
                        .collect(),
                )
            }
            other => {
                return Err(beyond_limits(format!(
                    "a large page has the encoding {other}, which is supported for smaller pages only; rewrite the file with smaller pages, or set a larger --memory"
                )));
            }
        })
    }

    /// Appends the next value to `body`, or its index to `indices`.
    fn take(
        &mut self,
        layout: &PageLayout,
        body: &mut Vec<u8>,
        indices: &mut Vec<u32>,
    ) -> io::Result<()> {
        match self {
            Values::PlainText(from) => {
                let mut length = [0; 4];
                from.read_exact(&mut length)?;
                take_text(from, u64::from(u32::from_le_bytes(length)), body)
            }
            Values::PlainFixed(from) => {
                let start = body.len();
                body.resize(start + layout.width, 0);
                from.read_exact(&mut body[start..])
            }
            Values::Indices(from) => {
                indices.push(from.next()?);
                Ok(())
            }
            Values::Numbers(from) => {
                let bytes = from.next()?.to_le_bytes();
                body.extend(
                    bytes
                        .get(..layout.width)
                        .ok_or_else(|| wrong("a number is too wide"))?,
                );
                Ok(())
            }
            Values::Texts {
                lengths,
                texts,
                shared: None,
            } => take_text(texts, length(lengths)?, body),
            Values::Texts {
                lengths,
                texts,
                shared: Some((prefixes, before)),
            } => {
                let prefix = usize::try_from(length(prefixes)?).unwrap_or(usize::MAX);
                let suffix = length(lengths)?;
                if prefix > before.len() {
                    return Err(wrong("a value shares more than the one before has"));
                }
                if prefix as u64 + suffix > LINE_BYTES_MAX as u64 {
                    return Err(beyond_limits(format!(
                        "a large page has a value of {} bytes, at most {LINE_BYTES_MAX} are read",
                        prefix as u64 + suffix
                    )));
                }
                before.truncate(prefix);
                before.resize(prefix + suffix as usize, 0);
                texts.read_exact(&mut before[prefix..])?;
                if layout.physical == PhysicalType::BYTE_ARRAY {
                    body.extend((before.len() as u32).to_le_bytes());
                }
                body.extend_from_slice(before);
                Ok(())
            }
            Values::Split(streams) => {
                for stream in streams {
                    body.push(one_byte(stream)?);
                }
                Ok(())
            }
        }
    }
}

fn length(from: &mut Delta) -> io::Result<u64> {
    u64::try_from(from.next()?).map_err(|_| wrong("a value has a negative length"))
}

/// Appends a value. Of a value over the limit, appends one byte more than the limit, so that the reader rejects
/// it.
fn take_text(from: &mut Cursor, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let kept = length.min(LINE_BYTES_MAX as u64 + 1);
    body.extend((kept as u32).to_le_bytes());
    if from.take(kept).read_to_end(body)? as u64 != kept {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    io::copy(&mut from.take(length - kept), &mut io::sink()).map(drop)
}
