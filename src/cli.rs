//! The command line: flags in, exit codes out.
//!
//! A job writes its progress to standard error while it runs, and its summary to standard output when it
//! ends: `molsieve run … > summary.txt` keeps the summary and shows the progress. With `--json` standard
//! output carries one JSON object per line and nothing else. With `--output -` it carries the rows, and the summary goes to
//! standard error.

mod admin;
mod attempts;
mod bench;
mod diff;
mod doctor;
mod error;
mod events;
mod export;
mod foreign_flag;
mod generate;
mod job_log;
mod jobs;
mod key;
mod live;
mod notify;
mod page;
mod places;
mod plan;
mod progress;
mod report;
mod route;
mod rules_check;
mod rules_convert;
mod rules_table;
mod run;
mod serve;
mod serve_log;
mod show;
mod space;
mod standard_input;
mod stream;
mod top;
mod ui;
mod worker;

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use attempts::Attempt;
use clap::{Parser, Subcommand};
use error::CliError;

use crate::{
    config::{DedupFlags, DeriveFlags, Task},
    report::event::{Ended, Event},
    table::source,
};

/// Apply reaction rules to a library within a memory limit, and write each distinct product once
#[derive(Parser, Debug)]
#[command(
    name = "molsieve",
    version,
    max_term_width = 100,
    help_template = "{about}\n\n{usage-heading} {usage}\n\n{subcommands}\n\n{options}{after-help}",
    after_long_help = EXIT_CODES
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 usage; 3 the input or the rules can't be used; 4 done, and some rows \
were rejected or capped; 75 stopped at a checkpoint, --resume continues from it.
MOLSIEVE_LOG=debug shows the log messages of RDKit and molsieve.";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a job: apply rules to a library and write each distinct product once
    ///
    /// Without rules the job cleans the library: each molecule is parsed, written as canonical SMILES and
    /// deduplicated.
    #[command(after_long_help = EXIT_CODES)]
    Run(Box<JobArgs<DeriveFlags>>),
    /// Deduplicate a library: keep the first record of each molecule as it is
    ///
    /// Two records are the same molecule exactly when RDKit's canonical SMILES of both are equal. Most records
    /// are compared without RDKit; docs/identity.md says how.
    #[command(after_long_help = DEDUP_EXIT_CODES)]
    Dedup(Box<JobArgs<DedupFlags>>),
    /// Show how many products a job would make, and its use of memory; writes nothing
    Plan(Box<JobArgs<DeriveFlags>>),
    /// Print the structure key of SMILES, which is the same for every SMILES of a molecule
    ///
    /// One line per SMILES: the key in hex, a tab, the SMILES. If RDKit can't read a SMILES, the line starts
    /// with `error: …` instead of the key.
    #[command(
        after_long_help = "Exit codes: 0 done; 1 failed; 2 usage; 4 done, and some SMILES can't be read."
    )]
    Key(key::KeyArgs),
    /// Print the way from a molecule of the library to a product, rule by rule
    #[command(
        after_long_help = "Exit codes: 0 done; 1 failed, or no product is this molecule; 2 usage; 3 the library or the \
rules can't be used."
    )]
    Route(route::RouteArgs),
    /// Write the rows of a complete run as SMILES, CSV, SDF or Parquet, or with other columns
    #[command(
        after_long_help = "Exit codes: 0 done; 1 failed; 2 usage; 4 done, and RDKit makes no mol block of some molecules; \
75 stopped on request."
    )]
    Export(export::ExportArgs),
    /// Write the rows of a run with --smiles direct again, with canonical SMILES
    #[command(
        after_long_help = "Exit codes: 0 done; 1 failed; 2 usage; 4 done, and RDKit can't read some rows; 75 stopped on request."
    )]
    Canonicalize(export::CanonicalizeArgs),
    /// Compare two outputs: what only one of them has, by key, as counts and as files
    ///
    /// A and B are output directories of complete jobs whose keys are of the same kind.
    #[command(
        after_long_help = "Exit codes: 0 done, also if they differ; 1 failed; 2 usage; 3 an output can't be compared."
    )]
    Diff(diff::DiffArgs),
    /// Write a page about a run: counts, plots and structures; or about what two runs have in common
    ///
    /// The page is one HTML file, which loads nothing. Large runs are sampled.
    #[command(
        after_long_help = "Exit codes: 0 done; 1 failed; 2 usage; 3 the runs can't be compared."
    )]
    Report(page::ReportArgs),
    /// Print or draw rows of a run or of a Parquet file
    ///
    /// A table on a terminal is cut to its width. Properties in --where that have no column are computed.
    #[command(after_long_help = "Exit codes: 0 done; 1 failed; 2 usage; 3 the file can't be read.")]
    Show(show::ShowArgs),
    /// Transform the parents on standard input as a job would; used by `run`
    #[command(hide = true)]
    TryParents,
    /// Run one job for the daemon; used by `serve`
    #[command(hide = true)]
    Worker,
    /// Serve a socket of this machine that leads to a daemon on another one; used by clients in other languages
    #[command(hide = true)]
    Tunnel(jobs::SocketArgs),
    /// Check whether a user can write to a disk; used by `serve`
    #[command(hide = true)]
    CheckSpace,
    /// Notify of the end of a job for the daemon; used by `serve`
    #[command(hide = true)]
    Notify,
    /// Check this machine: RDKit, limits, engines, devices
    #[command(
        after_long_help = "Exit codes: 0 every available engine works; 1 an engine fails; 2 usage, or a named engine \
is not available."
    )]
    Doctor(doctor::DoctorArgs),
    /// Measure this machine: engines, RDKit, and what a GPU would save
    ///
    /// Measures each step of each engine and the whole sieve, compares them with the memory bandwidth, and
    /// says which share of a job a GPU can take over.
    #[command(
        after_long_help = "Exit codes: 0 done; 1 an engine fails or gives wrong results; 2 usage, or a named engine \
is not available."
    )]
    Bench(bench::BenchArgs),
    /// Work with rule files
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Run the daemon: accept jobs over a Unix socket, one process per job
    #[command(
        after_long_help = "Exit codes: 0 stopped on request, running jobs are at a checkpoint; 1 failed; 2 usage."
    )]
    Serve(Box<serve::ServeArgs>),
    /// Work on the daemon's state, as its administrator
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Submit a job to the daemon
    ///
    /// The flags are those of run. Relative paths start at the current folder. Without --memory or --threads
    /// the job gets half of what the daemon gives to jobs.
    #[command(after_long_help = jobs::WATCH_EXIT_CODES)]
    Submit(Box<jobs::SubmitArgs>),
    /// List the jobs of the daemon, newest first
    #[command(after_long_help = jobs::EXIT_CODES)]
    Ls(jobs::ListArgs),
    /// Show one job: its state, its progress and its output
    #[command(after_long_help = jobs::EXIT_CODES)]
    Status(jobs::OneArgs),
    /// Follow a job until it ends; Ctrl-C leaves the job running
    #[command(after_long_help = jobs::WATCH_EXIT_CODES)]
    Watch(jobs::OneArgs),
    /// Wait until jobs have ended
    #[command(after_long_help = jobs::WAIT_EXIT_CODES)]
    Wait(jobs::WaitArgs),
    /// Watch the daemon on the terminal: its node, its jobs and their progress
    #[command(after_long_help = "Exit codes: 0 done; 1 failed; 2 usage, or this is no terminal.")]
    Top(top::TopArgs),
    /// Print the log of a job
    #[command(after_long_help = jobs::EXIT_CODES)]
    Logs(jobs::LogsArgs),
    /// Change priority, memory or threads of jobs that have not ended
    #[command(after_long_help = jobs::EXIT_CODES)]
    Set(jobs::SetArgs),
    /// Cancel jobs; the files they have written stay
    #[command(after_long_help = jobs::EXIT_CODES)]
    #[command(override_usage = "molsieve cancel [OPTIONS] [ID]...")]
    Cancel(jobs::BulkArgs),
    /// Remove ended jobs from the list; their output stays
    #[command(after_long_help = jobs::EXIT_CODES)]
    #[command(override_usage = "molsieve rm [OPTIONS] [ID]...")]
    Rm(jobs::BulkArgs),
    /// Show the daemon's jobs in a browser, on this machine only
    ///
    /// Prints the address and opens it in your browser. The address opens once and for you only. The page shows what you
    /// may see of the daemon. Ctrl-C ends it; jobs continue.
    #[command(
        after_long_help = "Exit codes: 0 ended on request; 1 the daemon cannot be reached, or the port is in use; 2 usage."
    )]
    Ui(ui::UiArgs),
    /// Print the completions of a shell
    #[command(after_long_help = "Exit codes: 0 done; 2 usage.")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages, for packages
    #[command(hide = true)]
    Man {
        /// Folder to write to
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

#[derive(clap::Args, Debug)]
struct JobArgs<F: clap::Args> {
    /// Job file: TOML with the same settings; flags win
    #[arg(value_name = "JOB.toml")]
    job: Option<PathBuf>,
    #[command(flatten)]
    settings: F,
    /// Format of standard input (--input -), if molsieve can't detect it [default: smi]
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    #[arg(hide_default_value = true, hide_short_help = true)]
    input_format: standard_input::Kind,
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
}

const DEDUP_EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 usage; 3 the input can't be used; 4 done, and some rows were rejected or \
RDKit disagrees about a checked row; 75 stopped at a checkpoint, --resume continues from it.";

#[derive(Subcommand, Debug)]
enum RulesCommand {
    /// Compile each rule, run its examples, and list every fault with its line
    #[command(
        after_long_help = "Exit codes: 0 done; 1 failed; 2 usage; 3 a rule has a fault, or the library can't be used."
    )]
    Check(rules_check::CheckArgs),
    /// Write rules as molsieve's TOML: rule files of any kind, and the lists of other RDKit-based tools
    ///
    /// Everything that can't be written as TOML is named on standard error, one line each: faulty rules, and
    /// keys of other tools that molsieve does not have.
    #[command(
        after_long_help = "Exit codes: 0 done; 1 failed; 2 usage; 3 a file can't be read, or no rule is valid: nothing \
is written; 4 done, and faulty rules were left out."
    )]
    Convert(rules_convert::ConvertArgs),
}

