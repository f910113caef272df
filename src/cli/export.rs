//! `molsieve export`.

use std::{
    io::{self, ErrorKind, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::{CliError, Exit, run, say, say_aside};
use crate::{
    chem::RdKit,
    config::{PART_BYTES_MIN, THREADS_MAX},
    export::{Export, ExportError, Exported, Wanted, Watch},
    limits::PART_BYTES_DEFAULT,
    machine,
    store::{CANONICAL_EXPORT, EXPORT_PREFIX, Existing, OutputDir, StoreError, disk, part_name},
    table::sink::{ColumnNames, Coordinates, OutputFormat, TextCompression, TextKind},
    units::{ByteSize, count, counted},
};

/// The arguments of `export`.
#[derive(clap::Args, Debug)]
pub(super) struct ExportArgs {
    /// Output directory of a complete run
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Format: parquet, smi, csv or sdf, or smi.gz, smi.zst, … [default: by the name of the output]
    #[arg(long, value_name = "FORMAT")]
    format: Option<OutputFormat>,
    /// Columns to write, in this order, such as smiles,parent_id [default: all]
    #[arg(long, value_name = "NAME,…")]
    columns: Option<ColumnNames>,
    /// Directory, or a file such as products.smi.gz, or - for standard output [default: DIR/export-FORMAT]
    ///
    /// A directory gets parts, a file all rows.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Only the products of this step, of a run of several [default: of all]
    #[arg(long, value_name = "K")]
    step: Option<u64>,
    /// Molecules of an SDF that have 2D coordinates [default: stereo]
    #[arg(long, value_enum, value_name = "WHICH")]
    coordinates: Option<Coordinates>,
    /// Make the SMILES canonical, of a run with --smiles direct
    #[arg(long)]
    canonical: bool,
    #[command(flatten)]
    writing: WritingArgs,
}

/// How an export is written.
#[derive(clap::Args, Debug)]
struct WritingArgs {
    /// Size at which a part is closed [default: 64MiB]
    #[arg(long, value_name = "SIZE")]
    part_size: Option<ByteSize>,
    /// Threads that write [default: the CPUs this process may use]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Replace an earlier export
    #[arg(long)]
    overwrite: bool,
}

/// The arguments of `canonicalize`.
#[derive(clap::Args, Debug)]
pub(super) struct CanonicalizeArgs {
    /// Output directory of a complete run with --smiles direct
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Directory for the Parquet parts [default: DIR/export-canonical]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    writing: WritingArgs,
}

/// Writes the rows of a complete run with canonical SMILES.
pub(super) fn canonicalize(args: CanonicalizeArgs) -> Result<Exit, CliError> {
    let name = format!("{EXPORT_PREFIX}{CANONICAL_EXPORT}");
    export(&ExportArgs {
        output: Some(args.output.unwrap_or_else(|| args.directory.join(name))),
        directory: args.directory,
        format: Some(OutputFormat::Parquet),
        columns: None,
        step: None,
        coordinates: None,
        canonical: true,
        writing: args.writing,
    })
}

/// Where the rows go.
enum Target {
    Directory(PathBuf),
    File(PathBuf),
    StandardOutput,
}

/// Time between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Writes the rows of a complete run in another format.
pub(super) fn export(args: &ExportArgs) -> Result<Exit, CliError> {
    let (target, wanted) = args.resolve()?;
    let export = Export::open(&args.directory, &wanted)?;
    let threads = match args.writing.threads {
        Some(threads) if threads > THREADS_MAX => {
            return Err(CliError::Export(format!(
                "--threads: at most {THREADS_MAX}"
            )));
        }
        Some(threads) => threads.get(),
        None => machine::processors(),
    };
    let part_bytes = args
        .writing
        .part_size
        .map_or(PART_BYTES_DEFAULT, |size| size.0);
    if part_bytes < PART_BYTES_MIN {
        let least = ByteSize(PART_BYTES_MIN);
        return Err(CliError::Export(format!("--part-size: at least {least}")));
    }
    let stop = run::stop_on_signals(run::Stops::FromOutside)?;
    let (mut said, rows) = (Instant::now(), export.rows());
    let mut watch = Watch {
        stop: &stop,
        progress: &mut |written| {
            if said.elapsed() >= LINE_EVERY {
                said = Instant::now();
                say_aside(&format!(
                    "{} of {} rows written",
                    count(written),
                    count(rows)
                ));
            }
        },
    };
    let exported = match &target {
        Target::Directory(directory) => {
            let output = OutputDir::open(directory, args.existing())?;
            let written = export.write_parts(&output, part_bytes, threads, &mut watch);
            finish(output, written)?
        }
        Target::File(file) => {
            write_file(&export, file, args.writing.overwrite, threads, &mut watch)?
        }
        Target::StandardOutput => match write_out(&export, threads, &mut watch)? {
            Some(exported) => exported,
            None => return Ok(Exit::Done),
        },
    };
    Ok(said_of(&target, &exported))
}

/// Says what was written.
fn said_of(target: &Target, exported: &Exported) -> Exit {
    let bytes = exported.parts.iter().map(|part| part.file.bytes).sum();
    let (rows, bytes) = (counted(exported.rows, "row"), ByteSize(bytes));
    match target {
        Target::Directory(directory) => {
            let parts = counted(exported.parts.len() as u64, "part");
            say(&format!(
                "{}: {rows}, {bytes} in {parts}",
                directory.display()
            ));
        }
        Target::File(file) => say(&format!("{}: {rows}, {bytes}", file.display())),
        Target::StandardOutput => {}
    }
    if exported.left_as_written > 0 {
        say_aside(&format!(
            "{} left as written: RDKit can't read the SMILES",
            counted(exported.left_as_written, "row")
        ));
    }
    if exported.without_mol_block > 0 {
        say_aside(&format!(
            "{} without atoms: RDKit makes no mol block of the SMILES, which is beside it",
            counted(exported.without_mol_block, "record")
        ));
    }
    match exported.left_as_written + exported.without_mol_block {
        0 => Exit::Done,
        _ => Exit::Incomplete,
    }
}

impl ExportArgs {
    fn existing(&self) -> Existing {
        match self.writing.overwrite {
            true => Existing::Overwrite,
            false => Existing::Refuse,
        }
    }

    /// Where to write, and what.
    fn resolve(&self) -> Result<(Target, Wanted), CliError> {
        let wrong = |reason: String| Err(CliError::Export(reason));
        let target = match self.output.as_deref() {
            None => None,
            Some(output) if output == Path::new("-") => Some(Target::StandardOutput),
            Some(output) => {
                let is_file = !output.is_dir() && OutputFormat::of_file(output).is_some();
                let target = if is_file {
                    Target::File
                } else {
                    Target::Directory
                };
                Some(target(output.into()))
            }
        };
        let by_name = match &target {
            Some(Target::File(file)) => OutputFormat::of_file(file),
            Some(Target::StandardOutput) => {
                Some(OutputFormat::Text(TextKind::Smi, TextCompression::None))
            }
            _ => None,
        };
        let Some(format) = self.format.or(by_name) else {
            return wrong("give a --format: parquet, smi, csv or sdf".into());
        };
        match &target {
            Some(Target::File(file)) if by_name != Some(format) => {
                let file = file.display();
                return wrong(format!("--format {format} and the name {file} disagree"));
            }
            Some(Target::StandardOutput) if format == OutputFormat::Parquet => {
                return wrong("a pipe can't take Parquet; use --format smi, csv or sdf".into());
            }
            _ => {}
        }
        if self.columns.is_some() && format.text() == Some(TextKind::Smi) {
            return wrong("--columns: smi has a SMILES and a name; use --format csv".into());
        }
        if self.coordinates.is_some() && format.text() != Some(TextKind::Sdf) {
            return wrong(format!(
                "--coordinates: {format} has none; use --format sdf"
            ));
        }
        let default = || self.directory.join(format!("{EXPORT_PREFIX}{format}"));
        let wanted = Wanted {
            format,
            columns: self.columns.clone(),
            coordinates: self.coordinates.unwrap_or_default(),
            step: self.step,
            canonical: match self.canonical {
                true => Some(RdKit::initialise().map_err(ExportError::from)?),
                false => None,
            },
        };
        Ok((
            target.unwrap_or_else(|| Target::Directory(default())),
            wanted,
        ))
    }
}

/// Ends the work in a directory; removes what was written if that failed.
fn finish(output: OutputDir, written: Result<Exported, ExportError>) -> Result<Exported, CliError> {
    match written {
        Ok(exported) => {
            output.finish()?;
            Ok(exported)
        }
        Err(error) => {
            // The error to report is the first.
            let _ = output.abandon();
            Err(error.into())
        }
    }
}

/// Writes all rows to a file, which appears when it is complete.
fn write_file(
    export: &Export,
    file: &Path,
    overwrite: bool,
    threads: usize,
    watch: &mut Watch<'_>,
) -> Result<Exported, CliError> {
    if !overwrite && file.symlink_metadata().is_ok() {
        return Err(StoreError::Exists(file.into()).into());
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let output = OutputDir::open(&beside, Existing::Refuse)?;
    let written = export.write_parts(&output, u64::MAX, threads, watch);
    let format = OutputFormat::of_file(file).expect("the name of a file has a format");
    let moved = written.and_then(|exported| {
        let part = beside.join(part_name(0, format.name()));
        match overwrite {
            true => disk::rename(&part, file)?,
            false => disk::rename_new(&part, file)?,
        }
        let folder = file.parent().filter(|folder| *folder != Path::new(""));
        disk::sync_dir(folder.unwrap_or(Path::new(".")))?;
        Ok(exported)
    });
    let exported = finish(output, moved)?;
    disk::remove(&beside)?;
    Ok(exported)
}

/// Writes all rows to standard output; `None`: nobody reads them any more.
fn write_out(
    export: &Export,
    threads: usize,
    watch: &mut Watch<'_>,
) -> Result<Option<Exported>, CliError> {
    let left = AtomicBool::new(false);
    let out = Piped {
        out: io::stdout().lock(),
        left: &left,
    };
    match export.write_text((out, Path::new("standard output")), threads, watch) {
        Ok(exported) => Ok(Some(exported)),
        Err(_) if left.load(Relaxed) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Standard output, which notes that nobody reads it any more.
struct Piped<'a> {
    out: io::StdoutLock<'static>,
    left: &'a AtomicBool,
}

impl Piped<'_> {
    fn noted<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.inspect_err(|error| {
            if error.kind() == ErrorKind::BrokenPipe {
                self.left.store(true, Relaxed);
            }
        })
    }
}

impl Write for Piped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.out.write(bytes);
        self.noted(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.noted(done)
    }
}
