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
    CommonFlags, DedupFlags, DedupWork, DeriveFlags, DeriveWork, JobSettings, JobSpec, ModeFlags,
    PART_BYTES_MIN, THREADS_MAX, Work,
};
pub(crate) use value::command_line_words;
pub use value::{Dedup, ReagentFile, StepSettings, Task, within};
