//! The command line: flags in, exit codes out.
//!
//! What a job says goes to standard error while it runs and to standard output when it ends, so that
//! `molsieve run … > summary.txt` keeps the summary and shows the progress. With `--json` standard
//! output carries one JSON object per line and nothing else.

mod attempts;
mod bench;
mod doctor;
mod events;
mod generate;
mod jobs;
mod key;
mod live;
mod places;
mod progress;
mod report;
mod rules_check;
mod run;
mod serve;
mod standard_input;
mod worker;

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use attempts::Attempt;
use clap::{Parser, Subcommand};

use crate::{
    bench::BenchError,
    chem::ChemistryError,
    config::{ConfigError, JobSettings},
    daemon::{ServeError, client::ClientError, paths::PathError, settings::SettingsError},
    pipeline::{EarlierRunError, PipelineError},
    plan::PlanError,
    report::{
        event::{Ended, Event},
        manifest::ManifestError,
    },
    rules::RuleError,
    sieve::EngineError,
    store::StoreError,
    table::source::{self, SourceError},
    trial::TrialError,
    units::ByteSize,
};

/// Turns a chemical library into a derivative library: applies reaction rules to every molecule,
/// inside a fixed memory budget, and writes each distinct product once.
#[derive(Parser, Debug)]
#[command(name = "molsieve", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 usage; 3 the input or the rules can't be used; 4 done, and some rows \
were rejected or capped; 75 stopped at a checkpoint, --resume goes on from it.
Set MOLSIEVE_LOG=debug to see what RDKit and molsieve log.";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a job: library in, every distinct product out
    #[command(after_help = EXIT_CODES)]
    Run(JobArgs),
    /// Keep each molecule of a library once, however it is written, without RDKit where that is certain
    ///
    /// The first writing of each molecule stays as it is. Two writings are one molecule exactly when RDKit's
    /// canonical SMILES of both are equal; see docs/identity.md.
    #[command(
        after_help = DEDUP_EXIT_CODES,
        mut_arg("rules", |arg| arg.hide(true)),
        mut_arg("properties", |arg| arg.hide(true)),
        mut_arg("key", |arg| arg.hide(true)),
        mut_arg("chemistry", |arg| arg.hide(true)),
        mut_arg("max_products_per_parent", |arg| arg.hide(true)),
    )]
    Dedup(DedupArgs),
    /// Show what a job would make and where its memory would go; writes nothing
    Plan(JobArgs),
    /// Print the structure key of SMILES: one key for one molecule, however it is written
    ///
    /// A line each: the key in hex, a tab, the SMILES; where RDKit can't read it, `error: …` in place of the
    /// key.
    #[command(
        after_help = "Exit codes: 0 done; 1 failed; 2 usage; 4 done, and some SMILES can't be read."
    )]
    Key(key::KeyArgs),
    /// Transform parents given on standard input, each as the job would; used by `run`
    #[command(hide = true)]
    TryParents,
    /// Do one job for the daemon; used by `serve`
    #[command(hide = true)]
    Worker,
    /// Look at this machine: RDKit, limits, engines and their devices; try every engine out
    #[command(
        after_help = "Exit codes: 0 every engine that is there can be used; 1 one of them fails; 2 usage, or an \
engine that is named is not there."
    )]
    Doctor(doctor::DoctorArgs),
    /// Measure this machine: each engine's steps and the whole sieve beside what the memory allows, RDKit,
    /// and what a GPU can save of a job
    #[command(
        after_help = "Exit codes: 0 done; 1 an engine fails or is wrong; 2 usage, or an engine that is \
named is not there."
    )]
    Bench(bench::BenchArgs),
    /// Work with rule files
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Take jobs over a Unix socket and do them, each in a process of its own
    #[command(
        after_help = "Exit codes: 0 it was asked to end, and running jobs stand at a checkpoint; 1 failed; \
2 usage."
    )]
    Serve(Box<serve::ServeArgs>),
    /// Give a job to the daemon
    ///
    /// The flags are those of run. Paths are taken from the current folder. Without --memory or --threads
    /// the job gets half of what the daemon's node gives to jobs.
    #[command(after_help = jobs::WATCH_EXIT_CODES)]
    Submit(Box<jobs::SubmitArgs>),
    /// List jobs of the daemon, newest first
    #[command(after_help = jobs::EXIT_CODES)]
    Ls(jobs::ListArgs),
    /// Show everything of one job: where it stands, why, and where its output is
    #[command(after_help = jobs::EXIT_CODES)]
    Status(jobs::OneArgs),
    /// Show how a job goes until it has ended; Ctrl-C leaves it running
    #[command(after_help = jobs::WATCH_EXIT_CODES)]
    Watch(jobs::OneArgs),
    /// Print what a job's workers have said
    #[command(after_help = jobs::EXIT_CODES)]
    Logs(jobs::LogsArgs),
    /// Stop jobs for good; what they have written stays
    #[command(after_help = jobs::EXIT_CODES)]
    Cancel(jobs::ManyArgs),
    /// Forget jobs that have ended; their output stays
    #[command(after_help = jobs::EXIT_CODES)]
    Rm(jobs::ManyArgs),
    /// Print the completions for a shell
    #[command(after_help = "Exit codes: 0 done; 2 usage.")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages, for packages
    #[command(hide = true)]
    Man {
        /// Where to
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

#[derive(clap::Args, Debug)]
struct JobArgs {
    /// Job file (TOML) that says the same as the flags; flags win
    #[arg(value_name = "JOB.toml")]
    job: Option<PathBuf>,
    #[command(flatten)]
    settings: JobSettings,
    /// What standard input holds (--input -), if its content does not say [default: smi]
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        hide_default_value = true,
        default_value_t
    )]
    input_format: standard_input::Kind,
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
}

