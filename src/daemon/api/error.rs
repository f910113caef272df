//! Every error a client can meet.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    daemon::core::Refusal,
    limits::{HTTP_BODY_BYTES_MAX, REASON_BYTES_MAX},
};

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApiError {
    /// Nothing is served there.
    #[error("there is nothing at this path; see /v1/openapi.json")]
    NoSuchPath,
    /// The path does not have this method.
    #[error("this path takes {allow}")]
    Method {
        /// What it has, for the `Allow` header.
        allow: String,
    },
    /// The body is not said to be JSON, or it is encoded.
    #[error("the body must be JSON, not encoded: Content-Type: application/json")]
    ContentType,
    /// The body is too large.
    #[error("the body is larger than {HTTP_BODY_BYTES_MAX} bytes")]
    BodyTooLarge,
    /// The body did not come in time.
    #[error("the body did not arrive in time")]
    BodyTooSlow,
    /// The body broke off.
    #[error("the body can't be read")]
    BodyBroken,
    /// A part of the request is not what it must be.
    #[error("{}{reason}", field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default())]
    Invalid {
        /// Which part: a header, a parameter, or a path in the body such as `settings.input[0]`.
        field: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// Whoever asks may not use this daemon.
    #[error("{0}")]
    Denied(String),
    /// The user has as many connections or streams as there may be, or the answer takes too long.
    #[error("too many {0} at a time; try again in a moment")]
    TooMany(&'static str),
    /// The core does not do it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl ApiError {
    /// A part of the request that is wrong. Both texts become one short line.
    pub fn invalid(field: impl ToString, reason: impl ToString) -> Self {
        Self::Invalid {
            field: Some(line(&field.to_string())),
            reason: line(&reason.to_string()),
        }
    }

    /// The one table of statuses and codes.
    pub fn status(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::NoSuchPath | Self::Refused(Refusal::NotFound(_)) => (S::NOT_FOUND, "not_found"),
            Self::Method { .. } => (S::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::ContentType => (S::UNSUPPORTED_MEDIA_TYPE, "content_type"),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::BodyTooSlow => (S::REQUEST_TIMEOUT, "body_too_slow"),
            Self::BodyBroken | Self::Invalid { .. } => (S::BAD_REQUEST, "invalid"),
            Self::Refused(Refusal::Invalid { .. }) => (S::BAD_REQUEST, "invalid"),
            Self::Denied(_) | Self::Refused(Refusal::Forbidden(_)) => (S::FORBIDDEN, "forbidden"),
            Self::Refused(Refusal::NotEnded(_)) => (S::CONFLICT, "not_ended"),
            Self::Refused(Refusal::IdempotencyConflict(_)) => (S::CONFLICT, "idempotency_conflict"),
            Self::Refused(Refusal::TooLarge { .. }) => (S::UNPROCESSABLE_ENTITY, "too_large"),
            Self::TooMany(_) | Self::Refused(Refusal::Busy) => (S::SERVICE_UNAVAILABLE, "busy"),
            Self::Refused(Refusal::Store(_)) => (S::INTERNAL_SERVER_ERROR, "store"),
        }
    }

    /// The part of the request that is wrong.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => field.as_deref(),
            Self::Refused(Refusal::Invalid { field, .. }) => Some(field),
            _ => None,
        }
    }

    /// The body of the answer.
    pub fn json(&self) -> Value {
        let mut error = json!({ "code": self.status().1, "message": self.to_string() });
        if let Some(field) = self.field() {
            error["field"] = field.into();
        }
        if let Self::Refused(Refusal::TooLarge { needs, node }) = self {
            error["needs"] = json!(needs);
            error["node"] = json!(node);
        }
        json!({ "error": error })
    }
}

/// A text as one line of bounded length.
fn line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let mut line: String = text
        .chars()
        .map(|c| if breaks(c) { ' ' } else { c })
        .take(REASON_BYTES_MAX)
        .collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}
