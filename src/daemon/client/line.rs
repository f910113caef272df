//! One request over a connection of its own.

use std::{io, path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    net::UnixStream,
    time::{Instant, sleep, timeout},
};

use super::{WAITS, Waits, error::ClientError};

/// Sends a request as it is to the daemon at `path`, and gives its answer, whatever its status. The caller reads the
/// body, which may be a stream. For callers with a runtime of their own.
pub async fn pass(
    path: &Path,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, ClientError> {
    send(path, &WAITS, request).await
}

pub(super) async fn send(
    path: &Path,
    waits: &Waits,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, ClientError> {
    let stream = connect(path, waits.connect).await?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| broken(path, &error))?;
    // It ends with the answer, or with the runtime. Its errors come out of `sender` too.
    tokio::spawn(connection);
    let answer = timeout(waits.answer, sender.send_request(request)).await;
    let answer = answer.map_err(|_| broken(path, &"no answer in time"))?;
    answer.map_err(|error| {
        if error.is_parse() {
            protocol(path, &error)
        } else {
            broken(path, &error)
        }
    })
}

async fn connect(path: &Path, wait: Duration) -> Result<UnixStream, ClientError> {
    let begin = Instant::now();
    loop {
        let error = match UnixStream::connect(path).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        match error.kind() {
            // Its queue of connections is full.
            io::ErrorKind::WouldBlock if begin.elapsed() < wait => {
                sleep(Duration::from_millis(20)).await;
            }
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                return Err(ClientError::NoDaemon(path.into()));
            }
            io::ErrorKind::PermissionDenied => {
                return Err(ClientError::Denied(path.into()));
            }
            _ => return Err(broken(path, &crate::store::plain(&error))),
        }
    }
}

pub(super) fn broken(path: &Path, reason: &(impl ToString + ?Sized)) -> ClientError {
    ClientError::Broken {
        path: path.into(),
        reason: reason.to_string(),
    }
}

/// An answer that no daemon of this version sends.
pub(super) fn protocol(path: &Path, reason: &(impl ToString + ?Sized)) -> ClientError {
    ClientError::Protocol {
        path: path.into(),
        reason: reason.to_string(),
    }
}
