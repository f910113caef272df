//! The daemon: takes jobs over a Unix socket and has a process of its own do each. To be described.

pub mod action;
pub mod client;
pub mod core;
pub mod job;
pub mod paths;
pub mod settings;

/// Why a daemon can't start or go on. To be filled in.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ServeError {
    /// The parts are not put together yet.
    #[error("the daemon is not built into this program yet")]
    NotBuilt,
}

/// Takes jobs until the process is asked to end. To be filled in.
pub fn serve(_settings: settings::ServeSettings) -> Result<(), ServeError> {
    Err(ServeError::NotBuilt)
}
