//! Which engine a job runs on.
//!
//! `auto` chooses CUDA, then a GPU that wgpu reaches, then the CPU: the first that is there and has room. It reports
//! why the ones before were skipped. If an engine is named and can't be used, the job fails with the reason. A
//! software renderer is slower than the `cpu` engine: it is used only with `--engine wgpu` and [`ADAPTER_VARIABLE`].

use std::{env, path::Path, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    backend::Backend,
    cuda,
    engine::Engine,
    error::{EngineError, injected_loss},
    gpu::device::Room,
    structure_key::{KeyDevices, device::KeyRoom},
    wgpu::{self, Adapter},
};
use crate::{
    cores::Cores,
    limits::{CUDA_HOST_BYTES, KEY_DEVICES_MAX, WGPU_HOST_BYTES},
    named::named,
};

/// The environment variable that names the adapter for `--engine wgpu`: a part of its name, or its index.
pub const ADAPTER_VARIABLE: &str = "MOLSIEVE_ADAPTER";

named! {
    /// `--engine`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum EngineChoice {
        /// The best engine this machine has.
        Auto = "auto",
        /// fastbloom on the CPU.
        Cpu = "cpu",
        /// An NVIDIA GPU.
        Cuda = "cuda",
        /// Any other GPU.
        Wgpu = "wgpu",
    }
}

/// The engine a job runs on.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    backend: Backend,
    /// Host memory that the device's driver uses, in bytes.
    host_bytes: usize,
    /// Why the engines that `auto` prefers were skipped; `None` if the engine was named.
    skipped: Option<Vec<String>>,
}

/// Chooses, without opening anything.
pub fn choose(choice: EngineChoice, room: &Room) -> Result<Chosen, EngineError> {
    let (backend, skipped) = match choice {
        EngineChoice::Cpu => (Backend::Cpu, None),
        EngineChoice::Cuda => (find_gpu(room)?, None),
        EngineChoice::Wgpu => (Backend::Wgpu(named_adapter(room)?), None),
        EngineChoice::Auto => best(room),
    };
    Ok(Chosen {
        host_bytes: host_bytes(&backend, room),
        backend,
        skipped,
    })
}

fn best(room: &Room) -> (Backend, Option<Vec<String>>) {
    let mut skipped = Vec::new();
    let mut found = |found: Result<Backend, EngineError>| {
        found.map_err(|error| skipped.push(error.to_string())).ok()
    };
    let backend = found(find_gpu(room))
        .or_else(|| found(find_hardware_adapter(room)))
        .unwrap_or(Backend::Cpu);
    (backend, Some(skipped))
}

fn host_bytes(backend: &Backend, room: &Room) -> usize {
    match backend {
        Backend::Cpu => 0,
        Backend::Cuda(_) => CUDA_HOST_BYTES,
        Backend::Wgpu(adapter) if adapter.discrete => WGPU_HOST_BYTES,
        // The adapter has no memory but the host's.
        Backend::Wgpu(_) => WGPU_HOST_BYTES + room.bytes(1) as usize,
    }
}

fn find_gpu(room: &Room) -> Result<Backend, EngineError> {
    let gpu = cuda::first_gpu()?;
    cuda::check_room(room, gpu.memory_bytes)?;
    Ok(Backend::Cuda(gpu))
}

/// Lists adapters only where the operating system shows a GPU: listing them loads every driver, those of software
/// renderers too, which takes memory and time.
fn find_hardware_adapter(room: &Room) -> Result<Backend, EngineError> {
    const DEVICES: [&str; 3] = ["/dev/dri", "/dev/nvidiactl", "/dev/dxg"];
    if cfg!(target_os = "linux") && !DEVICES.iter().any(|device| Path::new(device).exists()) {
        return Err(absent("there is no GPU".into()));
    }
    find_adapter(wgpu::adapters(), None, room).map(Backend::Wgpu)
}

/// The adapter that `--engine wgpu` uses.
pub(crate) fn named_adapter(room: &Room) -> Result<Adapter, EngineError> {
    let wanted = env::var(ADAPTER_VARIABLE).ok();
    find_adapter(wgpu::adapters(), wanted.as_deref(), room)
}

fn find_adapter(
    adapters: Vec<Adapter>,
    wanted: Option<&str>,
    room: &Room,
) -> Result<Adapter, EngineError> {
    let names: Vec<_> = adapters
        .iter()
        .map(|adapter| adapter.name.clone())
        .collect();
    let names = names.join(", ");
    let matches = |(index, adapter): &(usize, Adapter)| match wanted {
        Some(wanted) => match wanted.parse::<usize>() {
            Ok(place) => place == *index,
            Err(_) => adapter.name.contains(wanted),
        },
        None => !adapter.software,
    };
    let found = adapters.into_iter().enumerate().find(matches);
    let (_, adapter) = found.ok_or_else(|| match (names.as_str(), wanted) {
        ("", _) => absent("there is no Vulkan driver".into()),
        (_, Some(wanted)) => absent(format!(
            "no adapter matches {ADAPTER_VARIABLE}={wanted}; the adapters are: {names}"
        )),
        (_, None) => absent(format!(
            "there is no GPU, only a software renderer ({names}); set {ADAPTER_VARIABLE}=0 to use it"
        )),
    })?;
    adapter.check(room)?;
    Ok(adapter)
}

