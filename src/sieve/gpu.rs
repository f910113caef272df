//! The sieve on any GPU.
//!
//! A [`Device`] holds the filter in its own memory, has lanes with room for a slot each, and has the kernels loaded.
//! [`GpuEngine`] decides which calls each slot takes, and in which order. So the order is written once, and the tests
//! run it with the CUDA source compiled for the host.
//!
//! Slots use the lanes in rotation. [`GpuEngine`] starts all work on a slot when the slot is begun, so the copies of
//! one slot overlap the kernels of another. Only the kernels that use the filter wait for each other.
//!
//! Memory on the device, allocated once: the filter and, for each row that a lane has room for, 16 bytes of key,
//! 4 for the end of its text, 4 for its place in the table, 8 to 16 for the table and 1 for the verdict, beside the
//! text itself.

pub(in crate::sieve) mod device;
mod engine;

pub use device::{BLOCK_ROWS, Device, Kernel, Room, TEXT_PAD_BYTES};
pub use engine::GpuEngine;
