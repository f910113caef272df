//! One request over a connection of its own.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    net::UnixStream,
    time::{Instant, sleep, timeout},
};

use super::{WAITS, Waits, error::ClientError, place::Place};

/// Sends a request as it is to the daemon at `place`, and gives its answer, whatever its status. The caller reads the
/// body, which may be a stream. For callers with a runtime of their own.
pub async fn pass(
    place: &Place,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, ClientError> {
    send(place, &WAITS, request).await
}

pub(super) async fn send(
    place: &Place,
    waits: &Waits,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, ClientError> {
    let stream = connect(place, waits.connect).await?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| broken(place, &error))?;
    // It ends with the answer, or with the runtime. Its errors come out of `sender` too.
    tokio::spawn(connection);
    let answer = timeout(waits.answer, sender.send_request(request)).await;
    let answer = answer.map_err(|_| broken(place, &"no answer in time"))?;
    answer.map_err(|error| {
        if error.is_parse() {
            protocol(place, &error)
        } else {
            broken(place, &error)
        }
    })
}

async fn connect(place: &Place, wait: Duration) -> Result<UnixStream, ClientError> {
    let begin = Instant::now();
    let path = place.socket().await?;
    loop {
        let error = match UnixStream::connect(&path).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        match error.kind() {
            // Its queue of connections is full.
            io::ErrorKind::WouldBlock if begin.elapsed() < wait => {
                sleep(Duration::from_millis(20)).await;
            }
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                return Err(ClientError::NoDaemon(place.name().into()));
            }
            io::ErrorKind::PermissionDenied => {
                return Err(ClientError::Denied(place.name().into()));
            }
            _ => return Err(broken(place, &crate::store::plain(&error))),
        }
    }
}

pub(super) fn broken(place: &Place, reason: &(impl ToString + ?Sized)) -> ClientError {
    ClientError::Broken {
        path: place.name().into(),
        reason: place.said().unwrap_or_else(|| reason.to_string()),
    }
}

/// An answer that no daemon of this version sends.
pub(super) fn protocol(place: &Place, reason: &(impl ToString + ?Sized)) -> ClientError {
    ClientError::Protocol {
        path: place.name().into(),
        reason: reason.to_string(),
    }
}
