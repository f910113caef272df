//! One connection, from accept to close.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io::{self, Write},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_io_timeout::TimeoutWriter;

use super::{Edge, Limits, answer::Peer, counts::Counted};
use crate::{
    daemon::api::ApiError,
    limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX},
};

/// Serves a connection until it is closed, by whichever side.
pub(super) async fn serve(stream: UnixStream, edge: Arc<Edge>, mut ending: watch::Receiver<bool>) {
    let Ok(peer) = stream.peer_cred() else {
        return;
    };
    let share = edge.shares.of(peer.uid());
    let Ok(_permit) = share.connections.clone().try_acquire_owned() else {
        edge.counts.refuse();
        return refuse(stream, &ApiError::TooMany("connections of this user"));
    };
    let _open = Counted::new(&edge.counts.open);
    // Accounts may come over a network.
    let asked = edge.clone();
    let caller = tokio::task::spawn_blocking(move || asked.access.caller(&peer)).await;
    let caller = caller.unwrap_or_else(|_| Err("the account cannot be looked up".into()));
    if caller.is_err() {
        edge.counts.refuse();
    }
    let activity = Activity::new();
    let io = Noticed::new(stream, activity.clone(), &edge.limits);
    let peer = Arc::new(Peer {
        edge: edge.clone(),
        caller: caller.map_err(ApiError::Denied),
        share,
        ending: ending.clone(),
    });
    let noticed = activity.clone();
    let service = service_fn(move |request| {
        let (peer, in_flight) = (peer.clone(), noticed.begin());
        async move { Ok::<_, Infallible>(peer.answer(request, in_flight).await) }
    });
    let mut http = pin!(builder().serve_connection(TokioIo::new(io), service));
    tokio::select! {
        closed = in_time(http.as_mut(), &activity, &edge.limits) => {
            if closed == Closed::TooSlow {
                edge.counts.time_out();
            }
            return;
        }
        _ = ending.wait_for(|ends| *ends) => {}
    }
    if activity.is_busy() {
        http.as_mut().graceful_shutdown();
        in_time(http, &activity, &edge.limits).await;
    }
}

/// Small buffers; a head that does not fit is answered with 431, which is hyper's.
fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(HTTP_HEAD_BYTES_MAX)
        .max_headers(HTTP_HEADERS_MAX)
        // `in_time` knows the difference between a slow head and an idle connection.
        .header_read_timeout(None)
        // Answers are written from where they lie, so that their permits are held until then.
        .writev(true);
    builder
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    ByAPeer,
    TooSlow,
}

/// Polls a connection, with a timer for its idle time and for its heads.
async fn in_time<H, E>(mut http: Pin<&mut H>, activity: &Activity, limits: &Limits) -> Closed
where
    H: Future<Output = Result<(), E>>,
{
    let mut timer = pin!(sleep_until(Instant::now() + limits.idle_time));
    poll_fn(|cx| {
        if http.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Closed::ByAPeer);
        }
        let Some(deadline) = activity.deadline(limits) else {
            return Poll::Pending;
        };
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| Closed::TooSlow)
    })
    .await
}

/// Says why, without waiting for a request: there is no room for one.
fn refuse(stream: UnixStream, error: &ApiError) {
    let body = error.json().to_string();
    let (status, _) = error.status();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // A client that has gone, or does not read, need not know.
    let _ = stream
        .into_std()
        .and_then(|mut stream| stream.write_all(answer.as_bytes()));
}

/// What a connection is at.
pub(super) struct Activity(Mutex<At>);

struct At {
    requests: u32,
    idle_since: Instant,
    head_since: Option<Instant>,
}

/// A request that has not been answered to its end.
pub(super) struct InFlight(Arc<Activity>);

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(At {
            requests: 0,
            idle_since: Instant::now(),
            head_since: None,
        })))
    }

    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.with(|at| {
            at.requests += 1;
            at.head_since = None;
        });
        InFlight(self.clone())
    }

    fn has_read(&self) {
        self.with(|at| {
            if at.requests == 0 && at.head_since.is_none() {
                at.head_since = Some(Instant::now());
            }
        });
    }

    fn is_busy(&self) -> bool {
        self.with(|at| at.requests > 0)
    }

    /// When the client will have been too slow, if it is its turn.
    fn deadline(&self, limits: &Limits) -> Option<Instant> {
        self.with(|at| {
            let idle = at.idle_since + limits.idle_time;
            let head = at.head_since.map(|since| since + limits.head_time);
            (at.requests == 0).then_some(head.unwrap_or(idle))
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut At) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.with(|at| {
            at.requests -= 1;
            at.idle_since = Instant::now();
        });
    }
}

/// A stream that notices when the first bytes of a head come.
struct Noticed {
    inner: Pin<Box<TimeoutWriter<UnixStream>>>,
    activity: Arc<Activity>,
}

impl Noticed {
    fn new(stream: UnixStream, activity: Arc<Activity>, limits: &Limits) -> Self {
        let mut writer = TimeoutWriter::new(stream);
        writer.set_timeout(Some(limits.write_time));
        Self {
            inner: Box::pin(writer),
            activity,
        }
    }
}

impl AsyncRead for Noticed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.inner.as_mut().poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.has_read();
        }
        read
    }
}

impl AsyncWrite for Noticed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_shutdown(cx)
    }
}