/// This executable, even after its file was replaced: the attempts of a job and the trials of parents are
/// processes of it.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// Everything done.
    Done = 0,
    /// It failed on the way.
    Failed = 1,
    /// The command line, a job file or a setting is wrong.
    Usage = 2,
    /// The input or the rules can't be used.
    Input = 3,
    /// Done, and some rows were rejected or capped.
    Incomplete = 4,
    /// Stopped at a checkpoint (`EX_TEMPFAIL`).
    Stopped = 75,
}

impl Exit {
    /// How a process of this program ended that exited with `code`.
    fn of(code: i32) -> Self {
        let all = [
            Self::Done,
            Self::Usage,
            Self::Input,
            Self::Incomplete,
            Self::Stopped,
        ];
        let exit = all.into_iter().find(|exit| *exit as i32 == code);
        exit.unwrap_or(Self::Failed)
    }
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    // Processes that this program starts would be called `exe`. A name is no condition for work.
    let _ = nix::sys::prctl::set_name(c"molsieve");
    let (attempt, args) = Attempt::of(std::env::args_os().collect());
    let cli = Cli::try_parse_from(&args)
        .unwrap_or_else(|error| foreign_flag::explain(error, &args).exit());
    if cli.command.logs_to_stderr() {
        start_log();
    }
    quiet_panics();
    if cli.command.may_load_drivers() {
        quiet_drivers();
    }
    let (json, result) = match cli.command {
        Command::Run(job) => (job.json, run::run(*job, None, &args, attempt.as_ref())),
        Command::Dedup(job) => {
            let task = Some(Task::Dedup);
            (job.json, run::run(*job, task, &args, attempt.as_ref()))
        }
        Command::Plan(args) => (args.json, run::plan(*args)),
        Command::Key(args) => (false, key::key(&args)),
        Command::Route(args) => (args.json, route::route(&args)),
        Command::Export(args) => (false, export::export(&args)),
        Command::Canonicalize(args) => (false, export::canonicalize(args)),
        Command::Diff(args) => (args.json, diff::diff(&args)),
        Command::Report(args) => (args.json, page::report(&args)),
        Command::Show(args) => (args.json, show::show(&args)),
        Command::TryParents => (false, run::try_parents()),
        Command::Worker => (true, worker::worker()),
        Command::Tunnel(args) => (false, jobs::tunnel(&args)),
        Command::CheckSpace => (false, worker::check_space()),
        Command::Notify => (false, notify::notify()),
        Command::Doctor(args) => (args.json, doctor::doctor(&args)),
        Command::Bench(args) => (args.json, bench::bench(&args)),
        Command::Rules(RulesCommand::Check(args)) => (args.json, rules_check::check(&args)),
        Command::Rules(RulesCommand::Convert(args)) => (false, rules_convert::convert(&args)),
        Command::Serve(args) => (false, serve::serve(*args)),
        Command::Admin(admin::AdminCommand::Backup(args)) => (args.json, admin::backup(&args)),
        Command::Submit(args) => (args.daemon.json, jobs::submit(*args)),
        Command::Ls(args) => (args.daemon.json, jobs::list(&args)),
        Command::Status(args) => (args.daemon.json, jobs::status(&args)),
        Command::Watch(args) => (args.daemon.json, jobs::watch(&args)),
        Command::Wait(args) => (args.daemon.json, jobs::wait(&args)),
        Command::Top(args) => (false, top::top(&args)),
        Command::Logs(args) => (args.daemon.json, jobs::logs(&args)),
        Command::Set(args) => (args.jobs.daemon.json, jobs::set(&args)),
        Command::Cancel(args) => (args.daemon.json, jobs::cancel(&args)),
        Command::Rm(args) => (args.daemon.json, jobs::forget(&args)),
        Command::Ui(args) => (args.daemon.json, ui::ui(&args)),
        Command::Completions { shell } => (false, generate::completions(shell)),
        Command::Man { folder } => (false, generate::man(&folder)),
    };
    let exit = result.unwrap_or_else(|error| report_error(&error, json));
    ExitCode::from(exit as u8)
}

