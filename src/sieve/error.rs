//! Why an engine can't start or continue.

use crate::units::ByteSize;

/// Why an engine can't start or continue. `engine` is its name on the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The machine lacks a library, a driver or a device that the engine needs. Occurs only at the start.
    #[error("engine {engine}: {missing}")]
    Absent {
        /// The engine.
        engine: &'static str,
        /// What is missing.
        missing: String,
    },
    /// A part is larger than a binding of the device, or than its memory. Occurs only at the start.
    #[error(
    "engine {engine}: the {part} needs {}, and the device allows at most {}",
        ByteSize(*bytes), ByteSize(*bytes_max)
    )]
    TooLarge {
        /// The engine.
        engine: &'static str,
        /// What is too large.
        part: &'static str,
        /// Its size.
        bytes: u64,
        /// The largest size that the device allows.
        bytes_max: u64,
    },
    /// The device has no memory left.
    #[error("engine {engine}: the device is out of memory: {reason}")]
    OutOfMemory {
        /// The engine.
        engine: &'static str,
        /// In the driver's words.
        reason: String,
    },
    /// The device is gone, or only a restart can make it work again: reset, memory error, driver lost.
    #[error("engine {engine}: the device is lost: {reason}")]
    Lost {
        /// The engine.
        engine: &'static str,
        /// In the driver's words.
        reason: String,
    },
    /// A call to the driver failed for another reason.
    #[error("engine {engine}: {call} failed: {reason}")]
    Failed {
        /// The engine.
        engine: &'static str,
        /// The call.
        call: &'static str,
        /// In the driver's words.
        reason: String,
    },
    /// The operating system refuses the threads of the cpu engine.
    #[error("cannot start the threads of the cpu engine: {0}")]
    Threads(String),
}

/// Refuses a part of a program that takes more than the device allows.
pub(super) fn check_size(
    engine: &'static str,
    part: &'static str,
    bytes: u64,
    bytes_max: u64,
) -> Result<(), EngineError> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(EngineError::TooLarge {
        engine,
        part,
        bytes,
        bytes_max,
    })
}

/// Simulates device loss if this is the call that a test has chosen.
pub(super) fn injected_loss(engine: &'static str, call: &'static str) -> Result<(), EngineError> {
    #[cfg(feature = "failpoints")]
    if crate::faults::device_call(call) {
        let reason = format!("{call}: on purpose");
        return Err(EngineError::Lost { engine, reason });
    }
    let _ = (engine, call);
    Ok(())
}
