//! The `molsieve` program. Everything it does is in the library; errors become exit codes here.

use std::process::ExitCode;

/// RDKit allocates a lot of small blocks. With mimalloc serving its C++ too (the crate's feature
/// `override` takes malloc's place for the whole process) a job takes three quarters of the time; see
/// `benches/results/2026-11-22-allocators.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    molsieve::cli::main()
}
