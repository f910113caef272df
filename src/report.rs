//! What a job reports: the events that `--json` prints while it runs, and the manifest that it leaves; and what
//! the other verbs print with `--json`.
//!
//! Each is a type that is written and read by serde, and everything that writes or reads one uses the type:
//! the run, its supervisor, the progress display, the daemon, `--resume` and `--exclude`.

pub mod answer;
pub mod event;
mod format;
pub mod manifest;
mod reagents;
pub mod timeline;

#[cfg(test)]
mod tests;
