//! Streams: the events of a job as server-sent events, and its log.
//!
//! A stream is a task with a channel of one piece. It waits while the client does not read. A notice only says
//! that something has changed; the stream reads the change from the core, so a missed notice loses nothing.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{
        broadcast::{Receiver, error::RecvError},
        mpsc, watch,
    },
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{
    body::kept,
    counts::{Counted, HttpCounts},
    shares::{Held, UserShares},
};
use crate::{
    daemon::{
        action::Caller,
        core::Core,
        job::{Job, JobId, WaitsFor},
        refusal::Refusal,
        snapshot::Notice,
        view::JobView,
    },
    limits::HTTP_SMALL_BYTES,
    report::event::{Event, Progress},
};

/// What a stream reads about its job.
pub(super) trait Source: Send + 'static {
    /// As [`Core::history`].
    fn history(&self, after: u64) -> impl Future<Output = Result<Vec<Job>, Refusal>> + Send;
    /// As [`Core::log`].
    fn log(&self, from: u64) -> impl Future<Output = Result<(u64, Vec<u8>), Refusal>> + Send;
    /// As [`Core::waits_for`].
    fn waits_for(&self, job: &Job) -> Option<WaitsFor>;
    /// Whether the job has ended.
    fn ended(&self) -> impl Future<Output = Result<bool, Refusal>> + Send;
}

/// A job, read on behalf of a caller.
pub(super) struct OfJob {
    pub(super) core: Core,
    pub(super) caller: Caller,
    pub(super) id: JobId,
}

impl Source for OfJob {
    async fn history(&self, after: u64) -> Result<Vec<Job>, Refusal> {
        self.core.history(self.caller, self.id, after).await
    }

    async fn log(&self, from: u64) -> Result<(u64, Vec<u8>), Refusal> {
        self.core.log(self.caller, self.id, from).await
    }

    fn waits_for(&self, job: &Job) -> Option<WaitsFor> {
        self.core.waits_for(job)
    }

    async fn ended(&self) -> Result<bool, Refusal> {
        let job = self.core.show(self.caller, self.id).await?;
        Ok(job.course.state.is_final())
    }
}

/// Where a stream of events begins.
pub(super) struct From {
    /// The job as it is.
    pub(super) job: Job,
    /// Number of the last event that the client has.
    pub(super) after: u64,
    /// Interval of comments.
    pub(super) heartbeat: Duration,
    /// Name of the job's user.
    pub(super) user_name: Option<String>,
}

/// The stream is over: the client is gone, or there is nothing more to send.
#[derive(Debug)]
pub(super) struct Over;

/// Sends the past and future events of a job until it has ended. The caller must have subscribed to `events`
/// before it read `from.job`.
pub(super) async fn events(source: impl Source, events: Receiver<Notice>, from: From, sink: Sink) {
    let (id, course) = (from.job.id, &from.job.course);
    let mut following = Following {
        source,
        // A number that does not exist yet would hide the events before it.
        last: from.after.min(course.seq),
        ended: course.state.is_final() && from.after >= course.seq,
        user_name: from.user_name,
        sink,
    };
    let _over = following.all(id, events, from.heartbeat).await;
}

struct Following<S> {
    source: S,
    last: u64,
    ended: bool,
    user_name: Option<String>,
    sink: Sink,
}

