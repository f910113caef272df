//! The daemon's HTTP side: connections on a Unix socket, each with a user behind it, whose requests
//! become actions (`api`) that the core does.
//!
//! Whatever clients do, what they cost is bounded:
//!
//! - connections in all and of one user, by permits that a connection holds until it is closed;
//! - the head of a request, in bytes, headers and seconds; the body, in bytes before any is read, and in
//!   seconds; the time without a request; the time an answer lies unread ([`Limits`]);
//! - bodies and answers beyond a few KiB, by permits for their bytes (`shares`) that travel with the
//!   bytes until the socket has taken them;
//! - streams of events and logs in number, and each by a channel that holds one piece: a reader that is
//!   slow makes its stream wait, which then reads again what it has missed.
//!
//! All of it runs on the daemon's main thread; nothing here blocks.

mod answer;
mod connection;
mod content;
mod counts;
mod names;
mod shares;
mod stream;
#[cfg(test)]
mod tests;

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    net::{UnixListener, UnixStream, unix::UCred},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

pub use counts::HttpCounts;

use self::{names::Names, shares::Shares};
use super::{action::Caller, core::Core};
use crate::limits as named;

/// Says whether the process at the other end of a connection may use the daemon, and as whom.
pub trait Access: Send + Sync {
    /// The caller, or one line that says why not.
    fn caller(&self, peer: &UCred) -> Result<Caller, String>;
}

impl<F: Fn(&UCred) -> Result<Caller, String> + Send + Sync> Access for F {
    fn caller(&self, peer: &UCred) -> Result<Caller, String> {
        self(peer)
    }
}

/// What clients may cost; see the constants in [`crate::limits`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Those of one user.
    pub connections_per_user: usize,
    /// Streams at a time.
    pub streams: usize,
    /// Those of one user.
    pub streams_per_user: usize,
    /// Bytes of bodies and answers at a time.
    pub bytes: usize,
    /// Those of one user.
    pub bytes_per_user: usize,
    /// From the first byte of a head to its last.
    pub head_time: Duration,
    /// From the head to the last byte of a body.
    pub body_time: Duration,
    /// Without a request.
    pub idle_time: Duration,
    /// Of an answer that lies unread.
    pub write_time: Duration,
    /// Until the core has answered.
    pub answer_time: Duration,
    /// Of requests in flight when the daemon ends.
    pub drain_time: Duration,
    /// Between two signs of life in an event stream.
    pub heartbeat: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: named::HTTP_CONNECTIONS_MAX,
            connections_per_user: named::HTTP_CONNECTIONS_PER_USER_MAX,
            streams: named::HTTP_STREAMS_MAX,
            streams_per_user: named::HTTP_STREAMS_PER_USER_MAX,
            bytes: named::HTTP_BYTES_MAX,
            bytes_per_user: named::HTTP_BYTES_PER_USER_MAX,
            head_time: Duration::from_secs(named::HTTP_HEAD_SECONDS_MAX),
            body_time: Duration::from_secs(named::HTTP_BODY_SECONDS_MAX),
            idle_time: Duration::from_secs(named::HTTP_IDLE_SECONDS_MAX),
            write_time: Duration::from_secs(named::HTTP_WRITE_SECONDS_MAX),
            answer_time: Duration::from_secs(named::HTTP_ANSWER_SECONDS_MAX),
            drain_time: Duration::from_secs(named::HTTP_DRAIN_SECONDS_MAX),
            heartbeat: Duration::from_secs(named::HTTP_HEARTBEAT_SECONDS),
        }
    }
}

/// What all connections share.
pub struct Edge {
    core: Core,
    access: Box<dyn Access>,
    limits: Limits,
    counts: Arc<HttpCounts>,
    shares: Shares,
    names: Names,
}

impl Edge {
    /// The HTTP side of a core.
    pub fn new(
        core: Core,
        access: impl Access + 'static,
        limits: Limits,
        counts: Arc<HttpCounts>,
    ) -> Arc<Self> {
        Arc::new(Self {
            core,
            access: Box::new(access),
            shares: Shares::new(&limits),
            limits,
            counts,
            names: Names::default(),
        })
    }
}

/// Serves a socket until `shutdown` is true, then lets the requests in flight finish for a while.
/// Several sockets may be served with one edge.
pub async fn serve(listener: UnixListener, edge: Arc<Edge>, shutdown: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut ending = shutdown.clone();
    loop {
        tokio::select! {
            _ = ending.wait_for(|ends| *ends) => break,
            Some(_) = connections.join_next() => {}
            (stream, permit) = accept(&listener, &edge) => {
                let served = connection::serve(stream, edge.clone(), shutdown.clone());
                connections.spawn(holding(permit, served));
            }
        }
    }
    drop(listener);
    let all_closed = async { while connections.join_next().await.is_some() {} };
    if timeout(edge.limits.drain_time, all_closed).await.is_err() {
        tracing::warn!("requests in flight are given up");
    }
    connections.shutdown().await;
}

async fn holding<P>(permit: P, work: impl Future<Output = ()>) {
    work.await;
    drop(permit);
}

/// Why an accept fails is nothing a daemon can mend: too many files are open, or the peer has gone.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The next connection, once there may be one more.
async fn accept(
    listener: &UnixListener,
    edge: &Edge,
) -> (UnixStream, tokio::sync::OwnedSemaphorePermit) {
    let permit = edge.shares.connection().await;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}
