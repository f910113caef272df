//! Parts of requests as checked values.

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::request::Parts,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{edge::Session, shares::Held};
use crate::{
    daemon::{
        action::SubmitRequest,
        api::{self, ApiError},
        job::{JobChange, JobId},
    },
    limits::{HTTP_BODY_BYTES_MAX, HTTP_JOBS_BYTES_MAX, HTTP_SMALL_BYTES},
};

/// The job number in the path. Each number has one spelling; other texts are paths that do not exist.
pub(super) struct Id(pub(super) JobId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| ApiError::NoSuchPath)?;
        api::job_id(&text).map(Self).ok_or(ApiError::NoSuchPath)
    }
}

/// The user in the path; none for `me`. Each uid has one spelling; other texts are paths that do not exist.
pub(super) struct Who(pub(super) Option<u32>);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| ApiError::NoSuchPath)?;
        let uid = text.parse::<u32>().ok();
        match uid.filter(|uid| uid.to_string() == text) {
            Some(uid) => Ok(Self(Some(uid))),
            None if text == "me" => Ok(Self(None)),
            None => Err(ApiError::NoSuchPath),
        }
    }
}

/// The parameters of a request without a body.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !request.body().is_end_stream() {
            return Err(ApiError::invalid("body", "this request takes no body"));
        }
        api::parameters(request.uri()).map(Self)
    }
}

/// A submission, with a permit for its memory and that of the answer if it is not small.
pub(super) struct Submission {
    pub(super) session: Session,
    pub(super) request: SubmitRequest,
    pub(super) held: Option<Held>,
}

impl<S: Send + Sync> FromRequest<S> for Submission {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let session = Session::from_request_parts(&mut parts, state).await?;
        let announced = announced(&body)?;
        let small = announced.is_some_and(|bytes| bytes <= HTTP_SMALL_BYTES as u64);
        let held = match small {
            true => None,
            false => Some(session.memory(HTTP_JOBS_BYTES_MAX).await),
        };
        let body = in_time(&session, body).await?;
        let request = api::submission(&parts.uri, &parts.headers, &body)?;
        Ok(Self {
            session,
            request,
            held,
        })
    }
}

/// A change of a job, with a permit for the memory of the body and of the answer.
pub(super) struct Change {
    pub(super) session: Session,
    pub(super) change: JobChange,
    pub(super) held: Held,
}

impl<S: Send + Sync> FromRequest<S> for Change {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let session = Session::from_request_parts(&mut parts, state).await?;
        let (body, held) = self::body(&session, body).await?;
        let change = api::change(&parts.uri, &parts.headers, &body)?;
        Ok(Self {
            session,
            change,
            held,
        })
    }
}

/// A body, with a permit for its memory and that of an answer with jobs.
pub(super) async fn body(session: &Session, body: Body) -> Result<(Bytes, Held), ApiError> {
    announced(&body)?;
    let held = session.memory(HTTP_JOBS_BYTES_MAX).await;
    Ok((in_time(session, body).await?, held))
}

/// Bytes of a body, if its head announces them. A body that is announced as too large is not read.
fn announced(body: &Body) -> Result<Option<u64>, ApiError> {
    let announced = body.size_hint().upper();
    match announced.is_some_and(|bytes| bytes > HTTP_BODY_BYTES_MAX as u64) {
        true => Err(ApiError::BodyTooLarge),
        false => Ok(announced),
    }
}

async fn in_time(session: &Session, body: Body) -> Result<Bytes, ApiError> {
    let body = timeout(session.peer.edge.limits.body_time, read(body)).await;
    body.map_err(|_| ApiError::BodyTooSlow)?
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, HTTP_BODY_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::BodyTooLarge),
        Err(_) => Err(ApiError::BodyBroken),
    }
}
