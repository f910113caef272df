//! NVIDIA GPUs, through the driver alone.
//!
//! - The driver's library is loaded when a device is first asked for; a machine without it gets an error, never a
//!   panic. A toolkit's stub library is refused (`library`).
//! - The kernels are embedded as machine code for `sm_80` and `sm_90`, and as PTX, which the driver compiles for
//!   other GPUs from Volta on (`image`).
//! - A thread that waits for the GPU sleeps (`driver`), so that waiting takes no core from other threads.
//! - The driver decides which devices there are and in which order, by `CUDA_VISIBLE_DEVICES`: an index, a UUID or
//!   a MIG UUID. The engine uses the first.
//! - A lane allocates, copies, launches and waits (`lane`). Two programs run on lanes: [`CudaSieve`] and
//!   [`CudaKeys`]. Each allocates all of its memory when it is opened.

mod buffers;
mod driver;
mod image;
mod lane;
mod library;
mod pinned;
mod sieve;
mod structure_key;

pub use driver::{Gpu, driver_library, first_gpu, gpus};
pub use image::KernelImage;
pub(super) use sieve::check_room;
pub use sieve::{CUDA_LANES, CudaSieve};
pub use structure_key::CudaKeys;
