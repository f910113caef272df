//! Every error that ends the program, with its exit code.

use std::path::PathBuf;

use super::{Exit, attempts, worker};
use crate::{
    bench::BenchError,
    chem::ChemistryError,
    config::ConfigError,
    daemon::{ServeError, client::ClientError, paths::PathError, settings::SettingsError},
    pipeline::{EarlierRunError, PipelineError, PrepareError},
    plan::PlanError,
    report::manifest::ManifestError,
    rules::RuleError,
    sieve::EngineError,
    store::StoreError,
    table::source::SourceError,
    trial::TrialError,
    units::ByteSize,
};

/// Every error that ends the program.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Rules(#[from] RuleError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Trial(#[from] TrialError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A signal handler can't be installed.
    #[error("cannot install signal handlers: {0}")]
    Signals(String),
    /// The job's process can't be started or waited for.
    #[error("cannot {action}: {reason}")]
    Attempt {
        /// What was attempted.
        action: &'static str,
        /// The operating system's words.
        reason: String,
    },
    /// The job's process ended abnormally several times without progress.
    #[error(
        "the job's process {how} {attempts} times without progress; check memory and disk, then use {} to \
         continue from the last checkpoint",
        attempts::resume(output.as_ref())
    )]
    Crashed {
        /// How it ended.
        how: String,
        /// How many times.
        attempts: u32,
        /// Where the job writes.
        output: Option<PathBuf>,
    },
    /// The job stopped on request and can be resumed.
    #[error("{0}")]
    Stopped(String),
    /// The disk has less space than the job is expected to need.
    #[error(
        "{}: the job is expected to need {needed} of disk, and {free} is free; free some space, or set \
         --expected-products to skip this estimate",
        output.display()
    )]
    DiskTooSmall {
        /// The output directory.
        output: PathBuf,
        /// Bytes the job is expected to need.
        needed: ByteSize,
        /// Bytes free on the file system.
        free: ByteSize,
    },
    #[error(transparent)]
    Exclude(#[from] EarlierRunError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Worker(#[from] worker::WorkerError),
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// A named engine is not available.
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Standard input or output failed.
    #[error("standard input or output: {0}")]
    Stream(String),
    /// The daemon's log can't be written.
    #[error("cannot write a log: {0}")]
    Log(String),
    /// The job is too large for the daemon's node.
    #[error("{0}")]
    TooLarge(String),
    /// The connection broke before the daemon confirmed the job.
    #[error("{error}; run molsieve submit --once {key} with the same job to submit it once only")]
    Unsure {
        /// How the connection ended.
        error: ClientError,
        /// The idempotency key of the submission.
        key: String,
    },
    /// The user does not exist.
    #[error("--user: there is no user {0}")]
    NoUser(String),
    /// The current folder, where relative paths start, can't be found.
    #[error("cannot find the current folder: {0}")]
    NoFolder(String),
    /// A path is not UTF-8, and JSON can't hold it.
    #[error("the daemon accepts only UTF-8 paths; rename the file or folder, or use molsieve run")]
    NotUtf8,
    /// A file can't be written.
    #[error("{}: {reason}", path.display())]
    CannotWrite {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// The output directory contains a file that the job reads.
    #[error(
        "{}: {what} lies in the output directory {}, whose files the job replaces; use another directory",
        path.display(),
        output.display()
    )]
    InputInOutput {
        /// What the job reads.
        what: &'static str,
        /// The path of that file.
        path: PathBuf,
        /// The output directory.
        output: PathBuf,
    },
    /// The output is given as a file or standard output.
    #[error(
        "--output {}: a job writes a directory of Parquet files, not a file; use --output {}",
        output.display(),
        instead.display()
    )]
    OutputIsNoFile {
        /// What was given.
        output: PathBuf,
        /// A name for a directory.
        instead: PathBuf,
    },
    /// Standard input can't be read.
    #[error("--input -: {0}")]
    StandardInput(&'static str),
    /// Standard input is empty.
    #[error("--input -: standard input is empty")]
    StandardInputEmpty,
    /// The file that would hold standard input exists already.
    #[error(
        "{}: an earlier job stored its standard input here; resume that job, remove the file, or use --overwrite",
        .0.display()
    )]
    StandardInputKept(PathBuf),
    /// There is nothing to resume, and no input to start with.
    #[error("{}: there is no run to resume; to start one, give its --input", .0.display())]
    NothingToResume(PathBuf),
}

impl From<PrepareError> for CliError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Rules(error) => error.into(),
            PrepareError::Source(error) => error.into(),
            PrepareError::Chemistry(error) => error.into(),
            PrepareError::Exclude(error) => error.into(),
            PrepareError::Plan(error) => error.into(),
        }
    }
}

impl CliError {
    /// The table of exit codes.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::NothingToResume(_)
            | Self::InputInOutput { .. }
            | Self::OutputIsNoFile { .. }
            | Self::StandardInput(_)
            | Self::StandardInputKept(_)
            | Self::Path(_)
            | Self::Settings(_)
            | Self::NoUser(_)
            | Self::NotUtf8
            | Self::DiskTooSmall { .. }
            | Self::Plan(PlanError::Budget { .. } | PlanError::Engine(_))
            | Self::Bench(BenchError::Engine(_))
            | Self::Engine(_)
            | Self::Manifest(ManifestError::Newer { .. })
            | Self::Pipeline(PipelineError::Changed(_)) => Exit::Usage,
            Self::Store(error)
            | Self::Manifest(ManifestError::Store(error))
            | Self::Pipeline(PipelineError::Store(error)) => match error {
                StoreError::NotEmpty(_)
                | StoreError::Unfinished(_)
                | StoreError::NoRun(_)
                | StoreError::Foreign(_)
                | StoreError::Busy(_)
                | StoreError::OtherVersion(_)
                | StoreError::NotADirectory(_) => Exit::Usage,
                StoreError::DiskFull(_) | StoreError::Damaged { .. } | StoreError::Io { .. } => {
                    Exit::Failed
                }
            },
            Self::Rules(_)
            | Self::Source(_)
            | Self::StandardInputEmpty
            | Self::Exclude(_)
            | Self::Pipeline(PipelineError::Exclude(_))
            | Self::Plan(PlanError::Source(_))
            | Self::Pipeline(PipelineError::Source(_)) => Exit::Input,
            Self::Chemistry(error)
            | Self::Trial(TrialError::Chemistry(error))
            | Self::Plan(PlanError::Trial(TrialError::Chemistry(error)))
            | Self::Pipeline(
                PipelineError::Chemistry(error)
                | PipelineError::Trial(TrialError::Chemistry(error)),
            ) => match error {
                ChemistryError::Rule { .. } => Exit::Input,
                ChemistryError::StartUp(_) | ChemistryError::Failed(_) => Exit::Failed,
            },
            Self::Worker(error) => error.exit(),
            Self::Stopped(_) => Exit::Stopped,
            Self::Pipeline(_)
            | Self::Trial(_)
            | Self::Plan(PlanError::Trial(_))
            | Self::Attempt { .. }
            | Self::Crashed { .. }
            | Self::Manifest(ManifestError::Unreadable { .. })
            | Self::Signals(_)
            | Self::Bench(_)
            | Self::Client(_)
            | Self::Serve(_)
            | Self::Log(_)
            | Self::Stream(_)
            | Self::TooLarge(_)
            | Self::Unsure { .. }
            | Self::NoFolder(_)
            | Self::CannotWrite { .. } => Exit::Failed,
        }
    }
}
