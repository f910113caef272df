//! The header of a Parquet page, read before the `parquet` crate reads it.

use std::io::{self, BufRead};

use parquet::basic::Encoding;

use super::parquet_thrift::{Thrift, kind, wrong};
use crate::limits::PARQUET_DELTA_VALUES_MAX;

/// The fields of a page header that the reader needs.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// The page type's number in the format.
    pub kind: i64,
    /// Size of the header itself.
    pub bytes: u64,
    pub unpacked_bytes: u64,
    pub packed_bytes: u64,
    pub crc: Option<i64>,
    pub values: u64,
    pub rows: Option<u64>,
    pub encoding: i64,
    /// Encoding of the definition levels in a version 1 page.
    pub level_encoding: Option<i64>,
    /// Bytes of the repetition levels and of the definition levels, which precede the values of a version 2 page.
    pub levels: Option<(u64, u64)>,
    pub packed: bool,
}

pub(super) const INDEX_PAGE: i64 = 1;

pub(super) const DICTIONARY_PAGE: i64 = 2;

impl PageHeader {
    pub fn read(from: impl BufRead) -> io::Result<PageHeader> {
        let mut thrift = Thrift::new(from);
        let mut head = PageHeader {
            packed: true,
            ..PageHeader::default()
        };
        let size =
            |value: i64| u64::try_from(value).map_err(|_| wrong("a page has a negative size"));
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

    /// The encoding of the values; `None` if its number is unknown.
    pub fn encoding(&self) -> Option<Encoding> {
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

    /// Whether the page, or what its decoder allocates, takes more than `bytes_max` bytes.
    pub fn is_large(&self, bytes_max: usize) -> bool {
        let delta = matches!(self.encoding, 5..=7);
        self.unpacked_bytes.max(self.packed_bytes) > bytes_max as u64
            || (delta && self.values > PARQUET_DELTA_VALUES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_and_a_truncated_one_is_an_error() {
        // type 0 (data page), 150 and 70 bytes as zigzag varints, then 3 values as PLAIN.
        let bytes = [
            0x15, 0x00, 0x15, 0xAC, 0x02, 0x15, 0x8C, 0x01, 0x2C, 0x15, 0x06, 0x15, 0x00, 0x00,
            0x00,
        ];
        let head = PageHeader::read(&bytes[..]).unwrap();
        let sizes = (
            head.bytes,
            head.unpacked_bytes,
            head.packed_bytes,
            head.values,
        );
        assert_eq!(sizes, (bytes.len() as u64, 150, 70, 3));
        for length in 0..bytes.len() {
            PageHeader::read(&bytes[..length]).unwrap_err();
        }
        PageHeader::read(&[0x15, 0x00, 0x15, 0x03, 0x00][..]).unwrap_err();
    }
}
