//! Structure keys on any GPU that wgpu reaches: `shaders/structure_key.wgsl`.
//!
//! - It has a device of its own beside the sieve's, and is done with a batch before it takes another.
//! - All is allocated when it is opened. Memory on the device, per row: 16 bytes of key, 4 where the text ends
//!   and 1 for the status, beside the text itself. About 6 KiB of private memory per row in work, and of those
//!   there are as many as the GPU likes, is the driver's business.

use ::wgpu as api;

use super::{
    Adapter, EngineError, Faults, NAME, WORKGROUPS_MAX, binding_bytes_max, buffers::buffer,
    check_part, pipeline, staging,
};
use crate::sieve::structure_key::{KeyDevice, KeyRoom};

/// The source of the kernel.
pub const KEY_SHADER: &str = include_str!("../../../shaders/structure_key.wgsl");

/// The kernel's name in the source.
const KERNEL: &str = "structure_key";

/// Rows of a workgroup; `BLOCK_ROWS` in the source.
const BLOCK_ROWS: usize = 64;

const KEY_BYTES: usize = size_of::<[u64; 2]>();

/// A GPU that makes structure keys.
pub struct WgpuKeys {
    device: api::Device,
    queue: api::Queue,
    faults: Faults,
    kernel: (api::ComputePipeline, api::BindGroup),
    buffers: Buffers,
    room: KeyRoom,
}

impl WgpuKeys {
    /// Opens an adapter and allocates everything.
    pub fn open(adapter: &Adapter, room: KeyRoom) -> Result<Self, EngineError> {
        Self::open_with(adapter, room, KEY_SHADER)
    }

    /// The same with another shader, for tests.
    pub fn open_with(adapter: &Adapter, room: KeyRoom, shader: &str) -> Result<Self, EngineError> {
        let limits = adapter.limits();
        check_room(&room, binding_bytes_max(&limits))?;
        let (device, queue) = adapter.open(limits)?;
        let faults = Faults::of(&device);
        let buffers = Buffers::new(&device, &room);
        faults.check()?;
        let kernel = load(&device, shader, &buffers);
        faults.check()?;
        Ok(Self {
            device,
            queue,
            faults,
            kernel,
            buffers,
            room,
        })
    }

    fn copy_in(&self, text: &[u8], text_end: &[u32]) {
        let to = &self.buffers;
        let rows = text_end.len() as u32;
        self.queue
            .write_buffer(&to.shape, 0, bytemuck::bytes_of(&rows));
        staging::write(&self.queue, &to.text, text);
        staging::write(&self.queue, &to.text_end, bytemuck::cast_slice(text_end));
    }

    /// Runs the kernel and copies what it writes to the staging buffer: keys first, statuses behind.
    fn launch(&self, rows: usize) -> Result<(), EngineError> {
        let from = &self.buffers;
        let (key_bytes, status_bytes) = staged_bytes(rows);
        let mut commands = self.device.create_command_encoder(&Default::default());
        // Four rows share a word.
        commands.clear_buffer(&from.statuses, 0, None);
        let mut pass = commands.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.kernel.0);
        pass.set_bind_group(0, &self.kernel.1, &[]);
        pass.dispatch_workgroups(rows.div_ceil(BLOCK_ROWS) as u32, 1, 1);
        drop(pass);
        commands.copy_buffer_to_buffer(&from.keys, 0, &from.staging, 0, key_bytes);
        commands.copy_buffer_to_buffer(&from.statuses, 0, &from.staging, key_bytes, status_bytes);
        self.queue.submit([commands.finish()]);
        self.faults.check()
    }
}

impl KeyDevice for WgpuKeys {
    fn name(&self) -> &'static str {
        NAME
    }

    fn tell(
        &mut self,
        text: &[u8],
        text_end: &[u32],
        keys: &mut [[u64; 2]],
        statuses: &mut [u8],
    ) -> Result<(), EngineError> {
        let rows = text_end.len();
        assert!(keys.len() == rows && statuses.len() == rows);
        assert!(rows <= self.room.rows_max && text.len() <= self.room.text_bytes_max);
        self.faults.check()?;
        if rows == 0 {
            return Ok(());
        }
        self.copy_in(text, text_end);
        self.launch(rows)?;
        let (key_bytes, status_bytes) = staged_bytes(rows);
        let bytes = key_bytes + status_bytes;
        staging::read(
            &self.device,
            &self.faults,
            &self.buffers.staging,
            bytes,
            |staged| {
                let (staged_keys, staged_statuses) = staged.split_at(key_bytes as usize);
                bytemuck::cast_slice_mut(keys).copy_from_slice(staged_keys);
                statuses.copy_from_slice(&staged_statuses[..rows]);
            },
        )
    }
}

