//! A client of the daemon: HTTP over its Unix socket, for callers that wait for each answer.
//!
//! One connection per request. Every answer is bounded, and so is the time until it comes. What a job
//! goes through is read as a stream that outlives a restart of the daemon: it goes on after the last
//! event that was heard.

mod error;
mod key;
mod sse;

use std::{
    future::Future,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::UnixStream,
    runtime::Runtime,
    time::{Instant, sleep, timeout},
};

use self::{error::start, sse::SseReader};
pub use self::{
    error::{ApiError, ClientError},
    key::IdempotencyKey,
};
use super::job::State;

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Largest event that is read: a job with its settings.
const EVENT_BYTES_MAX: usize = 4 << 20;
/// Most jobs asked for at a time.
const PAGE_JOBS: u32 = 200;

/// How long a client waits for what.
#[derive(Clone, Copy, Debug)]
struct Waits {
    /// For a place in the daemon's queue of connections.
    connect: Duration,
    /// For an answer.
    answer: Duration,
    /// For anything at all in a stream of events: the daemon writes a comment every 15 s.
    silence: Duration,
    /// For a daemon that is gone to come back.
    back: Duration,
    /// Before the first further try; doubled for each.
    again: Duration,
}

const WAITS: Waits = Waits {
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(60),
    silence: Duration::from_secs(60),
    back: Duration::from_secs(600),
    again: Duration::from_millis(200),
};
/// Longest wait between two tries.
const AGAIN_MAX: Duration = Duration::from_secs(5);
/// Further tries of a submission whose answer was lost: seven seconds in all.
const SUBMIT_TRIES: u32 = 3;
/// Tries of a request while the daemon says that it is busy.
const BUSY_TRIES: u32 = 4;
/// Longest wait that a busy daemon may ask for between two of them.
const BUSY_SECONDS_MAX: u64 = 5;

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub struct JobQuery {
    /// Only those in one of these states, as the API names them; all if empty.
    pub states: Vec<String>,
    /// Only those of this user.
    pub uid: Option<u32>,
    /// At most so many.
    pub limit: u32,
}

/// What is heard of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// It changed its state; the job as it is then.
    State(Value),
    /// Its worker reports progress.
    Progress(Value),
    /// The daemon does not answer any more; the client waits for it to come back.
    Lost,
    /// It is back.
    Back,
}

/// How watching a job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Watched {
    /// The job has ended; here it is.
    Ended(Value),
    /// Who watched has left.
    Left,
}

/// A client of the daemon at one socket.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    runtime: Runtime,
    waits: Waits,
}

