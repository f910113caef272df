//! Why rows can't be written.

use crate::store::StoreError;

/// Why rows can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The file system refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The encoder refuses what it is given; a fault of molsieve.
    #[error("cannot encode a part: {0}")]
    Encode(String),
    /// The threads that encode can't be started.
    #[error("cannot start the sink's threads: {0}")]
    Threads(String),
}

pub(super) fn encode_error(error: impl std::fmt::Display) -> SinkError {
    SinkError::Encode(error.to_string())
}
