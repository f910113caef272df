//! The CUDA source, compiled as C++ for the host with the words of `tests/shim/`.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

/// Compiles `tests/shim/<entry>` around the kernels of `source`, and gives the folder with the library
/// of the name `library` in it. The source may have a fault, but it must compile.
pub fn compile(source: &str, entry: &str, library: &str) -> TempDir {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim");
    let folder = tempfile::tempdir().unwrap();
    let shim = folder.path().join("tests/shim");
    fs::create_dir_all(&shim).unwrap();
    fs::create_dir_all(folder.path().join("kernels")).unwrap();
    fs::write(folder.path().join("kernels/sieve.cu"), source).unwrap();
    for name in ["cuda_words.h", "sieve_host.cc", "fake_driver.cc"] {
        fs::copy(here.join(name), shim.join(name)).unwrap();
    }
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let output = Command::new(compiler)
        .args(["-std=c++20", "-O2", "-shared", "-fPIC"])
        // The kernels read the same memory as words of several widths, as CUDA lets them.
        .arg("-fno-strict-aliasing")
        .arg(shim.join(entry))
        .arg("-o")
        .arg(folder.path().join(library))
        .output()
        .expect("a C++ compiler is there: molsieve is built with it");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    folder
}

/// The kernels as they are.
pub fn kernels() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels/sieve.cu");
    fs::read_to_string(path).unwrap()
}

/// A folder with a library that stands in for NVIDIA's driver; for `LD_LIBRARY_PATH`.
pub fn fake_driver() -> TempDir {
    compile(&kernels(), "fake_driver.cc", "libcuda.so.1")
}
