//! A page that is larger than it may be in memory, handed out as many small ones.
//!
//! The page is read in stretches, from the file itself or from the one it was unpacked into, by cursors:
//! one for the levels and one for each stream of values. The small pages have their values as PLAIN,
//! or, of a page with a dictionary, as indices; their levels are written anew.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::column::page::Page;

use super::parquet_pages::ReadAt;
use super::parquet_unpack::needs;
use crate::limits::LINE_BYTES_MAX;

/// A small page ends once it has so many values or bytes.
const STRETCH_VALUES: u64 = 8192;
const STRETCH_BYTES: usize = 256 << 10;

/// What a page's header says of its values.
pub(super) struct Layout {
    pub values: u64,
    pub encoding: Encoding,
    pub physical: PhysicalType,
    /// Bytes of a value of fixed length.
    pub width: usize,
    /// The largest definition level; 0 for a column without nulls.
    pub max_def_level: i16,
    /// Where the definition levels are, for a page of the second version: behind so many bytes, and
    /// how many bytes. Pages of the first version begin with their length.
    pub levels: Option<(u64, u64)>,
}

/// Hands out the small pages of a large one.
pub(super) struct Stretches {
    layout: Layout,
    left: u64,
    levels: Option<Hybrid>,
    values: Values,
}

/// A place in a file that is read on.
type Cursor = BufReader<ReadAt>;

#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each open column"
)]
enum Values {
    /// Byte arrays behind their lengths.
    PlainText(Cursor),
    PlainFixed(Cursor),
    Indices(Hybrid),
    Numbers(Delta),
    Texts {
        lengths: Delta,
        texts: Cursor,
        /// How much is shared with the value before.
        shared: Option<(Delta, Vec<u8>)>,
    },
    /// The nth byte of every value, per n.
    Split(Vec<Cursor>),
}

fn cursor(file: &Arc<File>, at: u64) -> Cursor {
    BufReader::with_capacity(32 << 10, ReadAt::new(Arc::clone(file), at))
}

