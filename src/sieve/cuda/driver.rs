//! The NVIDIA driver: whether it is there, its devices, its errors.

use std::{
    panic::catch_unwind,
    sync::{Arc, OnceLock},
};

use cudarc::driver::{
    CudaContext, DriverError,
    sys::{self, CUresult},
};

use super::NAME;
use crate::sieve::EngineError;

/// The interface the kernels and cudarc are compiled against: CUDA 12.0, driver 525.
const DRIVER_INTERFACE_MIN: i32 = 12_000;

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

/// The GPUs that the driver shows this process, in its order.
pub fn gpus() -> Result<Vec<Gpu>, EngineError> {
    use cudarc::driver::{result::device, sys::CUdevice_attribute as Attribute};
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

/// The GPU that the engine takes.
pub fn first_gpu() -> Result<Gpu, EngineError> {
    let first = gpus()?.into_iter().next();
    first.ok_or_else(|| absent("the driver shows no GPU"))
}

/// A context on a GPU.
pub(super) fn context(index: usize) -> Result<Arc<CudaContext>, EngineError> {
    check_driver()?;
    or_failed("cuDevicePrimaryCtxRetain", CudaContext::new(index))
}

/// That the driver is there, new enough and has something to drive. Looked at once: its library stays
/// loaded.
fn check_driver() -> Result<(), EngineError> {
    static STATE: OnceLock<Result<(), EngineError>> = OnceLock::new();
    STATE.get_or_init(find_driver).clone()
}

fn find_driver() -> Result<(), EngineError> {
    // SAFETY: loads libcuda, whose initialisers are NVIDIA's business, and nothing else.
    if !unsafe { sys::is_culib_present() } {
        return Err(absent("there is no NVIDIA driver (libcuda.so.1)"));
    }
    // cudarc panics where the library lacks a symbol.
    let started = catch_unwind(|| {
        let mut version = 0;
        // SAFETY: writes one integer.
        let asked = unsafe { sys::cuDriverGetVersion(&mut version) }.result();
        asked.map(|()| version)
    });
    let version = started.map_err(|_| absent("the NVIDIA driver is not a whole one"))?;
    let version = or_failed("cuDriverGetVersion", version)?;
    if version < DRIVER_INTERFACE_MIN {
        let (major, minor) = (version / 1_000, version % 1_000 / 10);
        return Err(absent(&format!(
            "the NVIDIA driver is too old: it knows CUDA {major}.{minor}, and 12.0 (driver 525) is needed"
        )));
    }
    match cudarc::driver::result::init() {
        Ok(()) => Ok(()),
        Err(DriverError(CUresult::CUDA_ERROR_NO_DEVICE)) => {
            Err(absent("there is an NVIDIA driver, and it shows no GPU"))
        }
        Err(error) => Err(absent(&format!(
            "the NVIDIA driver does not start: {}",
            plain(error)
        ))),
    }
}

fn absent(missing: &str) -> EngineError {
    EngineError::Absent {
        engine: NAME,
        missing: missing.into(),
    }
}

/// The driver's error as one of ours.
pub(super) fn or_failed<T>(
    call: &'static str,
    result: Result<T, DriverError>,
) -> Result<T, EngineError> {
    result.map_err(|error| engine_error(call, error))
}

fn engine_error(call: &'static str, error: DriverError) -> EngineError {
    use CUresult as E;
    let reason = plain(error);
    match error.0 {
        E::CUDA_ERROR_OUT_OF_MEMORY => EngineError::OutOfMemory {
            engine: NAME,
            reason,
        },
        // After one of these every further call in this process fails, so NVIDIA's documentation.
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
            engine: NAME,
            reason: format!("{call}: {reason}"),
        },
        _ => EngineError::Failed {
            engine: NAME,
            call,
            reason,
        },
    }
}

/// The driver's name for the error, and its words.
fn plain(error: DriverError) -> String {
    let words = error.error_string().map(|words| words.to_string_lossy());
    let words = words.unwrap_or_else(|_| "an error the driver has no words for".into());
    format!("{words} ({:?})", error.0)
}
