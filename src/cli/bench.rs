//! `molsieve bench`.

mod bars;
mod figures;
mod page;
mod plot;
mod scaling;
mod text;

use std::{
    fs,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use super::{
    CliError, Exit,
    run::{Stops, stop_on_signals},
    say,
};
use crate::{
    bench::{self, Effort, Part, Report, ScalingSelection, Selection},
    chem::RdKit,
    config::{THREADS_MAX, command_line_words},
    report::answer,
    sieve::EngineChoice,
    store::{StoreError, disk},
    units::ByteSize,
};

#[derive(clap::Args, Debug)]
pub(super) struct BenchArgs {
    /// Measure this engine; repeatable [default: all engines of this machine, except software renderers]
    #[arg(long = "engine", value_name = "NAME")]
    engines: Vec<EngineChoice>,
    /// Seconds per figure; with --scaling, about the time of a job with all threads
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    seconds: f64,
    /// Measure no filter above this size [default: the largest that fits]
    #[arg(long, value_name = "SIZE", conflicts_with = "scaling")]
    max_filter: Option<ByteSize>,
    /// Measure only this part, with its ceilings; repeatable [default: all parts]
    #[arg(long, value_name = "WHAT", conflicts_with = "scaling")]
    only: Vec<Part>,
    /// Run whole jobs with 1, 2, 4 … all processors instead: speed-up, and what limits it
    #[arg(long)]
    scaling: bool,
    /// With --scaling: numbers of threads, for example 1,8,64
    #[arg(long, value_name = "N,…", value_delimiter = ',', requires = "scaling",
        value_parser = clap::value_parser!(u64).range(1..=THREADS_MAX.get() as u64))]
    threads: Vec<u64>,
    /// With --scaling: how many times each job runs with each number of threads
    #[arg(long, value_name = "N", default_value_t = 3, requires = "scaling",
        value_parser = clap::value_parser!(u64).range(1..=1_000))]
    repeat: u64,
    /// With --scaling: a library instead of a generated one
    #[arg(long, value_name = "FILE", requires = "scaling")]
    input: Option<PathBuf>,
    /// With --scaling: rules instead of [cH:1]>>[c:1]F
    #[arg(long, value_name = "FILE", requires = "scaling")]
    rules: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Write a self-contained HTML page with tables and plots
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

command_line_words!(Part {
    Ceilings: "ceilings", "Copies both ways, random reads and random atomics";
    Hash: "hash", "Keys of products";
    Keys: "keys", "Structure keys";
    Filters: "filters", "Look-ups, inserts and the whole sieve at many sizes of filter";
    Chemistry: "chemistry", "RDKit on one core";
});

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: Result<f64, _> = text.parse();
    seconds
        .ok()
        .filter(|seconds| *seconds > 0.0 && *seconds <= 3_600.0)
        .ok_or_else(|| "not a number of seconds above 0 and at most 3600".into())
}

/// Measures and prints the report.
pub(super) fn bench(args: &BenchArgs) -> Result<Exit, CliError> {
    let shown = std::io::stderr().is_terminal();
    let mut progress = |what: &str| {
        tracing::info!("measuring {what}");
        if shown {
            // If standard error is closed, no one reads the progress.
            let _ = writeln!(std::io::stderr(), "measuring {what}");
        }
    };
    let report = measure(args, &mut progress)?;
    if let Some(path) = &args.html {
        write_page(path, &page::page(&report))?;
    }
    if args.json {
        say(&answer::line(&report));
    } else {
        say(&text::text(&report));
    }
    Ok(match report.is_whole() {
        true => Exit::Done,
        false => Exit::Failed,
    })
}

fn measure(args: &BenchArgs, progress: &mut dyn FnMut(&str)) -> Result<Report, CliError> {
    let effort = Effort {
        seconds: args.seconds,
    };
    let engines = args.engines.clone();
    let rdkit = RdKit::initialise()?;
    if args.scaling {
        let selection = ScalingSelection {
            engines,
            threads: args.threads.iter().map(|n| *n as usize).collect(),
            rounds: args.repeat as usize,
            effort,
            input: args.input.clone(),
            rules: args.rules.clone(),
        };
        let stop = stop_on_signals(Stops::FromOutside)?;
        return Ok(bench::scaling(rdkit, &selection, &stop, progress)?);
    }
    let selection = Selection {
        engines,
        effort,
        filter_bytes_max: args.max_filter.map(|size| size.0),
        only: args.only.clone(),
    };
    Ok(bench::run(rdkit, &selection, progress)?)
}

/// Writes a temporary file beside the target and renames it, so that a page is never incomplete.
fn write_page(path: &Path, page: &str) -> Result<(), CliError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    fs::write(&beside, page).map_err(|error| StoreError::io(&beside, "write", &error))?;
    Ok(disk::rename(&beside, path)?)
}
