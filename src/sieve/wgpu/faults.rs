//! Errors that wgpu tells through callbacks.

use std::sync::{Arc, Mutex, PoisonError};

use ::wgpu as api;

use super::{NAME, failed};
use crate::sieve::EngineError;

/// The first error that wgpu has told through a callback.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Option<EngineError>>>);

impl Faults {
    /// Listens to a device. Without a listener wgpu panics.
    pub(super) fn of(device: &api::Device) -> Self {
        let faults = Self::default();
        let listener = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error: api::Error| {
            listener.note(match error {
                api::Error::OutOfMemory { .. } => EngineError::OutOfMemory {
                    engine: NAME,
                    reason: one_line(&error),
                },
                error => failed("a command", one_line(&error)),
            });
        }));
        let listener = faults.clone();
        device.set_device_lost_callback(move |_, reason| {
            listener.note(EngineError::Lost {
                engine: NAME,
                reason: one_line(&reason),
            });
        });
        faults
    }

    fn note(&self, error: EngineError) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // That the device is lost explains whatever was told before.
        if first.is_none() || matches!(error, EngineError::Lost { .. }) {
            *first = Some(error);
        }
    }

    pub(super) fn check(&self) -> Result<(), EngineError> {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.clone().map_or(Ok(()), Err)
    }
}

/// wgpu's messages have several lines, and the first ones say the most.
fn one_line(message: &impl ToString) -> String {
    let message = message.to_string();
    let words: Vec<_> = message.split_whitespace().collect();
    words.join(" ")
}
