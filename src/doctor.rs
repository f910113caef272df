//! Checks a machine: RDKit, limits, the file system, engines and their devices. The conformance checks run briefly on
//! every engine of the machine, and on its structure keys.

use std::{io, path::Path, time::Instant};

use serde::Serialize;

use crate::{
    chem::RdKit,
    cores::Cores,
    machine::{self, FileSystem, Limits},
    nvidia::Nvidia,
    property::PropertySet,
    sieve::{
        CpuEngine, Engine, EngineChoice, EngineError, FilterShape, choose, conformance,
        cuda::{self, CudaKeys, CudaSieve, Gpu, KernelImage},
        gpu::{GpuEngine, Room},
        structure_key::KeyDevice,
        wgpu::{self, Adapter, WgpuSieve},
    },
    slot::SlotLayout,
};

/// Everything that is found.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    /// Version of molsieve.
    pub molsieve: &'static str,
    /// Version of RDKit.
    pub rdkit: String,
    /// Version of the Boost that RDKit was built with.
    pub boost: String,
    /// What this process may use.
    pub limits: Limits,
    /// The file system that a job would write to, or why it is unknown.
    pub file_system: Found<FileSystem>,
    /// The NVIDIA driver and its devices, or why there are none.
    pub nvidia: Found<Nvidia>,
    /// The file that the CUDA driver's library was loaded from, or why there is none.
    pub libcuda: Found<String>,
    /// Every engine on every device, or what it lacks.
    pub engines: Vec<EngineFinding>,
    /// The engine that `--engine auto` chooses, and why.
    pub auto: String,
}

/// Something that may be missing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Found<T> {
    /// It is there.
    There(T),
    /// It is missing.
    Missing {
        /// What is missing.
        missing: String,
    },
}

impl<T> From<Result<T, String>> for Found<T> {
    fn from(found: Result<T, String>) -> Self {
        found.map_or_else(|missing| Self::Missing { missing }, Self::There)
    }
}

/// An engine on a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EngineFinding {
    /// Its name on the command line.
    pub engine: &'static str,
    /// The device, if it runs on one.
    pub device: Option<String>,
    /// Whether the device is a software renderer.
    pub software: bool,
    /// Whether it can be used.
    pub state: EngineState,
    /// Whether its structure keys can be used; `None` where the CPU computes them.
    pub keys: Option<EngineState>,
    /// The form in which its kernels were loaded; `None` for engines other than `cuda`.
    pub kernels: Option<KernelImages>,
}

/// The form in which the kernels of the engine `cuda` were loaded; `None` if that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KernelImages {
    /// The kernels of the sieve.
    pub sieve: Option<KernelImage>,
    /// The kernel that computes structure keys.
    pub structure_key: Option<KernelImage>,
}

/// Whether an engine can be used.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// It agrees with fastbloom, or with the structure keys of the CPU, on every row.
    Conforms {
        /// Rows that were compared.
        rows: u64,
        /// The time of the check, in seconds.
        seconds: f64,
    },
    /// It differs or fails: it must not be used.
    Fails(String),
    /// The machine does not have it.
    Absent(String),
}

impl EngineState {
    /// What a check found that began at that time: the number of rows, or what is wrong.
    fn of(began: Instant, conformed: Result<u64, impl ToString>) -> Self {
        match conformed {
            Ok(rows) => Self::Conforms {
                rows,
                seconds: began.elapsed().as_secs_f64(),
            },
            Err(fault) => Self::Fails(fault.to_string()),
        }
    }
}

/// Which engines are checked, and how thoroughly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Only these, all of which the machine must have; all that it has if this is empty or includes `auto`.
    pub engines: Vec<EngineChoice>,
    /// One filter, and no structure keys: for tools that slow every kernel down a hundred times.
    pub quick: bool,
}

/// Slots of random rows per filter, in addition to the designed ones.
const RANDOM_SLOTS: u64 = 20;

impl Findings {
    /// Checks the machine; `folder` is where a job would write. Fails if the machine lacks a named engine.
    pub fn look(rdkit: RdKit, folder: &Path, checks: &Checks) -> Result<Self, EngineError> {
        let engines = checks.engines()?;
        let smallest = FilterShape {
            bits: 1 << 20,
            hashes: 7,
        };
        let room = Room::new(smallest, &SlotLayout::smallest(PropertySet::NONE));
        let auto = choose(EngineChoice::Auto, &room);
        Ok(Self {
            molsieve: env!("CARGO_PKG_VERSION"),
            rdkit: rdkit.version(),
            boost: rdkit.boost_version().replace('_', "."),
            limits: Limits::look(),
            file_system: FileSystem::of(folder)
                .map_err(|error: io::Error| crate::store::plain(&error))
                .into(),
            nvidia: Nvidia::look().into(),
            libcuda: cuda::driver_library()
                .map(|file| file.display().to_string())
                .map_err(|error| missing_of("cuda", &error))
                .into(),
            engines,
            auto: auto.map_or_else(|error| error.to_string(), |chosen| chosen.description()),
        })
    }

