//! The adapters to test.

use molsieve::sieve::wgpu::{self, Adapter};

use super::skip::skip_engine;

/// All adapters of the machine, lavapipe included. If there is none, reports the skip, or fails if
/// `MOLSIEVE_REQUIRE_ENGINES` demands one.
pub fn adapters() -> Vec<Adapter> {
    let adapters = wgpu::adapters();
    if adapters.is_empty() {
        skip_engine("wgpu", "there is no Vulkan driver, not even a software one");
    }
    adapters
}
