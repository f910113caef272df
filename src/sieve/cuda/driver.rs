//! The NVIDIA driver: whether it is there, its devices, its errors.

use std::{
    panic::catch_unwind,
    path::Path,
    sync::{Arc, OnceLock},
};

use cudarc::driver::{
    CudaContext, CudaFunction, CudaModule, DriverError,
    result::device,
    sys::{self, CUctx_flags, CUdevice_attribute as Attribute, CUresult},
};

use super::library;
use crate::sieve::error::EngineError;

/// The engine's name on the command line.
pub(super) const NAME: &str = "cuda";

/// The interface the kernels and cudarc are compiled against: CUDA 12.0, driver 525.
const DRIVER_INTERFACE_MIN: i32 = 12_000;

/// What a toolkit's stub answers to every call.
const STUB: DriverError = DriverError(CUresult::CUDA_ERROR_STUB_LIBRARY);

const NO_GPU: &str = "the NVIDIA driver shows no GPU";

/// A GPU that the driver shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// Its index among those the driver shows.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Compute capability.
    pub compute_capability: (i32, i32),
    /// All of its memory, bytes.
    pub memory_bytes: u64,
}

/// The GPUs that the driver shows this process, in the driver's order.
pub fn gpus() -> Result<Vec<Gpu>, EngineError> {
    check_driver()?;
    let count = or_failed("cuDeviceGetCount", device::get_count())?;
    let gpu = |index| {
        let handle = or_failed("cuDeviceGet", device::get(index))?;
        let attribute = |which| {
            // SAFETY: the handle is from cuDeviceGet.
            let value = unsafe { device::get_attribute(handle, which) };
            or_failed("cuDeviceGetAttribute", value)
        };
        // SAFETY: as above.
        let memory = unsafe { device::total_mem(handle) };
        Ok(Gpu {
            index: index as usize,
            name: or_failed("cuDeviceGetName", device::get_name(handle))?,
            compute_capability: (
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ),
            memory_bytes: or_failed("cuDeviceTotalMem", memory)? as u64,
        })
    };
    (0..count).map(gpu).collect()
}

/// The GPU that the engine uses: the first.
pub fn first_gpu() -> Result<Gpu, EngineError> {
    let first = gpus()?.into_iter().next();
    first.ok_or_else(|| absent(NO_GPU))
}

/// The file that the driver's library was loaded from.
pub fn driver_library() -> Result<&'static Path, EngineError> {
    library::file().map_err(|missing| absent(&missing))
}

/// Opens a GPU for one program: a context on it, and its free memory in bytes. Threads that wait for this GPU sleep.
pub(super) fn open(index: usize) -> Result<(Arc<CudaContext>, u64), EngineError> {
    check_driver()?;
    make_waits_sleep(index)?;
    let context = or_failed("cuDevicePrimaryCtxRetain", CudaContext::new(index))?;
    let (free, _) = or_failed("cuMemGetInfo", context.mem_get_info())?;
    // SAFETY: a buffer belongs to one lane. A program that shares one between lanes orders its kernels itself.
    unsafe { context.disable_event_tracking() };
    Ok((context, free as u64))
}

/// The kernel of this name.
pub(super) fn function(module: &Arc<CudaModule>, name: &str) -> Result<CudaFunction, EngineError> {
    or_failed("cuModuleGetFunction", module.load_function(name))
}

/// Sets the schedule of the primary context, which must happen before the context is retained. By default a thread
/// that waits for the GPU spins if the host has more cores than contexts, and takes a core from working threads.
fn make_waits_sleep(index: usize) -> Result<(), EngineError> {
    let flags = CUctx_flags::CU_CTX_SCHED_BLOCKING_SYNC as u32;
    let handle = or_failed("cuDeviceGet", device::get(index as i32))?;
    // SAFETY: the handle is from cuDeviceGet.
    let set = unsafe { sys::cuDevicePrimaryCtxSetFlags_v2(handle, flags) }.result();
    if set == Err(DriverError(CUresult::CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE)) {
        // Drivers before CUDA 11 change nothing while the context is in use; an earlier call has set the schedule.
        tracing::debug!("GPU {index}: the primary context is in use and keeps its schedule");
        return Ok(());
    }
    or_failed("cuDevicePrimaryCtxSetFlags", set)
}

