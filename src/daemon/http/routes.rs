//! The routes: path and method of each request, its handler, and its description in the OpenAPI document,
//! which are one declaration. Those about many jobs are in `many`.

mod many;

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    error_handling::HandleErrorLayer,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;
use tower::{BoxError, ServiceBuilder, timeout::TimeoutLayer};
use tower_http::{set_header::SetResponseHeaderLayer, trace::TraceLayer};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::{kept_shrunk, pieces},
    edge::{Edge, Session},
    extract::{Change, Id, Params, Submission, Who},
    metrics,
    shares::Held,
    stream::{self, OfJob, Sink},
};
use crate::{
    daemon::{
        action::ListQuery,
        api::{self, ApiError, EventParams, ListParams, LogParams, NoParams},
        job::{Job, JobId},
        refusal::Refusal,
        view::{ErrorBody, JobList, JobView, NodeView, UserView},
    },
    limits::{HTTP_JOBS_BYTES_MAX, HTTP_LIST_BYTES_MAX, LIST_PAGE_JOBS},
};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const EVENTS: &str = "text/event-stream";

/// The OpenAPI document of the routes.
pub static OPENAPI: LazyLock<String> = LazyLock::new(|| api::document(declared().into_openapi()));

fn declared() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(submit, list))
        .routes(routes!(show, set, forget))
        .routes(routes!(cancel))
        .routes(routes!(many::cancel_many))
        .routes(routes!(many::forget_many))
        .routes(routes!(many::wait))
        .routes(routes!(events))
        .routes(routes!(log))
        .routes(routes!(node))
        .routes(routes!(user))
        .routes(routes!(openapi))
        .routes(routes!(health))
        .routes(routes!(ready))
        .routes(routes!(figures))
}

/// The service that answers every request of every connection.
pub(super) fn router(edge: &Edge) -> Router {
    let in_time = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|_: BoxError| async {
            ApiError::Refused(Refusal::Busy)
        }))
        .layer(TimeoutLayer::new(edge.limits.answer_time));
    let no_store = HeaderValue::from_static("no-store");
    Router::from(declared())
        .fallback(|_: Session| async { ApiError::NoSuchPath })
        .method_not_allowed_fallback(|_: Session| async { ApiError::Method })
        .layer(in_time)
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            no_store,
        ))
        // A refusal is not a failure of the daemon, and the core logs those of the store.
        .layer(TraceLayer::new_for_http().on_failure(()))
}

/// Submit a job
#[utoipa::path(
    post, path = "/v1/jobs", operation_id = "submitJob",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, min_length = 1,
        max_length = 128, pattern = "^[!-~]{1,128}$",
        description = "With the same key and the same body a job is submitted once.")),
    request_body = api::SubmissionBody,
    responses(
        (status = 201, description = "The job was accepted.", body = JobView,
            headers(("Location" = String, description = "The job's path."))),
        (status = 200, description = "The same body was submitted before with the same key; the answer \
            is that job.", body = JobView,
            headers(("Location" = String, description = "The job's path."))),
        (status = 408, description = "The body did not arrive in time.", body = ErrorBody),
        (status = 404, description = "A job that it is to wait for does not exist, or another user owns it.",
            body = ErrorBody),
        (status = 409, description = "The key was used with another job.", body = ErrorBody),
        (status = 413, description = "The body is larger than 131072 bytes.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "The job does not fit the node even when nothing else runs; `needs` \
            and `node` give both.", body = ErrorBody),
        (status = 429, description = "The user's quota does not allow the job; the message says the quota \
            and what is used.", body = ErrorBody),
    )
)]
async fn submit(submission: Submission) -> Result<Response, ApiError> {
    let Submission {
        session,
        request,
        held,
    } = submission;
    let submitted = session.core().submit(session.caller, request).await?;
    let status = match submitted.new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    let location = [(header::LOCATION, format!("/v1/jobs/{}", submitted.job.id))];
    let answer = job_answer(&session, &submitted.job, held).await?;
    Ok((status, location, answer).into_response())
}

