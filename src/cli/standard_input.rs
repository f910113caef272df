//! `--input -`. A job reads its library several times: to plan, to run, to resume. Standard input can be read once only,
//! so the supervisor first copies it into a file beside the output directory, passes the path to the attempts in an
//! environment variable, and removes the file when the job is done. A job that is resumed later finds the path in its
//! `job.toml`.

use std::{
    ffi::OsString,
    fs,
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use clap::ValueEnum;

use super::{CliError, places, say_aside};
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

/// The environment variable with the path of the copy.
const VARIABLE: &str = "MOLSIEVE_STANDARD_INPUT";

/// The format of standard input, where the content alone does not decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// SMILES and id on each line; a table with a SMILES header, SDF and Parquet are recognised
    #[default]
    Smi,
    /// A table with commas, semicolons or bars
    Csv,
    /// A table with tabs
    Tsv,
    /// Mol blocks
    Sdf,
}

/// Whether standard input is among the inputs.
pub(super) fn is_wanted(settings: &JobSettings) -> bool {
    times(settings) > 0
}

fn times(settings: &JobSettings) -> usize {
    let inputs = settings.input.iter();
    inputs.filter(|input| input.as_os_str() == "-").count()
}

/// The copy of standard input.
pub(super) struct Kept {
    path: PathBuf,
}

impl Kept {
    /// The environment variable for an attempt.
    pub(super) fn variable(&self) -> (&'static str, &Path) {
        (VARIABLE, &self.path)
    }

    /// Says where the copy is, for a job that is not done.
    pub(super) fn say(&self) {
        say_aside(&format!(
            "{} holds the copy of standard input; --resume reads it from there",
            self.path.display()
        ));
    }

    /// Removes the copy when the job is done.
    pub(super) fn remove(&self) -> Result<(), CliError> {
        Ok(disk::remove(&self.path)?)
    }
}

/// Copies standard input for a job whose settings are valid and whose output may be written. `None`: the settings are
/// not valid, which the attempt will report.
pub(super) fn keep(settings: &JobSettings, kind: Kind) -> Result<Option<Kept>, CliError> {
    let stdin = std::io::stdin();
    if times(settings) > 1 {
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
    say_aside(&format!(
        "copied standard input ({size}) to {}; the copy is removed when the job is done",
        path.display()
    ));
    Ok(Some(Kept { path }))
}

/// After a resumed job is done, names the copies of standard input that are no longer needed.
pub(super) fn say_left(output: &Path) {
    for kind in Kind::value_variants() {
        let path = beside(output, *kind);
        if path.exists() {
            say_aside(&format!("{} is no longer needed", path.display()));
        }
    }
}

/// In an attempt: replaces `-` by the path of the copy.
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
    let word = kind.to_possible_value().expect("no format is hidden");
    name.push(word.get_name());
    output.with_file_name(name)
}

/// Copies everything to the file at `path`; if that fails, an earlier file stays.
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
