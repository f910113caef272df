//! The core_loop of the daemon: the only thread that changes jobs.
//!
//! - Everything that happens comes as a `Message` through one bounded channel. What has come together
//!   becomes one transaction; only when it is committed is anybody answered, told of an event or
//!   started. What the store can't take from a worker just now is tried again; what it can't take from
//!   a client is refused.
//! - What is kept in memory of a job follows from the job as it was last committed: a waiting one has
//!   about 100 bytes in the queue, one with a worker an entry in `workers`, one that has ended nothing.
//! - A second thread reads, through a connection of its own: lists and histories wait for no writer.

mod core_loop;
mod handle;
mod message;
mod take;

pub use core_loop::{StartedCore, start};
pub use handle::{Core, Figures, JobView, NodeView, Notice, Refusal, Resources, Submitted};
pub(super) use message::{Launch, ProcessMessage, ProcessStart, Wanted};
