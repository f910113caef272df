//! The heart of the daemon: the only thread that changes jobs. See `daemon.rs`.

mod handle;

pub use handle::{Core, Event, JobView, NodeView, Refusal, Resources, Submitted};
