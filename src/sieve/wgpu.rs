//! GPUs that wgpu reaches: `shaders/sieve.wgsl`.
//!
//! - A lane collects commands and submits them when results are read or when a buffer is written again (`lane`).
//! - wgpu reports most errors through callbacks. `faults` keeps the first of them, and the next call returns it.
//! - A binding holds at most what the adapter allows, often 128 MiB to 2 GiB. The filter may use up to
//!   [`FILTER_PIECES`] bindings; a larger filter is refused when the engine is opened.
//! - All memory on the device is allocated when it is opened. On the host, wgpu stages what is written to a buffer:
//!   as much as a slot's text and offsets.
//!
//! | module | contents |
//! |---|---|
//! | `adapter` | the adapters of the machine |
//! | `lane` | one queue, with buffers, copies, dispatches and waits |
//! | `faults` | errors that wgpu reports through callbacks |
//! | `limits` | what an adapter can bind |
//! | `sieve` | the program `shaders/sieve.wgsl` |
//! | `buffers` | the buffers of the sieve, and which of them each kernel binds |

mod adapter;
mod buffers;
mod faults;
mod lane;
mod limits;
mod sieve;

pub use adapter::{Adapter, adapters};
pub use limits::FILTER_PIECES;
pub use sieve::{SHADER, WgpuSieve};
