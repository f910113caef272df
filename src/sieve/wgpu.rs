//! The sieve on any GPU that wgpu reaches: `shaders/sieve.wgsl`.
//!
//! - Commands are collected and submitted when results are read or a buffer is to be written again.
//! - wgpu tells most errors through callbacks, not through results: they are kept in [`Faults`] and
//!   come out of the call that looks next.
//! - A binding holds at most what the adapter allows, often 128 MiB to 2 GiB. The filter may take up to
//!   [`FILTER_PIECES`] of them; beyond that the engine is refused when it is made.
//! - Everything on the device is allocated when it is opened. On the host, wgpu stages what is written
//!   to a buffer: as much as a slot's text and offsets.

use ::wgpu as api;

use super::{
    EngineError,
    gpu::{BLOCK_ROWS, Device, Kernel, Room},
};

mod adapter;
mod buffers;
mod faults;
mod staging;

pub use adapter::{Adapter, adapters};

use buffers::{Buffers, Shape, bindings};
use faults::Faults;

const NAME: &str = "wgpu";

/// The source of the kernels.
pub const SHADER: &str = include_str!("../../shaders/sieve.wgsl");

/// Bindings that the filter is spread over, at most.
pub const FILTER_PIECES: usize = 4;

/// The workgroups that one dimension of a dispatch may have everywhere.
const WORKGROUPS_MAX: usize = 65_535;

/// A GPU with the kernels loaded and room for a filter and one slot: one lane.
pub struct WgpuSieve {
    device: api::Device,
    queue: api::Queue,
    faults: Faults,
    kernels: Vec<(api::ComputePipeline, api::BindGroup)>,
    buffers: Buffers,
    /// Commands that are not yet submitted.
    commands: Option<api::CommandEncoder>,
    room: Room,
    piece_words: u32,
}

impl WgpuSieve {
    /// Opens an adapter and allocates everything.
    pub fn open(adapter: &Adapter, room: Room) -> Result<Self, EngineError> {
        Self::open_with(adapter, room, SHADER, u64::MAX)
    }

    /// The same with another shader or smaller bindings, for tests: a filter of any size can then be
    /// made to need several.
    pub fn open_with(
        adapter: &Adapter,
        room: Room,
        shader: &str,
        filter_binding_bytes_max: u64,
    ) -> Result<Self, EngineError> {
        let limits = adapter.limits();
        let binding_bytes_max = binding_bytes_max(&limits);
        let piece_bytes = binding_bytes_max.min(filter_binding_bytes_max);
        check_sizes(&room, binding_bytes_max, piece_bytes)?;
        let (device, queue) = adapter.open(limits)?;
        let faults = Faults::of(&device);
        let buffers = Buffers::new(&device, &room, piece_bytes);
        faults.check()?;
        let kernels = load(&device, shader, &buffers);
        faults.check()?;
        Ok(Self {
            device,
            queue,
            faults,
            kernels,
            buffers,
            commands: None,
            room,
            piece_words: (piece_bytes / 4).min(u64::from(u32::MAX)) as u32,
        })
    }

    fn commands(&mut self) -> &mut api::CommandEncoder {
        self.commands
            .get_or_insert_with(|| self.device.create_command_encoder(&Default::default()))
    }

    /// Submits what is collected.
    fn submit(&mut self) -> Result<(), EngineError> {
        if let Some(commands) = self.commands.take() {
            self.queue.submit([commands.finish()]);
        }
        self.faults.check()
    }

    fn write_shape(&self, rows: usize) {
        let shape = Shape {
            rows: rows as u32,
            table_mask: self.room.table_len() as u32 - 1,
            hashes: self.room.filter.hashes,
            piece_words: self.piece_words,
            bits: self.room.filter.bits as u64,
        };
        let shape_buffer = &self.buffers.shape;
        self.queue
            .write_buffer(shape_buffer, 0, bytemuck::bytes_of(&shape));
    }

    /// Submits, waits and gives the first `bytes` bytes of the staging buffer to `take`.
    fn read_staging(&mut self, bytes: u64, take: impl FnOnce(&[u8])) -> Result<(), EngineError> {
        self.submit()?;
        let staging = &self.buffers.staging;
        staging::read(&self.device, &self.faults, staging, bytes, take)
    }
}