fn absent(missing: String) -> EngineError {
    EngineError::Absent {
        engine: "wgpu",
        missing,
    }
}

impl Chosen {
    /// The CPU engine, by name.
    pub const CPU: Self = Self {
        backend: Backend::Cpu,
        host_bytes: 0,
        skipped: None,
    };

    /// The CPU engine, if `auto` chose a GPU: for a budget that is large enough only without a GPU.
    pub fn cpu_instead(&self) -> Option<Self> {
        let mut skipped = self.skipped.clone()?;
        if self.backend == Backend::Cpu {
            return None;
        }
        skipped.push(format!(
            "engine {}: --memory has no room for its driver",
            self.name()
        ));
        Some(Self {
            skipped: Some(skipped),
            ..Self::CPU
        })
    }

    /// The engine as it is named on the command line.
    pub fn choice(&self) -> EngineChoice {
        match self.backend {
            Backend::Cpu => EngineChoice::Cpu,
            Backend::Cuda(_) => EngineChoice::Cuda,
            Backend::Wgpu(_) => EngineChoice::Wgpu,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.backend.name()
    }

    /// Its name, its device, and why other engines were skipped.
    pub fn description(&self) -> String {
        let device = self.backend.device();
        let device = device.map_or(String::new(), |device| format!(", {device}"));
        let reasons = match &self.skipped {
            Some(reasons) if !reasons.is_empty() => format!(" ({})", reasons.join("; ")),
            _ => String::new(),
        };
        format!("{}{device}{reasons}", self.name())
    }

    /// Host memory that the device's driver uses, in bytes.
    pub fn host_bytes(&self) -> usize {
        self.host_bytes
    }

    /// The most devices that compute structure keys, for so many workers.
    pub fn key_devices(&self, threads: usize) -> usize {
        match self.backend {
            Backend::Cuda(_) => threads.min(KEY_DEVICES_MAX),
            Backend::Cpu | Backend::Wgpu(_) => 0,
        }
    }

    /// Opens up to `count` of them; `None` where the engine has none and the CPU computes the keys.
    pub fn open_keys(
        &self,
        room: KeyRoom,
        count: usize,
    ) -> Result<Option<KeyDevices>, EngineError> {
        if self.backend != Backend::Cpu {
            injected_loss(self.name(), "open_keys")?;
        }
        KeyDevices::new(self.backend.open_keys(room, count)?, room)
    }

    /// Whether `auto` chose it.
    pub fn is_auto(&self) -> bool {
        self.skipped.is_some()
    }

    /// Opens it with an empty filter. `cores` are those that the CPU engine works on.
    pub fn open(&self, room: Room, cores: &Arc<Cores>) -> Result<Box<dyn Engine>, EngineError> {
        if self.backend != Backend::Cpu {
            injected_loss(self.name(), "open")?;
        }
        self.backend.open(room, cores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{property::PropertySet, sieve::FilterShape, slot::SlotLayout};

    fn room(bits: usize) -> Room {
        let filter = FilterShape { bits, hashes: 7 };
        Room::new(filter, &SlotLayout::smallest(PropertySet::NONE))
    }

    #[test]
    fn the_cpu_is_chosen_when_named_and_as_the_last_resort() {
        let named = choose(EngineChoice::Cpu, &room(1_024)).unwrap();
        assert_eq!(named.description(), "cpu");
        let best = choose(EngineChoice::Auto, &room(1_024)).unwrap();
        if best.choice() == EngineChoice::Cpu {
            assert_eq!(best.host_bytes(), 0);
            assert!(best.description().contains("engine cuda: "), "{best:?}");
            assert!(best.description().contains("engine wgpu: "), "{best:?}");
        }
    }

    #[test]
    fn a_filter_that_no_device_holds_goes_to_the_cpu() {
        let best = choose(EngineChoice::Auto, &room(1 << 50)).unwrap();
        assert_eq!(best.choice(), EngineChoice::Cpu);
    }

    #[test]
    fn a_software_renderer_is_chosen_only_when_named() {
        let adapters = wgpu::adapters();
        let Some(index) = adapters.iter().position(|adapter| adapter.software) else {
            return; // tests/conformance.rs reports it when there is none
        };
        let name = adapters[index].name.clone();
        let software = vec![adapters[index].clone()];
        for wanted in ["0", &name, &name[..4]] {
            find_adapter(software.clone(), Some(wanted), &room(1_024)).unwrap();
        }
        for wanted in [None, Some("1"), Some("no such name")] {
            let refused = find_adapter(software.clone(), wanted, &room(1_024)).unwrap_err();
            let EngineError::Absent { missing, .. } = &refused else {
                panic!("{refused:?}");
            };
            assert!(missing.contains(&name), "{missing}");
        }
        let too_large = find_adapter(software, Some("0"), &room(1 << 50)).unwrap_err();
        assert!(matches!(
            too_large,
            EngineError::TooLarge { part: "filter", .. }
        ));
    }
}