/// Checks that the driver is there, is new enough and shows a GPU. The check runs once: the library stays
/// loaded.
fn check_driver() -> Result<(), EngineError> {
    static STATE: OnceLock<Result<(), EngineError>> = OnceLock::new();
    STATE.get_or_init(find_driver).clone()
}

fn find_driver() -> Result<(), EngineError> {
    let file = driver_library()?;
    // cudarc panics where the library lacks a symbol.
    let started = catch_unwind(|| {
        let mut version = 0;
        // SAFETY: writes one integer.
        let asked = unsafe { sys::cuDriverGetVersion(&mut version) }.result();
        asked.map(|()| version)
    });
    let version = started.map_err(|_| {
        absent("the NVIDIA driver lacks functions that molsieve needs; install it again")
    })?;
    if version == Err(STUB) {
        return Err(absent(&library::stub(file)));
    }
    let version = or_failed("cuDriverGetVersion", version)?;
    if version < DRIVER_INTERFACE_MIN {
        let (major, minor) = (version / 1_000, version % 1_000 / 10);
        return Err(absent(&format!(
            "the NVIDIA driver is too old: it supports CUDA {major}.{minor}, and molsieve needs 12.0 (driver 525 or newer)"
        )));
    }
    cudarc::driver::result::init().map_err(|error| match error {
        STUB => absent(&library::stub(file)),
        DriverError(CUresult::CUDA_ERROR_NO_DEVICE) => absent(NO_GPU),
        error => absent(&format!(
            "the NVIDIA driver does not start: {}",
            plain(error)
        )),
    })
}

fn absent(missing: &str) -> EngineError {
    EngineError::Absent {
        engine: NAME,
        missing: missing.into(),
    }
}

/// Turns the driver's error into an [`EngineError`].
pub(super) fn or_failed<T>(
    call: &'static str,
    result: Result<T, DriverError>,
) -> Result<T, EngineError> {
    result.map_err(|error| engine_error(call, error))
}

fn engine_error(call: &'static str, error: DriverError) -> EngineError {
    use CUresult as E;
    let (engine, reason) = (NAME, plain(error));
    match error.0 {
        E::CUDA_ERROR_OUT_OF_MEMORY => EngineError::OutOfMemory { engine, reason },
        // After one of these every further call in this process fails (NVIDIA's documentation).
        E::CUDA_ERROR_ECC_UNCORRECTABLE
        | E::CUDA_ERROR_NVLINK_UNCORRECTABLE
        | E::CUDA_ERROR_ILLEGAL_ADDRESS
        | E::CUDA_ERROR_ILLEGAL_INSTRUCTION
        | E::CUDA_ERROR_MISALIGNED_ADDRESS
        | E::CUDA_ERROR_INVALID_ADDRESS_SPACE
        | E::CUDA_ERROR_INVALID_PC
        | E::CUDA_ERROR_HARDWARE_STACK_ERROR
        | E::CUDA_ERROR_LAUNCH_FAILED
        | E::CUDA_ERROR_LAUNCH_TIMEOUT
        | E::CUDA_ERROR_CONTEXT_IS_DESTROYED
        | E::CUDA_ERROR_DEVICE_UNAVAILABLE
        | E::CUDA_ERROR_EXTERNAL_DEVICE
        | E::CUDA_ERROR_SYSTEM_NOT_READY
        | E::CUDA_ERROR_MPS_RPC_FAILURE
        | E::CUDA_ERROR_MPS_SERVER_NOT_READY
        | E::CUDA_ERROR_DEINITIALIZED
        | E::CUDA_ERROR_NO_DEVICE
        | E::CUDA_ERROR_UNKNOWN => EngineError::Lost {
            engine,
            reason: format!("{call}: {reason}"),
        },
        _ => EngineError::Failed {
            engine,
            call,
            reason,
        },
    }
}

/// The driver's text for the error, and its name.
fn plain(error: DriverError) -> String {
    let words = error.error_string().map(|words| words.to_string_lossy());
    let words = words.unwrap_or_else(|_| "an error without a text".into());
    format!("{words} ({:?})", error.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_driver_the_error_is_one_line() {
        if let Err(error) = gpus() {
            let line = error.to_string();
            assert!(line.starts_with("engine cuda: "), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }
}
