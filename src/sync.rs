//! The primitives that ring and cores are built on: the operating system's, or shuttle's when its scheduler
//! tries their interleavings (feature `shuttle`).

#[cfg(not(feature = "shuttle"))]
pub use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(feature = "shuttle")]
pub use shuttle::sync::{Condvar, Mutex, MutexGuard};
