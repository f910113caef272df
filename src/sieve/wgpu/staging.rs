//! Bytes to buffers of the device, and back by way of a staging buffer.

use std::sync::mpsc::{Receiver, channel};

use ::wgpu as api;

use super::{Faults, failed};
use crate::sieve::EngineError;

/// Writes bytes from the start of a buffer on. wgpu takes whole words.
pub(super) fn write(queue: &api::Queue, buffer: &api::Buffer, bytes: &[u8]) {
    let (words, rest) = bytes.split_at(bytes.len() / 4 * 4);
    if !words.is_empty() {
        queue.write_buffer(buffer, 0, words);
    }
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        queue.write_buffer(buffer, words.len() as u64, &last);
    }
}

/// Waits for what is submitted and gives the first `bytes` bytes of a staging buffer to `take`.
pub(super) fn read(
    device: &api::Device,
    faults: &Faults,
    staging: &api::Buffer,
    bytes: u64,
    take: impl FnOnce(&[u8]),
) -> Result<(), EngineError> {
    let mapped = map(staging, bytes);
    let polled = device.poll(api::PollType::wait_indefinitely());
    faults.check()?;
    polled.map_err(|error| failed("waiting for the device", error))?;
    let outcome = mapped.try_recv();
    let outcome = outcome.map_err(|error| failed("mapping a buffer", error))?;
    outcome.map_err(|error| failed("mapping a buffer", error))?;
    let view = staging.get_mapped_range(0..bytes);
    take(&view.map_err(|error| failed("mapping a buffer", error))?);
    staging.unmap();
    faults.check()
}

fn map(buffer: &api::Buffer, bytes: u64) -> Receiver<Result<(), api::BufferAsyncError>> {
    let (outcome, mapped) = channel();
    buffer.map_async(api::MapMode::Read, 0..bytes, move |result| {
        // Nobody listens any more if the wait itself has failed.
        outcome.send(result).ok();
    });
    mapped
}
