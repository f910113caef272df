//! Reads Thrift's compact protocol from a stream and skips unwanted fields without storing them.

use std::io::{self, BufRead};

/// Wire types of fields and elements.
pub(super) mod kind {
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const BYTE: u8 = 3;
    pub const DOUBLE: u8 = 7;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const SET: u8 = 10;
    pub const MAP: u8 = 11;
    pub const STRUCT: u8 = 12;
    pub const UUID: u8 = 13;
}

const DEPTH_MAX: u32 = 32;

/// A Thrift stream that counts the bytes read.
pub(super) struct Thrift<R> {
    from: R,
    pub read: u64,
}

impl<R: BufRead> Thrift<R> {
    pub fn new(from: R) -> Self {
        Thrift { from, read: 0 }
    }

    pub fn byte(&mut self) -> io::Result<u8> {
        let byte = *self.from.fill_buf()?.first().ok_or_else(cut_short)?;
        self.from.consume(1);
        self.read += 1;
        Ok(byte)
    }

    pub fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(wrong("a number is too long"))
    }

    /// A signed number.
    pub fn integer(&mut self) -> io::Result<i64> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed()))
    }

    /// The next field of a struct: its number and type; `None` at the struct's end.
    pub fn field(&mut self, last: &mut i64) -> io::Result<Option<(i64, u8)>> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        *last = match head >> 4 {
            0 => self.integer()?,
            step => *last + i64::from(step),
        };
        Ok(Some((*last, head & 15)))
    }

    /// The beginning of a list: the type of its elements and their number.
    pub fn list(&mut self) -> io::Result<(u8, u64)> {
        let head = self.byte()?;
        let length = match head >> 4 {
            15 => self.varint()?,
            length => u64::from(length),
        };
        Ok((head & 15, length))
    }

    /// A text of at most `bytes_max` bytes.
    pub fn text(&mut self, bytes_max: u64) -> io::Result<String> {
        let length = self.varint()?;
        if length > bytes_max {
            return Err(wrong("a name is too long"));
        }
        let mut text = vec![0; length as usize];
        self.from.read_exact(&mut text)?;
        self.read += length;
        String::from_utf8(text).map_err(|_| wrong("a name is no UTF-8"))
    }

    /// Skips a value of a type.
    pub fn skip(&mut self, kind: u8) -> io::Result<()> {
        self.skip_nested(kind, 0)
    }

    fn skip_nested(&mut self, kind: u8, depth: u32) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(wrong("it is nested too deeply"));
        }
        match kind {
            kind::TRUE | kind::FALSE => Ok(()),
            kind::BYTE => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            kind::DOUBLE => self.pass(8),
            kind::UUID => self.pass(16),
            kind::BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            kind::LIST | kind::SET => {
                let (element, length) = self.list()?;
                for _ in 0..length {
                    self.skip_element(element, depth)?;
                }
                Ok(())
            }
            kind::MAP => {
                let length = self.varint()?;
                if length == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                for _ in 0..length {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 15, depth)?;
                }
                Ok(())
            }
            kind::STRUCT => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip_nested(kind, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(wrong("a value has an unknown type")),
        }
    }

    /// Booleans take a byte in a collection, and none in a struct.
    fn skip_element(&mut self, kind: u8, depth: u32) -> io::Result<()> {
        match kind {
            kind::TRUE | kind::FALSE => self.byte().map(drop),
            kind => self.skip_nested(kind, depth + 1),
        }
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        let mut left = bytes;
        while left > 0 {
            let there = self.from.fill_buf()?.len();
            if there == 0 {
                return Err(cut_short());
            }
            let step = there.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.from.consume(step);
            left -= step as u64;
        }
        self.read += bytes;
        Ok(())
    }
}

fn cut_short() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// The error of damage.
pub(super) fn wrong(what: &'static str) -> io::Error {
    io::Error::other(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_type_are_passed_over() {
        // A struct of: true, a byte, -3, a double, text, a list of 2 booleans, a map, a struct, then 7.
        let bytes = [
            0x11, 0x13, 9, 0x15, 5, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 0x18, 2, b'a', b'b', 0x19, 0x21,
            1, 2, 0x1B, 1, 0x58, 4, 1, b'x', 0x1C, 0x15, 2, 0, 0, 14,
        ];
        let mut thrift = Thrift::new(&bytes[..]);
        thrift.skip(kind::STRUCT).unwrap();
        assert_eq!(thrift.read as usize, bytes.len() - 1);
        assert_eq!(thrift.integer().unwrap(), 7);
        for length in 0..bytes.len() - 1 {
            Thrift::new(&bytes[..length])
                .skip(kind::STRUCT)
                .unwrap_err();
        }
    }
}