/// List jobs, newest first
#[utoipa::path(
    get, path = "/v1/jobs", operation_id = "listJobs", params(ListParams),
    responses((status = 200, body = JobList, description = "Jobs that the user may see: as many as asked \
        for, or fewer if their text is long."))
)]
async fn list(session: Session, Params(params): Params<ListParams>) -> Result<Response, ApiError> {
    let mine = params.mine.then_some(session.caller.uid);
    let counted = params.count;
    let mut query = ListQuery::from(params);
    query.uid = mine.or(query.uid);
    let total = match counted {
        true => Some(session.core().count(session.caller, query.clone()).await?),
        false => None,
    };
    let held = session.memory(HTTP_JOBS_BYTES_MAX).await;
    let mut text = br#"{"jobs":["#.to_vec();
    let (mut left, mut before) = (query.limit, query.before);
    // Page after page, until there are enough jobs or the text is long enough.
    let next = loop {
        let limit = left.min(LIST_PAGE_JOBS);
        let page = ListQuery {
            before,
            limit,
            ..query.clone()
        };
        let page = session.core().list(session.caller, page).await?;
        for job in &page {
            if text.len() >= HTTP_LIST_BYTES_MAX {
                break;
            }
            append(&mut text, &view(&session, job).await)?;
            (before, left) = (Some(job.id), left - 1);
        }
        if text.len() >= HTTP_LIST_BYTES_MAX || left == 0 {
            break before;
        }
        if page.len() < limit as usize {
            break None;
        }
    };
    let number = |number: Option<u64>| number.map_or("null".into(), |number| number.to_string());
    let (next, total) = (number(next.map(|id| id.0)), number(total));
    text.extend_from_slice(format!(r#"],"next_before":{next},"total":{total}}}"#).as_bytes());
    Ok(with_type(JSON, kept_shrunk(text, Some(held))))
}

/// Show a job
#[utoipa::path(
    get, path = "/v1/jobs/{id}", operation_id = "showJob", params(JobPath),
    responses((status = 200, description = "The job.", body = JobView))
)]
async fn show(session: Session, Id(id): Id, _: Params<NoParams>) -> Result<Response, ApiError> {
    let held = session.memory(HTTP_JOBS_BYTES_MAX).await;
    let job = session.core().show(session.caller, id).await?;
    job_answer(&session, &job, Some(held)).await
}

/// Stop a job for good
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", operation_id = "cancelJob", params(JobPath),
    responses(
        (status = 202, description = "Its process was asked to stop.", body = JobView),
        (status = 200, description = "It is in a final state: it was waiting and is cancelled, or it had \
            ended before.", body = JobView),
    )
)]
async fn cancel(session: Session, Id(id): Id, _: Params<NoParams>) -> Result<Response, ApiError> {
    let held = session.memory(HTTP_JOBS_BYTES_MAX).await;
    let job = session.core().cancel(session.caller, id).await?;
    let status = match job.course.state.is_final() {
        true => StatusCode::OK,
        false => StatusCode::ACCEPTED,
    };
    let answer = job_answer(&session, &job, Some(held)).await?;
    Ok((status, answer).into_response())
}

/// Change a job that has not ended
#[utoipa::path(
    patch, path = "/v1/jobs/{id}", operation_id = "setJob", params(JobPath),
    request_body = api::ChangeBody,
    responses(
        (status = 200, description = "The job as it is now. The change counts at once.", body = JobView),
        (status = 408, description = "The body did not arrive in time.", body = ErrorBody),
        (status = 409, description = "The job has ended; or its memory or threads are to be changed, and it does \
            not wait.", body = ErrorBody),
        (status = 413, description = "The body is larger than 131072 bytes.", body = ErrorBody),
        (status = 415, description = "The body is not application/json.", body = ErrorBody),
        (status = 422, description = "With the change the job does not fit the node even when nothing else runs; \
            `needs` and `node` give both.", body = ErrorBody),
        (status = 429, description = "The quota of the job's user does not allow the job with the change.",
            body = ErrorBody),
    )
)]
async fn set(Id(id): Id, change: Change) -> Result<Response, ApiError> {
    let Change {
        session,
        change,
        held,
    } = change;
    let job = session.core().set(session.caller, id, change).await?;
    job_answer(&session, &job, Some(held)).await
}

