//! The NVIDIA devices of the node and their health, as NVML reports them.
//!
//! NVML comes with the driver and is loaded at run time; a machine without it has no NVIDIA devices. Each figure may
//! be missing, since not every device has all of them.

mod health;

use nvml_wrapper::{
    Device, Nvml,
    bitmasks::device::ThrottleReasons,
    enum_wrappers::device::{EccCounter, MemoryError, TemperatureSensor, TemperatureThreshold},
    error::NvmlError,
};
use serde::{Deserialize, Serialize};

pub use health::{COOLER_BY_CELSIUS, Trouble};

/// The driver and its devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nvidia {
    /// Version of the driver, for example `550.54.15`.
    pub driver: Option<String>,
    /// The highest version of CUDA that the driver supports, for example `12.4`.
    pub cuda: Option<String>,
    /// In NVML's order, which is the order on the bus.
    pub devices: Vec<NvidiaDevice>,
}

/// A device and its health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NvidiaDevice {
    /// Marketing name.
    pub name: Option<String>,
    /// `GPU-` and 32 hex digits.
    pub uuid: Option<String>,
    /// Address on the PCI bus, for example `00000000:17:00.0`.
    pub bus_id: Option<String>,
    /// All of its memory.
    pub memory_bytes: Option<u64>,
    /// Free memory.
    pub free_bytes: Option<u64>,
    /// Degrees Celsius.
    pub temperature_celsius: Option<u32>,
    /// Share of the time in which a kernel ran lately, in percent.
    pub utilisation_percent: Option<u32>,
    /// Power drawn.
    pub power_watts: Option<u32>,
    /// Whether memory errors are corrected.
    pub ecc: Option<bool>,
    /// Memory errors since the driver was loaded that could not be corrected.
    pub uncorrected_errors: Option<u64>,
    /// Temperature from which on the device reduces its clocks.
    #[serde(default)]
    pub slowdown_celsius: Option<u32>,
    /// Why NVML can't reach it, for example because it has fallen off the bus.
    #[serde(default)]
    pub fault: Option<String>,
    /// Whether the device is divided (multi-instance GPU).
    pub mig: Option<bool>,
    /// The slices of a divided device.
    #[serde(default)]
    pub slices: Vec<NvidiaSlice>,
    /// Why its clocks are reduced; empty if they are not.
    pub slowed_by: Vec<String>,
}

/// A slice of a divided device (MIG device).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NvidiaSlice {
    /// `MIG-` and 32 hex digits.
    pub uuid: Option<String>,
    /// All of its memory.
    pub memory_bytes: Option<u64>,
    /// Free memory.
    pub free_bytes: Option<u64>,
}

/// Reasons for reduced clocks under load, with the names of `nvidia-smi`.
const SLOW_DOWNS: [(ThrottleReasons, &str); 6] = [
    (ThrottleReasons::SW_POWER_CAP, "power cap"),
    (ThrottleReasons::HW_SLOWDOWN, "hardware slowdown"),
    (
        ThrottleReasons::SW_THERMAL_SLOWDOWN,
        "software thermal slowdown",
    ),
    (
        ThrottleReasons::HW_THERMAL_SLOWDOWN,
        "hardware thermal slowdown",
    ),
    (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, "power brake"),
    (
        ThrottleReasons::APPLICATIONS_CLOCKS_SETTING,
        "clocks set by a user",
    ),
];

impl Nvidia {
    /// The present state, or why NVML can't report one.
    pub fn look() -> Result<Self, String> {
        let nvml = Nvml::init().map_err(|error| reason(&error))?;
        let count = nvml.device_count().map_err(|error| reason(&error))?;
        let devices = (0..count).map(|index| match nvml.device_by_index(index) {
            Ok(device) => NvidiaDevice::of(&device),
            Err(error) => NvidiaDevice {
                fault: Some(reason(&error)),
                ..NvidiaDevice::default()
            },
        });
        Ok(Self {
            driver: nvml.sys_driver_version().ok(),
            cuda: nvml.sys_cuda_driver_version().ok().map(|version| {
                let (major, minor) = (version / 1_000, version % 1_000 / 10);
                format!("{major}.{minor}")
            }),
            devices: devices.collect(),
        })
    }
}

