//! What the sieve says of a row.

/// What the sieve says of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// The filter has certainly not seen it.
    New = 0,
    /// The filter says it may have been seen before.
    Maybe = 1,
    /// An earlier row of the same slot has the same key.
    Duplicate = 2,
}

impl Verdict {
    /// The verdict of a byte of the verdict column.
    pub fn of(byte: u8) -> Self {
        match byte {
            0 => Self::New,
            1 => Self::Maybe,
            _ => Self::Duplicate,
        }
    }
}