/// Forget a job that has ended; its output stays
#[utoipa::path(
    delete, path = "/v1/jobs/{id}", operation_id = "forgetJob", params(JobPath),
    responses(
        (status = 204, description = "The job is forgotten."),
        (status = 409, description = "The job has not ended; cancel it first.", body = ErrorBody),
    )
)]
async fn forget(session: Session, Id(id): Id, _: Params<NoParams>) -> Result<StatusCode, ApiError> {
    session.core().forget(session.caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Follow a job until it has ended
#[utoipa::path(
    get, path = "/v1/jobs/{id}/events", operation_id = "jobEvents",
    params(JobPath, EventParams, ("Last-Event-ID" = Option<u64>, Header, nullable = false, minimum = 0,
        maximum = 9223372036854775807_i64, description = "The same; it wins where both are given.")),
    responses((status = 200, content_type = "text/event-stream", body = api::ServerSentEvent,
        description = "`event: state` for each change, with the number of the event as `id` and the job as \
            `data`; `event: progress` with the progress event of the job process as `data`; a comment every \
            15 seconds."))
)]
async fn events(
    session: Session,
    Id(id): Id,
    headers: HeaderMap,
    Params(params): Params<EventParams>,
) -> Result<Response, ApiError> {
    let after = params.after(&headers)?;
    let permit = session.stream()?;
    // Subscribe before the job is read, so that nothing in between is missed.
    let notices = session.core().notices();
    let job = session.core().show(session.caller, id).await?;
    let from = stream::From {
        user_name: session.user_name(job.submission.uid).await,
        job,
        after,
        heartbeat: session.peer.edge.limits.heartbeat,
    };
    let (sink, receiver) = sink(&session, Some(permit));
    tokio::spawn(stream::events(source(&session, id), notices, from, sink));
    Ok(with_type(EVENTS, pieces(receiver)))
}

/// The log of a job's processes
#[utoipa::path(
    get, path = "/v1/jobs/{id}/log", operation_id = "jobLog", params(JobPath, LogParams),
    responses((status = 200, content_type = "text/plain", body = String,
        description = "The text; the middle of a long log is left out."))
)]
async fn log(
    session: Session,
    Id(id): Id,
    Params(params): Params<LogParams>,
) -> Result<Response, ApiError> {
    let permit = params.follow.then(|| session.stream()).transpose()?;
    let notices = session.core().notices();
    let job = session.core().show(session.caller, id).await?;
    let notices = (params.follow && !job.course.state.is_final()).then_some(notices);
    let (sink, receiver) = sink(&session, permit);
    tokio::spawn(stream::log(source(&session, id), notices, id, sink));
    Ok(with_type(TEXT, pieces(receiver)))
}

/// The node and what running jobs occupy
#[utoipa::path(
    get, path = "/v1/node", operation_id = "showNode",
    responses((status = 200, description = "The node.", body = NodeView))
)]
async fn node(session: Session, _: Params<NoParams>) -> Result<Response, ApiError> {
    json(&metrics::node(session.core()).await?, None)
}

