//! Compiles the C++ side of `src/chem` against RDKit and says how to link it.
//!
//! RDKit is found in `$CONDA_PREFIX`, the variable that rdkit-sys reads too: the prefix that
//! `scripts/rdkit-prefix.sh` lays out, a conda environment, or `/usr`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

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

    let sources = cpp_files(Path::new("src/chem"));
    let mut build = cxx_build::bridge("src/chem/bridge.rs");
    build
        .files(sources.iter().filter(|file| has_extension(file, "cc")))
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
    for file in &sources {
        println!("cargo:rerun-if-changed={}", file.display());
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

/// Every C++ source and header below `folder`, in the order of their paths.
fn cpp_files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("the folder of sources is readable").path();
        if path.is_dir() {
            files.extend(cpp_files(&path));
        } else if has_extension(&path, "cc") || has_extension(&path, "h") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
