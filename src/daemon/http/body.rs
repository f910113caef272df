//! Bodies of answers whose memory is counted, and bodies that are sent piece by piece.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc;

use super::{activity::InFlight, shares::Held};
use crate::limits::HTTP_SMALL_BYTES;

/// Bytes with the permit for their memory.
struct Kept {
    bytes: Vec<u8>,
    _held: Held,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes that hold their permit until the last part of them is written.
pub(super) fn kept(bytes: Vec<u8>, held: Option<Held>) -> Bytes {
    match held {
        None => bytes.into(),
        Some(held) => Bytes::from_owner(Kept { bytes, _held: held }),
    }
}

/// The same; releases the part of the permit that the bytes do not need.
pub(super) fn kept_shrunk(bytes: Vec<u8>, held: Option<Held>) -> Bytes {
    let held = held.filter(|_| bytes.len() > HTTP_SMALL_BYTES);
    let held = held.map(|mut held| {
        held.shrink(bytes.len());
        held
    });
    kept(bytes, held)
}

/// A body of pieces. The sender waits until the socket has taken the piece before.
pub(super) fn pieces(receiver: mpsc::Receiver<Bytes>) -> Body {
    Body::new(Pieces(receiver))
}

struct Pieces(mpsc::Receiver<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_recv(cx);
        piece.map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// The body of an answer. Its connection is busy until it is dropped.
pub(super) struct Busy {
    pub(super) body: Body,
    pub(super) _in_flight: InFlight,
}

impl HttpBody for Busy {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
