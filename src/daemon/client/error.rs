//! Why the daemon does not do what it was asked.

use std::{io, path::PathBuf};

use serde_json::Value;

/// Status of an answer that may be another one in a moment.
const SERVICE_UNAVAILABLE: u16 = 503;

/// Why the daemon does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens at the socket.
    #[error(
        "no daemon listens at {}; start one with molsieve serve, or say with --socket where it is",
        .0.display()
    )]
    NoDaemon(PathBuf),
    /// The socket's modes keep this user out.
    #[error("{}: this user may not use the daemon there", .0.display())]
    Denied(PathBuf),
    /// The daemon understood the request and refuses it.
    #[error("{}", .0.told())]
    Refused(Box<ApiError>),
    /// The connection ended before the answer did, or the answer does not come.
    #[error("the connection to the daemon at {} broke: {reason}", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// How it broke.
        reason: String,
    },
    /// The answer is not one that a daemon of this version gives.
    #[error(
        "{}: what answers there is no molsieve daemon, or one of another version: {reason}",
        path.display()
    )]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What is wrong with the answer.
        reason: String,
    },
    /// This process can't have what a client needs.
    #[error("cannot start a client: {0}")]
    Start(String),
}

/// An error as the daemon tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// Status of the answer.
    pub status: u16,
    /// A word that stays the same, for example `not_found`.
    pub code: String,
    /// For people, a line.
    pub message: String,
    /// What of the request is wrong.
    pub field: Option<String>,
    /// The whole answer.
    pub body: Value,
}

impl ApiError {
    fn told(&self) -> String {
        match &self.field {
            Some(field) if !self.message.contains(field) => format!("{field}: {}", self.message),
            _ => self.message.clone(),
        }
    }
}

impl ClientError {
    /// Whether it may be gone when the daemon is back.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::NoDaemon(_) | Self::Broken { .. } => true,
            Self::Refused(error) => error.status == SERVICE_UNAVAILABLE,
            Self::Denied(_) | Self::Protocol { .. } | Self::Start(_) => false,
        }
    }
}

pub(super) fn start(error: io::Error) -> ClientError {
    ClientError::Start(crate::store::plain(&error))
}
