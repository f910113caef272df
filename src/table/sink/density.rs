//! How many bytes rows take on the disk.

use serde::{Deserialize, Serialize};

/// How much encoding makes of content: as seen last, in a whole part or, before there is one, in the first row group or
/// piece of text. What follows may still be in work when its size is asked for; so the size is a function of the rows
/// alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Density {
    /// 0: nothing is encoded yet.
    pub(super) content_bytes: u64,
    pub(super) encoded_bytes: u64,
}

/// Bytes of content that a byte takes, before anything is encoded. Molecules compress to a third, products to less.
const CONTENT_BYTES_GUESSED: u64 = 3;

impl Density {
    /// Bytes that content will take.
    pub(super) fn encoded(self, content_bytes: u64) -> u64 {
        if self == Self::default() {
            return content_bytes / CONTENT_BYTES_GUESSED;
        }
        let bytes = u128::from(content_bytes) * u128::from(self.encoded_bytes);
        (bytes / u128::from(self.content_bytes.max(1))) as u64
    }
}
