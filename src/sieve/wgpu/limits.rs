//! What an adapter can bind: a program that needs more is refused before anything is allocated.

use ::wgpu as api;

use super::faults::NAME;
use crate::sieve::{
    error::EngineError,
    gpu::device::{BLOCK_ROWS, Room},
};

/// The most bindings that the filter is spread over.
pub const FILTER_PIECES: usize = 4;

/// The workgroups that every adapter allows in one dimension of a dispatch.
const WORKGROUPS_MAX: usize = 65_535;

/// The largest binding, in whole words of the filter.
pub(super) fn binding_bytes_max(limits: &api::Limits) -> u64 {
    limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size)
        / 8
        * 8
}

/// Refuses what the adapter can't bind.
pub(super) fn check_sizes(
    room: &Room,
    binding_bytes_max: u64,
    piece_bytes: u64,
) -> Result<(), EngineError> {
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
