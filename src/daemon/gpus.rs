//! The GPUs that jobs may use: which ones, how many jobs each takes at a time, and which of them are left out because
//! they are not fit. Pure: judges what NVML has reported.
//!
//! - A *GPU* here is a whole device or, of a divided device, one of its slices (MIG).
//! - By default the first `--gpus` of them are used, in the order of NVML, and each takes one job at a time.
//! - A GPU that jobs share takes a job only if its device memory holds what all of its jobs may need.
//! - A GPU that is lost, has uncorrected memory errors or is too hot takes no further job until it is well. The jobs on it
//!   go on: an engine that fails is replaced by the engine `cpu`.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::nvidia::{NvidiaDevice, Trouble};

/// Which GPUs jobs use, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuPolicy {
    /// The GPUs, by UUID, by index, or `GPU:SLICE`. Empty: the first ones.
    pub chosen: Vec<GpuName>,
    /// Most jobs on a GPU at a time; 0 counts as 1.
    pub jobs_each: u32,
    /// Temperature from which on a GPU is left out; by default the one at which it reduces its clocks.
    pub hot_celsius: Option<u32>,
}

impl GpuPolicy {
    /// Jobs that the GPUs take at a time, where `count` of them are used unless they are named.
    pub fn places(&self, count: u32) -> u32 {
        let gpus = match self.chosen.len() {
            0 => count,
            named => u32::try_from(named).unwrap_or(u32::MAX),
        };
        gpus.saturating_mul(self.jobs_each.max(1))
    }
}

/// A name of a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpuName {
    /// The UUID of a device or of a slice, as `nvidia-smi -L` prints it.
    Uuid(String),
    /// The index of a device.
    Index(usize),
    /// The indices of a device and of its slice.
    Slice(usize, usize),
}

/// A text that names no GPU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no GPU; write a UUID such as GPU-… or MIG-…, an index such as 0, or 0:1 for a slice"
)]
pub struct NoGpuName(pub String);

impl std::str::FromStr for GpuName {
    type Err = NoGpuName;

    fn from_str(text: &str) -> Result<Self, NoGpuName> {
        let wrong = || NoGpuName(text.into());
        let number = |text: &str| text.parse().map_err(|_| wrong());
        match text.split_once(':') {
            _ if text.starts_with("GPU-") || text.starts_with("MIG-") => {
                Ok(Self::Uuid(text.into()))
            }
            Some((device, slice)) => Ok(Self::Slice(number(device)?, number(slice)?)),
            None => Ok(Self::Index(number(text)?)),
        }
    }
}

impl fmt::Display for GpuName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(uuid) => f.write_str(uuid),
            Self::Index(index) => index.fmt(f),
            Self::Slice(device, slice) => write!(f, "{device}:{slice}"),
        }
    }
}

/// A GPU for jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// Its UUID; none for a GPU that NVML does not report, such as one of another vendor.
    pub uuid: Option<String>,
    /// How messages call it.
    name: String,
    /// Its memory, where NVML reports it.
    pub memory_bytes: Option<u64>,
    /// Why it takes no job.
    pub trouble: Option<Trouble>,
}

/// A GPU for jobs as the daemon shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobGpu {
    /// UUID of the device, or of a slice of a divided one.
    #[schema(required = true)]
    pub uuid: Option<String>,
    /// All of its memory.
    #[schema(required = true)]
    pub memory_bytes: Option<u64>,
    /// Jobs that have it.
    pub jobs: u32,
    /// Most jobs that it takes at a time.
    pub jobs_max: u32,
    /// Why it takes no further job; null if it does.
    #[schema(required = true)]
    pub left_out: Option<String>,
}

/// The GPUs for jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gpus {
    policy: GpuPolicy,
    gpus: Vec<Gpu>,
}

/// A device or slice as NVML reports it, with its name.
struct Unit<'a> {
    device: &'a NvidiaDevice,
    place: GpuName,
    uuid: Option<&'a str>,
    memory_bytes: Option<u64>,
}

