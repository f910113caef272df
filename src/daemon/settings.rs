//! The settings of a daemon: one list (`list`), from which flags, the configuration file, `--check-config` and
//! reloads are made.
//!
//! | type | what it is | who makes it |
//! |---|---|---|
//! | [`ServeFlags`] | the flags | clap |
//! | [`ServeSource`] | flags and the path of the file, which can be read again | the command line |
//! | [`ServeValues`] | every setting as flag and file write it, defaults filled in, ranges checked | [`ServeSource::load`] |
//! | [`ServeSettings`] | what the daemon uses | [`ServeSource::load`] |

mod define;
mod file;
mod kind;
mod list;
mod quotas;
mod shown;
#[cfg(test)]
mod tests;
mod value;

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use nix::unistd::Group;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

pub use self::{
    file::Place,
    kind::Setting,
    list::{Origins, ServeFlags, ServeValues},
    value::Origin,
};
use self::{file::Table, list::RETRY_DELAY_SECONDS_MAX, quotas::ShownQuota};
use super::{
    gpus::{GpuPolicy, NoGpuName},
    job::{Millis, Resources, RetryPolicy},
    loopback::Loopback,
    paths::{self, PathError},
    quota::QuotaRules,
};
use crate::config::ConfigError;

/// The settings of a daemon.
#[derive(Clone, Debug, PartialEq)]
pub struct ServeSettings {
    /// Where it listens, unless systemd passes a socket.
    pub socket: PathBuf,
    /// Where it stores its jobs.
    pub state_dir: PathBuf,
    /// Resources that all running jobs together may occupy.
    pub budget: Resources,
    /// Which GPUs jobs use, and how.
    pub gpus: GpuPolicy,
    /// What one user may have waiting and running.
    pub quotas: Arc<QuotaRules>,
    /// Time after which a user's use of the node counts half.
    pub half_life_ms: Millis,
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
    /// What is logged.
    pub log_level: LogLevel,
}

/// Flags and the configuration file. Both give the same settings until the file is changed.
#[derive(Clone, Debug, Default)]
pub struct ServeSource {
    /// The flags; they win.
    pub flags: ServeFlags,
    /// The file, if a flag names it.
    pub config: Option<PathBuf>,
}

/// What [`ServeSource::load`] has read.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The checked settings.
    pub settings: ServeSettings,
    /// The same as flags and file write them.
    pub values: ServeValues,
    /// Where each came from.
    pub origins: Origins,
    /// The file that was read, if there is one.
    pub file: Option<PathBuf>,
    quotas: Vec<ShownQuota>,
}

/// A setting that a reload finds changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its key.
    pub key: &'static str,
    /// The new value as the file would have it; none if it is not set.
    pub value: Option<String>,
    /// Whether the reload applies it. Otherwise it takes a restart.
    pub applied: bool,
}

impl ServeSource {
    /// Reads the file, if there is one, and checks everything. Looks up users and groups, which may take long.
    pub fn load(&self) -> Result<Loaded, SettingsError> {
        let path = self.config.clone().or_else(paths::config_file);
        let mut file = path.as_deref().map(Table::read).transpose()?;
        let (values, origins) = list::resolve(&self.flags, &mut file)?;
        let (rules, quotas) = quotas::read(&mut file)?;
        if let Some(rest) = file {
            let known: Vec<&str> = list::KEYS.iter().copied().chain(["quota"]).collect();
            rest.finish(&known)?;
        }
        let settings = settings(&values, &origins, path.as_deref(), rules)?;
        Ok(Loaded {
            settings,
            values,
            origins,
            file: path,
            quotas,
        })
    }
}

impl Loaded {
    /// What `new` has otherwise, as far as a reload applies it, and what changed. The quotas are one change.
    pub fn reload(&self, new: Self) -> Result<(Self, Vec<Change>), SettingsError> {
        let mut changes = self.values.changes(&new.values);
        if self.settings.quotas != new.settings.quotas {
            changes.push(Change {
                key: "quota",
                value: None,
                applied: true,
            });
        }
        let values = self.values.reloaded(&new.values);
        let rules = QuotaRules::clone(&new.settings.quotas);
        let settings = settings(&values, &new.origins, new.file.as_deref(), rules)?;
        let loaded = Self {
            settings,
            values,
            ..new
        };
        Ok((loaded, changes))
    }
}

/// The settings as the daemon uses them.
fn settings(
    values: &ServeValues,
    origins: &Origins,
    file: Option<&std::path::Path>,
    quotas: QuotaRules,
) -> Result<ServeSettings, SettingsError> {
    let group = |key, name: &Option<String>, origin: Origin| {
        let setting = match (origin, file) {
            (Origin::File(Place { line, column }), Some(file)) => {
                format!("{}:{line}:{column}: {key}", file.display())
            }
            _ => format!("--{}", str::replace(key, "_", "-")),
        };
        let found = name.as_ref().map(|name| group(setting, name));
        found.transpose()
    };
    let gpus = gpu_policy(values)?;
    Ok(ServeSettings {
        socket: values.socket.clone(),
        state_dir: values.state.clone(),
        budget: Resources {
            memory_bytes: values.memory.0,
            threads: values.threads,
            gpus: gpus.places(values.gpus),
        },
        gpus,
        quotas: Arc::new(quotas),
        half_life_ms: milliseconds(values.half_life_hours * 3600),
        group: group("group", &values.group, origins.group)?,
        admin_group: group("admin_group", &values.admin_group, origins.admin_group)?,
        keep: Duration::from_secs(values.keep_days * 24 * 3600),
        retry: RetryPolicy {
            failures_max: values.retries,
            first_delay_ms: milliseconds(values.retry_delay),
            delay_ms_max: milliseconds(RETRY_DELAY_SECONDS_MAX),
        },
        // A job process sends `alive` every 5 s.
        silence: Duration::from_secs(values.silence),
        log_format: values.log_format,
        log_level: values.log_level.clone(),
        log_file: values.log_file.clone(),
        metrics_listen: values.metrics_listen,
    })
}

