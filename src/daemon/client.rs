//! A blocking client of the daemon: HTTP over its Unix socket, which may be on another machine ([`Place`]).
//!
//! Each request has its own connection. The size of every answer is bounded, and so is the time to wait for
//! it. The event stream of a job survives a restart of the daemon: the client reconnects and continues after
//! the last event it received.

mod error;
mod key;
mod line;
mod many;
mod place;
mod request;
mod sse;
mod ssh_address;
mod tunnel;

use std::{
    future::Future,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    runtime::Runtime,
    time::{Instant, sleep, timeout},
};

use self::{
    error::start,
    request::{JsonBody, request, target},
    sse::SseReader,
};
pub use self::{
    error::{ApiError, ClientError},
    key::IdempotencyKey,
    line::pass,
    many::{Selection, WaitEvent},
    place::Place,
};
use super::{
    action::ListQuery,
    api::{ChangeBody, SubmissionBody},
    view::{ErrorBody, JobList, JobView, NodeView, UserView},
};
use crate::report::event::{Event, Progress};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Largest event that is read: a job with its settings.
const EVENT_BYTES_MAX: usize = 4 << 20;
/// Jobs requested per page.
const PAGE_JOBS: u32 = 200;

/// How long a client waits.
#[derive(Clone, Copy, Debug)]
struct Waits {
    /// While the daemon's queue of connections is full.
    connect: Duration,
    /// For an answer.
    answer: Duration,
    /// For the next bytes of an event stream: the daemon writes a comment every 15 s.
    silence: Duration,
    /// For a daemon that is gone to return.
    back: Duration,
    /// Before the first retry; doubled for each further one.
    again: Duration,
}

const WAITS: Waits = Waits {
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(60),
    silence: Duration::from_secs(60),
    back: Duration::from_secs(600),
    again: Duration::from_millis(200),
};
/// Longest wait between two retries.
const AGAIN_MAX: Duration = Duration::from_secs(5);
/// Retries of a submission whose answer was lost: seven seconds in total.
const SUBMIT_TRIES: u32 = 3;
/// Attempts of a request while the daemon is busy.
const BUSY_TRIES: u32 = 4;
/// Longest wait between two attempts that a busy daemon may ask for.
const BUSY_SECONDS_MAX: u64 = 5;

/// What a watched job does.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent {
    /// It changed; holds the job after the change.
    State(Box<JobView>),
    /// Its process reported progress.
    Progress(Box<Progress>),
    /// The daemon stopped answering; the client waits for it to return.
    Lost,
    /// The daemon answers again.
    Back,
}

/// How watching a job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    /// The job has ended.
    Ended(Box<JobView>),
    /// The caller stopped watching.
    Left,
}

/// A client of the daemon at one socket.
#[derive(Debug)]
pub struct Client {
    place: Place,
    runtime: Runtime,
    waits: Waits,
}

impl Client {
    /// A client of the daemon at a socket, or at an address of [`Place`]. It connects for each request.
    pub fn new(socket: impl Into<PathBuf>) -> Result<Self, ClientError> {
        Self::at(Place::new(socket.into())?)
    }

