//! Compiles the C++ side of `src/chem` against RDKit and says how to link it.
//!
//! RDKit is found in `$CONDA_PREFIX`, the variable that rdkit-sys reads too: the prefix that
//! `scripts/rdkit-prefix.sh` lays out, a conda environment, or `/usr`. It must be of the release that
//! `scripts/rdkit-wheels.txt` pins; the third number may differ. `scripts/rdkit-port.sh` builds with others.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// States the release, and nothing else does.
const PINS: &str = "scripts/rdkit-wheels.txt";
/// Another release to build with.
const OTHER_RELEASE: &str = "MOLSIEVE_RDKIT_RELEASE";

/// What Rust and C++ call of each other.
const BRIDGES: [&str; 2] = ["src/chem/bridge.rs", "src/chem/draw.rs"];

const RDKIT_LIBRARIES: [&str; 15] = [
    "Catalogs",
    "ChemReactions",
    "Depictor",
    "Descriptors",
    "EnumerateStereoisomers",
    "FileParsers",
    "FilterCatalog",
    "GraphMol",
    "MolDraw2D",
    "MolStandardize",
    "RDGeneral",
    "RDGeometryLib",
    "RingDecomposerLib",
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
         prefix of an RDKit",
        headers.display()
    );
    let release = check_release(&headers);
    println!("cargo:rustc-env=MOLSIEVE_RDKIT={release}");

    let sources = cpp_files(Path::new("src/chem"));
    let mut build = cxx_build::bridges(BRIDGES);
    build
        .files(sources.iter().filter(|file| has_extension(file, "cc")))
        .std("c++20")
        .warnings(true);
    // RDKit's and Boost's headers are not ours to warn about. The compiler looks into /usr/include by
    // itself, and at the right moment; named here, it would come before the C++ library's own headers.
    build.flag("-isystem").flag(&headers);
    if !prefix.starts_with("/usr") {
        build.flag("-isystem").flag(prefix.join("include"));
    }
    build.compile("molsieve_chem");

    for bridge in BRIDGES {
        println!("cargo:rerun-if-changed={bridge}");
    }
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

/// A release of RDKit: year, month, and the number of the revision.
type Release = [u32; 3];

/// The release of the headers, as RDKit writes it. Panics if it is not the one that is needed.
fn check_release(headers: &Path) -> String {
    println!("cargo:rerun-if-changed={PINS}");
    println!("cargo:rerun-if-env-changed={OTHER_RELEASE}");
    let pins = fs::read_to_string(PINS).unwrap_or_else(|error| panic!("{PINS}: {error}"));
    let pinned = pins.lines().find_map(|line| line.strip_prefix("rdkit=="));
    let needed = env::var(OTHER_RELEASE).ok();
    let needed = numbers(needed.as_deref().or(pinned).unwrap_or_default());
    let needed = needed.unwrap_or_else(|| panic!("{PINS} states no release of RDKit"));
    let versions = headers.join("RDGeneral/versions.h");
    println!("cargo:rerun-if-changed={}", versions.display());
    let text = fs::read_to_string(&versions).unwrap_or_default();
    let found = text.rsplit("RDKIT_VERSION_CHECK(").find_map(numbers);
    let Some(found) = found else {
        println!(
            "cargo:warning={} states no release; RDKit {} is needed",
            versions.display(),
            written(needed)
        );
        return written(needed);
    };
    assert!(
        found[..2] == needed[..2],
        "molsieve needs RDKit {}, and the one in {} is {}. scripts/rdkit-prefix.sh .rdkit lays the right one out; \
         then unset CONDA_PREFIX and RDKIT_PREFIX",
        written(needed),
        headers.display(),
        written(found)
    );
    if found != needed {
        println!(
            "cargo:warning=RDKit {} is used, though molsieve was proved with {}",
            written(found),
            written(needed)
        );
    }
    written(found)
}

/// The three numbers that a text begins with, however they are separated.
fn numbers(text: &str) -> Option<Release> {
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map_while(|part| part.parse().ok());
    let begins = text.trim_start().starts_with(|c: char| c.is_ascii_digit());
    begins.then(|| Some([numbers.next()?, numbers.next()?, numbers.next()?]))?
}

fn written([year, month, revision]: Release) -> String {
    format!("{year}.{month:02}.{revision}")
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
