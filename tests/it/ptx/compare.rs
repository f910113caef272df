//! Each kernel beside the CPU.
//!
//! A new kernel gets a line in [`COMPARISONS`], and a test fails until it has one. What compares it goes in a module of
//! its own, as `probes`: allocate buffers with [`Kernels::memory`], launch with [`Kernels::machine`], work out on the host
//! what must be in the buffers afterwards, and return what differs as an error.

use super::{kernels::Kernels, probes, sieve, structure_key};

/// Kernels that are compared together.
pub struct Comparison {
    /// In `kernels/`.
    pub file: &'static str,
    pub kernels: &'static [&'static str],
    pub compare: Compare,
}

/// Says what was compared, or what differs.
pub type Compare = fn(&Kernels) -> Result<String, String>;

pub const COMPARISONS: &[Comparison] = &[
    Comparison {
        file: "sieve.ptx",
        kernels: &[
            "hash_rows",
            "claim_rows",
            "look_up",
            "insert_new",
            "insert_keys",
        ],
        compare: sieve::compare,
    },
    Comparison {
        file: "sieve.ptx",
        kernels: &["fill_at_random", "read_at_random", "add_at_random"],
        compare: probes::compare,
    },
    Comparison {
        file: "structure_key.ptx",
        kernels: &["structure_key"],
        compare: structure_key::compare,
    },
];
