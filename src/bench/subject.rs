//! The engines of a machine and their devices, which are opened and measured one after the other.

use std::fmt;

use super::{measure::Effort, report::Absent};
use crate::{
    cores::Cores,
    limits::{SLOT_BYTES_DEFAULT_MAX, SLOT_BYTES_MIN},
    machine,
    nvidia::Nvidia,
    property::PropertySet,
    sieve::{
        ADAPTER_VARIABLE, Backend, Engine, EngineChoice, EngineError, FilterShape,
        cuda::{self, CudaSieve},
        gpu::Room,
        named_adapter,
        steps::{Access, CpuSteps, GpuSteps, Steps},
        structure_key::{KeyDevice, KeyRoom},
        wgpu::{self, WgpuSieve},
    },
    slot::SlotLayout,
};

/// An engine on a device.
pub(super) struct Subject {
    on: Backend,
    /// For the cpu engine.
    threads: usize,
}

/// The filter of the cpu engine may use this fraction of the memory that the process may use. No other large memory is
/// held while it is measured.
const HOST_MEMORY_DIVISOR: u64 = 4;
/// The share of a device's memory that its filter may use, in tenths.
const DEVICE_MEMORY_TENTHS: u64 = 8;

/// Devices that compute structure keys on one GPU at the same time: copies of some overlap the kernels of others.
const KEY_DEVICES: usize = 8;

impl Subject {
    /// The named engines, all of which this machine must have. If none is named: those that it has, and what the others
    /// lack. A software renderer is measured only if `wgpu` is named.
    pub fn find(choices: &[EngineChoice]) -> Result<(Vec<Self>, Vec<Absent>), EngineError> {
        if choices.is_empty() || choices.contains(&EngineChoice::Auto) {
            return Ok(Self::find_all());
        }
        let mut found = Vec::new();
        for (place, choice) in choices.iter().enumerate() {
            if choices[..place].contains(choice) {
                continue;
            }
            match choice {
                EngineChoice::Cpu | EngineChoice::Auto => found.push(Self::on(Backend::Cpu)),
                EngineChoice::Cuda => found.push(Self::on(Backend::Cuda(cuda::first_gpu()?))),
                EngineChoice::Wgpu => {
                    found.push(Self::on(Backend::Wgpu(named_adapter(&smallest_room())?)))
                }
            }
        }
        Ok((found, Vec::new()))
    }

    fn find_all() -> (Vec<Self>, Vec<Absent>) {
        let (mut found, mut absent) = (vec![Self::on(Backend::Cpu)], Vec::new());
        match cuda::gpus() {
            Ok(gpus) => found.extend(gpus.into_iter().map(|gpu| Self::on(Backend::Cuda(gpu)))),
            Err(error) => absent.push(Absent::new("cuda", error.to_string())),
        }
        let (software, hardware): (Vec<_>, Vec<_>) = wgpu::adapters()
            .into_iter()
            .partition(|adapter| adapter.software);
        if hardware.is_empty() {
            let missing = match software.first() {
                Some(adapter) => format!(
                    "no GPU, only a software renderer ({}); --engine wgpu with {ADAPTER_VARIABLE}=0 measures it",
                    adapter.name
                ),
                None => "there is no Vulkan driver".into(),
            };
            absent.push(Absent::new("wgpu", missing));
        }
        let on_adapter = |adapter| Self::on(Backend::Wgpu(adapter));
        found.extend(hardware.into_iter().map(on_adapter));
        (found, absent)
    }

    fn on(on: Backend) -> Self {
        let threads = machine::processors();
        Self { on, threads }
    }

    /// The engine's name on the command line.
    pub fn engine(&self) -> &'static str {
        self.on.name()
    }

    /// The device; for the cpu engine its number of threads.
    pub fn device(&self) -> String {
        self.on.device().unwrap_or_else(|| match self.threads {
            1 => "1 thread".into(),
            threads => format!("{threads} threads"),
        })
    }

    /// The device's driver, if it is known.
    pub fn driver(&self) -> Option<String> {
        match &self.on {
            Backend::Cpu => None,
            Backend::Cuda(_) => Nvidia::look().ok().and_then(|nvidia| nvidia.driver),
            Backend::Wgpu(adapter) => Some(adapter.driver.clone()),
        }
    }

    /// Whether the device is a software renderer.
    pub fn software(&self) -> bool {
        matches!(&self.on, Backend::Wgpu(adapter) if adapter.software)
    }

    /// The threads of the cpu engine; `None` for others.
    pub fn threads(&self) -> Option<usize> {
        (self.on == Backend::Cpu).then_some(self.threads)
    }

    /// The largest filter to try. The memory of an adapter is not known; it refuses a filter that it can't bind.
    pub fn filter_bytes_max(&self) -> u64 {
        match &self.on {
            Backend::Cuda(gpu) => gpu.memory_bytes / 10 * DEVICE_MEMORY_TENTHS,
            Backend::Wgpu(adapter) if adapter.discrete => u64::MAX,
            Backend::Cpu | Backend::Wgpu(_) => machine::memory_limit().0 / HOST_MEMORY_DIVISOR,
        }
    }

    /// Bytes of a slot in which steps are measured: so large that the cost of a launch does not count, and that its rows
    /// do not fit a cache.
    pub fn large_slot_bytes(&self, effort: Effort) -> usize {
        match &self.on {
            _ if effort.is_trial() => SLOT_BYTES_MIN,
            Backend::Cpu => 64 << 20,
            Backend::Wgpu(adapter) if adapter.software => SLOT_BYTES_DEFAULT_MAX,
            Backend::Cuda(_) => 256 << 20,
            // Some adapters bind at most 128 MiB.
            Backend::Wgpu(_) => 128 << 20,
        }
    }

    /// Molecules of a batch for structure keys: so many that they occupy a whole GPU.
    pub fn key_batch_rows(&self, effort: Effort) -> usize {
        match &self.on {
            _ if effort.is_trial() => 1_024,
            Backend::Cpu | Backend::Wgpu(_) => 4_096,
            Backend::Cuda(_) => 65_536,
        }
    }

    /// Whether the engine computes structure keys: in a job on wgpu the workers compute them.
    pub fn makes_keys(&self) -> bool {
        !matches!(self.on, Backend::Wgpu(_))
    }

    /// Opens the devices that compute structure keys; only CUDA has any.
    pub fn key_devices(&self, room: KeyRoom) -> Result<Vec<Box<dyn KeyDevice>>, EngineError> {
        self.on.open_keys(room, KEY_DEVICES)
    }

    /// Opens the engine as a job does, with an empty filter.
    pub fn open(&self, room: Room) -> Result<Box<dyn Engine>, EngineError> {
        self.on.open(room, &Cores::new(self.threads))
    }

    /// Opens its steps, with an empty filter.
    pub fn steps(&self, room: Room) -> Result<Box<dyn Steps>, EngineError> {
        Ok(match &self.on {
            Backend::Cpu => Box::new(CpuSteps::new(&room, self.threads)?),
            Backend::Cuda(gpu) => {
                let device = CudaSieve::open(gpu.index, room)?;
                Box::new(GpuSteps::new(device, Access::CUDA))
            }
            Backend::Wgpu(adapter) => {
                let device = WgpuSieve::open(adapter, room)?;
                Box::new(GpuSteps::new(device, Access::WGPU))
            }
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.engine(), self.device())
    }
}

fn smallest_room() -> Room {
    let filter = FilterShape {
        bits: 1 << 20,
        hashes: 1,
    };
    Room::new(filter, &SlotLayout::smallest(PropertySet::NONE))
}
