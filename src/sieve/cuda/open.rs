//! A GPU that is open for one program: its context, its free memory, its kernels, its lanes.

use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, CudaModule};

use super::{
    driver::{self, NAME, or_failed},
    image::{CompiledKernels, KernelImage},
    lane::Lane,
};
use crate::sieve::error::EngineError;

/// See the module's documentation.
pub(super) struct OpenGpu {
    pub(super) context: Arc<CudaContext>,
    /// Free memory when it was opened, in bytes.
    pub(super) free_bytes: u64,
}

impl OpenGpu {
    /// Opens the GPU with this index.
    pub(super) fn open(index: usize) -> Result<Self, EngineError> {
        let context = driver::context(index)?;
        let (free, _) = or_failed("cuMemGetInfo", context.mem_get_info())?;
        // SAFETY: a buffer belongs to one lane. A program that shares one between lanes orders its kernels itself.
        unsafe { context.disable_event_tracking() };
        Ok(Self {
            context,
            free_bytes: free as u64,
        })
    }

    /// Loads a program's kernels.
    pub(super) fn load(
        &self,
        kernels: &CompiledKernels,
    ) -> Result<(Arc<CudaModule>, KernelImage), EngineError> {
        kernels.load(&self.context)
    }

    /// Opens a lane.
    pub(super) fn lane(&self) -> Result<Lane, EngineError> {
        Lane::open(&self.context)
    }
}

/// The kernel of this name.
pub(super) fn function(module: &Arc<CudaModule>, name: &str) -> Result<CudaFunction, EngineError> {
    or_failed("cuModuleGetFunction", module.load_function(name))
}

/// Refuses a part of a program that takes more memory than there is.
pub(super) fn check_memory(
    part: &'static str,
    bytes: u64,
    bytes_max: u64,
) -> Result<(), EngineError> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(EngineError::TooLarge {
        engine: NAME,
        part,
        bytes,
        bytes_max,
    })
}