/// Reports the error that ended the program, and returns its exit code.
fn report_error(error: &CliError, json: bool) -> Exit {
    let exit = error.exit();
    if json {
        let ended = Ended {
            error: error.to_string(),
            exit_code: exit as u8,
            shortage: match error {
                CliError::NoSpace { shortage, .. } => Some(shortage.clone()),
                _ => None,
            },
        };
        say_event(&match exit {
            Exit::Stopped => Event::Stopped(ended),
            _ => Event::Failed(ended),
        });
    }
    say_aside(&error.to_string());
    exit
}

/// Writes a line to standard output. A closed pipe does not end the job.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes a remark to standard error. If that is closed, nobody reads it.
fn say_aside(remark: &str) {
    let _ = writeln!(std::io::stderr(), "molsieve: {remark}");
}

/// Writes an object as one line of JSON.
fn say_json(object: &impl serde::Serialize) {
    say(&serde_json::to_string(object).expect("its keys are texts"));
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
        // Otherwise a closed standard error would cause a panic.
        .log_internal_errors(false)
        .init();
}

impl Command {
    /// Whether log messages go to standard error. The daemon starts its own log, and messages would spoil the screen of
    /// `top`.
    fn logs_to_stderr(&self) -> bool {
        match self {
            Self::Serve(_) => false,
            Self::Top(_) => !std::io::stderr().is_terminal(),
            _ => true,
        }
    }

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

/// Sets XDG_RUNTIME_DIR if it is not an absolute path. Mesa's Vulkan drivers look there for a Wayland display,
/// and print an error without an absolute path. The value set here contains no display.
fn quiet_drivers() {
    const NOWHERE: &str = "/dev/null";
    let is_absolute = |folder: std::ffi::OsString| std::path::Path::new(&folder).is_absolute();
    if !std::env::var_os("XDG_RUNTIME_DIR").is_some_and(is_absolute) {
        // SAFETY: no other thread has been started yet.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", NOWHERE) };
    }
}

/// Reports a panic, which is a fault of molsieve, in one line. A panic inside a guarded call of a decoder
/// becomes an error there and is not reported here.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if !source::in_guarded_call() {
            tracing::debug!("{}", std::backtrace::Backtrace::force_capture());
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("unnamed");
            say_aside(&format!("internal error in {name}: {panic}"));
        }
    }));
}