impl Device for WgpuSieve {
    fn name(&self) -> &'static str {
        NAME
    }

    fn lanes(&self) -> usize {
        1
    }

    unsafe fn copy_rows_in(
        &mut self,
        _lane: usize,
        text: &[u8],
        text_end: &[u32],
    ) -> Result<(), EngineError> {
        // What is collected reads the buffers as they are.
        self.submit()?;
        staging::write(&self.queue, &self.buffers.text, text);
        let ends = bytemuck::cast_slice(text_end);
        staging::write(&self.queue, &self.buffers.text_end, ends);
        self.write_shape(text_end.len());
        let (table, verdicts) = (self.buffers.table.clone(), self.buffers.verdicts.clone());
        let commands = self.commands();
        commands.clear_buffer(&table, 0, None);
        commands.clear_buffer(&verdicts, 0, None);
        self.faults.check()
    }

    fn copy_keys_in(&mut self, _lane: usize, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        self.submit()?;
        let keys_as_bytes = bytemuck::cast_slice(keys);
        staging::write(&self.queue, &self.buffers.keys, keys_as_bytes);
        self.write_shape(keys.len());
        self.faults.check()
    }

    fn launch(&mut self, _lane: usize, kernel: Kernel, rows: u32) -> Result<(), EngineError> {
        let (pipeline, bindings) = self.kernels[kernel as usize].clone();
        let mut pass = self.commands().begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(rows.div_ceil(BLOCK_ROWS), 1, 1);
        drop(pass);
        self.faults.check()
    }

    /// To the staging buffer only, and when the commands are submitted.
    unsafe fn copy_rows_out(
        &mut self,
        _lane: usize,
        keys: &mut [[u64; 2]],
        verdicts: &mut [u8],
    ) -> Result<(), EngineError> {
        let staged = Staged::of(keys, verdicts);
        let tally_at = 4 * self.room.table_len() as u64;
        let from = &self.buffers;
        let (key, verdict) = (from.keys.clone(), from.verdicts.clone());
        let (table, staging) = (from.table.clone(), from.staging.clone());
        let commands = self.commands();
        let (keys_end, verdicts_end) = (staged.keys_end, staged.verdicts_end);
        commands.copy_buffer_to_buffer(&key, 0, &staging, 0, keys_end);
        let verdict_bytes = verdicts_end - keys_end;
        commands.copy_buffer_to_buffer(&verdict, 0, &staging, keys_end, verdict_bytes);
        let tally_bytes = staged.end - verdicts_end;
        commands.copy_buffer_to_buffer(&table, tally_at, &staging, verdicts_end, tally_bytes);
        self.faults.check()
    }

    fn finish(
        &mut self,
        _lane: usize,
        keys: &mut [[u64; 2]],
        verdicts: &mut [u8],
    ) -> Result<[u32; 3], EngineError> {
        let staged = Staged::of(keys, verdicts);
        let mut tally = [0; 3];
        self.read_staging(staged.end, |bytes| {
            let (rest, staged_tally) = bytes.split_at(staged.verdicts_end as usize);
            let (staged_keys, staged_verdicts) = rest.split_at(staged.keys_end as usize);
            bytemuck::cast_slice_mut(keys).copy_from_slice(staged_keys);
            verdicts.copy_from_slice(&staged_verdicts[..verdicts.len()]);
            bytemuck::cast_slice_mut(&mut tally).copy_from_slice(staged_tally);
        })?;
        Ok(tally)
    }

    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(words);
        let staging = self.buffers.staging.clone();
        let piece_bytes = 4 * self.piece_words as usize;
        for (piece, bytes) in bytes.chunks_mut(piece_bytes).enumerate() {
            let from = self.buffers.filter[piece].clone();
            let chunk_bytes = staging.size() as usize;
            for (chunk, bytes) in bytes.chunks_mut(chunk_bytes).enumerate() {
                let (at, length) = ((chunk * chunk_bytes) as u64, bytes.len() as u64);
                self.commands()
                    .copy_buffer_to_buffer(&from, at, &staging, 0, length);
                self.read_staging(length, |staged| bytes.copy_from_slice(staged))?;
            }
        }
        Ok(())
    }
}

/// Where keys, verdicts and tally of a slot's rows stand in the staging buffer, in bytes.
struct Staged {
    keys_end: u64,
    verdicts_end: u64,
    end: u64,
}