/// Every device that is not divided, and every slice.
fn units(devices: &[NvidiaDevice]) -> impl Iterator<Item = Unit<'_>> {
    devices.iter().enumerate().flat_map(|(index, device)| {
        let slices = device.slices.iter().enumerate();
        let slices = slices.map(move |(slice, of)| Unit {
            device,
            place: GpuName::Slice(index, slice),
            uuid: of.uuid.as_deref(),
            memory_bytes: of.memory_bytes,
        });
        let whole = device.slices.is_empty().then_some(Unit {
            device,
            place: GpuName::Index(index),
            uuid: device.uuid.as_deref(),
            memory_bytes: device.memory_bytes,
        });
        whole.into_iter().chain(slices)
    })
}

/// The number of GPUs that jobs can have: devices that are not divided, and slices.
pub fn count(devices: &[NvidiaDevice]) -> u32 {
    u32::try_from(units(devices).count()).unwrap_or(u32::MAX)
}

impl Gpus {
    /// The GPUs of a policy among those that NVML reports; without names the first ones for `places` jobs, of which NVML may know none.
    /// From now on each is known by its UUID: its index may change.
    pub fn choose(policy: GpuPolicy, places: u32, devices: &[NvidiaDevice]) -> Self {
        let gpu = |unit: Option<&Unit<'_>>, name: String| Gpu {
            uuid: unit.and_then(|unit| unit.uuid).map(Into::into),
            name,
            memory_bytes: unit.and_then(|unit| unit.memory_bytes),
            trouble: None,
        };
        let units: Vec<_> = units(devices).collect();
        let mut gpus: Vec<Gpu> = Vec::new();
        for name in &policy.chosen {
            let unit = units.iter().find(|unit| match name {
                GpuName::Uuid(uuid) => unit.uuid == Some(uuid),
                place => unit.place == *place,
            });
            let mut found = gpu(unit, name.to_string());
            if let (GpuName::Uuid(uuid), None) = (name, unit) {
                found.uuid = Some(uuid.clone());
            }
            let known = |gpu: &Gpu| gpu.uuid.is_some() && gpu.uuid == found.uuid;
            if !gpus.iter().any(known) {
                gpus.push(found);
            }
        }
        if policy.chosen.is_empty() {
            let count = places / policy.jobs_each.max(1);
            let first = (0..count as usize).map(|place| gpu(units.get(place), place.to_string()));
            gpus.extend(first);
        }
        let mut chosen = Self { policy, gpus };
        chosen.see(devices);
        chosen
    }

    /// Takes notice of the state of all devices. Returns what has changed, a line for each GPU.
    pub fn see(&mut self, devices: &[NvidiaDevice]) -> Vec<String> {
        let mut news = Vec::new();
        let is_named = !self.policy.chosen.is_empty();
        for gpu in &mut self.gpus {
            let before = gpu.trouble.take();
            let unit =
                units(devices).find(|unit| unit.uuid.is_some() && unit.uuid == gpu.uuid.as_deref());
            gpu.trouble = match &unit {
                Some(unit) => unit
                    .device
                    .trouble(self.policy.hot_celsius, before.as_ref()),
                // One of another vendor has no UUID.
                None => (is_named || gpu.uuid.is_some()).then_some(Trouble::Missing),
            };
            if let Some(memory) = unit.and_then(|unit| unit.memory_bytes) {
                gpu.memory_bytes = Some(memory);
            }
            let name = gpu.uuid.as_ref().unwrap_or(&gpu.name);
            match (&before, &gpu.trouble) {
                (None, Some(trouble)) => {
                    news.push(format!("GPU {name} takes no further job: {trouble}"));
                }
                (Some(before), Some(trouble)) if !before.is_like(trouble) => {
                    news.push(format!("GPU {name} still takes no job: {trouble}"));
                }
                (Some(_), None) => news.push(format!("GPU {name} is well and takes jobs again")),
                _ => {}
            }
        }
        news
    }

    fn jobs_each(&self) -> u32 {
        self.policy.jobs_each.max(1)
    }

    /// The GPU of this place.
    pub fn get(&self, place: usize) -> Option<&Gpu> {
        self.gpus.get(place)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.gpus.is_empty()
    }

    /// The GPUs that take no job, a line for each.
    pub fn troubles(&self) -> impl Iterator<Item = String> {
        self.gpus.iter().filter_map(|gpu| {
            let name = gpu.uuid.as_ref().unwrap_or(&gpu.name);
            let trouble = gpu.trouble.as_ref()?;
            Some(format!("GPU {name} takes no job: {trouble}"))
        })
    }

    /// What each GPU has left beside the jobs that have it: place and device memory of each.
    pub fn left(&self, taken: impl IntoIterator<Item = (usize, u64)>) -> GpusLeft {
        let mut left: Vec<Left> = self
            .gpus
            .iter()
            .map(|gpu| Left {
                is_fit: gpu.trouble.is_none(),
                jobs: self.jobs_each(),
                // Where one job has it alone, the job finds out itself what fits.
                memory_bytes: gpu.memory_bytes.filter(|_| self.jobs_each() > 1),
                memory_all: gpu.memory_bytes.filter(|_| self.jobs_each() > 1),
            })
            .collect();
        for (place, bytes) in taken {
            if let Some(left) = left.get_mut(place) {
                left.take(bytes);
            }
        }
        GpusLeft(left)
    }

    /// Each GPU as it is shown. `jobs`: the places that jobs have.
    pub fn shown(&self, jobs: &[usize]) -> Vec<JobGpu> {
        let shown = |(place, gpu): (usize, &Gpu)| JobGpu {
            uuid: gpu.uuid.clone(),
            memory_bytes: gpu.memory_bytes,
            jobs: jobs.iter().filter(|of| **of == place).count() as u32,
            jobs_max: self.jobs_each(),
            left_out: gpu.trouble.as_ref().map(ToString::to_string),
        };
        self.gpus.iter().enumerate().map(shown).collect()
    }
}

