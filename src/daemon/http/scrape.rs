//! Metrics over TCP for Prometheus, which reads no Unix socket: `/metrics`, `/healthz` and `/readyz`, and nothing else.
//!
//! Everybody on the machine may connect, so nothing here says anything about jobs or users beyond their number. A
//! connection answers one request, within [`SCRAPE_TIME_MAX`]; there are at most [`SCRAPES_MAX`] at once.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tower::ServiceExt;

use super::{
    ACCEPT_AGAIN,
    edge::Edge,
    metrics::{self, Format},
};
use crate::limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX};

/// Connections at once; further ones wait.
const SCRAPES_MAX: usize = 8;
/// Longest time from the start of a connection to the end of its answer.
const SCRAPE_TIME_MAX: Duration = Duration::from_secs(20);

/// Serves metrics until `shutdown` is true.
pub async fn serve_metrics(
    listener: TcpListener,
    edge: Arc<Edge>,
    mut shutdown: watch::Receiver<bool>,
) {
    let router = Router::new()
        .route("/metrics", get(figures))
        .route("/healthz", get("ok\n"))
        .route("/readyz", get(ready))
        .with_state(edge);
    let places = Arc::new(Semaphore::new(SCRAPES_MAX));
    loop {
        let permit = Arc::clone(&places).acquire_owned().await;
        let accepted = tokio::select! {
            _ = shutdown.wait_for(|ends| *ends) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    // A slow client is cut off.
                    let _ = timeout(SCRAPE_TIME_MAX, answer(stream, router)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for metrics");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Answers one request.
async fn answer(stream: TcpStream, router: Router) {
    let service = service_fn(|request| {
        let router = router.clone();
        async { Ok::<_, Infallible>(router.oneshot(request).await.into_response()) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(HTTP_HEAD_BYTES_MAX)
        .max_headers(HTTP_HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!("a connection for metrics broke: {error}");
    }
}

async fn figures(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> axum::response::Response {
    let format = Format::asked(&headers);
    match metrics::text(&edge.core, &edge.counts, format).await {
        Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(refusal) => unavailable(&refusal.to_string()),
    }
}

async fn ready(State(edge): State<Arc<Edge>>) -> axum::response::Response {
    match edge.core.ready().await {
        Ok(()) => "ok\n".into_response(),
        Err(reason) => unavailable(&reason.to_string()),
    }
}

fn unavailable(reason: &str) -> axum::response::Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response()
}
