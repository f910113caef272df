//! Says where the fuzz binaries find RDKit when they run; the arguments that molsieve's build script
//! gives the linker are for molsieve's own binaries only.

use std::{env, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=CONDA_PREFIX");
    let prefix = PathBuf::from(env::var("CONDA_PREFIX").unwrap_or_else(|_| "/usr".into()));
    if !prefix.starts_with("/usr") {
        // DT_RPATH rather than DT_RUNPATH: it also serves the libraries that RDKit's libraries need.
        println!("cargo:rustc-link-arg=-Wl,--disable-new-dtags");
        println!(
            "cargo:rustc-link-arg=-Wl,-rpath,{}",
            prefix.join("lib").display()
        );
    }
}
