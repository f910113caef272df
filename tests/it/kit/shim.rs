//! Compiles the CUDA source as C++ for the host, with the CUDA keywords that `tests/shim/` defines.

use std::{fs, path::Path, process::Command};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Compiles `tests/shim/<entry>` with the kernels of `source` and returns the folder that contains the file
/// `library`. Panics if the source does not compile.
pub fn compile(source: &str, entry: &str, library: &str) -> TempDir {
    let build = Build {
        kernels: "sieve.cu",
        source,
        entry,
        flags: &["-O2", "-shared", "-fPIC"],
        output: library,
    };
    build.run().unwrap_or_else(|message| panic!("{message}"))
}

/// A compilation.
pub struct Build<'a> {
    /// The file in `kernels/` that `source` replaces; the others are unchanged.
    pub kernels: &'a str,
    pub source: &'a str,
    /// In `tests/shim/`.
    pub entry: &'a str,
    pub flags: &'a [&'a str],
    pub output: &'a str,
}

impl Build<'_> {
    /// Returns the folder that contains the output, or the compiler's message.
    pub fn run(&self) -> Result<TempDir, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim");
        let folder = tempfile::tempdir().unwrap();
        let shim = folder.path().join("tests/shim");
        fs::create_dir_all(&shim).unwrap();
        let kernels = folder.path().join("kernels");
        fs::create_dir_all(&kernels).unwrap();
        for name in ["sieve.cu", "structure_key.cu"] {
            fs::write(kernels.join(name), source_of(name)).unwrap();
        }
        fs::write(kernels.join(self.kernels), self.source).unwrap();
        for entry in fs::read_dir(here).unwrap() {
            let file = entry.unwrap();
            fs::copy(file.path(), shim.join(file.file_name())).unwrap();
        }
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
        let output = Command::new(compiler)
            .arg("-std=c++20")
            // The kernels access the same memory as words of several widths, which CUDA allows.
            .arg("-fno-strict-aliasing")
            .args(self.flags)
            .arg(shim.join(self.entry))
            .arg("-o")
            .arg(folder.path().join(self.output))
            .output()
            .expect("a C++ compiler is there: molsieve is built with it");
        if output.status.success() {
            Ok(folder)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

/// The unchanged source of the sieve kernels.
pub fn kernels() -> String {
    source_of("sieve.cu")
}

/// An unchanged source.
pub fn source_of(name: &str) -> String {
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    fs::read_to_string(kernels.join(name)).unwrap()
}

/// A folder with a library that replaces NVIDIA's driver; for `LD_LIBRARY_PATH`.
pub fn fake_driver() -> TempDir {
    fake_driver_with("sieve.cu", &kernels())
}

/// Like [`fake_driver`], with another source in place of one in `kernels/`.
pub fn fake_driver_with(kernels: &str, source: &str) -> TempDir {
    let build = Build {
        kernels,
        source,
        entry: "fake_driver.cc",
        flags: &["-O2", "-shared", "-fPIC"],
        output: "libcuda.so.1",
    };
    build.run().unwrap_or_else(|message| panic!("{message}"))
}

/// Fails unless `kernels/<name>.ptx` states the hash of its current source.
#[track_caller]
pub fn assert_ptx_is_of_its_source(name: &str) {
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let read = |file: String| fs::read_to_string(kernels.join(file)).unwrap();
    let digest: String = Sha256::digest(read(format!("{name}.cu")))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        read(format!("{name}.ptx")).lines().next(),
        Some(format!("// SHA-256 of {name}.cu: {digest}").as_str()),
        "run scripts/ptx.sh"
    );
}