impl Client {
    /// A client; it connects when it asks for something.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, ClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(start)?;
        Ok(Self {
            path: path.into(),
            runtime,
            waits: WAITS,
        })
    }

    /// Submits a job. Where the connection breaks before the answer, the same is sent again with the same
    /// `key` a few times, so that it is taken once whatever became of the first.
    pub fn submit(&self, job: &Value, key: &IdempotencyKey) -> Result<Value, ClientError> {
        let body = Bytes::from(job.to_string());
        self.runtime.block_on(async {
            let ask = || self.ask(Method::POST, "/v1/jobs", Some((&body, key)));
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
            // Whether it was taken is not known.
            first
        })
    }

    /// Jobs, newest first; asks for page after page until `query.limit` are there or there are no more.
    pub fn jobs(&self, query: &JobQuery) -> Result<Vec<Value>, ClientError> {
        let mut jobs = Vec::new();
        let mut before = None;
        loop {
            let left = query.limit.saturating_sub(jobs.len() as u32);
            let mut page = self.get(&target(query, left.min(PAGE_JOBS), before))?;
            let Some(Value::Array(found)) = page.get_mut("jobs").map(Value::take) else {
                return Err(self.protocol("a list of jobs without jobs"));
            };
            let nothing = found.is_empty();
            jobs.extend(found);
            before = page["next_before"].as_u64();
            if nothing || before.is_none() || jobs.len() >= query.limit as usize {
                jobs.truncate(query.limit as usize);
                return Ok(jobs);
            }
        }
    }

    /// One job.
    pub fn job(&self, id: u64) -> Result<Value, ClientError> {
        self.get(&format!("/v1/jobs/{id}"))
    }

    /// Stops a job for good. Gives the job as it is then: it may take a moment until it has stopped.
    pub fn cancel(&self, id: u64) -> Result<Value, ClientError> {
        let target = format!("/v1/jobs/{id}/cancel");
        self.runtime.block_on(self.ask(Method::POST, &target, None))
    }

    /// Forgets a job that has ended. Its output stays.
    pub fn forget(&self, id: u64) -> Result<(), ClientError> {
        let target = format!("/v1/jobs/{id}");
        let answer = self
            .runtime
            .block_on(self.ask(Method::DELETE, &target, None));
        answer.map(|_| ())
    }

    /// Whatever stands at a path of the API.
    pub fn get(&self, target: &str) -> Result<Value, ClientError> {
        self.runtime.block_on(self.ask(Method::GET, target, None))
    }

    /// Hears what a job goes through after its state event `after`, until it has ended or `leave` is
    /// done. A daemon that goes away is waited for.
    pub fn watch(
        &self,
        id: u64,
        after: u64,
        leave: impl Future<Output = ()>,
        hear: &mut dyn FnMut(Heard),
    ) -> Result<Watched, ClientError> {
        self.runtime.block_on(async {
            tokio::select! {
                job = self.hear_to_the_end(id, after, hear) => job.map(Watched::Ended),
                () = leave => Ok(Watched::Left),
            }
        })
    }

    /// Copies what a job's workers have said to `out`; with `follow` until the job has ended. Ends early,
    /// without an error, when `out` takes no more.
    pub fn log(&self, id: u64, follow: bool, out: &mut dyn Write) -> Result<(), ClientError> {
        let target = format!("/v1/jobs/{id}/log?follow={follow}");
        self.runtime.block_on(async {
            let answer = self.send(request(Method::GET, &target, None)).await?;
            let mut body = self.accepted(answer).await?.into_body();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| self.broken(&error))?;
                let bytes = frame.data_ref().map_or(&[][..], |bytes| bytes);
                if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
                    return Ok(());
                }
            }
            Ok(())
        })
    }

    async fn hear_to_the_end(
        &self,
        id: u64,
        mut after: u64,
        hear: &mut dyn FnMut(Heard),
    ) -> Result<Value, ClientError> {
        // Since when the daemon is gone, and the wait before the next try.
        let mut lost: Option<Instant> = None;
        let mut again = self.waits.again;
        loop {
            let mut on = |heard| {
                if lost.take().is_some() {
                    hear(Heard::Back);
                }
                again = self.waits.again;
                hear(heard);
            };
            let error = match self.listen(id, &mut after, &mut on).await {
                Ok(Some(job)) => return Ok(job),
                Ok(None) => self.broken(&"the stream of events ended early"),
                Err(error) => error,
            };
            if lost.is_none() && error.passes() {
                hear(Heard::Lost);
            }
            let since = *lost.get_or_insert_with(Instant::now);
            if !error.passes() || since.elapsed() > self.waits.back {
                return Err(error);
            }
            sleep(again).await;
            again = (2 * again).min(AGAIN_MAX);
        }
    }

    /// Reads one stream of events to its end; the job, if it ends with it.
    async fn listen(
        &self,
        id: u64,
        after: &mut u64,
        on: &mut dyn FnMut(Heard),
    ) -> Result<Option<Value>, ClientError> {
        let mut request = request(Method::GET, &format!("/v1/jobs/{id}/events"), None);
        request
            .headers_mut()
            .insert("last-event-id", (*after).into());
        let answer = self.send(request).await?;
        let mut body = self.accepted(answer).await?.into_body();
        let mut reader = SseReader::new(EVENT_BYTES_MAX);
        loop {
            let Ok(frame) = timeout(self.waits.silence, body.frame()).await else {
                return Err(self.broken(&"nothing is heard of it"));
            };
            let Some(frame) = frame.transpose().map_err(|error| self.broken(&error))? else {
                return Ok(None);
            };
            let bytes = frame.data_ref().map_or(&[][..], |bytes| bytes);
            for event in reader.take(bytes).map_err(|error| self.protocol(&error))? {
                let content: Value = serde_json::from_str(&event.data)
                    .map_err(|error| self.protocol(&format!("an event is not JSON: {error}")))?;
                if let Some(id) = event.id.and_then(|id| id.parse().ok()) {
                    *after = id;
                }
                match event.event.as_str() {
                    "state" => {
                        on(Heard::State(content.clone()));
                        if has_ended(&content) {
                            return Ok(Some(content));
                        }
                    }
                    "progress" => on(Heard::Progress(content)),
                    // What a later daemon tells.
                    _ => {}
                }
            }
        }
    }

    /// Sends a request until the daemon is not too busy for it, and reads the answer.
    async fn ask(
        &self,
        method: Method,
        target: &str,
        job: Option<(&Bytes, &IdempotencyKey)>,
    ) -> Result<Value, ClientError> {
        let exchange = async {
            let mut tries = 1;
            loop {
                let answer = self.send(request(method.clone(), target, job)).await?;
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
        answer.unwrap_or_else(|_| Err(self.broken(&"its answer does not come")))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
        let stream = self.connect().await?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.broken(&error))?;
        // It ends with the answer, or with the runtime. Its errors come out of `sender` too.
        tokio::spawn(connection);
        let answer = timeout(self.waits.answer, sender.send_request(request)).await;
        let answer = answer.map_err(|_| self.broken(&"its answer does not come"))?;
        answer.map_err(|error| {
            if error.is_parse() {
                self.protocol(&error)
            } else {
                self.broken(&error)
            }
        })
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        let begin = Instant::now();
        loop {
            let error = match UnixStream::connect(&self.path).await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            match error.kind() {
                // Its queue of connections is full.
                io::ErrorKind::WouldBlock if begin.elapsed() < self.waits.connect => {
                    sleep(Duration::from_millis(20)).await;
                }
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    return Err(ClientError::NoDaemon(self.path.clone()));
                }
                io::ErrorKind::PermissionDenied => {
                    return Err(ClientError::Denied(self.path.clone()));
                }
                _ => return Err(self.broken(&crate::store::plain(&error))),
            }
        }
    }

    /// The answer, if it says that the request was done; else what it says.
    async fn accepted(
        &self,
        answer: Response<Incoming>,
    ) -> Result<Response<Incoming>, ClientError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = self.read(answer).await?;
        let text = |name: &str| body["error"][name].as_str().map(str::to_owned);
        let (Some(code), Some(message)) = (text("code"), text("message")) else {
            return Err(self.protocol(&format!("status {status} without an error that is told")));
        };
        Err(ClientError::Refused(Box::new(ApiError {
            status: status.as_u16(),
            code,
            message,
            field: text("field"),
            body,
        })))
    }

    async fn read(&self, answer: Response<Incoming>) -> Result<Value, ClientError> {
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                self.protocol(&"the answer is too large")
            } else {
                self.broken(&error)
            }
        })?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body.to_bytes())
            .map_err(|error| self.protocol(&format!("status {status}, and not JSON: {error}")))
    }

    fn broken(&self, reason: &(impl ToString + ?Sized)) -> ClientError {
        ClientError::Broken {
            path: self.path.clone(),
            reason: reason.to_string(),
        }
    }

    /// An answer that no daemon of this version gives.
    pub fn protocol(&self, reason: &(impl ToString + ?Sized)) -> ClientError {
        ClientError::Protocol {
            path: self.path.clone(),
            reason: reason.to_string(),
        }
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether a job, as the API gives it, has come to its end.
pub fn has_ended(job: &Value) -> bool {
    let state = serde_json::from_value(job["state"].clone());
    state.is_ok_and(State::is_final)
}

fn request(
    method: Method,
    target: &str,
    job: Option<(&Bytes, &IdempotencyKey)>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, "localhost")
        .header(
            header::USER_AGENT,
            concat!("molsieve/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONNECTION, "close");
    if let Some((_, key)) = job {
        request = request
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key.as_str());
    }
    let body = job.map_or_else(Bytes::new, |(body, _)| body.clone());
    request
        .body(Full::new(body))
        .expect("keys and targets are visible ASCII characters")
}

fn target(query: &JobQuery, limit: u32, before: Option<u64>) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("limit", &limit.max(1).to_string());
    if !query.states.is_empty() {
        pairs.append_pair("state", &query.states.join(","));
    }
    if let Some(uid) = query.uid {
        pairs.append_pair("user", &uid.to_string());
    }
    if let Some(before) = before {
        pairs.append_pair("before", &before.to_string());
    }
    format!("/v1/jobs?{}", pairs.finish())
}

#[cfg(test)]
mod tests;