impl<S: Source> Following<S> {
    async fn all(
        &mut self,
        id: JobId,
        mut events: Receiver<Notice>,
        heartbeat: Duration,
    ) -> Result<(), Over> {
        let mut beat = interval_at(Instant::now() + heartbeat, heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.missed().await?;
        while !self.ended {
            let event = tokio::select! {
                over = self.sink.over() => return Err(over),
                _ = beat.tick() => {
                    self.sink.send(b": \n\n".to_vec()).await?;
                    continue;
                }
                event = events.recv() => event,
            };
            match event {
                Ok(Notice::State(of, _)) if of == id => self.missed().await?,
                Ok(Notice::Progress(of, progress)) if of == id => {
                    self.sink.send(progress_event(&progress)).await?;
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.missed().await?,
                Err(RecvError::Closed) => return Err(Over),
            }
        }
        Ok(())
    }

    /// Sends the events after the last one sent, from the store.
    async fn missed(&mut self) -> Result<(), Over> {
        while !self.ended {
            let page = self.source.history(self.last).await.map_err(|_| Over)?;
            if page.is_empty() {
                break;
            }
            for job in &page {
                self.state(job).await?;
            }
        }
        Ok(())
    }

    async fn state(&mut self, job: &Job) -> Result<(), Over> {
        if job.course.seq <= self.last {
            return Ok(());
        }
        self.last = job.course.seq;
        self.ended = job.course.state.is_final();
        let waits_for = self.source.waits_for(job);
        let text = state_event(&JobView::new(job, self.user_name.as_deref(), waits_for))?;
        self.sink.send(text).await
    }
}

/// Sends the log of a job: what exists, and with `events` what follows, until the job has ended.
pub(super) async fn log(
    source: impl Source,
    events: Option<Receiver<Notice>>,
    id: JobId,
    sink: Sink,
) {
    let _over = whole_log(&source, events, id, &sink).await;
}

async fn whole_log(
    source: &impl Source,
    mut events: Option<Receiver<Notice>>,
    id: JobId,
    sink: &Sink,
) -> Result<(), Over> {
    let mut from = 0;
    loop {
        from = log_to_its_end(source, from, sink).await?;
        let Some(receiver) = &mut events else {
            return Ok(());
        };
        let ended = tokio::select! {
            over = sink.over() => return Err(over),
            ended = more(source, receiver, id) => ended?,
        };
        if ended {
            events = None;
        }
    }
}

async fn log_to_its_end(source: &impl Source, mut from: u64, sink: &Sink) -> Result<u64, Over> {
    loop {
        let (begin, text) = source.log(from).await.map_err(|_| Over)?;
        if text.is_empty() {
            return Ok(from);
        }
        if begin > from {
            let gap = format!("\n[{} bytes were dropped]\n", begin - from);
            sink.send(gap.into_bytes()).await?;
        }
        from = begin + text.len() as u64;
        sink.send(text).await?;
    }
}

/// Waits until the log may have grown; true once the job has ended.
async fn more(
    source: &impl Source,
    events: &mut Receiver<Notice>,
    id: JobId,
) -> Result<bool, Over> {
    loop {
        match events.recv().await {
            Ok(Notice::Log(of)) if of == id => return Ok(false),
            Ok(Notice::State(of, state)) if of == id && state.is_final() => return Ok(true),
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return source.ended().await.map_err(|_| Over),
            Err(RecvError::Closed) => return Ok(true),
        }
    }
}

fn state_event(job: &JobView) -> Result<Vec<u8>, Over> {
    let mut text = format!("event: state\nid: {}\ndata: ", job.seq).into_bytes();
    // JSON has no line breaks of its own.
    serde_json::to_writer(&mut text, job).map_err(|error| {
        tracing::error!(job = job.id.0, "cannot write an event as JSON: {error}");
        Over
    })?;
    text.extend_from_slice(b"\n\n");
    Ok(text)
}

fn progress_event(progress: &Progress) -> Vec<u8> {
    let event = Event::Progress(Box::new(progress.clone()));
    format!("event: progress\ndata: {}\n\n", event.line()).into_bytes()
}

/// The receiving end of a stream: a client, while it is connected and the daemon does not stop.
pub(super) struct Sink {
    pieces: mpsc::Sender<Bytes>,
    share: Arc<UserShares>,
    ending: watch::Receiver<bool>,
    _open: Counted,
    _permit: Option<Held>,
}

impl Sink {
    pub(super) fn new(
        pieces: mpsc::Sender<Bytes>,
        share: Arc<UserShares>,
        ending: watch::Receiver<bool>,
        counts: &HttpCounts,
        permit: Option<Held>,
    ) -> Self {
        Self {
            pieces,
            share,
            ending,
            _open: Counted::new(&counts.streams),
            _permit: permit,
        }
    }

    /// Sends a piece after the client has taken the one before.
    async fn send(&self, text: Vec<u8>) -> Result<(), Over> {
        let sent = async {
            let held = match text.len() > HTTP_SMALL_BYTES {
                true => Some(self.share.bytes(text.len()).await),
                false => None,
            };
            self.pieces.send(kept(text, held)).await.map_err(|_| Over)
        };
        tokio::select! {
            biased;
            over = self.over() => Err(over),
            sent = sent => sent,
        }
    }

    /// Waits until the client is gone or the daemon stops.
    async fn over(&self) -> Over {
        let mut ending = self.ending.clone();
        tokio::select! {
            () = self.pieces.closed() => {}
            _ = ending.wait_for(|ends| *ends) => {}
        }
        Over
    }
}
