//! Replays the inputs of the fuzz targets: the corpus (`tests/fuzz/corpus`) and earlier findings (`tests/fuzz/findings`).
//! `scripts/fuzz.sh` runs the fuzzer.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use bodies::TARGETS;
use molsieve::{
    pipeline::{CHECKPOINT, Checkpoint, Identity, JOB},
    store::sealed::decode,
};

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// The sorted entries of a folder; empty if the folder does not exist.
fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    let listing = fs::read_dir(folder).into_iter().flatten();
    listing.map(|entry| entry.unwrap().path()).collect()
}

/// Runs the body of a target on its files. On a panic, the last printed file is the cause.
#[track_caller]
fn replay(target: &str) {
    let (_, body) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let corpus = entries(&fuzz_folder().join("corpus").join(target));
    assert!(!corpus.is_empty(), "{target} has no corpus");
    let findings = entries(&fuzz_folder().join("findings").join(target));
    for file in corpus.iter().chain(&findings) {
        println!("{}", file.display());
        body(&fs::read(file).unwrap());
    }
}

#[test]
fn request() {
    replay("request");
}

#[test]
fn rules() {
    replay("rules");
}

#[test]
fn sealed() {
    replay("sealed");
}

/// Seeds of an earlier version would only show that other versions are refused.
#[test]
fn the_seeds_of_sealed_files_are_of_the_current_version() {
    let seed = |name| fs::read(fuzz_folder().join("corpus/sealed").join(name)).unwrap();
    decode::<Checkpoint>(CHECKPOINT, &seed("checkpoint")).unwrap();
    decode::<Identity>(JOB, &seed("job")).unwrap();
}

#[test]
fn source_delimited() {
    replay("source_delimited");
}

#[test]
fn source_parquet() {
    replay("source_parquet");
}

#[test]
fn source_sdf() {
    replay("source_sdf");
}

#[test]
fn source_smiles() {
    replay("source_smiles");
}

#[test]
fn spill() {
    replay("spill");
}

#[test]
fn structure_key() {
    replay("structure_key");
}

#[test]
fn every_corpus_folder_and_every_binary_has_a_target() {
    let targets: BTreeSet<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    for folder in ["corpus", "findings", "targets"] {
        for entry in entries(&fuzz_folder().join(folder)) {
            let name = entry.file_stem().unwrap().to_str().unwrap();
            assert!(targets.contains(name), "{}", entry.display());
        }
    }
    assert_eq!(entries(&fuzz_folder().join("targets")).len(), targets.len());
}
