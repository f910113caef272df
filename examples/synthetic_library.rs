//! Writes a library of small molecules to standard output, as many as asked for, each different, as
//! SMILES lines: `synthetic_library 1000000 >library.smi`.
//!
//! The molecules are chains of eight links behind a head by which a chain is never read from its other
//! end. With `examples/rules/synthetic.toml` each gives about five products, some of which others give
//! too, as in a real library. They mean nothing to a chemist and cost RDKit little, so that what comes
//! behind it has something to do. The order is mixed: neighbours are not alike.

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

const HEADS: [&str; 13] = [
    "FC", "ClC", "BrC", "IC", "N#CC", "C#CC", "C=CC", "OC", "FC(F)C", "ClC(Cl)C", "FC=CC", "O=CC",
    "BrC=CC",
];
const LINKS: [&str; 5] = ["C", "O", "S", "N", "N(C)"];
const CHAIN: u32 = 8;
const MOLECULES_MAX: u64 = HEADS.len() as u64 * (LINKS.len() as u64).pow(CHAIN);
/// Has no divisor in common with [`MOLECULES_MAX`], so that its multiples pass through all numbers.
const STRIDE: u64 = 3_180_341;

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let Some(molecules @ 1..=MOLECULES_MAX) = wanted else {
        eprintln!(
            "usage: synthetic_library MOLECULES   (1 to {MOLECULES_MAX}; SMILES to standard output)"
        );
        return ExitCode::from(2);
    };
    match write(molecules) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("synthetic_library: cannot write: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(molecules: u64) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for i in 0..molecules {
        let mut number = i * STRIDE % MOLECULES_MAX;
        let mut digit = |base: usize| {
            let digit = number % base as u64;
            number /= base as u64;
            digit as usize
        };
        out.write_all(HEADS[digit(HEADS.len())].as_bytes())?;
        for _ in 0..CHAIN {
            out.write_all(LINKS[digit(LINKS.len())].as_bytes())?;
        }
        writeln!(out, " S{i}")?;
    }
    out.flush()
}
