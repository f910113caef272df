//! Counters of the HTTP side, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hyper::StatusCode;

/// Counters since the daemon's start, and the open connections.
#[derive(Debug, Default)]
pub struct HttpCounts {
    answers: [AtomicU64; 4],
    pub(super) open: AtomicU64,
    streams: AtomicU64,
    refused: AtomicU64,
    timed_out: AtomicU64,
}

impl HttpCounts {
    /// Answers by the class of their status: `2xx`, `3xx`, `4xx`, `5xx`.
    pub fn answers(&self) -> [(&'static str, u64); 4] {
        let names = ["2xx", "3xx", "4xx", "5xx"];
        std::array::from_fn(|class| (names[class], self.answers[class].load(Relaxed)))
    }

    /// Connections that are open.
    pub fn open_connections(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Streams of events and logs that are open.
    pub fn open_streams(&self) -> u64 {
        self.streams.load(Relaxed)
    }

    /// Connections that were refused: the user has too many, or may not use the daemon.
    pub fn refused_connections(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Connections that were closed because their client was too slow or idle.
    pub fn timed_out_connections(&self) -> u64 {
        self.timed_out.load(Relaxed)
    }

    pub(super) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(2, 5) - 2;
        self.answers[class].fetch_add(1, Relaxed);
    }

    pub(super) fn stream_opened(&self) {
        self.streams.fetch_add(1, Relaxed);
    }

    pub(super) fn stream_closed(&self) {
        self.streams.fetch_sub(1, Relaxed);
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn time_out(&self) {
        self.timed_out.fetch_add(1, Relaxed);
    }
}

/// Counts one more until it is dropped.
pub(super) struct Counted<'a>(&'a AtomicU64);

impl<'a> Counted<'a> {
    pub(super) fn new(gauge: &'a AtomicU64) -> Self {
        gauge.fetch_add(1, Relaxed);
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
