//! An engine on a device, before it is opened.

use std::sync::Arc;

use super::{
    cpu::CpuEngine,
    cuda::{CudaKeys, CudaSieve, Gpu},
    engine::Engine,
    error::EngineError,
    gpu::{GpuEngine, device::Room},
    structure_key::device::{KeyDevice, KeyRoom},
    wgpu::{Adapter, WgpuSieve},
};

use crate::cores::Cores;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Backend {
    /// fastbloom on the CPU.
    Cpu,
    /// An NVIDIA GPU.
    Cuda(Gpu),
    /// A GPU that wgpu reaches.
    Wgpu(Adapter),
}

impl Backend {
    /// The engine's name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda(_) => "cuda",
            Self::Wgpu(_) => "wgpu",
        }
    }

    /// The device; `None` for the CPU.
    pub fn device(&self) -> Option<String> {
        match self {
            Self::Cpu => None,
            Self::Cuda(gpu) => Some(gpu.name.clone()),
            Self::Wgpu(adapter) => Some(format!("{} ({})", adapter.name, adapter.backend)),
        }
    }

    /// Opens the engine with an empty filter. `cores` are those that the CPU engine works on.
    pub fn open(&self, room: Room, cores: &Arc<Cores>) -> Result<Box<dyn Engine>, EngineError> {
        Ok(match self {
            Self::Cpu => Box::new(CpuEngine::new(room.filter, room.rows_max, cores)?),
            Self::Cuda(gpu) => Box::new(GpuEngine::new(CudaSieve::open(gpu.index, room)?, room)),
            Self::Wgpu(adapter) => Box::new(GpuEngine::new(WgpuSieve::open(adapter, room)?, room)),
        })
    }

    /// Opens `count` devices that compute structure keys; none where the CPU computes them.
    pub fn open_keys(
        &self,
        room: KeyRoom,
        count: usize,
    ) -> Result<Vec<Box<dyn KeyDevice>>, EngineError> {
        match self {
            Self::Cuda(gpu) => {
                let devices = CudaKeys::open_several(gpu.index, room, count)?;
                let boxed = |device| -> Box<dyn KeyDevice> { Box::new(device) };
                Ok(devices.into_iter().map(boxed).collect())
            }
            Self::Cpu | Self::Wgpu(_) => Ok(Vec::new()),
        }
    }
}
