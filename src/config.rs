//! The settings of a job: one definition ([`settings`](crate::config#settings)), from which flags, job file,
//! HTTP body, OpenAPI schema, `job.toml` and the identity of a run are made.
//!
//! # Settings
//!
//! | type | what it is | who makes it |
//! |---|---|---|
//! | [`CommonFlags`], [`DeriveFlags`], [`DedupFlags`] | the flags of a subcommand | clap |
//! | [`JobSettings`] | everything a job can be given, each setting optional | flags, a job file, an HTTP body |
//! | [`JobSpec`] | a checked job: ranges hold, defaults are filled in, its [`Work`] is known | [`JobSettings::check`] |
//!
//! | module | what it holds |
//! |---|---|
//! | `settings` | the list of all settings |
//! | `define` | the macro that makes the types above from that list |
//! | `value` | what a value of a setting can be: how it is merged, and its JSON schema |
//! | `work` | the three kinds of work, and what the rest of the program asks of a [`JobSpec`] |
//! | `job_file` | reads a job file, and writes one |
//! | `path` | paths that are not UTF-8 in TOML and JSON |
//! | `schema` | the OpenAPI schema of [`JobSettings`] |
//! | `error` | [`ConfigError`] |

mod define;
mod error;
mod job_file;
mod path;
mod schema;
mod settings;
#[cfg(test)]
mod tests;
mod value;
mod work;

pub use crate::identity::KeyKind;
pub use error::ConfigError;
pub use job_file::WRITTEN_BY;
pub use path::{read_path, written_path};
pub use settings::{
    CHECK_MAX, CommonFlags, DedupFlags, DedupWork, DeriveFlags, DeriveWork,
    FALSE_POSITIVE_RATE_DEFAULT, JobSettings, JobSpec, ModeFlags, PARENT_TIMEOUT_DEFAULT, Work,
};
pub use value::{Dedup, SettingInfo, Task};
