//! Requests that the daemon answers: passed on as they are, with the headers that the daemon reads.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response,
    body::{Body as _, Incoming},
    header::{self, HeaderName},
};
use tokio::time::timeout;

use super::{answer::Body, refused::Refused};
use crate::{
    daemon::client::{self, Place},
    limits::{HTTP_BODY_BYTES_MAX, HTTP_BODY_SECONDS_MAX},
};

/// Headers of a request that are for the daemon.
const ASKED: [HeaderName; 3] = [
    header::CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
];
/// Headers of an answer that are for the page.
const ANSWERED: [HeaderName; 2] = [header::CONTENT_TYPE, header::RETRY_AFTER];

/// Passes a request to the daemon at `place` and its answer back, piece by piece.
pub(super) async fn pass(
    place: &Place,
    request: Request<Incoming>,
) -> Result<Response<Body>, Refused> {
    let (head, body) = request.into_parts();
    let body = read(body).await?;
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let mut asked = to_daemon(head.method, target, body);
    for name in ASKED {
        if let Some(value) = head.headers.get(&name) {
            asked.headers_mut().insert(name, value.clone());
        }
    }
    let (given, body) = client::pass(place, asked).await?.into_parts();
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = given.status;
    for name in ANSWERED {
        if let Some(value) = given.headers.get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    Ok(answer)
}

/// A request for the daemon. `target` is a path of [`super::route`]'s list with its parameters.
pub(super) fn to_daemon(method: Method, target: &str, body: Bytes) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, "localhost")
        .header(header::CONNECTION, "close")
        .body(Full::new(body))
        .expect("the target was read from a request")
}

/// The body of a request, as long as the daemon takes.
async fn read(body: Incoming) -> Result<Bytes, Refused> {
    if body.size_hint().lower() > HTTP_BODY_BYTES_MAX as u64 {
        return Err(Refused::BodyTooLarge);
    }
    let whole = Limited::new(body, HTTP_BODY_BYTES_MAX).collect();
    let whole = timeout(Duration::from_secs(HTTP_BODY_SECONDS_MAX), whole).await;
    let whole =
        whole
            .map_err(|_| Refused::Body)?
            .map_err(
                |error| match error.is::<http_body_util::LengthLimitError>() {
                    true => Refused::BodyTooLarge,
                    false => Refused::Body,
                },
            )?;
    Ok(whole.to_bytes())
}
