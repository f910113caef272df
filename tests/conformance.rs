//! Every engine at the conformance body (`src/sieve/conformance.rs`).
//!
//! - `kernels/sieve.cu` compiled for the host (`tests/shim/`) runs on every machine, under the same
//!   order of work as on a GPU. Errors planted in its source are seen.
//! - A GPU that is not there is skipped, and the output says so. `MOLSIEVE_REQUIRE_ENGINES`, a list such
//!   as `cuda,wgpu`, makes its absence fail.

#[path = "conformance/host_device.rs"]
mod host_device;

use std::{fs, path::Path};

use host_device::{Kernels, kernels_of};
use molsieve::sieve::{
    FilterShape,
    conformance::{Account, Disagreement, conform, conform_on_inserts},
    gpu::{GpuEngine, Room},
};
use sha2::{Digest, Sha256};

const SOURCE: &str = "kernels/sieve.cu";
const PTX: &str = "kernels/sieve.ptx";

/// A filter for a million keys.
const MILLION: FilterShape = FilterShape {
    bits: 64 * 300_007,
    hashes: 13,
};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn conform_on_host(kernels: &Kernels, random_slots: u64) -> Result<Account, Disagreement> {
    conform(
        &mut |shape, layout| {
            let room = Room::new(shape, layout);
            Ok(Box::new(GpuEngine::new(kernels.device(room), room)))
        },
        random_slots,
    )
}

#[test]
fn the_cuda_source_compiled_for_the_host_conforms() {
    let kernels = kernels_of(&read(SOURCE));
    let account = conform_on_host(&kernels, 150).unwrap();
    println!("the CUDA source on the host: {account:?}");
    assert!(account.slots > 2_000, "{account:?}");
    conform_on_inserts(
        &mut |shape, layout| {
            let room = Room::new(shape, layout);
            Ok(Box::new(GpuEngine::new(kernels.device(room), room)))
        },
        MILLION,
        1_000_000,
    )
    .unwrap();
}

#[test]
fn errors_planted_in_the_cuda_source_are_seen() {
    let source = read(SOURCE);
    for (right, wrong) in [
        ("left > 8 ?", "left > 9 ?"),
        ("bytes >= 8 ?", "bytes >= 7 ?"),
        ("h2 = h2 * 5 + 0x38495ab5;", "h2 = h2 * 5 + 0x38495ab4;"),
        ("text_end[first - 1]) & ~15u", "text_end[first - 1]) & ~7u"),
        (
            "    __syncthreads();\n    u32 row = first",
            "    u32 row = first",
        ),
        ("other.x == key.x && other.y == key.y", "other.y == key.y"),
        ("other.x == key.x && other.y == key.y", "other.x == key.x"),
        ("atomicMin(&table[place], row + 1);", ";"),
        ("if (done + probe < hashes) {", "if (true) {"),
        ("done < hashes; done++", "done + 1 < hashes; done++"),
        (
            "step_of(u64 source) { return source",
            "step_of(u64 source) { return ~source",
        ),
        ("? MAYBE : NEW;", "? MAYBE : DUPLICATE;"),
        ("&& verdicts[row] == NEW", "&& verdicts[row] != NEW"),
        (
            "if (threadIdx.x < 3)\n        counts",
            "if (threadIdx.x < 2)\n        counts",
        ),
    ] {
        assert_eq!(source.matches(right).count(), 1, "{right}");
        let kernels = kernels_of(&source.replace(right, wrong));
        let outcome = conform_on_host(&kernels, 50);
        assert!(outcome.is_err(), "nobody saw: {wrong}");
    }
}

#[test]
fn the_ptx_is_not_older_than_its_source() {
    let digest: String = Sha256::digest(read(SOURCE))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        read(PTX).lines().next(),
        Some(format!("// SHA-256 of sieve.cu: {digest}").as_str()),
        "run scripts/ptx.sh"
    );
}
