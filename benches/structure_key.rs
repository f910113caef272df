//! Structure keys compared with RDKit's parser and canonical SMILES, alternating on one core, over any libraries:
//!
//! ```text
//! cargo bench --bench structure_key [-- FILE.smi …]
//! ```
//!
//! A file has a SMILES at the start of each line; of more than [`MOLECULES_MAX`] lines, so many are used, evenly spaced.
//! Without a file it uses the shipped library. Molecules whose keys need RDKit are counted and left out, since they
//! would compare RDKit with itself. `plain` is the code for processors without AVX-512. The figures are medians of
//! [`ROUNDS`], in microseconds per molecule. This benchmark does not use criterion, because the result is a ratio and
//! the three measurements must alternate.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that can't go on stops there"
)]

mod common;

use std::{fs, hint::black_box, path::PathBuf, time::Instant};

use molsieve::{chem::RdKit, identity::StructureKeys};

/// The most molecules: more do not change the result.
const MOLECULES_MAX: usize = 20_000;
/// Molecules of each measurement; fewer are repeated. After RDKit's measurement the first keys are slow, since the
/// caches hold other data.
const TURN_MOLECULES_MIN: usize = 5_000;
const ROUNDS: usize = 7;

fn main() {
    let rdkit = common::rdkit();
    // Cargo adds a flag.
    let named = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let mut libraries: Vec<(String, Vec<String>)> =
        named.map(|path| (name(&path), read(&path))).collect();
    if libraries.is_empty() {
        let parents = common::parents()
            .into_iter()
            .map(|parent| String::from_utf8(parent.smiles).unwrap());
        libraries.push(("shipped".into(), parents.collect()));
    }
    println!(
        "{:<24} {:>9} {:>8} {:>6} {:>8} {:>8} {:>9} {:>7} {:>7}",
        "library", "molecules", "to RDKit", "bytes", "key", "plain", "RDKit", "times", "plain"
    );
    for (name, molecules) in libraries {
        compare(rdkit, &name, &molecules);
    }
}

fn name(path: &str) -> String {
    let name = PathBuf::from(path).file_name().unwrap().to_owned();
    name.to_string_lossy().into_owned()
}

fn read(path: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let step = lines.len().div_ceil(MOLECULES_MAX).max(1);
    lines.into_iter().step_by(step).map(str::to_owned).collect()
}

fn compare(rdkit: RdKit, name: &str, all: &[String]) {
    let (mut keys, mut plain) = (StructureKeys::new(), StructureKeys::plain());
    let molecules: Vec<_> = all
        .iter()
        .filter(|smiles| keys.key(smiles.as_bytes()).is_ok())
        .collect();
    let bytes: usize = molecules.iter().map(|smiles| smiles.len()).sum();
    let passes = TURN_MOLECULES_MIN.div_ceil(molecules.len());
    let microseconds = |work: &mut dyn FnMut(&str)| {
        let began = Instant::now();
        for _ in 0..passes {
            molecules.iter().for_each(|smiles| work(smiles));
        }
        1e6 * began.elapsed().as_secs_f64() / (passes * molecules.len()) as f64
    };
    let (mut of_key, mut of_plain, mut of_rdkit) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_key.push(microseconds(&mut |smiles| {
            let _ = black_box(keys.key(smiles.as_bytes()));
        }));
        of_plain.push(microseconds(&mut |smiles| {
            let _ = black_box(plain.key(smiles.as_bytes()));
        }));
        of_rdkit.push(microseconds(&mut |smiles| {
            let _ = black_box(rdkit.canonical_smiles(smiles));
        }));
    }
    let [key, plain, rdkit] = [of_key, of_plain, of_rdkit].map(median);
    println!(
        "{name:<24} {:>9} {:>8} {:>6.1} {key:>8.3} {plain:>8.3} {rdkit:>9.2} {:>7.1} {:>7.1}",
        molecules.len(),
        all.len() - molecules.len(),
        bytes as f64 / molecules.len() as f64,
        rdkit / key,
        rdkit / plain
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
