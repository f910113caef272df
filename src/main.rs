//! The `molsieve` program: the command line of the library, with mimalloc as its allocator.

use std::process::ExitCode;

/// RDKit allocates many small blocks. The feature `override` of the crate replaces `malloc` for the C++ code too.
/// With mimalloc a job takes three quarters of the time; see `benches/results/2026-11-22-allocators.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    molsieve::cli::main()
}
