//! From a request to its answer.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header::{self, HeaderValue},
};
use serde::Serialize;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    Edge,
    connection::InFlight,
    content::{Content, kept},
    shares::{Held, UserShares},
    stream::{self, OfJob, Sink},
};
use crate::{
    daemon::{
        action::{Action, Caller, ListQuery, SubmitRequest},
        api::{self, ApiError, OPENAPI, job_json},
        core::{JobView, Refusal},
        job::{JobId, State},
    },
    limits::{
        HTTP_BODY_BYTES_MAX, HTTP_JOBS_BYTES_MAX, HTTP_LIST_BYTES_MAX, HTTP_SMALL_BYTES,
        LIST_PAGE_JOBS,
    },
};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Who is at the other end of a connection, and what the connection needs to answer.
pub(super) struct Peer {
    pub(super) edge: Arc<Edge>,
    pub(super) caller: Result<Caller, ApiError>,
    pub(super) share: Arc<UserShares>,
    pub(super) ending: watch::Receiver<bool>,
}

type Answer = Response<Content>;

impl Peer {
    /// Answers a request, whatever it is.
    pub(super) async fn answer(&self, request: Request<Incoming>, in_flight: InFlight) -> Answer {
        let answer = self.try_answer(request).await;
        let mut answer = answer.unwrap_or_else(|error| refusal(&error));
        self.edge.counts.answered(answer.status());
        answer.body_mut().busy_until_dropped(in_flight);
        answer
    }

    async fn try_answer(&self, request: Request<Incoming>) -> Result<Answer, ApiError> {
        let caller = self.caller.clone()?;
        let (head, body) = request.into_parts();
        // A path that is not served is told before its body is read.
        api::find(&head.method, head.uri.path())?;
        let (body, held) = self.read(body).await?;
        let action = api::parse(&head.method, &head.uri, &head.headers, &body)?;
        drop(body);
        let only_head = head.method == Method::HEAD;
        match action {
            Action::Submit(job) => self.submit(caller, *job, held).await,
            Action::List(query) => self.list(caller, query).await,
            Action::Show(id) => {
                let (answer, _) = self.job(self.edge.core.show(caller, id)).await?;
                Ok(answer)
            }
            Action::Cancel(id) => {
                let (mut answer, state) = self.job(self.edge.core.cancel(caller, id)).await?;
                if !state.is_final() {
                    *answer.status_mut() = StatusCode::ACCEPTED;
                }
                Ok(answer)
            }
            Action::Forget(id) => {
                self.ask(self.edge.core.forget(caller, id)).await?;
                Ok(plain(StatusCode::NO_CONTENT, "", Bytes::new()))
            }
            Action::Events { id, after } => self.events(caller, id, after, only_head).await,
            Action::Log { id, follow } => self.log(caller, id, follow, only_head).await,
            Action::Node => json(&self.ask(self.edge.core.node()).await?, None),
            Action::OpenApi => Ok(plain(StatusCode::OK, JSON, OPENAPI)),
            Action::Health => Ok(plain(StatusCode::OK, TEXT, "ok\n")),
            Action::Ready if self.edge.core.ready() => Ok(plain(StatusCode::OK, TEXT, "ok\n")),
            Action::Ready => Err(ApiError::Refused(Refusal::Busy)),
            Action::Metrics => self.metrics().await,
        }
    }

    /// The body of a request, with the permit for it and for the answer if it is not small. One that is
    /// said to be too large is not read at all.
    async fn read(&self, body: Incoming) -> Result<(Bytes, Option<Held>), ApiError> {
        if body.is_end_stream() {
            return Ok((Bytes::new(), None));
        }
        let said = body.size_hint().upper();
        if said.is_some_and(|bytes| bytes > HTTP_BODY_BYTES_MAX as u64) {
            return Err(ApiError::BodyTooLarge);
        }
        let small = said.is_some_and(|bytes| bytes <= HTTP_SMALL_BYTES as u64);
        let held = match small {
            true => None,
            false => Some(self.memory(HTTP_JOBS_BYTES_MAX).await?),
        };
        let all = Limited::new(body, HTTP_BODY_BYTES_MAX).collect();
        let read = timeout(self.edge.limits.body_time, all).await;
        match read.map_err(|_| ApiError::BodyTooSlow)? {
            Ok(body) => Ok((body.to_bytes(), held)),
            Err(error) if error.is::<LengthLimitError>() => Err(ApiError::BodyTooLarge),
            Err(_) => Err(ApiError::BodyBroken),
        }
    }

