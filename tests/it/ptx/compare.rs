//! Compares each kernel with the CPU.
//!
//! Add a line to [`COMPARISONS`] for a new kernel; a test fails until it is there. Write the comparison in a module of its
//! own, such as `probes`: allocate buffers with [`Kernels::memory`], launch with [`Kernels::machine`], compute the
//! expected buffers on the host, and return differences as an error.

use super::{kernels::Kernels, probes, sieve, structure_key};

/// Kernels that are compared together.
pub struct Comparison {
    /// In `kernels/`.
    pub file: &'static str,
    pub kernels: &'static [&'static str],
    pub compare: Compare,
}

/// Returns a summary, or the differences.
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