    /// Whether all engines of the machine can be used.
    pub fn all_usable(&self) -> bool {
        let fails = |state: &EngineState| matches!(state, EngineState::Fails(_));
        let states = |engine: &EngineFinding| fails(&engine.state) || engine.keys.iter().any(fails);
        !self.engines.iter().any(states)
    }
}

type Made = Result<Box<dyn Engine>, EngineError>;
type KeyDeviceMade = Result<Box<dyn KeyDevice>, EngineError>;

impl Checks {
    fn engines(&self) -> Result<Vec<EngineFinding>, EngineError> {
        let mut found = Vec::new();
        if self.include(EngineChoice::Cpu) {
            found.push(self.on_cpu());
        }
        if self.include(EngineChoice::Cuda) {
            match cuda::gpus() {
                Ok(gpus) => found.extend(gpus.iter().map(|gpu| self.on_gpu(gpu))),
                Err(error) => found.push(self.absent("cuda", error)?),
            }
        }
        if self.include(EngineChoice::Wgpu) {
            let adapters = wgpu::adapters();
            if adapters.is_empty() {
                let engine = "wgpu";
                let missing = "there is no Vulkan driver".into();
                found.push(self.absent(engine, EngineError::Absent { engine, missing })?);
            }
            found.extend(adapters.iter().map(|adapter| self.on_adapter(adapter)));
        }
        Ok(found)
    }

    fn every_engine(&self) -> bool {
        self.engines.is_empty() || self.engines.contains(&EngineChoice::Auto)
    }

    fn include(&self, engine: EngineChoice) -> bool {
        self.every_engine() || self.engines.contains(&engine)
    }

    fn on_cpu(&self) -> EngineFinding {
        let cores = Cores::new(machine::processors());
        let state = self.check_engine(|filter, layout| {
            Ok(Box::new(CpuEngine::new(filter, layout.rows_max, &cores)?))
        });
        finding("cpu", None, false, state)
    }

    fn on_gpu(&self, gpu: &Gpu) -> EngineFinding {
        let mut kernels = KernelImages::default();
        let state = self.check_engine(|filter, layout| {
            let room = Room::new(filter, layout);
            let device = CudaSieve::open(gpu.index, room)?;
            kernels.sieve = Some(device.kernel_image());
            Ok(Box::new(GpuEngine::new(device, room)))
        });
        let keys = self.check_keys(|| {
            let device = CudaKeys::open(gpu.index, conformance::key_room())?;
            kernels.structure_key = Some(device.kernel_image());
            Ok(Box::new(device))
        });
        EngineFinding {
            keys,
            kernels: Some(kernels),
            ..finding("cuda", Some(gpu.name.clone()), false, state)
        }
    }

    fn on_adapter(&self, adapter: &Adapter) -> EngineFinding {
        let state = self.check_engine(|filter, layout| {
            let room = Room::new(filter, layout);
            let device = WgpuSieve::open(adapter, room)?;
            Ok(Box::new(GpuEngine::new(device, room)))
        });
        let device = format!("{} ({})", adapter.name, adapter.backend);
        finding("wgpu", Some(device), adapter.software, state)
    }

    /// Runs the conformance checks on an engine.
    fn check_engine(&self, mut make: impl FnMut(FilterShape, &SlotLayout) -> Made) -> EngineState {
        let began = Instant::now();
        let conformed = match self.quick {
            true => conformance::conform_on_one_filter(&mut make),
            false => conformance::conform(&mut make, RANDOM_SLOTS),
        };
        EngineState::of(began, conformed.map(|account| account.rows))
    }

    fn check_keys(&self, open: impl FnOnce() -> KeyDeviceMade) -> Option<EngineState> {
        (!self.quick).then(|| check_keys(open))
    }

    /// An engine that the machine lacks, which is an error if it was named.
    fn absent(
        &self,
        engine: &'static str,
        error: EngineError,
    ) -> Result<EngineFinding, EngineError> {
        if !self.every_engine() {
            return Err(error);
        }
        let state = EngineState::Absent(missing_of(engine, &error));
        Ok(finding(engine, None, false, state))
    }
}

/// Runs the conformance checks on the device that computes structure keys.
fn check_keys(open: impl FnOnce() -> KeyDeviceMade) -> EngineState {
    match open() {
        Ok(mut device) => {
            let began = Instant::now();
            EngineState::of(began, conformance::conform_on_keys(device.as_mut()))
        }
        Err(error) => EngineState::Fails(error.to_string()),
    }
}

fn finding(
    engine: &'static str,
    device: Option<String>,
    software: bool,
    state: EngineState,
) -> EngineFinding {
    EngineFinding {
        engine,
        device,
        software,
        state,
        keys: None,
        kernels: None,
    }
}

/// What an engine lacks: its error without the engine's name, which the findings show already.
fn missing_of(engine: &str, error: &EngineError) -> String {
    let error = error.to_string();
    let reason = error.strip_prefix(&format!("engine {engine}: "));
    reason.unwrap_or(&error).to_owned()
}
