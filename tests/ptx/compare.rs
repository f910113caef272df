//! Each kernel beside the CPU.
//!
//! A new kernel gets a line in [`COMPARISONS`], and a test fails until it has one. For `read_at_random`, say, write
//! `pub fn compare(kernels: &Kernels) -> Result<String, String>` in a module of its own: allocate buffers
//! with [`Kernels::memory`], launch with [`Kernels::machine`], work out on the host what must be in the buffers
//! afterwards, and return what differs as an error. Then add
//! `Comparison { file: "sieve.ptx", kernels: &["read_at_random", "add_at_random"], compare: probes::compare }`.

use super::{kernels::Kernels, sieve, structure_key};

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
        file: "structure_key.ptx",
        kernels: &["structure_key"],
        compare: structure_key::compare,
    },
];
