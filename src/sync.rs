//! The primitives the ring is built on: the operating system's, or shuttle's when its scheduler
//! tries the ring's interleavings (feature `shuttle`).

#[cfg(not(feature = "shuttle"))]
pub use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(feature = "shuttle")]
pub use shuttle::sync::{Condvar, Mutex, MutexGuard};
