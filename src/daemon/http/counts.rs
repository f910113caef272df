//! Counters and gauges of the HTTP side, as the metrics show them.

use hyper::StatusCode;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// Counters since the daemon's start, the open connections and the open streams. Clones share their values.
#[derive(Clone, Debug, Default)]
pub struct HttpCounts {
    answers: Family<StatusClass, Counter>,
    /// Connections that were refused: the user has too many, or may not use the daemon.
    pub(super) refused: Counter,
    /// Connections that were closed because their client was too slow or idle.
    pub(super) timed_out: Counter,
    /// Open connections.
    pub(super) open: Gauge,
    /// Open streams of events and logs.
    pub(super) streams: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusClass {
    status: &'static str,
}

/// The classes of answers.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

impl HttpCounts {
    pub(super) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(2, 5) - 2;
        self.answers(CLASSES[class]).inc();
    }

    /// The answers of a class.
    pub(super) fn answers(&self, status: &'static str) -> Counter {
        self.answers.get_or_create_owned(&StatusClass { status })
    }

    /// Adds them to the metrics.
    pub(super) fn register(&self, registry: &mut Registry) {
        // A class without answers is shown as 0.
        for class in CLASSES {
            self.answers(class);
        }
        let help = "Requests answered, by the class of the status";
        registry.register("http_requests", help, self.answers.clone());
        let help = "Connections refused: the user has too many, or may not use the daemon";
        registry.register("http_connections_refused", help, self.refused.clone());
        let help = "Connections closed because the client was slow or idle";
        registry.register("http_connections_timed_out", help, self.timed_out.clone());
        registry.register("http_connections", "Open connections", self.open.clone());
        let help = "Open streams of events and logs";
        registry.register("http_streams", help, self.streams.clone());
    }
}

/// Counts one more until it is dropped.
pub(super) struct Counted(Gauge);

impl Counted {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