impl Staged {
    fn of(keys: &[[u64; 2]], verdicts: &[u8]) -> Self {
        let keys_end = size_of_val(keys) as u64;
        let verdicts_end = keys_end + verdicts.len().next_multiple_of(4) as u64;
        Self {
            keys_end,
            verdicts_end,
            end: verdicts_end + size_of::<[u32; 3]>() as u64,
        }
    }
}

/// The largest binding, in whole words of the filter.
fn binding_bytes_max(limits: &api::Limits) -> u64 {
    limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size)
        / 8
        * 8
}

/// Refuses what the adapter can't bind, before anything is allocated.
fn check_sizes(room: &Room, binding_bytes_max: u64, piece_bytes: u64) -> Result<(), EngineError> {
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

fn check_part(part: &'static str, bytes: usize, bytes_max: u64) -> Result<(), EngineError> {
    if bytes as u64 <= bytes_max {
        return Ok(());
    }
    Err(EngineError::TooLarge {
        engine: NAME,
        part,
        bytes: bytes as u64,
        bytes_max,
    })
}

fn load(
    device: &api::Device,
    shader: &str,
    buffers: &Buffers,
) -> Vec<(api::ComputePipeline, api::BindGroup)> {
    let module = device.create_shader_module(api::ShaderModuleDescriptor {
        label: Some("sieve"),
        source: api::ShaderSource::Wgsl(shader.into()),
    });
    let load_kernel = |kernel: Kernel| {
        let numbers = bindings(kernel).iter();
        let bound: Vec<_> = numbers
            .map(|&number| (number as u32, buffers.binding(number)))
            .collect();
        pipeline(device, &module, kernel.name(), &bound)
    };
    Kernel::ALL.map(load_kernel).into()
}

/// The entry point of a module, with the buffers that it uses and their bindings.
fn pipeline(
    device: &api::Device,
    module: &api::ShaderModule,
    name: &str,
    bound: &[(u32, &api::Buffer)],
) -> (api::ComputePipeline, api::BindGroup) {
    let pipeline = device.create_compute_pipeline(&api::ComputePipelineDescriptor {
        label: Some(name),
        layout: None,
        module,
        entry_point: Some(name),
        compilation_options: Default::default(),
        cache: None,
    });
    let entries = bound.iter().map(|&(binding, buffer)| api::BindGroupEntry {
        binding,
        resource: buffer.as_entire_binding(),
    });
    let entries: Vec<_> = entries.collect();
    let group = device.create_bind_group(&api::BindGroupDescriptor {
        label: Some(name),
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    (pipeline, group)
}

fn failed(call: &'static str, reason: impl ToString) -> EngineError {
    EngineError::Failed {
        engine: NAME,
        call,
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sieve::{Engine, FilterShape, gpu::GpuEngine},
        slot::{Slot, SlotLayout},
    };

    fn slot_of_one_row(layout: &SlotLayout) -> Slot {
        let mut slot = Slot::new(layout.clone());
        let columns = slot.columns_mut();
        columns.text[0] = b'C';
        columns.text_end[0] = 1;
        slot.set_filled(1, 1);
        slot
    }

    #[test]
    fn a_device_that_is_lost_is_an_error_wherever_it_is_lost() {
        let layout = SlotLayout::smallest(false);
        let filter = FilterShape {
            bits: 1_024,
            hashes: 7,
        };
        let room = Room::new(filter, &layout);
        // tests/conformance.rs says aloud when there is no adapter.
        for adapter in adapters() {
            for before in 0..3 {
                let device = WgpuSieve::open(&adapter, room).unwrap();
                let handle = device.device.clone();
                let mut engine = GpuEngine::new(device, room);
                let mut slot = slot_of_one_row(&layout);
                for _ in 0..before {
                    (slot, _) = engine.sieve(slot).unwrap();
                }
                handle.destroy();
                let lost = |error| matches!(error, EngineError::Lost { engine: "wgpu", .. });
                assert!(lost(engine.sieve(slot).unwrap_err()));
                assert!(lost(engine.insert(&[[1, 2]]).unwrap_err()));
                assert!(lost(engine.filter_words().unwrap_err()));
            }
        }
    }
}
