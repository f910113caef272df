//! Errors that wgpu reports through callbacks.

use std::sync::{Arc, Mutex, PoisonError};

use ::wgpu as api;

use crate::sieve::error::EngineError;

/// The engine's name on the command line.
pub(super) const NAME: &str = "wgpu";

/// The first error that wgpu has reported through a callback.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Option<EngineError>>>);

impl Faults {
    /// Listens to a device. Without a listener wgpu panics on an error.
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
        // The loss of the device explains every error before.
        if first.is_none() || matches!(error, EngineError::Lost { .. }) {
            *first = Some(error);
        }
    }

    /// Returns the first error, if there is one.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.clone().map_or(Ok(()), Err)
    }
}

/// Joins the lines of wgpu's message.
fn one_line(message: &impl ToString) -> String {
    let message = message.to_string();
    let words: Vec<_> = message.split_whitespace().collect();
    words.join(" ")
}

/// A call that failed for another reason than memory or loss.
pub(super) fn failed(call: &'static str, reason: impl ToString) -> EngineError {
    EngineError::Failed {
        engine: NAME,
        call,
        reason: reason.to_string(),
    }
}
