//! Every refusal of the server: its status, code and message.

use hyper::{Response, StatusCode, header};

use super::answer::{Body, message_page, with_type};
use crate::{
    daemon::{
        client::ClientError,
        job::JobId,
        view::{ErrorBody, ErrorDetail},
    },
    limits::HTTP_BODY_BYTES_MAX,
};

/// Why a request is refused, or fails.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Refused {
    /// Another user of the machine has connected.
    #[error("this page belongs to another user of this machine")]
    User,
    /// `Host` is not this server.
    #[error("this server answers at 127.0.0.1:{0} and localhost:{0} only")]
    Host(u16),
    /// A page of another site makes the request.
    #[error("pages of other sites may not make requests here")]
    Origin,
    /// The request changes something, and its page is not ours.
    #[error("a request that changes something must have the header x-molsieve: 1 and its origin")]
    Header,
    /// No session, or a wrong token.
    #[error("this browser has no access; open the address that molsieve ui has printed")]
    NoSession,
    /// The token was exchanged before.
    #[error(
        "this address was opened before, and it opens once; use the browser in which it is open, or start \
         molsieve ui again"
    )]
    TokenUsed,
    /// Nothing is served at the path.
    #[error("there is nothing at this path")]
    NoSuchPath,
    /// The path does not have this method.
    #[error("this path does not take this method")]
    Method,
    /// The body is too large.
    #[error("the body is larger than {HTTP_BODY_BYTES_MAX} bytes")]
    BodyTooLarge,
    /// The body did not arrive.
    #[error("the body did not arrive")]
    Body,
    /// The daemon does not answer.
    #[error(transparent)]
    Daemon(#[from] ClientError),
    /// The daemon refuses to show the job; its message.
    #[error("{0}")]
    NoJob(String),
    /// A job without a complete output has no report.
    #[error("job {0} is {1}; a job has a report when it is done")]
    NotDone(JobId, &'static str),
    /// As many reports as allowed are being made.
    #[error("other reports are being made; try again in a moment")]
    ReportsBusy,
    /// The report cannot be made.
    #[error("the report cannot be made: {0}")]
    Report(String),
}

impl Refused {
    /// Status and code.
    fn status(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::User | Self::Origin | Self::Header => (S::FORBIDDEN, "forbidden"),
            Self::Host(_) => (S::MISDIRECTED_REQUEST, "forbidden"),
            Self::NoSession | Self::TokenUsed => (S::FORBIDDEN, "no_session"),
            Self::NoSuchPath | Self::NoJob(_) => (S::NOT_FOUND, "not_found"),
            Self::Method => (S::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::Body => (S::REQUEST_TIMEOUT, "body_too_slow"),
            Self::Daemon(_) => (S::BAD_GATEWAY, "no_daemon"),
            Self::NotDone(..) => (S::CONFLICT, "not_done"),
            Self::ReportsBusy => (S::SERVICE_UNAVAILABLE, "busy"),
            Self::Report(_) => (S::INTERNAL_SERVER_ERROR, "report"),
        }
    }

    /// The answer: JSON for the page's own requests, as the daemon writes errors; else a page for people.
    pub(super) fn answer(&self, path: &str) -> Response<Body> {
        let (status, code) = self.status();
        let is_api = path.starts_with("/v1/") || path.starts_with("/ui/");
        let mut answer = match is_api {
            true => with_type("application/json", error_json(code, self.to_string())),
            false => message_page(&self.to_string()),
        };
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        // Part of the request may be unread.
        if matches!(self, Self::BodyTooLarge | Self::Body) {
            headers.insert(
                header::CONNECTION,
                header::HeaderValue::from_static("close"),
            );
        }
        answer
    }
}

fn error_json(code: &str, message: String) -> String {
    let body = ErrorBody {
        error: ErrorDetail {
            code: code.into(),
            message,
            field: None,
            needs: None,
            node: None,
        },
    };
    serde_json::to_string(&body).expect("texts can be written as JSON")
}
