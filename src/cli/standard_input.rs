//! `--input -`. A job reads its library several times: to plan, to do the work, to go on after a stop. Standard input can
//! be read once, so the supervisor first keeps it in a file beside the output directory, tells the attempts of it, and
//! removes it when the job is done. A job that is resumed later finds it under the name in its `job.toml`.

use std::{
    ffi::OsString,
    fs,
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use clap::ValueEnum;

use super::{CliError, places};
use crate::{
    config::JobSettings,
    limits::SPILL_BUFFER_BYTES,
    store::{
        OutputDir, StoreError,
        disk::{self, DiskFile},
    },
    table::source::SourceError,
    units::ByteSize,
};

/// Where an attempt is told what stands for standard input.
const VARIABLE: &str = "MOLSIEVE_STANDARD_INPUT";

/// What standard input holds, where its content alone does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// SMILES and id on each line; a table whose header names the SMILES, SDF and Parquet are found out
    #[default]
    Smi,
    /// A table with commas, semicolons or bars
    Csv,
    /// A table with tabs
    Tsv,
    /// Mol blocks
    Sdf,
}

impl Kind {
    fn extension(self) -> &'static str {
        match self {
            Self::Smi => "smi",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Sdf => "sdf",
        }
    }
}

/// Whether standard input is among the inputs.
pub(super) fn is_wanted(settings: &JobSettings) -> bool {
    settings.input.iter().any(|input| input.as_os_str() == "-")
}

/// What was kept of standard input.
pub(super) struct Kept {
    path: PathBuf,
}

impl Kept {
    /// What an attempt has to have in its environment.
    pub(super) fn variable(&self) -> (&'static str, &Path) {
        (VARIABLE, &self.path)
    }

    /// Says where it is, for a job that has not ended well.
    pub(super) fn say(&self) {
        say(format_args!(
            "{} keeps what came from standard input, and --resume reads it from there",
            self.path.display()
        ));
    }

    /// To be called when the job is done.
    pub(super) fn remove(&self) -> Result<(), CliError> {
        fs::remove_file(&self.path)
            .map_err(|error| StoreError::io(&self.path, "remove", &error).into())
    }
}

/// Keeps standard input for a job whose settings are right, and whose output may be written. `None`: the settings lack
/// something, which the attempt will say.
pub(super) fn keep(settings: &JobSettings, kind: Kind) -> Result<Option<Kept>, CliError> {
    let stdin = std::io::stdin();
    let times = settings
        .input
        .iter()
        .filter(|input| input.as_os_str() == "-");
    if times.count() > 1 {
        return Err(CliError::StandardInput("it can be read once only"));
    }
    if stdin.is_terminal() {
        return Err(CliError::StandardInput(
            "it is a terminal; pipe a library into it, or name a file",
        ));
    }
    let Ok(spec) = settings.clone().check() else {
        return Ok(None);
    };
    let path = beside(&spec.output, kind);
    if spec.resume && path.exists() {
        return Ok(Some(Kept { path }));
    }
    places::check(&spec, settings.job_file.as_deref())?;
    OutputDir::check(&spec.output, spec.existing())?;
    if path.exists() && !spec.overwrite {
        return Err(CliError::StandardInputKept(path));
    }
    if let Some(folder) = path.parent() {
        disk::create_dir(folder)?;
    }
    let bytes = copy(stdin.lock(), &path)?;
    let size = ByteSize(bytes);
    say(format_args!(
        "standard input, {size}, is kept in {} until the job is done",
        path.display()
    ));
    Ok(Some(Kept { path }))
}

/// Says of a job that was resumed and is done what it has left of standard input.
pub(super) fn say_left(output: &Path) {
    for kind in Kind::value_variants() {
        let path = beside(output, *kind);
        if path.exists() {
            say(format_args!("{} is no longer needed", path.display()));
        }
    }
}

/// In an attempt: what stands for standard input.
pub(super) fn replace(settings: &mut JobSettings) {
    let Some(kept) = std::env::var_os(VARIABLE) else {
        return;
    };
    for input in &mut settings.input {
        if input.as_os_str() == "-" {
            *input = PathBuf::from(&kept);
        }
    }
}

/// `DIR.stdin.smi`, beside `DIR`.
fn beside(output: &Path, kind: Kind) -> PathBuf {
    let output = std::path::absolute(output).unwrap_or_else(|_| output.into());
    let mut name: OsString = output.file_name().unwrap_or_default().into();
    name.push(".stdin.");
    name.push(kind.extension());
    output.with_file_name(name)
}

/// Copies all there is onto the disk; what was there before stays if that fails.
fn copy(mut from: impl Read, path: &Path) -> Result<u64, CliError> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let copied = copy_into(&mut from, &part);
    if copied.is_err() {
        let _ = fs::remove_file(&part);
    }
    let bytes = copied?;
    disk::rename(&part, path)?;
    disk::sync_dir(path.parent().unwrap_or(Path::new("/")))?;
    Ok(bytes)
}

fn copy_into(from: &mut impl Read, part: &Path) -> Result<u64, CliError> {
    let mut file = DiskFile::create(part)?;
    let mut buffer = vec![0; SPILL_BUFFER_BYTES];
    let mut bytes = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) if bytes == 0 => return Err(CliError::StandardInputEmpty),
            Ok(0) => break,
            Ok(count) => {
                file.write_all(&buffer[..count])
                    .map_err(|error| StoreError::io(part, "write", &error))?;
                bytes += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(SourceError::unreadable(Path::new("standard input"), &error).into());
            }
        }
    }
    file.sync()?;
    Ok(bytes)
}

fn say(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "molsieve: {what}");
}
