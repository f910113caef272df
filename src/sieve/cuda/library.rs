//! Which file the driver's library is loaded from; a stub is refused.
//!
//! - NVIDIA's driver installs `libcuda.so.1`. A CUDA toolkit has a stub library for linking, whose calls all
//!   fail: `libcuda.so` in a folder `stubs`.
//! - cudarc opens `libcuda.so` first. So this module opens `libcuda.so.1` before cudarc opens a library, and then
//!   checks which file cudarc has opened.

use std::{
    ffi::{CStr, OsStr, c_void},
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use cudarc::driver::sys;
use libloading::Library;
use nix::libc;

/// The name under which the driver installs its library.
const DRIVER_NAME: &str = "libcuda.so.1";
/// The folder of a toolkit's stubs.
const STUBS: &str = "stubs";
/// A function that is in every version.
const SYMBOL: &CStr = c"cuInit";

/// The file of the driver's library, with symbolic links resolved, or what is missing. Looked up once: the library
/// stays loaded.
pub(super) fn file() -> Result<&'static Path, String> {
    static FILE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FILE.get_or_init(find) {
        Ok(file) => Ok(file),
        Err(missing) => Err(missing.clone()),
    }
}

fn find() -> Result<PathBuf, String> {
    // SAFETY: loads libcuda, whose initialisers NVIDIA's driver is responsible for, and nothing else.
    let library = unsafe { Library::new(DRIVER_NAME) };
    let library = library.map_err(|_| format!("there is no NVIDIA driver ({DRIVER_NAME})"))?;
    let driver = file_of(&library)?;
    if is_stub(&driver) {
        return Err(stub(&driver));
    }
    // SAFETY: as above. It does not panic: it tries the name that was found.
    let used = file_of(unsafe { sys::culib() })?;
    check_same(&driver, &used)?;
    Ok(used)
}

/// The file that a library was loaded from.
fn file_of(library: &Library) -> Result<PathBuf, String> {
    // SAFETY: the symbol is not called; only its address is used.
    let symbol = unsafe { library.get::<*const c_void>(SYMBOL) };
    let symbol = symbol.map_err(|_| {
        "the NVIDIA driver lacks functions that molsieve needs; install it again".to_owned()
    })?;
    let unknown = || "the loader does not say which file the NVIDIA driver is in".to_owned();
    let mut found = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: the address is within a loaded library, and `found` has room for the answer.
    if unsafe { libc::dladdr(*symbol, found.as_mut_ptr()) } == 0 {
        return Err(unknown());
    }
    // SAFETY: dladdr has written it.
    let found = unsafe { found.assume_init() };
    // SAFETY: a text that ends with 0; the loader keeps it as long as the library is loaded.
    let name = unsafe { CStr::from_ptr(found.dli_fname) };
    let path = Path::new(OsStr::from_bytes(name.to_bytes()));
    path.canonicalize().map_err(|_| unknown())
}

fn is_stub(file: &Path) -> bool {
    file.iter().any(|part| part == STUBS)
}

/// The message about a file that is a stub.
pub(super) fn stub(file: &Path) -> String {
    format!(
        "{} is a CUDA toolkit's stub for linking, not the NVIDIA driver; take its folder out of LD_LIBRARY_PATH",
        file.display()
    )
}

/// Checks that cudarc uses the driver.
fn check_same(driver: &Path, used: &Path) -> Result<(), String> {
    let (shown_driver, shown_used) = (driver.display(), used.display());
    if is_stub(used) {
        return Err(format!("{}; the driver is {shown_driver}", stub(used)));
    }
    // In one folder libcuda.so may be a copy instead of a link, as under WSL.
    if used.parent() == driver.parent() {
        return Ok(());
    }
    Err(format!(
        "the loader finds two libraries: {shown_used} as libcuda.so, {shown_driver} as {DRIVER_NAME}; take the folder of the one that is not the NVIDIA driver out of LD_LIBRARY_PATH"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(driver: &str, used: &str) -> Result<(), String> {
        check_same(Path::new(driver), Path::new(used))
    }

    #[test]
    fn only_the_drivers_own_library_is_taken() {
        let driver = "/usr/lib/libcuda.so.550.54.15";
        assert_eq!(same(driver, driver), Ok(()));
        // WSL has three copies in a folder.
        assert_eq!(
            same(
                "/usr/lib/wsl/lib/libcuda.so.1",
                "/usr/lib/wsl/lib/libcuda.so"
            ),
            Ok(())
        );
        let stub = "/usr/local/cuda/lib64/stubs/libcuda.so";
        let refused = same(driver, stub).unwrap_err();
        assert!(refused.starts_with(stub), "{refused}");
        assert!(
            refused.contains("stub") && refused.ends_with(driver),
            "{refused}"
        );
        let other = "/opt/old/libcuda.so.525.60";
        let refused = same(driver, other).unwrap_err();
        assert!(
            refused.contains(driver) && refused.contains(other),
            "{refused}"
        );
    }

    #[test]
    fn a_stub_is_known_by_its_folder() {
        assert!(is_stub(Path::new("/usr/local/cuda/lib64/stubs/libcuda.so")));
        assert!(!is_stub(Path::new(
            "/usr/lib/x86_64-linux-gnu/libcuda.so.1"
        )));
        assert!(!is_stub(Path::new("/home/stubs.d/libcuda.so.1")));
    }
}