/// What GPUs have left for further jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpusLeft(Vec<Left>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    is_fit: bool,
    jobs: u32,
    memory_bytes: Option<u64>,
    memory_all: Option<u64>,
}

impl Left {
    fn take(&mut self, bytes: u64) {
        self.jobs = self.jobs.saturating_sub(1);
        self.memory_bytes = self.memory_bytes.map(|left| left.saturating_sub(bytes));
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.is_fit && self.jobs > 0 && self.memory_bytes.is_none_or(|left| bytes <= left)
    }
}

impl GpusLeft {
    /// GPUs without UUIDs, each for one job, as many as there are `places`.
    #[cfg(test)]
    pub fn plain(places: u32) -> Self {
        let each = Left {
            is_fit: true,
            jobs: 1,
            memory_bytes: None,
            memory_all: None,
        };
        Self(vec![each; places as usize])
    }

    /// The place of a GPU for a job that may need so much device memory: of those that have room, the one with fewest jobs,
    /// then the first.
    pub fn find(&self, bytes: u64) -> Option<usize> {
        let rooms = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, left)| left.has_room(bytes));
        let best = rooms.max_by_key(|(place, left)| (left.jobs, std::cmp::Reverse(*place)));
        best.map(|(place, _)| place)
    }

    /// Occupies a place.
    pub fn take(&mut self, place: usize, bytes: u64) {
        if let Some(left) = self.0.get_mut(place) {
            left.take(bytes);
        }
    }

    /// Whether a job that needs so much device memory can start on one of them as soon as other jobs have ended. Otherwise
    /// it waits until a GPU is well.
    pub fn could_take(&self, bytes: u64) -> bool {
        let holds = |left: &Left| left.memory_all.is_none_or(|all| bytes <= all);
        self.0.iter().any(|left| left.is_fit && holds(left))
    }
}

#[cfg(test)]
mod tests;
