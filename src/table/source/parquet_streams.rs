//! The integer streams inside a Parquet page, decoded from a file value by value. Their variable-length numbers
//! are those of Thrift's compact protocol.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use super::parquet_file::ReadAt;
use super::parquet_thrift::{Thrift, wrong};

/// A buffered reader from a position of a shared file.
pub(super) type Cursor = BufReader<ReadAt>;

/// A cursor from byte `at` of `file`.
pub(super) fn cursor(file: &Arc<File>, at: u64) -> Cursor {
    BufReader::with_capacity(32 << 10, ReadAt::new(Arc::clone(file), at))
}

pub(super) fn one_byte(from: &mut Cursor) -> io::Result<u8> {
    Thrift::new(from).byte()
}

/// Reads bit-packed numbers, least significant bit first.
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

/// Decodes the RLE/bit-packing hybrid encoding: runs of equal numbers and groups of bit-packed ones.
pub(super) struct Hybrid {
    from: Cursor,
    pub bits: u32,
    packed: Bits,
    packed_left: u64,
    equal_left: u64,
    equal: u32,
}

impl Hybrid {
    pub fn new(from: Cursor, bits: u32) -> Hybrid {
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

    pub fn next(&mut self) -> io::Result<u32> {
        loop {
            if self.equal_left > 0 {
                self.equal_left -= 1;
                return Ok(self.equal);
            }
            if self.packed_left > 0 {
                self.packed_left -= 1;
                return Ok(self.packed.take(&mut self.from, self.bits)? as u32);
            }
            let head = Thrift::new(&mut self.from).varint()?;
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

/// Decodes DELTA_BINARY_PACKED.
pub(super) struct Delta {
    from: Cursor,
    block_values: u64,
    miniblocks: u64,
    /// Numbers not yet returned.
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
    pub fn open(file: &Arc<File>, at: u64) -> io::Result<Delta> {
        let mut from = cursor(file, at);
        let mut head = Thrift::new(&mut from);
        let (block_values, miniblocks) = (head.varint()?, head.varint()?);
        let (left, number) = (head.varint()?, head.integer()?);
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

    /// The byte offset at which the stream that begins at `at` ends.
    pub fn end(file: &Arc<File>, at: u64) -> io::Result<u64> {
        let mut stream = Delta::open(file, at)?;
        while stream.left > 0 {
            stream.next()?;
        }
        // The last miniblock is stored in full even if only a part of it is used.
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

    pub fn next(&mut self) -> io::Result<i64> {
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
                self.least = Thrift::new(&mut self.from).integer()?;
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
