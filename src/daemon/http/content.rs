//! Bodies of answers.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::{connection::InFlight, shares::Held};

/// The body of an answer. The connection counts as busy until it is dropped.
pub(super) struct Content {
    what: What,
    in_flight: Option<InFlight>,
}

enum What {
    /// All of it.
    Whole(Bytes),
    /// A piece after the other; whoever sends them waits for the socket.
    Pieces(mpsc::Receiver<Bytes>),
}

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

/// The permit is given back when the last part of the bytes has been written.
pub(super) fn kept(bytes: Vec<u8>, held: Option<Held>) -> Bytes {
    match held {
        None => bytes.into(),
        Some(held) => Bytes::from_owner(Kept { bytes, _held: held }),
    }
}

impl Content {
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self {
            what: What::Whole(bytes.into()),
            in_flight: None,
        }
    }

    pub(super) fn pieces(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self {
            what: What::Pieces(pieces),
            in_flight: None,
        }
    }

    pub(super) fn busy_until_dropped(&mut self, in_flight: InFlight) {
        self.in_flight = Some(in_flight);
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.what {
            What::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            What::Whole(bytes) => Poll::Ready(Some(std::mem::take(bytes))),
            What::Pieces(pieces) => pieces.poll_recv(cx),
        };
        piece.map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.what, What::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.what {
            What::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            What::Pieces(_) => SizeHint::default(),
        }
    }
}