impl NvidiaDevice {
    fn of(device: &Device<'_>) -> Self {
        let memory = device.memory_info().ok();
        let reasons = device.current_throttle_reasons();
        let slow = reasons.unwrap_or(ThrottleReasons::NONE);
        let (power, ecc) = (device.power_usage(), device.is_ecc_enabled());
        let errors = device.total_ecc_errors(MemoryError::Uncorrected, EccCounter::Volatile);
        Self {
            name: device.name().ok(),
            uuid: device.uuid().ok(),
            bus_id: device.pci_info().ok().map(|pci| pci.bus_id),
            memory_bytes: memory.as_ref().map(|memory| memory.total),
            free_bytes: memory.as_ref().map(|memory| memory.free),
            temperature_celsius: device.temperature(TemperatureSensor::Gpu).ok(),
            utilisation_percent: device.utilization_rates().ok().map(|rates| rates.gpu),
            power_watts: power.ok().map(|milliwatts| milliwatts / 1_000),
            ecc: ecc.ok().map(|ecc| ecc.currently_enabled),
            uncorrected_errors: errors.ok(),
            slowdown_celsius: device
                .temperature_threshold(TemperatureThreshold::Slowdown)
                .ok(),
            fault: fault(device),
            mig: device.mig_mode().ok().map(|mode| mode.current == 1),
            slices: slices(device),
            slowed_by: SLOW_DOWNS
                .iter()
                .filter(|(reason, _)| slow.contains(*reason))
                .map(|(_, name)| (*name).to_owned())
                .collect(),
        }
    }
}

/// Why NVML can't reach a device. A figure that the device does not have is no fault.
fn fault(device: &Device<'_>) -> Option<String> {
    let answers = [
        device.temperature(TemperatureSensor::Gpu).err(),
        device.memory_info().err(),
        device.pci_info().err(),
    ];
    let mut errors = answers.into_iter().flatten();
    let is_fault = |error: &NvmlError| {
        matches!(
            error,
            NvmlError::GpuLost | NvmlError::ResetRequired | NvmlError::IrqIssue
        )
    };
    errors.find(is_fault).map(|error| reason(&error))
}

/// The slices of a divided device. Their numbers may have gaps.
fn slices(device: &Device<'_>) -> Vec<NvidiaSlice> {
    let most = match device.mig_mode() {
        Ok(mode) if mode.current == 1 => device.mig_device_count().unwrap_or(0),
        _ => 0,
    };
    let slices = (0..most).filter_map(|index| device.mig_device_by_index(index).ok());
    let slice = |slice: Device<'_>| {
        let memory = slice.memory_info().ok();
        NvidiaSlice {
            uuid: slice.uuid().ok(),
            memory_bytes: memory.as_ref().map(|memory| memory.total),
            free_bytes: memory.as_ref().map(|memory| memory.free),
        }
    };
    slices.map(slice).collect()
}

/// Why NVML can't report a state, in one line.
fn reason(error: &NvmlError) -> String {
    match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => {
            "no NVIDIA driver is installed (NVML, libnvidia-ml.so.1, is missing)".into()
        }
        NvmlError::DriverNotLoaded => "the NVIDIA driver is installed but not loaded".into(),
        NvmlError::NoPermission => "this user may not use the NVIDIA driver".into(),
        other => {
            let text = other.to_string();
            text.lines().next().unwrap_or_default().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_driver_the_answer_is_a_line() {
        match Nvidia::look() {
            Ok(nvidia) => assert!(nvidia.driver.is_some()),
            Err(reason) => assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}"),
        }
    }
}
