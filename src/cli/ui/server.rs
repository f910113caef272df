//! The web server: connections, and the order in which a request is checked.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::{SocketAddr, SocketAddrV4, TcpListener as StdListener},
    sync::Arc,
    time::Duration,
};

use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::unistd::{Uid, User};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};

use super::{
    access::{Access, Exchange},
    answer::{Body, bytes, protect, with_type},
    guard, peer, proxy,
    refused::Refused,
    report::{REPORTS_AT_ONCE, report},
    route::{self, Action},
};
use crate::{
    daemon::client::Place,
    limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX},
};

/// Connections at a time: a browser opens six, and each is cheap. Further ones wait.
const CONNECTIONS_MAX: usize = 64;
/// Longest time for the head of a request, and between two requests of a connection.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);
/// Pause after an accept fails: too many files are open, or the client is gone.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What all requests share.
pub(super) struct Ui {
    port: u16,
    access: Access,
    /// Where the daemon listens.
    place: Place,
    reports: Semaphore,
}

impl Ui {
    pub(super) fn new(port: u16, access: Access, place: Place) -> Self {
        Self {
            port,
            access,
            place,
            reports: Semaphore::new(REPORTS_AT_ONCE),
        }
    }
}

/// Serves until `stop` is ready; requests in flight are dropped then.
pub(super) async fn serve(
    listener: StdListener,
    ui: Ui,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let ui = Arc::new(ui);
    tokio::select! {
        () = stop => Ok(()),
        never = accept(&listener, &ui) => match never {},
    }
}

async fn accept(listener: &TcpListener, ui: &Arc<Ui>) -> Infallible {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed, so there always is a permit to wait for.
        let permit = permits.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, client)) => {
                let ui = ui.clone();
                tokio::spawn(async move {
                    connection(stream, client, ui).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Serves a connection until either side closes it.
async fn connection(stream: TcpStream, client: SocketAddr, ui: Arc<Ui>) {
    let (SocketAddr::V4(client), Ok(SocketAddr::V4(server))) = (client, stream.local_addr()) else {
        return;
    };
    let is_own = is_own(client, server).await;
    let service = service_fn(move |request: Request<Incoming>| {
        let ui = ui.clone();
        async move { Ok::<_, Infallible>(answer(&ui, request, is_own).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HTTP_HEAD_BYTES_MAX)
        .max_headers(HTTP_HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn is_own(client: SocketAddrV4, server: SocketAddrV4) -> bool {
    let look_up = tokio::task::spawn_blocking(move || peer::is_own(client, server));
    look_up.await.unwrap_or(false)
}

/// Answers a request; every answer has the protecting headers.
async fn answer(ui: &Ui, request: Request<Incoming>, is_own: bool) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let answer = respond(ui, request, is_own).await;
    let mut answer = answer.unwrap_or_else(|refused| {
        tracing::debug!("{path}: {refused}");
        refused.answer(&path)
    });
    let is_report = path.starts_with("/jobs/");
    protect(&mut answer, is_report);
    answer
}

/// The checks in their order, then the action.
async fn respond(
    ui: &Ui,
    request: Request<Incoming>,
    is_own: bool,
) -> Result<Response<Body>, Refused> {
    if !is_own {
        return Err(Refused::User);
    }
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    guard::check(method, uri, headers, ui.port)?;
    let has_session = ui.access.admits(headers);
    if let Some(token) = route::token(method, uri) {
        // A browser that has the session needs no token: the user has opened the address again.
        return match has_session {
            true => Ok(to_page(None)),
            false => exchange(&ui.access, &token),
        };
    }
    if !has_session {
        return Err(Refused::NoSession);
    }
    match route::action(method, uri.path())? {
        Action::Asset(asset) => Ok(asset.answer()),
        Action::Me => Ok(me(ui)),
        Action::Report(id) => report(&ui.place, &ui.reports, id).await,
        Action::Daemon => proxy::pass(&ui.place, request).await,
    }
}

fn exchange(access: &Access, token: &str) -> Result<Response<Body>, Refused> {
    match access.exchange(token) {
        Exchange::Granted => Ok(to_page(Some(access.cookie()))),
        Exchange::Used => Err(Refused::TokenUsed),
        Exchange::Wrong => Err(Refused::NoSession),
    }
}

/// Leads the browser to the address without the token.
fn to_page(cookie: Option<String>) -> Response<Body> {
    let mut answer = Response::new(bytes(""));
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let headers = answer.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_static("/"));
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    answer
}

/// Who uses the page, and which daemon answers.
fn me(ui: &Ui) -> Response<Body> {
    let uid = Uid::effective();
    let user = User::from_uid(uid).ok().flatten();
    let me = json!({
        "uid": uid.as_raw(),
        "name": user.map(|user| user.name),
        "molsieve": env!("CARGO_PKG_VERSION"),
        "socket": ui.place.name().display().to_string(),
    });
    with_type("application/json", me.to_string())
}
