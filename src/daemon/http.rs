//! The daemon's HTTP side: connections on a Unix socket, each with a user behind it, and an axum router
//! that answers their requests.
//!
//! What clients cost the daemon is bounded:
//!
//! - connections in total and per user, by permits that a connection holds until it is closed;
//! - the head of a request in bytes, headers and seconds; the body in bytes before any is read, and in
//!   seconds; the time without a request; the time an answer is not read ([`Limits`]);
//! - bodies and answers larger than a few KiB, by permits for their bytes (`shares`) that travel with the
//!   bytes until the socket has taken them;
//! - the number of event and log streams, and each stream by a channel of one piece: a stream whose reader
//!   is slow waits, and then reads from the store what it has missed.
//!
//! `axum::serve` has none of these limits, so connections are accepted here and served by hyper directly.
//! All of it runs on the daemon's main thread; nothing here blocks.
//!
//! | module | what |
//! |---|---|
//! | `connection` | one connection: credentials, deadlines, hyper |
//! | `routes` | paths, methods, handlers, layers, and their OpenAPI descriptions |
//! | `extract` | parts of requests as checked values |
//! | `stream` | events and logs |
//! | `metrics` | the node and the metrics for Prometheus |
//! | `scrape` | the metrics over TCP |
//! | `edge` | what connections share; who is at the other end |
//! | `activity`, `body`, `shares` | deadlines, bodies and permits |
//! | `counts`, `names`, `limits` | counters, names of users, maxima |

mod activity;
mod body;
mod connection;
mod counts;
mod edge;
mod extract;
mod limits;
mod metrics;
mod names;
mod routes;
mod scrape;
mod shares;
mod stream;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use tokio::{
    net::{UnixListener, UnixStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

pub use edge::Edge;
pub use limits::Limits;
pub use routes::OPENAPI;
pub use scrape::serve_metrics;

/// Serves a socket until `shutdown` is true, then waits for the requests in flight for a limited time.
/// Several sockets may be served with one edge.
pub async fn serve(listener: UnixListener, edge: Arc<Edge>, shutdown: watch::Receiver<bool>) {
    let router = routes::router(&edge);
    let mut connections = JoinSet::new();
    let mut ending = shutdown.clone();
    loop {
        tokio::select! {
            _ = ending.wait_for(|ends| *ends) => break,
            Some(_) = connections.join_next() => {}
            (stream, permit) = accept(&listener, &edge) => {
                let served = connection::serve(stream, edge.clone(), router.clone(), shutdown.clone());
                connections.spawn(async move {
                    served.await;
                    drop(permit);
                });
            }
        }
    }
    drop(listener);
    let all_closed = async { while connections.join_next().await.is_some() {} };
    if timeout(edge.limits.drain_time, all_closed).await.is_err() {
        tracing::warn!("some requests in flight have not finished in time and are dropped");
    }
    connections.shutdown().await;
}

/// Pause after an accept fails: too many files are open, or the peer is gone.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The next connection, once the limit allows one more.
async fn accept(
    listener: &UnixListener,
    edge: &Edge,
) -> (UnixStream, tokio::sync::OwnedSemaphorePermit) {
    let permit = edge.shares.connection().await;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}
