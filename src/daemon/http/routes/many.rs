//! Requests about many jobs: cancel, forget, wait.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    response::Response,
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep_until},
};

use super::json;
use crate::{
    daemon::{
        action::Bulk,
        api::{self, ApiError, SelectParams},
        http::{
            edge::Session,
            extract::{Params, body},
            shares::Held,
        },
        job::JobId,
        refusal::Refusal,
        snapshot::{End, Notice},
        view::{EndList, EndView, ErrorBody, SelectedJobs},
    },
    limits::{HTTP_JOBS_BYTES_MAX, WAIT_SECONDS_MAX},
};

/// Stop many jobs for good
#[utoipa::path(
    post, path = "/v1/jobs/cancel", operation_id = "cancelJobs", params(SelectParams),
    responses((status = 200, body = SelectedJobs, description = "The jobs that were cancelled or asked to \
        stop, newest first, up to `limit`; `next_before` says where the next request continues."))
)]
pub(super) async fn cancel_many(
    session: Session,
    Params(params): Params<SelectParams>,
) -> Result<Response, ApiError> {
    many(&session, params, Bulk::Cancel).await
}

/// Forget many jobs that have ended; their output stays
#[utoipa::path(
    post, path = "/v1/jobs/forget", operation_id = "forgetJobs", params(SelectParams),
    responses((status = 200, body = SelectedJobs, description = "The jobs that were forgotten, newest first, up \
        to `limit`; `next_before` says where the next request continues."))
)]
pub(super) async fn forget_many(
    session: Session,
    Params(params): Params<SelectParams>,
) -> Result<Response, ApiError> {
    many(&session, params, Bulk::Forget).await
}

async fn many(session: &Session, params: SelectParams, bulk: Bulk) -> Result<Response, ApiError> {
    let query = params.query(session.caller)?;
    let held = session.memory(HTTP_JOBS_BYTES_MAX).await;
    let selected = session.core().many(session.caller, bulk, query).await?;
    json(&SelectedJobs::from(selected), Some(held))
}

/// Wait until one of several jobs has ended
#[utoipa::path(
    post, path = "/v1/jobs/wait", operation_id = "waitJobs", request_body = api::WaitBody,
    responses(
        (status = 200, body = EndList, description = "Those of the jobs that have ended, as soon as there is one; \
            none if none has ended within 20 seconds: then ask again."),
        (status = 404, description = "There is no such job, or another user owns it.", body = ErrorBody),
        (status = 408, description = "The body did not arrive in time.", body = ErrorBody),
        (status = 413, description = "The body is larger than 131072 bytes.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
    )
)]
pub(super) async fn wait(waiting: Waiting) -> Result<Response, ApiError> {
    let Waiting {
        session,
        jobs,
        held,
    } = waiting;
    let _stream = session.stream()?;
    let until = Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX);
    let mut ending = session.peer.ending.clone();
    // Subscribe before the jobs are read, so that nothing in between is missed.
    let mut notices = session.core().notices();
    loop {
        let ends = session.core().ends(session.caller, &jobs).await?;
        let ended = ends.into_iter().filter(|(_, state, _)| state.is_final());
        let ended: Vec<EndView> = ended.map(EndView::from).collect();
        let last = !ended.is_empty() || *ending.borrow() || Instant::now() >= until;
        if last {
            return json(&EndList { ended }, Some(held));
        }
        tokio::select! {
            _ = ending.wait_for(|ends| *ends) => {}
            () = sleep_until(until) => {}
            changed = one_ended(&mut notices, &jobs) => changed?,
        }
    }
}

/// Waits until one of these jobs, which are sorted, may have ended.
async fn one_ended(notices: &mut Receiver<Notice>, jobs: &[JobId]) -> Result<(), Refusal> {
    loop {
        match notices.recv().await {
            Ok(Notice::State(id, state)) if state.is_final() && jobs.binary_search(&id).is_ok() => {
                return Ok(());
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return Ok(()),
            Err(RecvError::Closed) => return Err(Refusal::Busy),
        }
    }
}

/// A request to wait, with a permit for the memory of the body and of the answer.
pub(super) struct Waiting {
    session: Session,
    /// Sorted.
    jobs: Arc<[JobId]>,
    held: Held,
}

impl<S: Send + Sync> FromRequest<S> for Waiting {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (mut parts, content) = request.into_parts();
        let session = Session::from_request_parts(&mut parts, state).await?;
        let (content, held) = body(&session, content).await?;
        let jobs = api::wait(&parts.uri, &parts.headers, &content)?;
        Ok(Self {
            session,
            jobs,
            held,
        })
    }
}

impl From<End> for EndView {
    fn from((id, state, exit_code): End) -> Self {
        Self {
            id,
            state,
            exit_code,
        }
    }
}
