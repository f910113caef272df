//! The adapters of the machine.
//!
//! Listing them loads every installed Vulkan driver. Mesa's drivers write to standard error if XDG_RUNTIME_DIR is
//! not set; the command line sets it.

use ::wgpu as api;

use super::{
    faults::{NAME, failed},
    limits::{binding_bytes_max, check_sizes},
};
use crate::sieve::{error::EngineError, gpu::device::Room};

/// An adapter: a GPU under one of the graphics interfaces that reach it.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    adapter: api::Adapter,
    /// Its name, as its driver gives it.
    pub name: String,
    /// The graphics interface: `vulkan`, `metal`, `dx12`.
    pub backend: String,
    /// The driver, and its version where the driver reports one.
    pub driver: String,
    /// Whether it is a software renderer.
    pub software: bool,
    /// Whether it has memory of its own.
    pub discrete: bool,
}

/// All adapters: those with memory of their own first, software renderers last. Empty where there is no Vulkan
/// loader.
pub fn adapters() -> Vec<Adapter> {
    let mut descriptor = api::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = api::Backends::PRIMARY;
    let instance = api::Instance::new(descriptor);
    let found = pollster::block_on(instance.enumerate_adapters(api::Backends::PRIMARY));
    let mut adapters: Vec<_> = found.into_iter().map(Adapter::new).collect();
    adapters.sort_by_key(|adapter| (adapter.software, !adapter.discrete));
    adapters
}

impl Adapter {
    fn new(adapter: api::Adapter) -> Self {
        let about = adapter.get_info();
        Self {
            adapter,
            name: about.name,
            backend: about.backend.to_string(),
            driver: format!("{} {}", about.driver, about.driver_info)
                .trim()
                .into(),
            software: about.device_type == api::DeviceType::Cpu,
            discrete: about.device_type == api::DeviceType::DiscreteGpu,
        }
    }

    /// Refuses what the adapter can't bind.
    pub fn check(&self, room: &Room) -> Result<(), EngineError> {
        let binding_bytes_max = binding_bytes_max(&self.limits());
        check_sizes(room, binding_bytes_max, binding_bytes_max)
    }

    pub(super) fn limits(&self) -> api::Limits {
        self.adapter.limits()
    }

    /// Opens the adapter with all that it allows.
    pub(super) fn open(&self) -> Result<(api::Device, api::Queue), EngineError> {
        let descriptor = api::DeviceDescriptor {
            label: Some(NAME),
            required_limits: self.limits(),
            ..Default::default()
        };
        pollster::block_on(self.adapter.request_device(&descriptor))
            .map_err(|error| failed("opening the adapter", error))
    }
}
