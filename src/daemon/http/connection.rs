//! One connection, from accept to close: hyper speaks HTTP/1.1, the router answers.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io::Write,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::UnixStream,
    sync::watch,
    time::{Instant, sleep_until},
};
use tower::ServiceExt;

use super::{
    activity::{Activity, ActivityStream},
    body::Busy,
    counts::Counted,
    edge::{Edge, Peer},
    limits::Limits,
};
use crate::{
    daemon::api::ApiError,
    limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX},
};

/// Serves a connection until either side closes it.
pub(super) async fn serve(
    stream: UnixStream,
    edge: Arc<Edge>,
    router: Router,
    mut ending: watch::Receiver<bool>,
) {
    let Ok(credentials) = stream.peer_cred() else {
        return;
    };
    let share = edge.shares.of(credentials.uid());
    let Ok(_permit) = share.connections.clone().try_acquire_owned() else {
        edge.counts.refused.inc();
        return refuse(stream, &ApiError::TooMany("connections of this user"));
    };
    let _open = Counted::new(&edge.counts.open);
    // The account database may be on the network.
    let asked = edge.clone();
    let caller = tokio::task::spawn_blocking(move || (asked.access)(&credentials)).await;
    let caller = caller.unwrap_or_else(|_| Err("the account cannot be looked up".into()));
    if caller.is_err() {
        edge.counts.refused.inc();
    }
    let activity = Activity::new();
    let io = ActivityStream::new(stream, activity.clone(), &edge.limits);
    let peer = Arc::new(Peer {
        edge: edge.clone(),
        caller,
        share,
        ending: ending.clone(),
    });
    let requests = activity.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (in_flight, peer) = (requests.begin(), peer.clone());
        request.extensions_mut().insert(peer.clone());
        let answer = router.clone().oneshot(request);
        async move {
            let answer = answer.await?;
            peer.edge.counts.answered(answer.status());
            Ok::<_, Infallible>(answer.map(|body| Busy {
                body,
                _in_flight: in_flight,
            }))
        }
    });
    let mut http = pin!(builder().serve_connection(TokioIo::new(io), service));
    tokio::select! {
        closed = in_time(http.as_mut(), &activity, &edge.limits) => {
            if closed == Closed::TooSlow {
                edge.counts.timed_out.inc();
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

/// Small buffers. hyper answers a head that does not fit with status 431.
fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(HTTP_HEAD_BYTES_MAX)
        .max_headers(HTTP_HEADERS_MAX)
        // `in_time` distinguishes a slow head from an idle connection.
        .header_read_timeout(None)
        // Answers are not copied before they are written, so they hold their permits until then.
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

/// Answers before there is a request: the user has no permit to wait for one.
fn refuse(stream: UnixStream, error: &ApiError) {
    let body = error.json();
    let (status, _) = error.status();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // Best effort: the client may be gone, or not read.
    let _ = stream
        .into_std()
        .and_then(|mut stream| stream.write_all(answer.as_bytes()));
}
