//! The core of the daemon: the only thread that changes jobs.
//!
//! - Every change arrives as a `Message` through one bounded channel. Messages that have arrived together
//!   become one transaction. Answers, notices and process starts follow its commit. If the store fails,
//!   messages of job processes are retried, and requests of clients are refused.
//! - What is in memory of a job follows from its last commit: a waiting job takes about 100 bytes in the
//!   queue, a job with a process an entry in `active`, a job that has ended nothing.
//! - A second thread reads, through its own connection: lists and histories do not wait for the writer.

mod audit;
mod core_loop;
mod handle;
mod held;
mod message;
mod oversized;
mod room;
mod space;
mod take;
mod waits;

pub use core_loop::{StartedCore, start};
pub use handle::Core;
pub(super) use message::{
    Answer, Launch, ProcessMessage, ProcessStart, SpaceCheck, SpaceFinding, Wanted,
};
