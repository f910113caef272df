//! GPUs that wgpu reaches: `shaders/sieve.wgsl`.
//!
//! - A lane collects commands and submits them when results are read or when a buffer is written again (`lane`).
//! - wgpu reports most errors through callbacks. `faults` keeps the first of them, and the next call returns it.
//! - A binding holds at most what the adapter allows, often 128 MiB to 2 GiB. The filter may use up to
//!   [`FILTER_PIECES`] bindings; a larger filter is refused when the engine is opened.
//! - All memory on the device is allocated when it is opened. On the host, wgpu stages what is written to a buffer:
//!   as much as a slot's text and offsets.

mod adapter;
mod buffers;
mod faults;
mod lane;
mod sieve;

pub use adapter::{Adapter, FILTER_PIECES, adapters};
pub use sieve::{SHADER, WgpuSieve};