/// A user's quota, and what is used of it
#[utoipa::path(
    get, path = "/v1/users/{user}", operation_id = "showUser",
    params(("user" = String, Path, description = "`me`, or for admins a uid.", pattern = "^(me|[0-9]{1,10})$")),
    responses((status = 200, description = "The user.", body = UserView))
)]
async fn user(session: Session, Who(uid): Who, _: Params<NoParams>) -> Result<Response, ApiError> {
    let uid = uid.unwrap_or(session.caller.uid);
    let standing = session.core().standing(session.caller, uid).await?;
    let standing = standing.ok_or(ApiError::NoSuchPath)?;
    let name = session.user_name(uid).await;
    json(&UserView::new(&standing, name.as_deref()), None)
}

/// This document
#[utoipa::path(
    get, path = "/v1/openapi.json", operation_id = "openApi",
    responses((status = 200, description = "The document.", body = Object))
)]
async fn openapi(_: Session, _: Params<NoParams>) -> Response {
    with_type(JSON, OPENAPI.as_str())
}

/// Whether the daemon is alive
#[utoipa::path(
    get, path = "/healthz", operation_id = "health",
    responses((status = 200, description = "It is.", content_type = "text/plain", body = String))
)]
async fn health(_: Session, _: Params<NoParams>) -> Response {
    with_type(TEXT, "ok\n")
}

/// Whether the daemon accepts jobs
#[utoipa::path(
    get, path = "/readyz", operation_id = "ready",
    responses((status = 200, description = "It does.", content_type = "text/plain", body = String))
)]
async fn ready(session: Session, _: Params<NoParams>) -> Result<Response, ApiError> {
    let ready = session.core().ready().await;
    ready.map_err(ApiError::NotReady)?;
    Ok(with_type(TEXT, "ok\n"))
}

/// Metrics for Prometheus
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics",
    responses((status = 200, description = "The metrics, as OpenMetrics if `Accept` asks for it.", content(
        (String = "text/plain"), (String = "application/openmetrics-text"))))
)]
async fn figures(
    session: Session,
    headers: HeaderMap,
    _: Params<NoParams>,
) -> Result<Response, ApiError> {
    let format = metrics::Format::asked(&headers);
    let text = metrics::text(session.core(), &session.peer.edge.counts, format).await?;
    Ok(with_type(format.content_type(), text))
}

/// The path of a job.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the extractor `Id` reads it; this describes it")]
struct JobPath {
    /// The job's number.
    #[param(minimum = 1, maximum = 9223372036854775807_i64)]
    id: u64,
}

async fn view(session: &Session, job: &Job) -> JobView {
    let name = session.user_name(job.submission.uid).await;
    JobView::new(job, name.as_deref(), session.core().waits_for(job))
}

async fn job_answer(
    session: &Session,
    job: &Job,
    held: Option<Held>,
) -> Result<Response, ApiError> {
    json(&view(session, job).await, held)
}

fn json(value: &impl Serialize, held: Option<Held>) -> Result<Response, ApiError> {
    let text = serde_json::to_vec(value).map_err(|error| Refusal::encode("the answer", &error))?;
    Ok(with_type(JSON, kept_shrunk(text, held)))
}

/// Adds an item to a JSON array.
fn append(text: &mut Vec<u8>, item: &impl Serialize) -> Result<(), ApiError> {
    if !text.ends_with(b"[") {
        text.push(b',');
    }
    serde_json::to_writer(text, item)
        .map_err(|error| Refusal::encode("a list of jobs", &error).into())
}

fn with_type(kind: &'static str, body: impl IntoResponse) -> Response {
    let mut answer = body.into_response();
    let kind = HeaderValue::from_static(kind);
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

fn source(session: &Session, id: JobId) -> OfJob {
    OfJob {
        core: session.core().clone(),
        caller: session.caller,
        id,
    }
}

fn sink(session: &Session, permit: Option<Held>) -> (Sink, mpsc::Receiver<Bytes>) {
    let (pieces, receiver) = mpsc::channel(1);
    let peer = &session.peer;
    let sink = Sink::new(
        pieces,
        Arc::clone(&peer.share),
        peer.ending.clone(),
        &peer.edge.counts,
        permit,
    );
    (sink, receiver)
}