const DEDUP_EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 usage; 3 the input can't be used; 4 done, and some rows were rejected or \
RDKit thinks otherwise of a row that was checked; 75 stopped at a checkpoint, --resume goes on from it.";

#[derive(clap::Args, Debug)]
struct DedupArgs {
    #[command(flatten)]
    job: JobArgs,
    /// Write canonical SMILES: RDKit writes each molecule that remains
    #[arg(long)]
    canonical: bool,
    /// Have RDKit check all rows of N molecules drawn at random; what it sees otherwise is listed in
    /// manifest.json, and the exit code is 4
    #[arg(long, value_name = "N")]
    check: Option<u64>,
}

#[derive(Subcommand, Debug)]
enum RulesCommand {
    /// Compile each rule, run its examples, and say what is wrong where
    Check {
        /// Rule files: TOML, YAML, CSV or TSV
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print JSON, one object per line
        #[arg(long)]
        json: bool,
    },
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// Everything done.
    Done = 0,
    /// It failed on the way.
    Failed = 1,
    /// It was asked for something it can't do.
    Usage = 2,
    /// The input or the rules can't be used.
    Input = 3,
    /// Done, and some rows were rejected or capped.
    Incomplete = 4,
    /// Stopped at a checkpoint (`EX_TEMPFAIL`).
    Stopped = 75,
}

/// Whatever ends the program early.
#[derive(Debug, thiserror::Error)]
enum CliError {
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
    /// The process that does the job can't be started or waited for.
    #[error("cannot {action}: {reason}")]
    Attempt {
        /// What was attempted.
        action: &'static str,
        /// The operating system's words.
        reason: String,
    },
    /// The process that does the job ends again and again.
    #[error(
        "the job's process {how}, in {attempts} attempts without getting further; look at memory and disk; \
         {} goes on from the last checkpoint",
        attempts::resume(output.as_ref())
    )]
    Crashed {
        /// How it ended.
        how: String,
        /// How often.
        attempts: u32,
        /// Where the job writes.
        output: Option<PathBuf>,
    },
    /// The job was asked to stop and can go on.
    #[error("{0}")]
    Stopped(String),
    /// What the job is expected to write does not fit.
    #[error(
        "{}: the job is expected to need {needed} of disk, and {free} is free; if the estimate is too \
         high, say --expected-products and it is not made",
        output.display()
    )]
    DiskTooSmall {
        /// Where it would write.
        output: PathBuf,
        /// What it is expected to need.
        needed: ByteSize,
        /// What the file system has.
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
    /// An engine that is named is not there.
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
    /// Standard input or output fails.
    #[error("standard input or output: {0}")]
    Stream(String),
    /// The daemon's log can't be written.
    #[error("cannot write a log: {0}")]
    Log(String),
    /// The job is too large for the daemon's node.
    #[error("{0}")]
    TooLarge(String),
    /// Whether a job was taken is not known.
    #[error(
        "{error}; molsieve submit --once {key} with the same job finds out whether it was taken"
    )]
    Unsure {
        /// How the connection ended.
        error: ClientError,
        /// The key it was submitted with.
        key: String,
    },
    /// There is no such user.
    #[error("--user: there is no user {0}")]
    NoUser(String),
    /// The folder that relative paths are in can't be told.
    #[error("cannot tell the current folder: {0}")]
    NoFolder(String),
    /// A path can't be told in JSON.
    #[error("the daemon accepts only UTF-8 paths; rename the file or folder, or use molsieve run")]
    NotUtf8,
    /// A page can't be written.
    #[error("{}: {reason}", path.display())]
    CannotWrite {
        /// What was to be written.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// The output directory holds what the job reads.
    #[error(
        "{}: {what} lies in the output directory {}, whose files the job replaces; use another directory",
        path.display(),
        output.display()
    )]
    InputInOutput {
        /// What the job reads.
        what: &'static str,
        /// Where that is.
        path: PathBuf,
        /// The output directory.
        output: PathBuf,
    },
    /// The output is meant to be a file or standard output.
    #[error(
        "--output {}: a job writes a directory of Parquet files, not a file; say --output {}",
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
    /// Nothing came from standard input.
    #[error("--input -: nothing came in")]
    StandardInputEmpty,
    /// The file in which standard input is to be kept is there.
    #[error(
        "{}: an earlier job has kept its standard input here; resume that job, remove the file, or say --overwrite",
        .0.display()
    )]
    StandardInputKept(PathBuf),
    /// There is nothing to resume, and no input to start with.
    #[error("{}: there is no run to resume; to start one, say what its --input is", .0.display())]
    NothingToResume(PathBuf),
}

