//! Every error that a client of the HTTP interface can get: its status, code, message and headers.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    daemon::{
        refusal::{ErrorCode, Refusal},
        view::{ErrorBody, ErrorDetail},
    },
    limits::{HTTP_BODY_BYTES_MAX, REASON_BYTES_MAX},
};

/// Why a request fails.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApiError {
    /// Nothing is served at the path.
    #[error("there is nothing at this path; see /v1/openapi.json")]
    NoSuchPath,
    /// The path does not have this method. The router adds the `Allow` header.
    #[error("this path does not take this method; the Allow header lists those it takes")]
    Method,
    /// The body is not declared as JSON, or it is encoded.
    #[error("the body must be JSON, not encoded: Content-Type: application/json")]
    ContentType,
    /// The body is too large.
    #[error("the body is larger than {HTTP_BODY_BYTES_MAX} bytes")]
    BodyTooLarge,
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    BodyTooSlow,
    /// The connection broke while the body was read.
    #[error("the body cannot be read")]
    BodyBroken,
    /// A part of the request is invalid.
    #[error("{}{reason}", field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default())]
    Invalid {
        /// The part: a header, a parameter, or a path in the body such as `settings.input[0]`.
        field: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// The caller may not use this daemon.
    #[error("{0}")]
    Denied(String),
    /// The user has reached the limit of connections or streams.
    #[error("too many {0} at a time; try again in a moment")]
    TooMany(&'static str),
    /// The daemon accepts no jobs for this reason.
    #[error("{0}")]
    NotReady(Refusal),
    /// The core refuses the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl ApiError {
    /// A part of the request is invalid. Both texts become one short line.
    pub fn invalid(field: impl ToString, reason: impl ToString) -> Self {
        Self::Invalid {
            field: Some(line(&field.to_string())),
            reason: line(&reason.to_string()),
        }
    }

    /// Status and code: the only table of them.
    pub fn status(&self) -> (StatusCode, ErrorCode) {
        if let Self::NotReady(refusal) = self {
            let (_, code) = Self::Refused(refusal.clone()).status();
            return (StatusCode::SERVICE_UNAVAILABLE, code);
        }
        use ErrorCode as C;
        use StatusCode as S;
        match self {
            Self::NoSuchPath | Self::Refused(Refusal::NotFound(_)) => (S::NOT_FOUND, C::NotFound),
            Self::Method => (S::METHOD_NOT_ALLOWED, C::MethodNotAllowed),
            Self::ContentType => (S::UNSUPPORTED_MEDIA_TYPE, C::ContentType),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, C::BodyTooLarge),
            Self::BodyTooSlow => (S::REQUEST_TIMEOUT, C::BodyTooSlow),
            Self::BodyBroken | Self::Invalid { .. } | Self::Refused(Refusal::Invalid { .. }) => {
                (S::BAD_REQUEST, C::Invalid)
            }
            Self::Denied(_) | Self::Refused(Refusal::Forbidden(_)) => (S::FORBIDDEN, C::Forbidden),
            Self::Refused(Refusal::NotEnded(_)) => (S::CONFLICT, C::NotEnded),
            Self::Refused(Refusal::Ended(..)) => (S::CONFLICT, C::Ended),
            Self::Refused(Refusal::NotWaiting(..)) => (S::CONFLICT, C::NotWaiting),
            Self::Refused(Refusal::IdempotencyConflict(_)) => (S::CONFLICT, C::IdempotencyConflict),
            Self::Refused(Refusal::TooLarge { .. }) => (S::UNPROCESSABLE_ENTITY, C::TooLarge),
            Self::Refused(Refusal::Quota(_)) => (S::TOO_MANY_REQUESTS, C::Quota),
            Self::Refused(Refusal::QueueFull(_)) => (S::SERVICE_UNAVAILABLE, C::QueueFull),
            Self::TooMany(_) | Self::NotReady(_) | Self::Refused(Refusal::Busy) => {
                (S::SERVICE_UNAVAILABLE, C::Busy)
            }
            Self::Refused(Refusal::StateFull(_)) => (S::INSUFFICIENT_STORAGE, C::StateFull),
            Self::Refused(Refusal::Store(_)) => (S::INTERNAL_SERVER_ERROR, C::Store),
            Self::Refused(Refusal::Encode { .. }) => (S::INTERNAL_SERVER_ERROR, C::Encode),
        }
    }

    /// The part of the request that is invalid.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => field.as_deref(),
            Self::Refused(Refusal::Invalid { field, .. }) => Some(field),
            _ => None,
        }
    }

    /// The body of the answer.
    pub fn body(&self) -> ErrorBody {
        let (needs, node) = match self {
            Self::Refused(Refusal::TooLarge { needs, node }) => (Some(*needs), Some(*node)),
            _ => (None, None),
        };
        ErrorBody {
            error: ErrorDetail {
                code: self.status().1.to_string(),
                message: self.to_string(),
                field: self.field().map(str::to_owned),
                needs,
                node,
            },
        }
    }

    /// The body of the answer as text.
    pub fn json(&self) -> String {
        serde_json::to_string(&self.body()).expect("text and numbers can be written as JSON")
    }

    /// Whether the connection is closed after the answer: part of the request may be unread.
    fn closes(&self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge | Self::BodyTooSlow | Self::BodyBroken | Self::Denied(_)
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, _) = self.status();
        let kind = [(header::CONTENT_TYPE, "application/json")];
        let mut answer = (status, kind, self.json()).into_response();
        let mut add = |name, value| {
            answer
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        };
        if self.closes() {
            add(header::CONNECTION, "close");
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            add(header::RETRY_AFTER, "1");
        }
        answer
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
