//! Why a request of the client fails.

use std::{io, path::PathBuf};

use crate::daemon::view::ErrorDetail;

/// Status of an answer that a retry may change.
const SERVICE_UNAVAILABLE: u16 = 503;

/// Why a request of the client fails.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// No daemon listens at the socket.
    #[error(
        "no daemon listens at {}; start one with molsieve serve, or give its socket with --socket",
        .0.display()
    )]
    NoDaemon(PathBuf),
    /// The mode of the socket does not let this user connect.
    #[error("{}: you are not allowed to use this daemon", .0.display())]
    Denied(PathBuf),
    /// The daemon understood the request and refuses it.
    #[error("{}", .0.message())]
    Refused(Box<ApiError>),
    /// The connection ended before the answer did, or there is no answer in time.
    #[error("the connection to the daemon at {} broke: {reason}", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// The answer is not one that a daemon of this version sends.
    #[error(
        "{}: not a molsieve daemon, or one of another version: {reason}",
        path.display()
    )]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The address of the daemon is not one of ssh.
    #[error("{address}: {reason}; an address is ssh://[user@]node[:port][/path/of/the/socket]")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// ssh does not reach the node.
    #[error("ssh to {node}: {reason}")]
    Ssh {
        /// The node.
        node: String,
        /// What ssh says.
        reason: String,
    },
    /// The job cannot be written as JSON, because a path is not UTF-8.
    #[error("cannot write the job as JSON: {0}")]
    Encode(String),
    /// The operating system refuses what a client needs.
    #[error("cannot start a client: {0}")]
    Start(String),
}

/// An error that the daemon sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// Status of the answer.
    pub status: u16,
    /// The error.
    pub detail: ErrorDetail,
}

impl ApiError {
    fn message(&self) -> String {
        let ErrorDetail { field, message, .. } = &self.detail;
        match field {
            Some(field) if !message.contains(field) => format!("{field}: {message}"),
            _ => message.clone(),
        }
    }
}

impl ClientError {
    /// Whether a retry may succeed.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::NoDaemon(_) | Self::Broken { .. } | Self::Ssh { .. } => true,
            Self::Refused(error) => error.status == SERVICE_UNAVAILABLE,
            Self::Denied(_)
            | Self::Protocol { .. }
            | Self::Address { .. }
            | Self::Encode(_)
            | Self::Start(_) => false,
        }
    }
}

pub(super) fn start(error: io::Error) -> ClientError {
    ClientError::Start(crate::store::plain(&error))
}
