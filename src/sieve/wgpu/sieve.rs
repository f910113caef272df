//! The sieve through wgpu: `shaders/sieve.wgsl`, on one lane.

use super::{
    adapter::{Adapter, check_sizes},
    buffers::{Buffers, Shape},
    faults::NAME,
    lane::{Bound, Lane},
};
use crate::sieve::{
    error::EngineError,
    gpu::device::{BLOCK_ROWS, Device, Kernel, Room},
    rows::{Keyed, Texts},
};

/// The source of the kernels.
pub const SHADER: &str = include_str!("../../../shaders/sieve.wgsl");

/// A GPU with the kernels loaded and room for a filter and one slot.
pub struct WgpuSieve {
    lane: Lane,
    kernels: [Bound; Kernel::ALL.len()],
    buffers: Buffers,
    room: Room,
    piece_words: u32,
}

impl WgpuSieve {
    /// Opens an adapter and allocates everything.
    pub fn open(adapter: &Adapter, room: Room) -> Result<Self, EngineError> {
        Self::open_with(adapter, room, SHADER, u64::MAX)
    }

    /// The same with another shader or smaller bindings, for tests: a filter of any size can then need several
    /// bindings.
    pub fn open_with(
        adapter: &Adapter,
        room: Room,
        shader: &str,
        filter_binding_bytes_max: u64,
    ) -> Result<Self, EngineError> {
        let binding_bytes_max = adapter.binding_bytes_max();
        let piece_bytes = binding_bytes_max.min(filter_binding_bytes_max);
        check_sizes(&room, binding_bytes_max, piece_bytes)?;
        let lane = Lane::open(adapter)?;
        let buffers = Buffers::new(&lane, &room, piece_bytes);
        lane.check()?;
        let module = lane.load("sieve", shader);
        let bind = |kernel: Kernel| lane.bind(&module, kernel.name(), &buffers.of_kernel(kernel));
        let kernels = Kernel::ALL.map(bind);
        lane.check()?;
        Ok(Self {
            lane,
            kernels,
            buffers,
            room,
            piece_words: (piece_bytes / 4).min(u64::from(u32::MAX)) as u32,
        })
    }

    fn write_shape(&mut self, rows: usize) -> Result<(), EngineError> {
        let shape = Shape {
            rows: rows as u32,
            table_mask: self.room.table_len() as u32 - 1,
            hashes: self.room.filter.hashes,
            piece_words: self.piece_words,
            bits: self.room.filter.bits as u64,
        };
        let bytes = bytemuck::bytes_of(&shape);
        self.lane.copy_in(bytes, &self.buffers.shape)
    }
}

impl Device for WgpuSieve {
    fn name(&self) -> &'static str {
        NAME
    }

    fn lanes(&self) -> usize {
        1
    }

    unsafe fn copy_rows_in(&mut self, _lane: usize, texts: Texts<'_>) -> Result<(), EngineError> {
        let to = &self.buffers;
        self.lane.copy_in(texts.bytes, &to.text)?;
        let ends = bytemuck::cast_slice(texts.ends);
        self.lane.copy_in(ends, &to.text_end)?;
        self.write_shape(texts.ends.len())?;
        self.lane.clear(&self.buffers.table);
        self.lane.clear(&self.buffers.verdicts);
        self.lane.check()
    }

    fn copy_keys_in(&mut self, _lane: usize, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        let bytes = bytemuck::cast_slice(keys);
        self.lane.copy_in(bytes, &self.buffers.keys)?;
        self.write_shape(keys.len())
    }

    fn launch(&mut self, _lane: usize, kernel: Kernel, rows: u32) -> Result<(), EngineError> {
        let workgroups = rows.div_ceil(BLOCK_ROWS);
        self.lane.launch(&self.kernels[kernel as usize], workgroups)
    }

    /// Copies to the staging buffer only, and once the commands are submitted.
    unsafe fn copy_rows_out(
        &mut self,
        _lane: usize,
        to: &mut Keyed<'_>,
    ) -> Result<(), EngineError> {
        let [keys_end, verdicts_end, _] = staged_ends(to);
        let tally_at = 4 * self.room.table_len() as u64;
        let (lane, from) = (&mut self.lane, &self.buffers);
        let to = &from.staging;
        lane.copy((&from.keys, 0), (to, 0), keys_end);
        lane.copy((&from.verdicts, 0), (to, keys_end), verdicts_end - keys_end);
        lane.copy((&from.table, tally_at), (to, verdicts_end), TALLY_BYTES);
        lane.check()
    }

    fn finish(&mut self, _lane: usize, to: &mut Keyed<'_>) -> Result<[u32; 3], EngineError> {
        let [keys_end, verdicts_end, end] = staged_ends(to);
        let mut tally = [0; 3];
        let staging = &self.buffers.staging;
        self.lane.copy_out(staging, end, |bytes| {
            let (rest, staged_tally) = bytes.split_at(verdicts_end as usize);
            let (staged_keys, staged_verdicts) = rest.split_at(keys_end as usize);
            bytemuck::cast_slice_mut(to.keys).copy_from_slice(staged_keys);
            to.codes.copy_from_slice(&staged_verdicts[..to.codes.len()]);
            bytemuck::cast_slice_mut(&mut tally).copy_from_slice(staged_tally);
        })?;
        Ok(tally)
    }

    fn copy_filter_out(&mut self, words: &mut [u64]) -> Result<(), EngineError> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(words);
        let staging = &self.buffers.staging;
        let chunk_bytes = staging.size() as usize;
        let pieces = bytes.chunks_mut(4 * self.piece_words as usize);
        for (from, bytes) in self.buffers.filter.iter().zip(pieces) {
            for (chunk, bytes) in bytes.chunks_mut(chunk_bytes).enumerate() {
                let (at, length) = ((chunk * chunk_bytes) as u64, bytes.len() as u64);
                self.lane.copy((from, at), (staging, 0), length);
                let take = |staged: &[u8]| bytes.copy_from_slice(staged);
                self.lane.copy_out(staging, length, take)?;
            }
        }
        Ok(())
    }
}

const TALLY_BYTES: u64 = size_of::<[u32; 3]>() as u64;

/// Where the keys, the verdicts and the tally of a slot's rows end in the staging buffer, in bytes.
fn staged_ends(rows: &Keyed<'_>) -> [u64; 3] {
    let keys_end = size_of_val(rows.keys) as u64;
    let verdicts_end = keys_end + rows.codes.len().next_multiple_of(4) as u64;
    [keys_end, verdicts_end, verdicts_end + TALLY_BYTES]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        property::PropertySet,
        sieve::{Engine, FilterShape, gpu::GpuEngine, wgpu::adapters},
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
        let layout = SlotLayout::smallest(PropertySet::NONE);
        let filter = FilterShape {
            bits: 1_024,
            hashes: 7,
        };
        let room = Room::new(filter, &layout);
        // tests/conformance.rs reports it when there is no adapter.
        for adapter in adapters() {
            for before in 0..3 {
                let device = WgpuSieve::open(&adapter, room).unwrap();
                let handle = device.lane.device.clone();
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
