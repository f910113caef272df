//! The key of a submission.

use std::{fmt, fs::File, io::Read, str::FromStr};

use super::error::{ClientError, start};
use crate::limits::IDEMPOTENCY_KEY_BYTES_MAX;

/// The key of a submission: 1 to 128 visible ASCII characters. Submissions with the same key and the same body
/// make one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A random key.
    pub fn random() -> Result<Self, ClientError> {
        let mut bytes = [0u8; 16];
        let mut random = File::open("/dev/urandom").map_err(start)?;
        random.read_exact(&mut bytes).map_err(start)?;
        Ok(Self(format!("{:032x}", u128::from_le_bytes(bytes))))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || !(1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&text.len()) {
            return Err(format!(
                "a key is 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters"
            ));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