impl Stretches {
    /// The page's `bytes` bytes begin at `at` in `values`, its levels at `levels_at` in `levels` (of a
    /// page of the second version; else at the beginning of the page).
    pub fn open(
        layout: Layout,
        levels: (&Arc<File>, u64),
        values: (&Arc<File>, u64, u64),
    ) -> io::Result<Stretches> {
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
        Ok(Stretches {
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
        while self.left > 0 && u64::from(rows) < STRETCH_VALUES && body.len() < STRETCH_BYTES {
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

/// The bits of a level that is at most `max`.
fn level_bits(max: i16) -> u32 {
    16 - (max.cast_unsigned()).leading_zeros()
}

/// Levels as runs of equal ones; each fits a byte.
fn runs(levels: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for run in levels.chunk_by(|a, b| a == b) {
        varint((run.len() as u64) << 1, &mut bytes);
        bytes.push(run[0] as u8);
    }
    bytes
}

/// The width, then all indices bit-packed as one run.
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
    fn open(layout: &Layout, file: &Arc<File>, at: u64, bytes: u64) -> io::Result<Values> {
        let text = layout.physical == PhysicalType::BYTE_ARRAY;
        Ok(match layout.encoding {
            Encoding::PLAIN if text => Values::PlainText(cursor(file, at)),
            Encoding::PLAIN => Values::PlainFixed(cursor(file, at)),
            #[allow(deprecated, reason = "old files have it")]
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => {
                let mut from = cursor(file, at);
                // Nothing follows where all rows are null.
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
                return Err(needs(format!(
                    "a large page has the encoding {other}, of which only smaller pages are read; rewrite the file with smaller pages, or give a larger --memory"
                )));
            }
        })
    }

    /// Appends the next value to `body`, or its index to `indices`.
    fn take(
        &mut self,
        layout: &Layout,
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
                    return Err(needs(format!(
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

/// Appends a value; of one that is too long to be used, as much as tells that it is.
fn take_text(from: &mut Cursor, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let kept = length.min(LINE_BYTES_MAX as u64 + 1);
    body.extend((kept as u32).to_le_bytes());
    if from.take(kept).read_to_end(body)? as u64 != kept {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    io::copy(&mut from.take(length - kept), &mut io::sink()).map(drop)
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::other(what)
}

fn one_byte(from: &mut Cursor) -> io::Result<u8> {
    let byte = *from
        .fill_buf()?
        .first()
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    from.consume(1);
    Ok(byte)
}

fn read_varint(from: &mut Cursor) -> io::Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = one_byte(from)?;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(wrong("a number is too long"))
}

/// Reads numbers of a fixed number of bits.
struct Bits {
    pending: u128,
    there: u32,
}

impl Bits {
    fn take(&mut self, from: &mut Cursor, bits: u32) -> io::Result<u64> {
        while self.there < bits {
            self.pending |= u128::from(one_byte(from)?) << self.there;
            self.there += 8;
        }
        let value = self.pending & ((1 << bits) - 1);
        self.pending >>= bits;
        self.there -= bits;
        Ok(value as u64)
    }
}

/// Runs of equal numbers and bit-packed ones.
struct Hybrid {
    from: Cursor,
    bits: u32,
    packed: Bits,
    packed_left: u64,
    equal_left: u64,
    equal: u32,
}

impl Hybrid {
    fn new(from: Cursor, bits: u32) -> Hybrid {
        Hybrid {
            from,
            bits,
            packed: Bits {
                pending: 0,
                there: 0,
            },
            packed_left: 0,
            equal_left: 0,
            equal: 0,
        }
    }

    fn next(&mut self) -> io::Result<u32> {
        loop {
            if self.equal_left > 0 {
                self.equal_left -= 1;
                return Ok(self.equal);
            }
            if self.packed_left > 0 {
                self.packed_left -= 1;
                return Ok(self.packed.take(&mut self.from, self.bits)? as u32);
            }
            let head = read_varint(&mut self.from)?;
            if head & 1 == 1 {
                self.packed_left = (head >> 1) * 8;
            } else {
                self.equal_left = head >> 1;
                let mut value = [0; 4];
                self.from
                    .read_exact(&mut value[..self.bits.div_ceil(8) as usize])?;
                self.equal = u32::from_le_bytes(value);
            }
        }
    }
}

/// DELTA_BINARY_PACKED.
struct Delta {
    from: Cursor,
    block_values: u64,
    miniblocks: u64,
    /// Numbers not taken yet.
    left: u64,
    number: i64,
    first: bool,
    least: i64,
    widths: Vec<u8>,
    miniblock: usize,
    miniblock_left: u64,
    packed: Bits,
}

impl Delta {
    fn open(file: &Arc<File>, at: u64) -> io::Result<Delta> {
        let mut from = cursor(file, at);
        let (block_values, miniblocks) = (read_varint(&mut from)?, read_varint(&mut from)?);
        let left = read_varint(&mut from)?;
        let number = zigzag(read_varint(&mut from)?);
        if miniblocks == 0 || miniblocks > 1024 || block_values / miniblocks == 0 {
            return Err(wrong("a delta stream has blocks of no sense"));
        }
        Ok(Delta {
            from,
            block_values,
            miniblocks,
            left,
            number,
            first: true,
            least: 0,
            widths: Vec::new(),
            miniblock: 0,
            miniblock_left: 0,
            packed: Bits {
                pending: 0,
                there: 0,
            },
        })
    }

    /// Where the stream that begins at `at` ends.
    fn end(file: &Arc<File>, at: u64) -> io::Result<u64> {
        let mut stream = Delta::open(file, at)?;
        while stream.left > 0 {
            stream.next()?;
        }
        // The last miniblock is whole, whatever of it is used.
        for _ in 0..stream.miniblock_left {
            let bits = stream.bits()?;
            stream.packed.take(&mut stream.from, bits)?;
        }
        let unread = stream.from.buffer().len() as u64;
        Ok(stream.from.get_ref().at() - unread)
    }

    fn bits(&self) -> io::Result<u32> {
        match self.widths.get(self.miniblock) {
            Some(&bits) if bits <= 64 => Ok(u32::from(bits)),
            _ => Err(wrong("a delta stream has numbers of more than 64 bits")),
        }
    }

    fn next(&mut self) -> io::Result<i64> {
        if self.left == 0 {
            return Err(wrong("a delta stream has fewer values than its page"));
        }
        self.left -= 1;
        if std::mem::take(&mut self.first) {
            return Ok(self.number);
        }
        if self.miniblock_left == 0 {
            self.miniblock += 1;
            if self.miniblock >= self.widths.len() {
                self.least = zigzag(read_varint(&mut self.from)?);
                self.widths.resize(self.miniblocks as usize, 0);
                self.from.read_exact(&mut self.widths)?;
                self.miniblock = 0;
            }
            self.miniblock_left = self.block_values / self.miniblocks;
        }
        self.miniblock_left -= 1;
        let bits = self.bits()?;
        let delta = self.packed.take(&mut self.from, bits)?.cast_signed();
        self.number = self.number.wrapping_add(self.least).wrapping_add(delta);
        Ok(self.number)
    }
}

fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}
