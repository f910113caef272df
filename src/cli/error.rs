//! Every error that ends the program, with its exit code.

mod exit;

use std::path::PathBuf;

use super::attempts;
use crate::{
    bench::BenchError,
    chem::ChemistryError,
    config::ConfigError,
    daemon::{
        ServeError, client::ClientError, paths::PathError, protocol::AssignmentError,
        settings::SettingsError, store::JobStoreError,
    },
    diff::DiffError,
    export::ExportError,
    page::PageError,
    pipeline::{PipelineError, PrepareError},
    report::{event::Shortage, manifest::ManifestError},
    route::RouteError,
    rules::RuleError,
    show::ShowError,
    sieve::EngineError,
    store::StoreError,
    table::{sink::SinkError, source::SourceError},
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
    Prepare(#[from] PrepareError),
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
        action: &'static str,
        reason: String,
    },
    /// The job's process ended abnormally several times without progress.
    #[error(
        "the job's process {how} {attempts} times without progress; check memory and disk, then use {} to \
         continue from the last checkpoint",
        attempts::resume(output.as_ref())
    )]
    Crashed {
        how: String,
        attempts: u32,
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
        output: PathBuf,
        needed: ByteSize,
        free: ByteSize,
    },
    /// A disk is full. The daemon waits until there is as much space as the job needs.
    #[error("{error}")]
    NoSpace {
        error: Box<CliError>,
        shortage: Shortage,
    },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Worker(#[from] WorkerError),
    #[error(transparent)]
    Bench(BenchError),
    #[error(transparent)]
    Route(RouteError),
    #[error(transparent)]
    Diff(DiffError),
    #[error(transparent)]
    Page(PageError),
    #[error(transparent)]
    Show(ShowError),
    #[error(transparent)]
    Draw(#[from] DrawError),
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
    /// The daemon's state can't be copied.
    #[error(transparent)]
    Admin(#[from] JobStoreError),
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
    Unsure { error: ClientError, key: String },
    /// A job of a daemon on another machine has a relative path.
    #[error(
        "{}: over ssh the files of a job are on the daemon's machine; give an absolute path there",
        .0.display()
    )]
    NotOnTheNode(PathBuf),
    /// An array of a daemon on another machine.
    #[error(
        "--array {}: over ssh the files are on the daemon's machine, where they can't be looked up; submit the array there",
        .0.display()
    )]
    ArrayOnTheNode(PathBuf),
    /// ssh has ended while its socket was in use.
    #[error("{0}: ssh has ended")]
    TunnelEnded(String),
    /// `top` has no terminal to draw on.
    #[error(
        "top needs a terminal that can move its cursor; elsewhere molsieve ls lists the jobs and molsieve watch follows one"
    )]
    NoTerminal,
    /// The terminal can't be set up or read.
    #[error("the terminal: {0}")]
    Terminal(String),
    /// The web server of `ui` can't start.
    #[error("cannot listen at 127.0.0.1:{port}: {reason}")]
    CannotListen { port: u16, reason: String },
    /// The user does not exist.
    #[error("--user: there is no user {0}")]
    NoUser(String),
    /// The jobs of `submit --array` can't be made; none is submitted.
    #[error("--array: {0}")]
    Array(String),
    /// An array was submitted in part.
    #[error(
        "{error}; {done} of {of} jobs are submitted: run the same command with --once {key} to submit the others"
    )]
    ArrayStopped {
        error: Box<CliError>,
        done: usize,
        of: usize,
        key: String,
    },
    /// More jobs than `wait --any` takes.
    #[error("--any: {0} jobs are more than {max}; use labels to wait for fewer", max = crate::limits::WAIT_JOBS_MAX)]
    TooManyJobs(usize),
    /// The current folder, where relative paths start, can't be found.
    #[error("cannot find the current folder: {0}")]
    NoFolder(String),
    /// A path is not UTF-8, and JSON can't hold it.
    #[error("the daemon accepts only UTF-8 paths; rename the file or folder, or use molsieve run")]
    NotUtf8,
    /// A file can't be written.
    #[error("{}: {reason}", path.display())]
    CannotWrite { path: PathBuf, reason: String },
    /// `rules convert` writes TOML, and the file has the extension of another format.
    #[error("--output {}: convert writes TOML; use a name that ends in .toml", .0.display())]
    OutputNotToml(PathBuf),
    /// Converted rules are longer than a rule file may be.
    #[error(
        "the rules take {bytes} bytes, and a rule file has at most {bytes_max}; convert fewer files at a time"
    )]
    ConvertedTooLarge { bytes: usize, bytes_max: usize },
    /// RDKit does not return from a row of the sample library.
    #[error(
        "row {row} of the library (counted from 0): RDKit has worked on it for {seconds} s; remove the row, or \
         use --rows {row} to stop before it"
    )]
    SampleStuck { row: u64, seconds: u64 },
    /// The output directory contains a file that the job reads.
    #[error(
        "{}: {what} lies in the output directory {}, whose files the job replaces; use another directory",
        path.display(),
        output.display()
    )]
    InputInOutput {
        what: &'static str,
        path: PathBuf,
        output: PathBuf,
    },
    /// A run can't be exported.
    #[error(transparent)]
    Exported(ExportError),
    /// Flags of `export` contradict each other.
    #[error("{0}")]
    Export(String),
    /// Rows can't go to standard output like this.
    #[error("--output -: {0}")]
    StandardOutput(&'static str),
    /// The process of a job whose rows go to standard output ended abnormally several times without progress.
    #[error("the job's process {how} {attempts} times without progress; the output is cut short")]
    StreamCrashed { how: String, attempts: u32 },
    /// The working files of such a job need more disk.
    #[error(
        "{}: the disk is nearly full ({free} free), and the output is cut short; set TMPDIR to a larger folder",
        folder.display()
    )]
    StreamDisk { folder: PathBuf, free: ByteSize },
    /// The output is given as a file.
    #[error(
        "--output {}: a job writes a directory of files, not a file; use --output {}",
        output.display(),
        instead.display()
    )]
    OutputIsNoFile { output: PathBuf, instead: PathBuf },
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

