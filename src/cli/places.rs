//! Checks the output directory of a job: it must not contain a file that the job reads, and its path must not
//! name a file.
//!
//! Paths are compared with symbolic links resolved, and by device and inode, so that bind mounts and hard links
//! are found too. Nothing is changed here.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::CliError;
use crate::{
    config::{JobSpec, WRITTEN_BY},
    pipeline::Job,
    store::{Existing, disk},
    table::source::{names_a_format, resolve_inputs},
};

/// Most symbolic links followed one after the other, as in the kernel.
const LINKS_MAX: usize = 40;
/// Depth of folders below the output directory that are searched for hard links.
const DEPTH_MAX: usize = 2;

/// Refuses an output directory in which the job would remove or replace a file that it reads. `job_file` is the
/// file of the settings.
pub(super) fn check(spec: &JobSpec, job_file: Option<&Path>) -> Result<(), CliError> {
    check_name(&spec.output)?;
    let Some(output) = Output::at(&spec.output) else {
        return Ok(()); // a missing directory contains nothing
    };
    let refuse = |what: &'static str, path: &Path| {
        Err(CliError::InputInOutput {
            what,
            path: path.into(),
            output: spec.output.clone(),
        })
    };
    // Errors of the inputs are reported when the inputs are opened.
    let files = resolve_inputs(&spec.input).unwrap_or_default();
    let named = spec.input.iter().filter(|input| input.as_os_str() != "-");
    if let Some(input) = files.iter().chain(named).find(|input| output.holds(input)) {
        return refuse("the input", input);
    }
    if let Some(run) = spec.exclude.iter().find(|run| output.holds(run)) {
        return refuse("the run to exclude", run);
    }
    // A resumed run removes none of these.
    if spec.existing() == Existing::Resume {
        return Ok(());
    }
    if let Some(rules) = spec.rules().find(|rules| output.holds(rules)) {
        return refuse("the rule file", rules);
    }
    match job_file.filter(|file| output.holds(file) && !is_written_by_a_run(file)) {
        Some(file) => refuse("the job file", file),
        None => Ok(()),
    }
}

/// The same for the sets of reagents, which rules may name.
pub(super) fn check_reagents(job: &Job) -> Result<(), CliError> {
    let Some(output) = Output::at(&job.spec.output) else {
        return Ok(());
    };
    let sets = job.reagents.iter().flat_map(|reagents| &reagents.sets);
    match sets
        .map(|set| Path::new(&set.path))
        .find(|path| output.holds(path))
    {
        Some(path) => Err(CliError::InputInOutput {
            what: "the set of reagents",
            path: path.into(),
            output: job.spec.output.clone(),
        }),
        None => Ok(()),
    }
}

/// Refuses a path with the extension of a molecule file, and standard output.
fn check_name(output: &Path) -> Result<(), CliError> {
    let ends_in_slash = output.as_os_str().as_encoded_bytes().ends_with(b"/");
    if output.as_os_str() == "-" {
        return Err(CliError::StandardOutput(
            "only molsieve run and molsieve dedup write to standard output; use --output DIR",
        ));
    }
    if output.exists() || ends_in_slash || !names_a_format(output) {
        return Ok(());
    }
    Err(CliError::OutputIsNoFile {
        output: output.into(),
        instead: stem(output),
    })
}

/// The path without extensions of formats.
fn stem(output: &Path) -> PathBuf {
    let mut stem = output.to_path_buf();
    while stem.extension().is_some() && names_a_format(&stem) {
        stem.set_extension("");
    }
    stem
}

/// Whether a run wrote this job file, and so may replace it.
fn is_written_by_a_run(job_file: &Path) -> bool {
    let text = fs::read(job_file).unwrap_or_default();
    job_file.ends_with("job.toml") && text.starts_with(WRITTEN_BY.as_bytes())
}

/// An existing output directory.
struct Output {
    path: PathBuf,
    identity: (u64, u64),
    /// Device and inode of the files in it that have several hard links.
    files: Vec<(u64, u64)>,
}

impl Output {
    fn at(path: &Path) -> Option<Self> {
        let path = fs::canonicalize(path).ok()?;
        let identity = identity(&fs::metadata(&path).ok().filter(Metadata::is_dir)?);
        let mut files = Vec::new();
        add_files(&path, DEPTH_MAX, &mut files);
        Some(Self {
            path,
            identity,
            files,
        })
    }

    /// Whether the path, or one of the symbolic links on the way to its file, is the directory or is in it.
    fn holds(&self, path: &Path) -> bool {
        let mut path = path.to_path_buf();
        for _ in 0..LINKS_MAX {
            if self.holds_name(&path) {
                return true;
            }
            let Ok(target) = fs::read_link(&path) else {
                break;
            };
            path = path.parent().unwrap_or(Path::new("")).join(target);
        }
        fs::canonicalize(&path).is_ok_and(|file| self.holds_file(&file))
    }

    /// Whether the name itself is in the directory; a symbolic link is not followed.
    fn holds_name(&self, path: &Path) -> bool {
        let Some(parent) = path.parent().filter(|_| path.file_name().is_some()) else {
            return false;
        };
        let here = parent.as_os_str().is_empty();
        let parent = if here { Path::new(".") } else { parent };
        fs::canonicalize(parent).is_ok_and(|folder| self.holds_place(&folder))
    }

    fn holds_file(&self, file: &Path) -> bool {
        let linked = || {
            fs::metadata(file).is_ok_and(|metadata| {
                has_other_names(&metadata) && self.files.contains(&identity(&metadata))
            })
        };
        self.holds_place(file) || linked()
    }

    /// Whether one of the folders that contain the path is the directory.
    fn holds_place(&self, path: &Path) -> bool {
        let same = |above: &Path| {
            fs::metadata(above).is_ok_and(|metadata| identity(&metadata) == self.identity)
        };
        path.starts_with(&self.path) || path.ancestors().any(same)
    }
}

fn has_other_names(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.nlink() > 1
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn add_files(folder: &Path, depth: usize, files: &mut Vec<(u64, u64)>) {
    for entry in disk::entries(folder).unwrap_or_default() {
        match fs::symlink_metadata(&entry) {
            Ok(metadata) if metadata.is_dir() && depth > 1 => add_files(&entry, depth - 1, files),
            Ok(metadata) if has_other_names(&metadata) => files.push(identity(&metadata)),
            _ => {}
        }
    }
}
