//! What a connection is doing, and from that the deadline for its client.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    time::Instant,
};
use tokio_io_timeout::TimeoutWriter;

use super::limits::Limits;

/// What a connection is doing.
pub(super) struct Activity(Mutex<Doing>);

struct Doing {
    requests: u32,
    idle_since: Instant,
    head_since: Option<Instant>,
}

/// A request whose answer is not complete.
pub(super) struct InFlight(Arc<Activity>);

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Doing {
            requests: 0,
            idle_since: Instant::now(),
            head_since: None,
        })))
    }

    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.with(|doing| {
            doing.requests += 1;
            doing.head_since = None;
        });
        InFlight(Arc::clone(self))
    }

    fn has_read(&self) {
        self.with(|doing| {
            if doing.requests == 0 && doing.head_since.is_none() {
                doing.head_since = Some(Instant::now());
            }
        });
    }

    pub(super) fn is_busy(&self) -> bool {
        self.with(|doing| doing.requests > 0)
    }

    /// Time by which the client must send something; none while the daemon works for it.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        self.with(|doing| {
            let idle = doing.idle_since + limits.idle_time;
            let head = doing.head_since.map(|since| since + limits.head_time);
            (doing.requests == 0).then_some(head.unwrap_or(idle))
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Doing) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.with(|doing| {
            doing.requests -= 1;
            doing.idle_since = Instant::now();
        });
    }
}

/// A connection's stream. It records when the first bytes of a head arrive, and fails a write that the
/// client does not take in time.
pub(super) struct ActivityStream {
    inner: Pin<Box<TimeoutWriter<UnixStream>>>,
    activity: Arc<Activity>,
}

impl ActivityStream {
    pub(super) fn new(stream: UnixStream, activity: Arc<Activity>, limits: &Limits) -> Self {
        let mut writer = TimeoutWriter::new(stream);
        writer.set_timeout(Some(limits.write_time));
        Self {
            inner: Box::pin(writer),
            activity,
        }
    }
}

impl AsyncRead for ActivityStream {
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

impl AsyncWrite for ActivityStream {
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
