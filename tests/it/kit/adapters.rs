//! GPUs under test, and engines that are not tested because there are none.

use molsieve::sieve::wgpu::{self, Adapter};

/// The adapters to test: lavapipe and whatever else the machine has. None, said aloud, where there is
/// none and none is demanded.
pub fn adapters() -> Vec<Adapter> {
    let adapters = wgpu::adapters();
    if adapters.is_empty() {
        skip(
            "wgpu",
            "engine wgpu: there is no Vulkan driver, not even a software one",
        );
    }
    adapters
}

/// Says that an engine is not tested; fails if `MOLSIEVE_REQUIRE_ENGINES` demands it.
pub fn skip(engine: &str, reason: &str) {
    let demanded = std::env::var("MOLSIEVE_REQUIRE_ENGINES").unwrap_or_default();
    assert!(
        !demanded.split(',').any(|name| name.trim() == engine),
        "the engine {engine} is demanded: {reason}"
    );
    // Past the harness, which keeps what a passing test prints to itself.
    let line = format!("SKIPPED: {reason}\n");
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}