fn gpu_policy(values: &ServeValues) -> Result<GpuPolicy, ConfigError> {
    let names = values.gpu_devices.iter().flatten();
    let chosen = names.map(|name| {
        name.parse().map_err(|error: NoGpuName| ConfigError::Value {
            setting: "gpu_devices",
            reason: error.to_string(),
        })
    });
    Ok(GpuPolicy {
        chosen: chosen.collect::<Result<_, _>>()?,
        jobs_each: values.gpu_jobs,
        hot_celsius: values.gpu_hot,
    })
}

fn milliseconds(seconds: u64) -> Millis {
    Millis::try_from(seconds).map_or(Millis::MAX, |seconds| seconds.saturating_mul(1_000))
}

/// Format of the daemon's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people, to standard error
    Text,
    /// A JSON object per line, to standard error
    Json,
    /// To journald, with fields for job and user
    Journal,
}

impl Default for LogFormat {
    /// The journal if standard error is connected to it. systemd sets `JOURNAL_STREAM` to the device and inode of
    /// that connection.
    fn default() -> Self {
        let connected = || {
            let stream = std::env::var("JOURNAL_STREAM").ok()?;
            let here = rustix::fs::fstat(std::io::stderr()).ok()?;
            (stream == format!("{}:{}", here.st_dev, here.st_ino)).then_some(())
        };
        match connected() {
            Some(()) => Self::Journal,
            None => Self::Text,
        }
    }
}

/// What is logged: a level, or a list of targets with levels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogLevel(String);

impl LogLevel {
    /// The filter of the log.
    pub fn filter(&self) -> EnvFilter {
        EnvFilter::try_new(&self.0).unwrap_or_else(|_| EnvFilter::new("info"))
    }
}

impl Default for LogLevel {
    /// `MOLSIEVE_LOG` if it is valid, else `info`.
    fn default() -> Self {
        let variable = std::env::var("MOLSIEVE_LOG").unwrap_or_default();
        variable.parse().unwrap_or_else(|_| Self("info".into()))
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let empty = text.trim().is_empty();
        match EnvFilter::try_new(text) {
            Ok(_) if !empty => Ok(Self(text.into())),
            _ => Err(format!(
                "`{text}` is not error, warn, info, debug, trace or a list of targets with these"
            )),
        }
    }
}

impl TryFrom<String> for LogLevel {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LogLevel> for String {
    fn from(level: LogLevel) -> Self {
        level.0
    }
}

/// Why settings are invalid (exit code 2).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// A path has no default here.
    #[error(transparent)]
    Path(#[from] PathError),
    /// There is no such group.
    #[error("{setting}: there is no group `{name}`")]
    NoGroup {
        /// The flag, or the key with its place in the file.
        setting: String,
        /// What was given.
        name: String,
    },
    /// The group cannot be looked up.
    #[error("{setting}: cannot look up the group `{name}`: {reason}")]
    Groups {
        /// The flag, or the key with its place in the file.
        setting: String,
        /// What was given.
        name: String,
        /// The operating system's message.
        reason: String,
    },
    /// A value is wrong, or the file.
    #[error(transparent)]
    Value(#[from] ConfigError),
}

/// The number of the group of this name, or of this number.
fn group(setting: String, name: &str) -> Result<u32, SettingsError> {
    let found = match name.parse::<u32>() {
        Ok(gid) => Group::from_gid(gid.into()),
        Err(_) => Group::from_name(name),
    };
    let name = name.to_owned();
    match found {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(SettingsError::NoGroup { setting, name }),
        Err(error) => Err(SettingsError::Groups {
            setting,
            name,
            reason: crate::store::plain(&error.into()),
        }),
    }
}

#[cfg(test)]
impl ServeSettings {
    /// Settings with nothing special.
    pub(super) fn plain() -> Self {
        Self {
            socket: "/nowhere/socket".into(),
            state_dir: "/nowhere".into(),
            budget: Resources {
                memory_bytes: 1 << 40,
                threads: 64,
                gpus: 1,
            },
            gpus: GpuPolicy::default(),
            quotas: Arc::default(),
            half_life_ms: 1,
            group: None,
            admin_group: None,
            keep: Duration::default(),
            retry: RetryPolicy {
                failures_max: 1,
                first_delay_ms: 0,
                delay_ms_max: 0,
            },
            silence: Duration::default(),
            log_format: LogFormat::Text,
            log_level: LogLevel::default(),
            log_file: None,
            metrics_listen: None,
        }
    }
}
