//! A lane: one queue of a device, with what every program does on it: make buffers, copy, dispatch, wait.
//!
//! Commands are collected, and submitted when results are read or when a buffer is to be written again. Calls take
//! effect in the order in which they are made.

use std::sync::mpsc::{Receiver, channel};

use ::wgpu as api;

use super::{
    adapter::Adapter,
    faults::{Faults, failed},
};
use crate::sieve::error::EngineError;

/// A kernel and the buffers that it uses.
pub(super) struct Bound {
    pipeline: api::ComputePipeline,
    group: api::BindGroup,
}

/// See the module's documentation.
pub(super) struct Lane {
    pub(super) device: api::Device,
    queue: api::Queue,
    faults: Faults,
    /// Commands that are not yet submitted.
    commands: Option<api::CommandEncoder>,
}

impl Lane {
    /// Opens an adapter.
    pub(super) fn open(adapter: &Adapter) -> Result<Self, EngineError> {
        let (device, queue) = adapter.open()?;
        Ok(Self {
            faults: Faults::of(&device),
            device,
            queue,
            commands: None,
        })
    }

    /// Returns the first error that wgpu has reported.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        self.faults.check()
    }

    /// Makes a buffer of so many bytes, rounded up to a multiple of 16. [`Lane::check`] returns an error.
    pub(super) fn buffer(
        &self,
        label: &str,
        bytes: usize,
        usage: api::BufferUsages,
    ) -> api::Buffer {
        self.device.create_buffer(&api::BufferDescriptor {
            label: Some(label),
            size: bytes.next_multiple_of(16) as u64,
            usage,
            mapped_at_creation: false,
        })
    }

    /// Loads a program's source. [`Lane::check`] returns an error.
    pub(super) fn load(&self, label: &str, source: &str) -> api::ShaderModule {
        self.device
            .create_shader_module(api::ShaderModuleDescriptor {
                label: Some(label),
                source: api::ShaderSource::Wgsl(source.into()),
            })
    }

    /// Binds buffers, each with its number, to the kernel of a name. [`Lane::check`] returns an error.
    pub(super) fn bind(
        &self,
        module: &api::ShaderModule,
        name: &str,
        buffers: &[(u32, &api::Buffer)],
    ) -> Bound {
        let descriptor = api::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module,
            entry_point: Some(name),
            compilation_options: Default::default(),
            cache: None,
        };
        let pipeline = self.device.create_compute_pipeline(&descriptor);
        let entries = buffers
            .iter()
            .map(|&(binding, buffer)| api::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            });
        let entries: Vec<_> = entries.collect();
        let group = self.device.create_bind_group(&api::BindGroupDescriptor {
            label: Some(name),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        Bound { pipeline, group }
    }

    /// Copies bytes to the start of a buffer, once the collected commands, which use the buffers as they are, are
    /// submitted. wgpu copies whole words.
    pub(super) fn copy_in(
        &mut self,
        bytes: &[u8],
        buffer: &api::Buffer,
    ) -> Result<(), EngineError> {
        self.submit()?;
        let (words, rest) = bytes.split_at(bytes.len() / 4 * 4);
        if !words.is_empty() {
            self.queue.write_buffer(buffer, 0, words);
        }
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            self.queue.write_buffer(buffer, words.len() as u64, &last);
        }
        self.check()
    }

    /// Zeroes a buffer.
    pub(super) fn clear(&mut self, buffer: &api::Buffer) {
        self.commands().clear_buffer(buffer, 0, None);
    }

    /// Starts a kernel.
    pub(super) fn launch(&mut self, kernel: &Bound, workgroups: u32) -> Result<(), EngineError> {
        let mut pass = self.commands().begin_compute_pass(&Default::default());
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, &kernel.group, &[]);
        pass.dispatch_workgroups(workgroups, 1, 1);
        drop(pass);
        self.check()
    }

    /// Copies `bytes` bytes between buffers, from and to these offsets.
    pub(super) fn copy(
        &mut self,
        (from, from_at): (&api::Buffer, u64),
        (to, to_at): (&api::Buffer, u64),
        bytes: u64,
    ) {
        self.commands()
            .copy_buffer_to_buffer(from, from_at, to, to_at, bytes);
    }

    /// Submits, waits, and passes the first `bytes` bytes of a staging buffer to `take`.
    pub(super) fn copy_out(
        &mut self,
        staging: &api::Buffer,
        bytes: u64,
        take: impl FnOnce(&[u8]),
    ) -> Result<(), EngineError> {
        const CALL: &str = "mapping a buffer";
        self.submit()?;
        let mapped = map(staging, bytes);
        let polled = self.device.poll(api::PollType::wait_indefinitely());
        self.check()?;
        polled.map_err(|error| failed("waiting for the device", error))?;
        let mapped = mapped.try_recv().map_err(|error| failed(CALL, error))?;
        mapped.map_err(|error| failed(CALL, error))?;
        let view = staging.get_mapped_range(0..bytes);
        take(&view.map_err(|error| failed(CALL, error))?);
        staging.unmap();
        self.check()
    }

    fn commands(&mut self) -> &mut api::CommandEncoder {
        self.commands
            .get_or_insert_with(|| self.device.create_command_encoder(&Default::default()))
    }

    /// Submits the collected commands.
    fn submit(&mut self) -> Result<(), EngineError> {
        if let Some(commands) = self.commands.take() {
            self.queue.submit([commands.finish()]);
        }
        self.check()
    }
}

fn map(buffer: &api::Buffer, bytes: u64) -> Receiver<Result<(), api::BufferAsyncError>> {
    let (sender, mapped) = channel();
    buffer.map_async(api::MapMode::Read, 0..bytes, move |result| {
        // If the wait itself has failed, the receiver is gone.
        sender.send(result).ok();
    });
    mapped
}
