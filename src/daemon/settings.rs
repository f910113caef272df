//! The checked settings of a daemon.

use std::{path::PathBuf, time::Duration};

use nix::unistd::Group;

use super::{
    job::{Resources, RetryPolicy},
    loopback::Loopback,
    paths::PathError,
};
use crate::{config::ConfigError, machine, nvidia::Nvidia, units::ByteSize};

/// The settings of a daemon.
#[derive(Clone, Debug, PartialEq)]
pub struct ServeSettings {
    /// Where it listens, unless systemd passes a socket.
    pub socket: PathBuf,
    /// Where it stores its jobs.
    pub state_dir: PathBuf,
    /// Resources that all running jobs together may occupy.
    pub budget: Resources,
    /// The group whose members may use it, besides the daemon's own user.
    pub group: Option<u32>,
    /// The group whose members may see and stop every job.
    pub admin_group: Option<u32>,
    /// How long a job that has ended is kept.
    pub keep: Duration,
    /// How often and when an interrupted job is retried.
    pub retry: RetryPolicy,
    /// Time after which a job process without output is killed.
    pub silence: Duration,
    /// Format of the daemon's log.
    pub log_format: LogFormat,
    /// The file to write the log to.
    pub log_file: Option<PathBuf>,
    /// Where metrics are served over TCP.
    pub metrics_listen: Option<Loopback>,
}

/// Format of the daemon's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people, to standard error
    Text,
    /// A JSON object per line, to standard error
    Json,
    /// To journald, with fields for job and user
    Journal,
}

/// Why settings are invalid (exit code 2).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// A path has no default here.
    #[error(transparent)]
    Path(#[from] PathError),
    /// There is no such group.
    #[error("{flag}: there is no group `{name}`")]
    NoGroup {
        /// The flag.
        flag: &'static str,
        /// What was given.
        name: String,
    },
    /// The group cannot be looked up.
    #[error("{flag}: cannot look up the group `{name}`: {reason}")]
    Groups {
        /// The flag.
        flag: &'static str,
        /// What was given.
        name: String,
        /// The operating system's message.
        reason: String,
    },
    /// A value is out of range.
    #[error(transparent)]
    Value(#[from] ConfigError),
}

/// Default budget: percentage of the available memory.
const MEMORY_PERCENT: u64 = 80;

/// Default memory of the budget.
pub fn default_memory() -> ByteSize {
    ByteSize(machine::memory_limit().0 / 100 * MEMORY_PERCENT)
}

/// Default threads of the budget: the CPUs that this process may use.
pub fn default_threads() -> u32 {
    u32::try_from(machine::processors()).unwrap_or(u32::MAX)
}

/// Default GPUs of the budget: those that the NVIDIA driver reports.
pub fn default_gpus() -> u32 {
    Nvidia::look().map_or(0, |nvidia| nvidia.devices.len() as u32)
}

/// Default log format: the journal if standard error is connected to it. systemd sets `JOURNAL_STREAM` to the
/// device and inode of that connection.
pub fn default_log_format() -> LogFormat {
    let connected = || {
        let stream = std::env::var("JOURNAL_STREAM").ok()?;
        let here = rustix::fs::fstat(std::io::stderr()).ok()?;
        (stream == format!("{}:{}", here.st_dev, here.st_ino)).then_some(())
    };
    match connected() {
        Some(()) => LogFormat::Journal,
        None => LogFormat::Text,
    }
}

/// The number of the group of this name, or of this number.
pub fn group(flag: &'static str, name: &str) -> Result<u32, SettingsError> {
    let found = match name.parse::<u32>() {
        Ok(gid) => Group::from_gid(gid.into()),
        Err(_) => Group::from_name(name),
    };
    let name = name.to_owned();
    match found {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(SettingsError::NoGroup { flag, name }),
        Err(error) => Err(SettingsError::Groups {
            flag,
            name,
            reason: crate::store::plain(&error.into()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_name_and_number() {
        assert_eq!(group("--group", "root"), Ok(0));
        assert_eq!(group("--group", "0"), Ok(0));
        let error = group("--group", "no-such-group-here").unwrap_err();
        assert_eq!(
            error.to_string(),
            "--group: there is no group `no-such-group-here`"
        );
    }

    #[test]
    fn a_node_gives_less_than_it_has() {
        let memory = default_memory();
        assert!(memory > ByteSize(0) && memory < machine::memory_limit());
        assert!(default_threads() >= 1);
    }
}