    async fn submit(
        &self,
        caller: Caller,
        job: SubmitRequest,
        held: Option<Held>,
    ) -> Result<Answer, ApiError> {
        let submitted = self.ask(self.edge.core.submit(caller, job)).await?;
        let view = submitted.view;
        let name = self.edge.names.of(view.job.uid).await;
        let mut answer = json(&job_json(&view, name.as_deref()), held)?;
        if submitted.new {
            *answer.status_mut() = StatusCode::CREATED;
        }
        let place = HeaderValue::try_from(format!("/v1/jobs/{}", view.job.id));
        answer
            .headers_mut()
            .insert(header::LOCATION, place.expect("a path and a number"));
        Ok(answer)
    }

    /// One job, which `asked` gives, and its state.
    async fn job(
        &self,
        asked: impl Future<Output = Result<JobView, Refusal>>,
    ) -> Result<(Answer, State), ApiError> {
        let held = self.memory(HTTP_JOBS_BYTES_MAX).await?;
        let view = self.ask(asked).await?;
        let name = self.edge.names.of(view.job.uid).await;
        let answer = json(&job_json(&view, name.as_deref()), Some(held))?;
        Ok((answer, view.job.state))
    }

    /// Jobs, page after page, until there are as many as were asked for or the text is long enough.
    async fn list(&self, caller: Caller, query: ListQuery) -> Result<Answer, ApiError> {
        let held = self.memory(HTTP_JOBS_BYTES_MAX).await?;
        let mut text = br#"{"jobs":["#.to_vec();
        let (mut left, mut before) = (query.limit, query.before);
        let next = loop {
            let limit = left.min(LIST_PAGE_JOBS);
            let page = ListQuery {
                before,
                limit,
                ..query.clone()
            };
            let page = self.ask(self.edge.core.list(caller, page)).await?;
            for view in &page {
                if text.len() >= HTTP_LIST_BYTES_MAX {
                    break;
                }
                let name = self.edge.names.of(view.job.uid).await;
                append(&mut text, &job_json(view, name.as_deref()))?;
                (before, left) = (Some(view.job.id), left - 1);
            }
            if text.len() >= HTTP_LIST_BYTES_MAX || left == 0 {
                break before;
            }
            if page.len() < limit as usize {
                break None;
            }
        };
        let next = next.map_or("null".into(), |id| id.to_string());
        text.extend_from_slice(format!(r#"],"next_before":{next}}}"#).as_bytes());
        Ok(plain(StatusCode::OK, JSON, smaller(text, Some(held))))
    }

    async fn events(
        &self,
        caller: Caller,
        id: JobId,
        after: u64,
        only_head: bool,
    ) -> Result<Answer, ApiError> {
        let permit = self.stream()?;
        // Before the job is looked at, so that nothing is missed in between.
        let events = self.edge.core.events();
        let view = self.ask(self.edge.core.show(caller, id)).await?;
        if only_head {
            return Ok(plain(StatusCode::OK, "text/event-stream", Bytes::new()));
        }
        let (sink, pieces) = self.sink(Some(permit));
        let name = self.edge.names.of(view.job.uid).await;
        let from = stream::From {
            view,
            after,
            heartbeat: self.edge.limits.heartbeat,
            user_name: name,
        };
        let source = self.source(caller, id);
        tokio::spawn(stream::events(source, events, from, sink));
        Ok(plain_content(
            StatusCode::OK,
            "text/event-stream",
            Content::pieces(pieces),
        ))
    }

    async fn log(
        &self,
        caller: Caller,
        id: JobId,
        follow: bool,
        only_head: bool,
    ) -> Result<Answer, ApiError> {
        let permit = match follow {
            true => Some(self.stream()?),
            false => None,
        };
        let events = self.edge.core.events();
        let view = self.ask(self.edge.core.show(caller, id)).await?;
        if only_head {
            return Ok(plain(StatusCode::OK, TEXT, Bytes::new()));
        }
        let (sink, pieces) = self.sink(permit);
        let events = (follow && !view.job.state.is_final()).then_some(events);
        let source = self.source(caller, id);
        tokio::spawn(stream::log(source, events, id, sink));
        Ok(plain_content(StatusCode::OK, TEXT, Content::pieces(pieces)))
    }

    async fn metrics(&self) -> Result<Answer, ApiError> {
        let text = self.ask(self.edge.core.metrics(&self.edge.counts)).await?;
        let kind = match text.ends_with("# EOF\n") {
            true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            false => "text/plain; version=0.0.4; charset=utf-8",
        };
        Ok(plain(StatusCode::OK, kind, text))
    }

    fn source(&self, caller: Caller, id: JobId) -> OfJob {
        OfJob {
            core: self.edge.core.clone(),
            caller,
            id,
        }
    }

    fn sink(&self, permit: Option<Held>) -> (Sink, mpsc::Receiver<Bytes>) {
        let (pieces, receiver) = mpsc::channel(1);
        let counts = self.edge.counts.clone();
        let sink = Sink::new(
            pieces,
            self.share.clone(),
            self.ending.clone(),
            counts,
            permit,
        );
        (sink, receiver)
    }

    fn stream(&self) -> Result<Held, ApiError> {
        self.share.stream().ok_or(ApiError::TooMany("streams"))
    }

    /// What the core says, if it says it in time.
    async fn ask<T>(&self, asked: impl Future<Output = Result<T, Refusal>>) -> Result<T, ApiError> {
        let said = timeout(self.edge.limits.answer_time, asked).await;
        Ok(said.unwrap_or(Err(Refusal::Busy))?)
    }

    async fn memory(&self, bytes: usize) -> Result<Held, ApiError> {
        timeout(self.edge.limits.answer_time, self.share.bytes(bytes))
            .await
            .map_err(|_| ApiError::TooMany("large answers"))
    }
}

fn json(value: &impl Serialize, held: Option<Held>) -> Result<Answer, ApiError> {
    let text = serde_json::to_vec(value).map_err(|error| Refusal::Store(error.to_string()))?;
    Ok(plain(StatusCode::OK, JSON, smaller(text, held)))
}

/// Keeps of a permit what the text needs.
fn smaller(text: Vec<u8>, held: Option<Held>) -> Bytes {
    let held = held.filter(|_| text.len() > HTTP_SMALL_BYTES);
    let held = held.map(|mut held| {
        held.shrink(text.len());
        held
    });
    kept(text, held)
}

/// Adds an item to a JSON array.
fn append(text: &mut Vec<u8>, item: &impl Serialize) -> Result<(), ApiError> {
    if !text.ends_with(b"[") {
        text.push(b',');
    }
    serde_json::to_writer(text, item).map_err(|error| Refusal::Store(error.to_string()).into())
}

fn refusal(error: &ApiError) -> Answer {
    let (status, _) = error.status();
    let mut answer = plain(status, JSON, error.json().to_string());
    if let ApiError::Method { allow } = error {
        let allow = HeaderValue::try_from(allow).expect("names of methods");
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    let close = matches!(
        error,
        ApiError::BodyTooLarge | ApiError::BodyTooSlow | ApiError::BodyBroken | ApiError::Denied(_)
    );
    let headers = answer.headers_mut();
    if close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

fn plain(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Answer {
    plain_content(status, kind, Content::whole(text))
}

fn plain_content(status: StatusCode, kind: &'static str, content: Content) -> Answer {
    let mut answer = Response::new(content);
    *answer.status_mut() = status;
    let headers: &mut HeaderMap = answer.headers_mut();
    if !kind.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