/// Bytes of so many rows' keys and statuses as they are read back, in whole words.
fn staged_bytes(rows: usize) -> (u64, u64) {
    let status_bytes = rows.next_multiple_of(4);
    ((rows * KEY_BYTES) as u64, status_bytes as u64)
}

/// Refuses what the adapter can't bind, before anything is allocated.
fn check_room(room: &KeyRoom, binding_bytes_max: u64) -> Result<(), EngineError> {
    check_part("text of a slot", room.text_bytes_max, binding_bytes_max)?;
    let dispatched_bytes_max = (WORKGROUPS_MAX * BLOCK_ROWS * KEY_BYTES) as u64;
    let keys_bytes_max = binding_bytes_max.min(dispatched_bytes_max);
    check_part("keys of a slot", room.rows_max * KEY_BYTES, keys_bytes_max)
}

/// The buffers on the device, by their bindings in the shader.
struct Buffers {
    /// The number of rows.
    shape: api::Buffer,
    text: api::Buffer,
    text_end: api::Buffer,
    keys: api::Buffer,
    statuses: api::Buffer,
    /// What is read back, on its way to the host. No binding.
    staging: api::Buffer,
}

impl Buffers {
    fn new(device: &api::Device, room: &KeyRoom) -> Self {
        use api::BufferUsages as Usage;
        // A binding can't be empty.
        let rows_max = room.rows_max.max(1);
        let text_bytes = room.text_bytes_max.max(1);
        let (read, written) = (
            Usage::STORAGE | Usage::COPY_DST,
            Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC,
        );
        let (key_bytes, status_bytes) = staged_bytes(rows_max);
        let (key_bytes, status_bytes) = (key_bytes as usize, status_bytes as usize);
        let buffer = |label, bytes, usage| buffer(device, label, bytes, usage);
        Self {
            shape: buffer("shape", 4, Usage::UNIFORM | Usage::COPY_DST),
            text: buffer("text", text_bytes, read),
            text_end: buffer("text_end", 4 * rows_max, read),
            keys: buffer("keys", key_bytes, written),
            statuses: buffer("statuses", status_bytes, written),
            staging: buffer(
                "staging",
                key_bytes + status_bytes,
                Usage::MAP_READ | Usage::COPY_DST,
            ),
        }
    }
}

fn load(
    device: &api::Device,
    shader: &str,
    buffers: &Buffers,
) -> (api::ComputePipeline, api::BindGroup) {
    let module = device.create_shader_module(api::ShaderModuleDescriptor {
        label: Some(KERNEL),
        source: api::ShaderSource::Wgsl(shader.into()),
    });
    let bound = [
        (0, &buffers.shape),
        (1, &buffers.text),
        (2, &buffers.text_end),
        (3, &buffers.keys),
        (4, &buffers.statuses),
    ];
    pipeline(device, &module, KERNEL, &bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sieve::wgpu::adapters;

    #[test]
    fn a_device_that_is_lost_is_an_error_wherever_it_is_lost() {
        let room = KeyRoom {
            rows_max: 4,
            text_bytes_max: 4,
        };
        // tests/structure_key_wgsl.rs says aloud when there is no adapter.
        for adapter in adapters() {
            for before in 0..2 {
                let mut device = WgpuKeys::open(&adapter, room).unwrap();
                let handle = device.device.clone();
                let mut tell = || device.tell(b"C", &[1], &mut [[0; 2]], &mut [0]);
                for _ in 0..before {
                    tell().unwrap();
                }
                handle.destroy();
                for _ in 0..2 {
                    let lost = tell().unwrap_err();
                    assert!(matches!(lost, EngineError::Lost { engine: "wgpu", .. }));
                }
            }
        }
    }
}
