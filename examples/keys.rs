//! Prints both keys of SMILES: the structure key, which molsieve computes from any SMILES of a molecule, and
//! the canonical key, a hash of RDKit's canonical SMILES.
//!
//! ```sh
//! cargo run --release --example keys -- 'OCC' 'CCO' 'c1ccccc1'
//! ```
//!
//! Two SMILES of one molecule have the same keys.

use std::{
    error::Error,
    io::{self, Write},
};

use molsieve::{chem::RdKit, identity::KeyMaker, key::Key};

fn main() -> Result<(), Box<dyn Error>> {
    let smiles: Vec<String> = std::env::args().skip(1).collect();
    print(&smiles, &mut io::stdout())
}

/// A line each: structure key, canonical key, SMILES. For a SMILES that RDKit refuses, the reason.
pub fn print(smiles: &[String], out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let rdkit = RdKit::initialise()?;
    let mut keys = KeyMaker::new(rdkit);
    for smiles in smiles {
        let text = smiles.as_bytes();
        match (keys.key(text), rdkit.canonical_smiles(smiles)) {
            (Ok((structure, _way)), Ok(canonical)) => {
                let canonical = Key::of(canonical.as_bytes());
                writeln!(out, "{structure}  {canonical}  {smiles}")?;
            }
            (Err(reason), _) | (_, Err(reason)) => writeln!(out, "{smiles}: {reason}")?,
        }
    }
    Ok(())
}
