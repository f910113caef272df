//! Why settings make no job.

use std::path::PathBuf;

/// Why settings make no job. The user can correct all of these (exit code 2).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The job file can't be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The job file.
        path: PathBuf,
        /// The message of the operating system.
        reason: String,
    },
    /// The file given as a job file is a library or a rule file.
    #[error(
        "{}: this is not a job file (TOML with the settings of a job); use {flag} {}",
        path.display(),
        path.display()
    )]
    NoJobFile {
        /// The file.
        path: PathBuf,
        /// The flag that takes it.
        flag: &'static str,
    },
    /// The job file is not TOML, has an unknown key, or a value of the wrong type.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Syntax {
        /// The job file.
        path: PathBuf,
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A setting that every job needs is missing.
    #[error("no {} is given; see molsieve run --help", flag(.0))]
    Missing(&'static str),
    /// A setting is out of range, or does not belong to this kind of job.
    #[error("{}: {reason}", flag(setting))]
    Value {
        /// The setting, as in a job file.
        setting: &'static str,
        /// Which values are allowed, or where the setting belongs.
        reason: String,
    },
}

/// The flag of a setting: `--part-size` of `part_size`.
pub(super) fn flag(setting: &str) -> String {
    format!("--{}", setting.replace('_', "-"))
}
