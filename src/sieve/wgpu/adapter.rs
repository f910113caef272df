//! The adapters of the machine, and what each can bind: a program that needs more is refused before anything is
//! allocated.
//!
//! Listing them loads every installed Vulkan driver. Mesa's drivers write to standard error if XDG_RUNTIME_DIR is
//! not set; the command line sets it.

use ::wgpu as api;

use super::faults::{NAME, failed};
use crate::sieve::{
    error::{EngineError, check_size},
    gpu::device::{BLOCK_ROWS, Room},
};

/// The most bindings that the filter is spread over.
pub const FILTER_PIECES: usize = 4;

/// The workgroups that every adapter allows in one dimension of a dispatch.
const WORKGROUPS_MAX: usize = 65_535;

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
        let binding_bytes_max = self.binding_bytes_max();
        check_sizes(room, binding_bytes_max, binding_bytes_max)
    }

    /// The largest binding, in whole words of the filter.
    pub(super) fn binding_bytes_max(&self) -> u64 {
        let limits = self.adapter.limits();
        let bytes_max = limits.max_storage_buffer_binding_size;
        bytes_max.min(limits.max_buffer_size) / 8 * 8
    }

    /// Opens the adapter with all that it allows.
    pub(super) fn open(&self) -> Result<(api::Device, api::Queue), EngineError> {
        let descriptor = api::DeviceDescriptor {
            label: Some(NAME),
            required_limits: self.adapter.limits(),
            ..Default::default()
        };
        pollster::block_on(self.adapter.request_device(&descriptor))
            .map_err(|error| failed("opening the adapter", error))
    }
}

/// Refuses what the adapter can't bind.
pub(super) fn check_sizes(
    room: &Room,
    binding_bytes_max: u64,
    piece_bytes: u64,
) -> Result<(), EngineError> {
    let check_part = |part, bytes: usize, max| check_size(NAME, part, bytes as u64, max);
    let key_bytes = size_of::<[u64; 2]>();
    let rows_max = WORKGROUPS_MAX * BLOCK_ROWS as usize;
    let filter_bytes_max = FILTER_PIECES as u64 * piece_bytes;
    check_part("filter", room.filter.bytes(), filter_bytes_max)?;
    check_part("text of a slot", room.text_bytes(), binding_bytes_max)?;
    let table_bytes = 4 * room.table_len() + 16;
    check_part("table of a slot's rows", table_bytes, binding_bytes_max)?;
    let keys_bytes_max = binding_bytes_max.min((rows_max * key_bytes) as u64);
    check_part("keys of a slot", room.rows_max * key_bytes, keys_bytes_max)
}
