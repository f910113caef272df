//! Why rows can't be written.

use super::format::UnknownColumn;
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
    /// The rows lack a column that is to be written.
    #[error(transparent)]
    Column(#[from] UnknownColumn),
    /// RDKit can't start, and mol blocks need it.
    #[error("cannot write mol blocks: {0}")]
    MolBlocks(String),
    /// The threads that encode can't be started.
    #[error("cannot start the sink's threads: {0}")]
    Threads(String),
}

pub(super) fn encode_error(error: impl std::fmt::Display) -> SinkError {
    SinkError::Encode(error.to_string())
}
