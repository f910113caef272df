//! `molsieve report`.

use std::{
    cell::RefCell,
    io::{BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

use super::{CliError, Exit, diff::SortingArgs, live::Live, say, say_json};
use crate::{
    chem::RdKit,
    page::{MEMORY_MIN, PageError, Report, Settings},
    pipeline::PrepareError,
    store::{COMPARISON_PREFIX, NewFile, REPORT, StoreError, plain},
    units::{ByteSize, count, counted},
};

/// The arguments of `report`.
#[derive(clap::Args, Debug)]
pub(super) struct ReportArgs {
    /// Output directory of a complete job
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Another one, to compare the first with
    #[arg(value_name = "DIR2")]
    other: Option<PathBuf>,
    /// The page; - writes it to standard output [default: DIR/report.html]
    ///
    /// Of two runs, the default is DIR/compared-with-DIR2.html.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file that --output names
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    sorting: SortingArgs,
    /// Print all that the page shows as one JSON object, and write no page
    #[arg(long)]
    pub(super) json: bool,
}

/// Writes the report of one run or two.
pub(super) fn report(args: &ReportArgs) -> Result<Exit, CliError> {
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    let path = args.output.clone().unwrap_or_else(|| usual_path(args));
    if let Some(named) = args
        .output
        .as_ref()
        .filter(|_| !to_stdout && !args.overwrite)
        && named.symlink_metadata().is_ok()
    {
        return Err(StoreError::Exists(named.clone()).into());
    }
    let memory = args.sorting.memory();
    if memory.0 < MEMORY_MIN {
        return Err(PageError::Memory { memory }.into());
    }
    let rdkit = RdKit::initialise().map_err(PrepareError::from)?;
    let report = make(args, memory, rdkit)?;
    if args.json {
        say_json(&report);
        return Ok(Exit::Done);
    }
    if to_stdout {
        let mut out = BufWriter::new(std::io::stdout().lock());
        let written = report.write_html(&mut out).and_then(|()| out.flush());
        written.map_err(|error| CliError::Stream(plain(&error)))?;
        return Ok(Exit::Done);
    }
    let bytes = write(&report, &path)?;
    let pictures = report.runs.iter().map(|run| run.gallery.len() as u64);
    say(&format!(
        "{}: {} with {}",
        path.display(),
        ByteSize(bytes),
        counted(pictures.sum(), "structure"),
    ));
    Ok(Exit::Done)
}

/// Where the page goes if nothing else is said.
fn usual_path(args: &ReportArgs) -> PathBuf {
    let name = match &args.other {
        None => REPORT.to_owned(),
        Some(other) => {
            let other = std::path::absolute(other).unwrap_or_else(|_| other.clone());
            let name = other.file_name().unwrap_or_default();
            format!("{COMPARISON_PREFIX}{}.html", name.to_string_lossy())
        }
    };
    args.directory.join(name)
}

fn make(args: &ReportArgs, memory: ByteSize, rdkit: RdKit) -> Result<Report, CliError> {
    let live = std::io::stderr().is_terminal() && Live::is_possible();
    let live = RefCell::new(live.then(Live::new));
    let show = |done, of, what: &str| {
        if let Some(live) = &*live.borrow() {
            live.show(|| (format!("{} of {} {what}", count(done), count(of)), done, of));
        }
    };
    let watch = |done, of| show(done, of, "structures drawn");
    let made = match &args.other {
        None => Report::of_run(rdkit, &args.directory, &watch),
        Some(other) => {
            let settings = Settings {
                memory,
                threads: args.sorting.threads(),
            };
            let go_on = |standing: crate::diff::Standing| {
                show(standing.done, standing.of, "keys compared");
                true
            };
            Report::of_two(rdkit, [&args.directory, other], settings, &go_on, &watch)
        }
    };
    if let Some(live) = live.take() {
        live.clear();
    }
    Ok(made?)
}

/// Writes the page to a file, which appears when it is complete. Returns its size.
fn write(report: &Report, path: &Path) -> Result<u64, CliError> {
    let file = NewFile::replace(path)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let written = report.write_html(&mut out);
    written.map_err(|error| StoreError::io(path, "write", &error))?;
    let file = out.into_inner();
    let file = file.map_err(|error| StoreError::io(path, "write", error.error()))?;
    file.publish()?;
    let size = path.metadata();
    Ok(size
        .map_err(|error| StoreError::io(path, "read", &error))?
        .len())
}
