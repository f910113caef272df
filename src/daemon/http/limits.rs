//! What clients may cost the daemon.

use std::time::Duration;

use crate::limits as named;

/// What clients may cost the daemon; see the constants in [`crate::limits`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Open connections of one user.
    pub connections_per_user: usize,
    /// Open streams.
    pub streams: usize,
    /// Open streams of one user.
    pub streams_per_user: usize,
    /// Bytes of bodies and answers in memory.
    pub bytes: usize,
    /// Bytes of bodies and answers in memory for one user.
    pub bytes_per_user: usize,
    /// From the first byte of a request's head to its last.
    pub head_time: Duration,
    /// From the head to the last byte of the body.
    pub body_time: Duration,
    /// Without a request.
    pub idle_time: Duration,
    /// While an answer is not read.
    pub write_time: Duration,
    /// From the head of a request to the head of its answer.
    pub answer_time: Duration,
    /// For requests in flight when the daemon stops.
    pub drain_time: Duration,
    /// Between two comments in an event stream.
    pub heartbeat: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: named::HTTP_CONNECTIONS_MAX,
            connections_per_user: named::HTTP_CONNECTIONS_PER_USER_MAX,
            streams: named::HTTP_STREAMS_MAX,
            streams_per_user: named::HTTP_STREAMS_PER_USER_MAX,
            bytes: named::HTTP_BYTES_MAX,
            bytes_per_user: named::HTTP_BYTES_PER_USER_MAX,
            head_time: Duration::from_secs(named::HTTP_HEAD_SECONDS_MAX),
            body_time: Duration::from_secs(named::HTTP_BODY_SECONDS_MAX),
            idle_time: Duration::from_secs(named::HTTP_IDLE_SECONDS_MAX),
            write_time: Duration::from_secs(named::HTTP_WRITE_SECONDS_MAX),
            answer_time: Duration::from_secs(named::HTTP_ANSWER_SECONDS_MAX),
            drain_time: Duration::from_secs(named::HTTP_DRAIN_SECONDS_MAX),
            heartbeat: Duration::from_secs(named::HTTP_HEARTBEAT_SECONDS),
        }
    }
}
