//! Why two outputs can't be compared.

use std::path::PathBuf;

use crate::{
    identity::KeyKind,
    limits::{DIFF_BASE_BYTES, SORT_BYTES_MIN},
    report::manifest::{MANIFEST, ManifestError},
    store::StoreError,
    table::part::PartError,
    units::ByteSize,
};

/// Least memory that a comparison works in.
pub const MEMORY_MIN: u64 = (DIFF_BASE_BYTES + 4 * SORT_BYTES_MIN) as u64;

/// Why two outputs can't be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// A folder holds no complete output.
    #[error("{}: holds no {MANIFEST}, so no run is complete there", .0.display())]
    NotComplete(PathBuf),
    /// One folder was named twice.
    #[error("{} and {}: these are the same folder; name two outputs", a.display(), b.display())]
    Same {
        /// The first.
        a: PathBuf,
        /// The second.
        b: PathBuf,
    },
    /// The outputs have keys of two kinds.
    #[error("{} has the column `{}` and {} has `{}`: keys of two kinds can't be compared; run one of them again with the \
        --key of the other", a.display(), keys[0].column(), b.display(), keys[1].column())]
    Kinds {
        /// The first.
        a: PathBuf,
        /// The second.
        b: PathBuf,
        /// Their keys.
        keys: [KeyKind; 2],
    },
    /// The outputs have structure keys of two definitions.
    #[error("{} and {}: their structure keys are of two definitions, which can't be compared; run the older one again", a.display(), b.display())]
    Definitions {
        /// The first.
        a: PathBuf,
        /// The second.
        b: PathBuf,
    },
    /// An output has parts that are no Parquet files.
    #[error("{}: diff reads Parquet files only; run the job with --format parquet", .0.display())]
    NotParquet(PathBuf),
    /// The result would lie in an output.
    #[error("--output {}: lies in the output {}; use another directory", output.display(), side.display())]
    OutputInSide {
        /// Where the result was to be.
        output: PathBuf,
        /// The output.
        side: PathBuf,
    },
    /// The budget is too small.
    #[error("--memory {memory}: diff needs at least {}", ByteSize(MEMORY_MIN))]
    Memory {
        /// The budget.
        memory: ByteSize,
    },
    /// A part can't be read, or is not one of the output.
    #[error(transparent)]
    Part(#[from] PartError),
    /// A result can't be encoded.
    #[error("{}: cannot encode a row group: {reason}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The manifest can't be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file can't be written or read back.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The caller asked to stop.
    #[error("stopped; nothing was written")]
    Stopped,
    /// The threads can't be started.
    #[error("cannot start the threads: {0}")]
    Threads(String),
}