/// Why a job process can't begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    /// The assignment can't be used.
    #[error(transparent)]
    Assignment(#[from] AssignmentError),
    /// The process can't become the user.
    #[error("cannot become user {uid}: {reason}")]
    User { uid: u32, reason: String },
    /// The command can't be run, or the webhook does not accept the job.
    #[error("cannot notify: {reason}")]
    Notify { reason: String },
    /// Another system call failed.
    #[error("the worker cannot {action}: {reason}")]
    System {
        action: &'static str,
        reason: String,
    },
}

impl From<RouteError> for CliError {
    /// An error that a job has too has the exit code that it has there.
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::Manifest(error) => Self::Manifest(error),
            RouteError::Prepare(error) => Self::Prepare(error),
            RouteError::Config(error) => Self::Config(error),
            RouteError::Source(error) => Self::Source(error),
            error => Self::Route(error),
        }
    }
}

impl From<ExportError> for CliError {
    /// An error that a job has too has the exit code that it has there.
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Manifest(error) => Self::Manifest(error),
            ExportError::Sink(SinkError::Store(error)) => Self::Store(error),
            error => Self::Exported(error),
        }
    }
}

impl From<DiffError> for CliError {
    /// An error of a manifest or of a file has the exit code that it has elsewhere.
    fn from(error: DiffError) -> Self {
        match error {
            DiffError::Manifest(error) => Self::Manifest(error),
            DiffError::Store(error) => Self::Store(error),
            error => Self::Diff(error),
        }
    }
}

impl From<PageError> for CliError {
    /// An error of a comparison, of a manifest or of RDKit has the exit code that it has elsewhere.
    fn from(error: PageError) -> Self {
        match error {
            PageError::Diff(error) => error.into(),
            PageError::Manifest(error) => Self::Manifest(error),
            PageError::Chemistry(error) => Self::Chemistry(error),
            error => Self::Page(error),
        }
    }
}

/// Why `show` draws nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum DrawError {
    /// The terminal shows no pictures.
    #[error(
        "--draw: this is no terminal that is known to show pictures; name a file, as in --draw=rows.svg"
    )]
    NoTerminal,
    /// A file is to have a format that there is not.
    #[error("--draw={}: the name of a picture ends with .svg or .png", .0.display())]
    Format(PathBuf),
    /// So many pictures are too many.
    #[error("--draw: at most {0} rows are drawn at once; see --limit and --skip")]
    TooMany(usize),
    /// The rows have no column of molecules.
    #[error("--draw: the rows have no column `smiles`")]
    NoMolecules,
    /// RDKit can't draw a molecule.
    #[error("--draw: {0}")]
    Undrawn(String),
}

impl From<ShowError> for CliError {
    /// An error of a manifest has the exit code that it has elsewhere.
    fn from(error: ShowError) -> Self {
        match error {
            ShowError::Manifest(error) => Self::Manifest(error),
            error => Self::Show(error),
        }
    }
}

impl From<BenchError> for CliError {
    /// An error of a job that `bench` runs has the exit code that it has elsewhere.
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Config(error) => Self::Config(error),
            BenchError::Prepare(error) => Self::Prepare(*error),
            BenchError::Pipeline(error) => Self::Pipeline(error),
            BenchError::Source(error) => Self::Source(error),
            BenchError::Store(error) => Self::Store(error),
            error => Self::Bench(error),
        }
    }
}
