//! Checks the number of values that a delta-encoded Parquet page states.
//!
//! Before decoding, the decoders of the `parquet` crate for DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY allocate
//! as many lengths as the streams of the page state. This module reads these numbers first, so that a damaged
//! page causes an error instead of a large allocation.
//!
//! A stream (DELTA_BINARY_PACKED in the Parquet format's Encodings.md): block size, miniblocks per block
//! and number of values as varints, the first value as a zigzag varint; then blocks of a zigzag varint,
//! a byte with the bit width of each miniblock, and the miniblocks that have values.

use parquet::basic::Encoding;
use parquet::column::page::Page;

use super::parquet_thrift::Thrift;
use crate::limits::PARQUET_DELTA_VALUES_MAX;

/// Fails if the streams of a page state more values than the page has, or than the limit. Pages of an `optional`
/// column begin with levels. The decoder finds any other damage.
pub(super) fn check_values(page: &Page, optional: bool) -> Result<(), String> {
    let Some((mut values, num_values, encoding)) = values_of(page, optional) else {
        return Ok(());
    };
    let streams = match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => 0,
    };
    for _ in 0..streams {
        let Some(header) = Header::read(&mut values) else {
            break;
        };
        let announced = header.values;
        if announced > u64::from(num_values) {
            return Err(format!(
                "a page of {num_values} values announces {announced} of them"
            ));
        }
        if announced > PARQUET_DELTA_VALUES_MAX {
            return Err(format!(
                "a delta-encoded page of {announced} values, at most {PARQUET_DELTA_VALUES_MAX} are read"
            ));
        }
        if header.skip_blocks(&mut values).is_none() {
            break;
        }
    }
    Ok(())
}

/// The values of a data page after its levels, their number and their encoding; `None` if the page is truncated.
fn values_of(page: &Page, optional: bool) -> Option<(&[u8], u32, Encoding)> {
    match page {
        Page::DataPage {
            buf,
            num_values,
            encoding,
            def_level_encoding,
            ..
        } => {
            let levels_bytes = match (optional, *def_level_encoding) {
                (false, _) => 0,
                (true, Encoding::RLE) => 4 + u32::from_le_bytes(*buf.first_chunk()?) as usize,
                // The older encoding uses one bit per value.
                (true, _) => num_values.div_ceil(8) as usize,
            };
            Some((buf.get(levels_bytes..)?, *num_values, *encoding))
        }
        Page::DataPageV2 {
            buf,
            num_values,
            encoding,
            def_levels_byte_len,
            rep_levels_byte_len,
            ..
        } => {
            let levels_bytes = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
            Some((buf.get(levels_bytes..)?, *num_values, *encoding))
        }
        Page::DictionaryPage { .. } => None,
    }
}

/// The header of a stream.
struct Header {
    block_values: u64,
    miniblocks: u64,
    values: u64,
}

impl Header {
    fn read(from: &mut &[u8]) -> Option<Self> {
        let header = Self {
            block_values: varint(from)?,
            miniblocks: varint(from)?,
            values: varint(from)?,
        };
        varint(from)?; // the first value
        Some(header)
    }

    /// Skips the blocks after the header; `None` if they are truncated.
    fn skip_blocks(&self, from: &mut &[u8]) -> Option<()> {
        let miniblock_values = self.block_values.checked_div(self.miniblocks)?;
        let mut left = self.values.saturating_sub(1);
        while left > 0 {
            varint(from)?; // the least delta
            let (widths, behind) = from.split_at_checked(usize::try_from(self.miniblocks).ok()?)?;
            let mut bytes = 0u64;
            for width in widths {
                if left > 0 {
                    bytes =
                        bytes.checked_add(miniblock_values.checked_mul(u64::from(*width))? / 8)?;
                }
                left = left.saturating_sub(miniblock_values);
            }
            *from = behind.get(usize::try_from(bytes).ok()?..)?;
        }
        Some(())
    }
}

fn varint(from: &mut &[u8]) -> Option<u64> {
    Thrift::new(from).varint().ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn page(values: Vec<u8>, num_values: u32, encoding: Encoding) -> Page {
        Page::DataPage {
            buf: Bytes::from(values),
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        }
    }

    /// A stream of `values` equal values: every delta has no bits.
    fn stream(values: u64) -> Vec<u8> {
        let mut bytes = vec![0x80, 0x01, 4]; // blocks of 128 in 4 miniblocks
        let mut rest = values;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.extend([rest as u8, 0]);
        for _ in 0..values.saturating_sub(1).min(1_000_000).div_ceil(128) {
            bytes.extend([0; 5]);
        }
        bytes
    }

    #[test]
    fn more_values_than_a_page_has_are_refused() {
        let length = Encoding::DELTA_LENGTH_BYTE_ARRAY;
        for values in [0, 1, 129, 300] {
            check_values(&page(stream(values), 300, length), false).unwrap();
        }
        let many = check_values(&page(stream(301), 300, length), false).unwrap_err();
        assert_eq!(many, "a page of 300 values announces 301 of them");
        let huge = check_values(&page(stream(u64::MAX), u32::MAX, length), false).unwrap_err();
        assert!(huge.contains("announces 18446744073709551615"), "{huge}");
        let large = check_values(&page(stream(1 << 31), u32::MAX, length), false).unwrap_err();
        assert!(large.contains("at most"), "{large}");
    }

    #[test]
    fn both_streams_and_pages_with_levels_are_looked_at() {
        let both = |second| [stream(200), stream(second)].concat();
        let prefixes = Encoding::DELTA_BYTE_ARRAY;
        check_values(&page(both(200), 200, prefixes), false).unwrap();
        check_values(&page(both(201), 200, prefixes), false).unwrap_err();
        let levels = [2, 0, 0, 0, 0xFF, 0xFF];
        let optional = |second| page([&levels[..], &both(second)].concat(), 200, prefixes);
        check_values(&optional(200), true).unwrap();
        check_values(&optional(201), true).unwrap_err();
    }

    #[test]
    fn a_page_cut_anywhere_is_left_to_its_decoder() {
        let whole = [stream(200), stream(200)].concat();
        for length in 0..whole.len() {
            let cut = page(whole[..length].to_vec(), 200, Encoding::DELTA_BYTE_ARRAY);
            check_values(&cut, false).unwrap();
        }
    }
}