impl CliError {
    /// The table of exit codes.
    fn exit(&self) -> Exit {
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

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let (attempt, args) = Attempt::of(std::env::args_os().collect());
    let cli = Cli::parse_from(&args);
    // The daemon's log has a form of its own.
    if !matches!(cli.command, Command::Serve(_)) {
        start_log();
    }
    quiet_panics();
    if cli.command.may_load_drivers() {
        quiet_drivers();
    }
    let (json, result) = match cli.command {
        Command::Run(job) => (job.json, run::run(job, &args, attempt.as_ref())),
        Command::Dedup(job) => (job.job.json, run::dedup(job, &args, attempt.as_ref())),
        Command::Plan(args) => (args.json, run::plan(args)),
        Command::Key(args) => (false, key::key(&args)),
        Command::TryParents => (false, run::try_parents()),
        Command::Worker => (true, worker::worker()),
        Command::Doctor(args) => (args.json, doctor::doctor(&args)),
        Command::Bench(args) => (args.json, bench::bench(&args)),
        Command::Rules(RulesCommand::Check { files, json }) => {
            (json, rules_check::check(&files, json))
        }
        Command::Serve(args) => (false, serve::serve(*args)),
        Command::Submit(args) => (args.daemon.json, jobs::submit(*args)),
        Command::Ls(args) => (args.daemon.json, jobs::list(&args)),
        Command::Status(args) => (args.daemon.json, jobs::status(&args)),
        Command::Watch(args) => (args.daemon.json, jobs::watch(&args)),
        Command::Logs(args) => (args.daemon.json, jobs::logs(&args)),
        Command::Cancel(args) => (args.daemon.json, jobs::cancel(&args)),
        Command::Rm(args) => (args.daemon.json, jobs::forget(&args)),
        Command::Completions { shell } => (false, generate::completions(shell)),
        Command::Man { folder } => (false, generate::man(&folder)),
    };
    let exit = result.unwrap_or_else(|error| tell(&error, json));
    ExitCode::from(exit as u8)
}

/// Says what ended the program early, and gives its exit code.
fn tell(error: &CliError, json: bool) -> Exit {
    let exit = error.exit();
    if json {
        let ended = Ended {
            error: error.to_string(),
            exit_code: exit as u8,
        };
        say_event(&match exit {
            Exit::Stopped => Event::Stopped(ended),
            _ => Event::Failed(ended),
        });
    }
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "molsieve: {error}");
    exit
}

/// Writes a line to standard output. That nobody reads it is no reason to end a job.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes an event of a job as one line, which the daemon reads too.
fn say_event(event: &Event) {
    say(&event.line());
}

fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("MOLSIEVE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // It would panic where nobody reads standard error any more.
        .log_internal_errors(false)
        .init();
}

impl Command {
    /// Whether Vulkan drivers may be loaded in this process.
    fn may_load_drivers(&self) -> bool {
        matches!(
            self,
            Self::Run(_)
                | Self::Dedup(_)
                | Self::Plan(_)
                | Self::Worker
                | Self::Doctor(_)
                | Self::Bench(_)
        )
    }
}

/// Mesa's Vulkan drivers look for a Wayland display and complain on standard error where XDG_RUNTIME_DIR is
/// not an absolute path. Gives them one, in which no display can be.
fn quiet_drivers() {
    const NOWHERE: &str = "/dev/null";
    let is_absolute = |folder: std::ffi::OsString| std::path::Path::new(&folder).is_absolute();
    if !std::env::var_os("XDG_RUNTIME_DIR").is_some_and(is_absolute) {
        // SAFETY: no other thread has been started yet.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", NOWHERE) };
    }
}

/// A panic is a fault of molsieve, told in one line; one inside a guarded call into a decoder is
/// turned into an error there and says nothing here.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if !source::in_guarded_call() {
            tracing::debug!("{}", std::backtrace::Backtrace::force_capture());
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("unnamed");
            let _ = writeln!(
                std::io::stderr(),
                "molsieve: internal error in {name}: {panic}"
            );
        }
    }));
}
