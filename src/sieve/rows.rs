//! What every program on a device reads and writes: texts, and for each a key and a byte.

use crate::slot::text_range;

/// Texts one after the other. Row `i` ends at byte `ends[i]`, where the next row begins.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// The bytes of all texts.
    pub bytes: &'a [u8],
    /// A number for each text.
    pub ends: &'a [u32],
}

impl<'a> Texts<'a> {
    /// The texts, in order.
    pub fn rows(self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.ends.len()).map(move |row| &self.bytes[text_range(self.ends, row)])
    }
}

/// Where a device writes to, for as many rows as each slice is long.
#[derive(Debug)]
pub struct Keyed<'a> {
    /// The keys.
    pub keys: &'a mut [[u64; 2]],
    /// Of the sieve: verdicts. Of structure keys: statuses ([`super::structure_key::KeyOutcome::of`]).
    pub codes: &'a mut [u8],
}
