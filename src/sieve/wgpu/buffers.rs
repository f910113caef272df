//! The buffers of the sieve on the device, and which of them each kernel binds.

use ::wgpu as api;

use super::{adapter::FILTER_PIECES, lane::Lane};
use crate::sieve::gpu::device::{Kernel, Room};

/// The buffers, by their bindings in the shader.
pub(super) struct Buffers {
    pub(super) shape: api::Buffer,
    pub(super) text: api::Buffer,
    pub(super) text_end: api::Buffer,
    pub(super) keys: api::Buffer,
    pub(super) table: api::Buffer,
    pub(super) places: api::Buffer,
    pub(super) verdicts: api::Buffer,
    /// The last bindings.
    pub(super) filter: Vec<api::Buffer>,
    /// Results on their way to the host. No binding.
    pub(super) staging: api::Buffer,
}

/// `Shape` in the shader.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Shape {
    pub(super) rows: u32,
    pub(super) table_mask: u32,
    pub(super) hashes: u32,
    pub(super) piece_words: u32,
    pub(super) bits: u64,
}

impl Buffers {
    /// Allocates them; [`Lane::check`] returns an error.
    pub(super) fn new(lane: &Lane, room: &Room, piece_bytes: u64) -> Self {
        use api::BufferUsages as Usage;
        let buffer = |label, bytes, usage| lane.buffer(label, bytes, usage);
        let storage = |label, bytes| {
            buffer(
                label,
                bytes,
                Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC,
            )
        };
        let key_bytes = size_of::<[u64; 2]>() * room.rows_max;
        let piece = |piece| {
            let left = (room.filter.bytes() as u64).saturating_sub(piece as u64 * piece_bytes);
            // A binding can't be empty: an unused piece has 16 bytes.
            storage("filter", left.min(piece_bytes).max(16) as usize)
        };
        Self {
            shape: buffer(
                "shape",
                size_of::<Shape>(),
                Usage::UNIFORM | Usage::COPY_DST,
            ),
            text: storage("text", room.text_bytes()),
            text_end: storage("text_end", 4 * room.rows_max),
            keys: storage("keys", key_bytes),
            table: storage("table", 4 * (room.table_len() + 3)),
            places: storage("places", 4 * room.rows_max),
            verdicts: storage("verdicts", room.rows_max),
            filter: (0..FILTER_PIECES).map(piece).collect(),
            staging: buffer(
                "staging",
                key_bytes + room.rows_max + 32,
                Usage::MAP_READ | Usage::COPY_DST,
            ),
        }
    }

    /// The buffers that a kernel uses, with their bindings.
    pub(super) fn of_kernel(&self, kernel: Kernel) -> Vec<(u32, &api::Buffer)> {
        let of_slot = [
            &self.shape,
            &self.text,
            &self.text_end,
            &self.keys,
            &self.table,
            &self.places,
            &self.verdicts,
        ];
        let all = (0..).zip(of_slot.into_iter().chain(&self.filter));
        all.filter(|(binding, _)| bindings(kernel).contains(binding))
            .collect()
    }
}

/// The bindings that a kernel uses.
fn bindings(kernel: Kernel) -> &'static [u32] {
    match kernel {
        Kernel::HashRows => &[0, 1, 2, 3],
        Kernel::ClaimRows => &[0, 3, 4, 5],
        Kernel::LookUp => &[0, 3, 4, 5, 6, 7, 8, 9, 10],
        Kernel::InsertNew => &[0, 3, 6, 7, 8, 9, 10],
        Kernel::InsertKeys | Kernel::FillAtRandom | Kernel::ReadAtRandom | Kernel::AddAtRandom => {
            &[0, 3, 7, 8, 9, 10]
        }
    }
}
