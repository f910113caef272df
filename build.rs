//! Compiles the C++ side of `src/chem` against RDKit and says how to link it.
//!
//! RDKit is found in `$CONDA_PREFIX`, the variable that rdkit-sys reads too: the prefix that
//! `scripts/rdkit-prefix.sh` lays out, a conda environment, or `/usr`.

use std::{env, path::PathBuf};

const CPP_FILES: [&str; 25] = [
    "bond_directions.cc",
    "direction.cc",
    "edit.cc",
    "edit_compile.cc",
    "graph.cc",
    "hydrogens.cc",
    "log.cc",
    "parse.cc",
    "parse/aromaticity.cc",
    "parse/cip.cc",
    "parse/hybridization.cc",
    "parse/kekule.cc",
    "parse/rings.cc",
    "parse/stereo.cc",
    "parse/text.cc",
    "parse/valence.cc",
    "parse_check.cc",
    "periodic_table.cc",
    "rank.cc",
    "ring_certainty.cc",
    "sites.cc",
    "smiles.cc",
    "stereo.cc",
    "transformer.cc",
    "valence.cc",
];
const CPP_HEADERS: [&str; 13] = [
    "edit.h",
    "graph.h",
    "hydrogens.h",
    "log.h",
    "parse.h",
    "parse/flat.h",
    "rank.h",
    "ring_certainty.h",
    "sites.h",
    "smiles.h",
    "stereo.h",
    "transformer.h",
    "valence.h",
];
const RDKIT_LIBRARIES: [&str; 7] = [
    "ChemReactions",
    "Descriptors",
    "FileParsers",
    "GraphMol",
    "RDGeneral",
    "SmilesParse",
    "SubstructMatch",
];

fn main() {
    println!("cargo:rerun-if-env-changed=CONDA_PREFIX");
    let prefix = PathBuf::from(env::var("CONDA_PREFIX").unwrap_or_else(|_| "/usr".into()));
    let headers = prefix.join("include/rdkit");
    assert!(
        headers.join("GraphMol/ROMol.h").exists(),
        "no RDKit headers in {}: run scripts/rdkit-prefix.sh .rdkit, or point CONDA_PREFIX at the \
         prefix of an RDKit 2025.03",
        headers.display()
    );

    let mut build = cxx_build::bridge("src/chem/bridge.rs");
    build
        .files(CPP_FILES.map(|file| format!("src/chem/{file}")))
        .std("c++20")
        .flag_if_supported("-O3")
        .warnings(true);
    // RDKit's and Boost's headers are not ours to warn about. The compiler looks into /usr/include by
    // itself, and at the right moment; named here, it would come before the C++ library's own headers.
    build.flag("-isystem").flag(&headers);
    if !prefix.starts_with("/usr") {
        build.flag("-isystem").flag(prefix.join("include"));
    }
    build.compile("molsieve_chem");

    println!("cargo:rerun-if-changed=src/chem/bridge.rs");
    for file in CPP_FILES.iter().chain(&CPP_HEADERS) {
        println!("cargo:rerun-if-changed=src/chem/{file}");
    }
    for library in RDKIT_LIBRARIES {
        println!("cargo:rustc-link-lib=dylib=RDKit{library}");
    }
    println!(
        "cargo:rustc-link-search=native={}",
        prefix.join("lib").display()
    );
    if !prefix.starts_with("/usr") {
        // DT_RPATH rather than DT_RUNPATH: it also serves the libraries that RDKit's libraries need.
        println!("cargo:rustc-link-arg=-Wl,--disable-new-dtags");
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/molsieve");
        println!(
            "cargo:rustc-link-arg=-Wl,-rpath,{}",
            prefix.join("lib").display()
        );
    }
}
