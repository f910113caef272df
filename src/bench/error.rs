//! Why nothing can be measured.

use std::path::PathBuf;

use super::scaling::JobKind;
use crate::{
    chem::ChemistryError,
    config::ConfigError,
    pipeline::{PipelineError, PrepareError},
    rules::RuleError,
    sieve::EngineError,
    slot::LayoutError,
    store::StoreError,
    table::source::SourceError,
    units::ByteSize,
};

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// This machine does not have an engine that was named, or an engine fails.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An engine returns wrong results, so its figures mean nothing.
    #[error("engine {engine}: the results are wrong, the engine {fault}")]
    Wrong {
        /// The engine and its device.
        engine: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// RDKit fails.
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
    /// RDKit can't read one of the built-in molecules.
    #[error("RDKit can't read a built-in molecule: {0}")]
    Molecule(String),
    /// The built-in rule can't be read; a bug in molsieve.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A slot can't be made; a bug in molsieve.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A setting of a job is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A job can't begin.
    #[error(transparent)]
    Prepare(#[from] Box<PrepareError>),
    /// A job failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The library can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file of a job can't be written or removed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A Parquet file for a job can't be written.
    #[error("{}: cannot write this Parquet file: {reason}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The library has no row that `dedup` can be measured with.
    #[error("{}: it holds no SMILES; give a SMILES, CSV or Parquet file", .0.display())]
    NoSmiles(PathBuf),
    /// The slots of the derive job do not fit the memory for them.
    #[error(
        "the products of the derive job take more than {}, a quarter of the memory; use a smaller --input or less --seconds",
        ByteSize(*.0)
    )]
    TooManyProducts(u64),
    /// Two runs of a job differ; a bug in molsieve.
    #[error("{}: with {threads} threads it did not write the same files as before", kind.name())]
    Differs {
        /// The job.
        kind: JobKind,
        /// Its threads.
        threads: usize,
    },
    /// An engine failed during a job, which continued on the CPU.
    #[error("{0}")]
    EngineLost(String),
    /// The disk is too small for the files of a job.
    #[error("{}: the disk is full; set TMPDIR to a larger one, or use less --seconds", .0.display())]
    DiskFull(PathBuf),
    /// RDKit took too long for a molecule.
    #[error("RDKit takes too long for row {0} of the library")]
    TimedOut(u64),
    /// A signal stopped the run.
    #[error("stopped before the end; the temporary files are removed")]
    Stopped,
}
