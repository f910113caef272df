//! Injected faults, compiled in with the feature `failpoints` only: tests make one call to the file
//! system or to an engine's device fail, or make one parent kill or hang the process or fail in RDKit.
//!
//! | variable | effect |
//! |---|---|
//! | `MOLSIEVE_FAULT_LOG` | every call to the file system adds a line `OPERATION FILE` to this file |
//! | `MOLSIEVE_FAULT_AT` | the call of this number (from 1) fails |
//! | `MOLSIEVE_FAULT_KIND` | how: `eio`, `enospc`, `edquot`, or `short` (a write takes half of its bytes) |
//! | `MOLSIEVE_DEVICE_FAULT_LOG` | every call to an engine's device adds a line to this file |
//! | `MOLSIEVE_DEVICE_FAULT_AT` | the device is lost at the call of this number (from 1) |
//! | `MOLSIEVE_FREE_BYTES` | the number of free bytes that the file system reports |
//! | `MOLSIEVE_ABORT_ON` | a parent with one of these SMILES (separated by blanks) aborts the process |
//! | `MOLSIEVE_HANG_ON` | a parent with one of these SMILES never returns, and uses its CPU |
//! | `MOLSIEVE_FAIL_ON` | RDKit fails on a parent with this SMILES when its products are made |

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

struct Faults {
    at: Option<u64>,
    kind: String,
    log: Option<File>,
    calls: u64,
}

static FAULTS: LazyLock<Mutex<Faults>> = LazyLock::new(|| {
    let log = env::var_os("MOLSIEVE_FAULT_LOG").map(|path| {
        let opened = OpenOptions::new().create(true).append(true).open(path);
        opened.expect("a test names a log that can be written")
    });
    Mutex::new(Faults {
        at: number("MOLSIEVE_FAULT_AT"),
        kind: env::var("MOLSIEVE_FAULT_KIND").unwrap_or_default(),
        log,
        calls: 0,
    })
});

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().expect("a test sets a number"))
}

/// Fails if this is the chosen call.
pub fn call(operation: &'static str, path: &Path) -> io::Result<()> {
    bytes_to_write(operation, path, 0).map(drop)
}

/// How many of `wanted` bytes a write may take: all, unless this is the chosen call.
pub fn bytes_to_write(operation: &'static str, path: &Path, wanted: usize) -> io::Result<usize> {
    let mut faults = FAULTS.lock().unwrap_or_else(PoisonError::into_inner);
    faults.calls += 1;
    if let Some(log) = &mut faults.log {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        writeln!(log, "{operation} {name}")?;
    }
    if faults.at != Some(faults.calls) {
        return Ok(wanted);
    }
    match faults.kind.as_str() {
        "short" => Ok(wanted.div_ceil(2)),
        "enospc" => Err(io::Error::from_raw_os_error(28)),
        "edquot" => Err(io::Error::from_raw_os_error(122)),
        _ => Err(io::Error::from_raw_os_error(5)),
    }
}

/// Whether the device is to be lost at this call.
pub fn device_call(call: &'static str) -> bool {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let calls = CALLS.fetch_add(1, Relaxed) + 1;
    if let Some(path) = env::var_os("MOLSIEVE_DEVICE_FAULT_LOG") {
        let log = OpenOptions::new().create(true).append(true).open(path);
        let mut log = log.expect("a test names a log that can be written");
        writeln!(log, "{call}").expect("the log can be written");
    }
    number("MOLSIEVE_DEVICE_FAULT_AT") == Some(calls)
}

/// The number of free bytes that the file system is to report.
pub fn free_bytes() -> Option<u64> {
    number("MOLSIEVE_FREE_BYTES")
}

/// Does what a parent on which RDKit fails would do to the process; returns whether RDKit is to fail later.
pub fn parent(smiles: &[u8]) -> bool {
    let is = |variable| {
        let poisons = env::var(variable).unwrap_or_default();
        poisons.split(' ').any(|poison| poison.as_bytes() == smiles)
    };
    if is("MOLSIEVE_ABORT_ON") {
        std::process::abort();
    }
    if is("MOLSIEVE_HANG_ON") {
        loop {
            std::hint::spin_loop();
        }
    }
    is("MOLSIEVE_FAIL_ON")
}