    /// A client of the daemon at this place.
    pub fn at(place: Place) -> Result<Self, ClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(start)?;
        Ok(Self {
            place,
            runtime,
            waits: WAITS,
        })
    }

    /// The same client, which waits at most so long for an answer.
    #[must_use]
    pub fn with_patience(mut self, answer: Duration) -> Self {
        self.waits.answer = answer;
        self.waits.connect = self.waits.connect.min(answer);
        self
    }

    /// Submits a job. If the connection breaks before the answer, sends the same body again with the same `key`
    /// a few times, so that the job is submitted once, whether or not the first request arrived.
    pub fn submit(
        &self,
        job: &SubmissionBody,
        key: &IdempotencyKey,
    ) -> Result<JobView, ClientError> {
        let bytes = json(job)?;
        let body = JsonBody {
            bytes: &bytes,
            key: Some(key),
        };
        self.runtime.block_on(async {
            let ask = || self.ask(Method::POST, "/v1/jobs", Some(body));
            let first = ask().await;
            if !matches!(first, Err(ClientError::Broken { .. })) {
                return first;
            }
            let mut again = 5 * self.waits.again;
            for _ in 0..SUBMIT_TRIES {
                sleep(again).await;
                match ask().await {
                    Err(error) if error.passes() => again *= 2,
                    answer => return answer,
                }
            }
            // Whether the daemon has accepted it is unknown.
            first
        })
    }

    /// Jobs, newest first: requests pages until it has `query.limit` jobs or there are no more.
    pub fn jobs(&self, query: &ListQuery) -> Result<Vec<JobView>, ClientError> {
        self.pages(query, false)
    }

    /// The same of one's own jobs.
    pub fn my_jobs(&self, query: &ListQuery) -> Result<Vec<JobView>, ClientError> {
        self.pages(query, true)
    }

    fn pages(&self, query: &ListQuery, mine: bool) -> Result<Vec<JobView>, ClientError> {
        let mut jobs = Vec::new();
        let mut page_query = query.clone();
        loop {
            let left = query.limit.saturating_sub(jobs.len() as u32);
            page_query.limit = left.clamp(1, PAGE_JOBS);
            let page: JobList = self.get(&target(&page_query, mine))?;
            let nothing = page.jobs.is_empty();
            jobs.extend(page.jobs);
            page_query.before = page.next_before;
            if nothing || page.next_before.is_none() || jobs.len() >= query.limit as usize {
                jobs.truncate(query.limit as usize);
                return Ok(jobs);
            }
        }
    }

    /// Number of the jobs of a query that the user may see, whatever its limit.
    pub fn count(&self, query: &ListQuery) -> Result<Option<u64>, ClientError> {
        let one = ListQuery {
            limit: 1,
            ..query.clone()
        };
        let page: JobList = self.get(&(target(&one, false) + "&count=true"))?;
        Ok(page.total)
    }

    /// One job.
    pub fn job(&self, id: u64) -> Result<JobView, ClientError> {
        self.get(&format!("/v1/jobs/{id}"))
    }

    /// Stops a job for good. Returns the job after the request; its process may take a while to stop.
    pub fn cancel(&self, id: u64) -> Result<JobView, ClientError> {
        let target = format!("/v1/jobs/{id}/cancel");
        self.runtime.block_on(self.ask(Method::POST, &target, None))
    }

    /// Changes a job that has not ended. Returns the job after the change.
    pub fn set(&self, id: u64, change: &ChangeBody) -> Result<JobView, ClientError> {
        let bytes = json(change)?;
        let body = JsonBody {
            bytes: &bytes,
            key: None,
        };
        let target = format!("/v1/jobs/{id}");
        self.runtime
            .block_on(self.ask(Method::PATCH, &target, Some(body)))
    }

    /// Forgets a job that has ended. Its output stays.
    pub fn forget(&self, id: u64) -> Result<(), ClientError> {
        let target = format!("/v1/jobs/{id}");
        self.runtime
            .block_on(async { self.exchange(Method::DELETE, &target, None).await.map(drop) })
    }

    /// The node.
    pub fn node(&self) -> Result<NodeView, ClientError> {
        self.get("/v1/node")
    }

    /// A user's quota and what is used of it.
    pub fn user(&self, uid: u32) -> Result<UserView, ClientError> {
        self.get(&format!("/v1/users/{uid}"))
    }

    fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, ClientError> {
        self.runtime.block_on(self.ask(Method::GET, target, None))
    }

    /// Passes the events of a job after its state event `after` to `on_event`, until the job has ended or `leave`
    /// is ready. Waits for a daemon that is gone.
    pub fn watch(
        &self,
        id: u64,
        after: u64,
        leave: impl Future<Output = ()>,
        on_event: &mut dyn FnMut(WatchEvent),
    ) -> Result<Watched, ClientError> {
        self.runtime.block_on(async {
            tokio::select! {
                job = self.watch_to_the_end(id, after, on_event) => job.map(Watched::Ended),
                () = leave => Ok(Watched::Left),
            }
        })
    }

    /// Copies the log of a job to `out`; with `follow` until the job has ended. Ends early, without an error, when
    /// `out` cannot be written to.
    pub fn log(&self, id: u64, follow: bool, out: &mut dyn Write) -> Result<(), ClientError> {
        let target = format!("/v1/jobs/{id}/log?follow={follow}");
        self.runtime.block_on(async {
            let answer = self.send(request(Method::GET, &target, None)).await?;
            let mut body = self.accepted(answer).await?.into_body();
            loop {
                let frame = match follow {
                    true => body.frame().await,
                    false => timeout(self.waits.answer, body.frame())
                        .await
                        .map_err(|_| self.broken(&"no answer in time"))?,
                };
                let Some(frame) = frame.transpose().map_err(|error| self.broken(&error))? else {
                    return Ok(());
                };
                let bytes = frame.data_ref().map_or(&[][..], |bytes| bytes);
                if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
                    return Ok(());
                }
            }
        })
    }

    async fn watch_to_the_end(
        &self,
        id: u64,
        mut after: u64,
        on_event: &mut dyn FnMut(WatchEvent),
    ) -> Result<Box<JobView>, ClientError> {
        // Since when the daemon is gone, and the wait before the next retry.
        let mut lost: Option<Instant> = None;
        let mut again = self.waits.again;
        loop {
            let mut on = |event| {
                if lost.take().is_some() {
                    on_event(WatchEvent::Back);
                }
                again = self.waits.again;
                on_event(event);
            };
            let error = match self.listen(id, &mut after, &mut on).await {
                Ok(Some(job)) => return Ok(job),
                Ok(None) => self.broken(&"the stream of events ended early"),
                Err(error) => error,
            };
            if lost.is_none() && error.passes() {
                on_event(WatchEvent::Lost);
            }
            let since = *lost.get_or_insert_with(Instant::now);
            if !error.passes() || since.elapsed() > self.waits.back {
                return Err(error);
            }
            sleep(again).await;
            again = (2 * again).min(AGAIN_MAX);
        }
    }

    /// Reads one stream of events to its end. Returns the job if it has ended.
    async fn listen(
        &self,
        id: u64,
        after: &mut u64,
        on: &mut dyn FnMut(WatchEvent),
    ) -> Result<Option<Box<JobView>>, ClientError> {
        let mut request = request(Method::GET, &format!("/v1/jobs/{id}/events"), None);
        request
            .headers_mut()
            .insert("last-event-id", (*after).into());
        let answer = self.send(request).await?;
        let mut body = self.accepted(answer).await?.into_body();
        let mut reader = SseReader::new(EVENT_BYTES_MAX);
        loop {
            let Ok(frame) = timeout(self.waits.silence, body.frame()).await else {
                return Err(self.broken(&"it sends nothing"));
            };
            let Some(frame) = frame.transpose().map_err(|error| self.broken(&error))? else {
                return Ok(None);
            };
            let bytes = frame.data_ref().map_or(&[][..], |bytes| bytes);
            for event in reader.take(bytes).map_err(|error| self.protocol(&error))? {
                if let Some(id) = &event.id {
                    let number = id.parse();
                    *after = number.map_err(|_| self.protocol(&format!("event number `{id}`")))?;
                }
                match event.event.as_str() {
                    "state" => {
                        let job: Box<JobView> =
                            self.parse("a state event", event.data.as_bytes())?;
                        on(WatchEvent::State(job.clone()));
                        if job.state.is_final() {
                            return Ok(Some(job));
                        }
                    }
                    // A daemon of another version may send other events; the next state is still read.
                    _ => {
                        if let Ok(Event::Progress(progress)) = Event::parse(event.data.as_bytes()) {
                            on(WatchEvent::Progress(progress));
                        }
                    }
                }
            }
        }
    }

    /// The answer to a request, as JSON.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        body: Option<JsonBody<'_>>,
    ) -> Result<T, ClientError> {
        let answer = self.exchange(method, target, body).await?;
        self.parse("the answer", &answer)
    }

    /// Sends a request, again while the daemon is busy, and reads the body of the answer.
    async fn exchange(
        &self,
        method: Method,
        target: &str,
        body: Option<JsonBody<'_>>,
    ) -> Result<Bytes, ClientError> {
        let exchange = async {
            let mut tries = 1;
            loop {
                let answer = self.send(request(method.clone(), target, body)).await?;
                if answer.status() != StatusCode::SERVICE_UNAVAILABLE || tries == BUSY_TRIES {
                    return self.read(self.accepted(answer).await?).await;
                }
                tries += 1;
                let after = answer.headers().get(header::RETRY_AFTER);
                let seconds = after.and_then(|value| value.to_str().ok()?.parse().ok());
                sleep(Duration::from_secs(
                    seconds.unwrap_or(1).min(BUSY_SECONDS_MAX),
                ))
                .await;
            }
        };
        let answer = timeout(self.waits.answer, exchange).await;
        answer.unwrap_or_else(|_| Err(self.broken(&"no answer in time")))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
        line::send(&self.place, &self.waits, request).await
    }

    /// The answer if its status is a success, else its error.
    async fn accepted(
        &self,
        answer: Response<Incoming>,
    ) -> Result<Response<Incoming>, ClientError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = self.read(answer).await?;
        let what = format!("the answer with status {status}");
        let body: ErrorBody = self.parse(&what, &body)?;
        Err(ClientError::Refused(Box::new(ApiError {
            status: status.as_u16(),
            detail: body.error,
        })))
    }

    async fn read(&self, answer: Response<Incoming>) -> Result<Bytes, ClientError> {
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                self.protocol(&"the answer is too large")
            } else {
                self.broken(&error)
            }
        })?;
        Ok(body.to_bytes())
    }

    fn parse<T: DeserializeOwned>(&self, what: &str, text: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(text)
            .map_err(|error| self.protocol(&format!("cannot read {what}: {error}")))
    }

    fn broken(&self, reason: &(impl ToString + ?Sized)) -> ClientError {
        line::broken(&self.place, reason)
    }

    fn protocol(&self, reason: &(impl ToString + ?Sized)) -> ClientError {
        line::protocol(&self.place, reason)
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        self.place.name()
    }
}

fn json(body: &impl Serialize) -> Result<Bytes, ClientError> {
    let bytes = serde_json::to_vec(body);
    bytes
        .map(Bytes::from)
        .map_err(|error| ClientError::Encode(error.to_string()))
}

#[cfg(test)]
mod tests;
