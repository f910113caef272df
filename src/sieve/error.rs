//! Why an engine can't start or go on.

use crate::units::ByteSize;

/// Why an engine can't start or go on. `engine` is its name as on the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The machine lacks what the engine runs on: a library, a driver, a device. At start only.
    #[error("engine {engine}: {missing}")]
    Absent {
        /// The engine.
        engine: &'static str,
        /// What is missing.
        missing: String,
    },
    /// Something is larger than the device takes in one piece, or holds at all. At start only.
    #[error(
        "engine {engine}: the {part} takes {}, and the device takes at most {}",
        ByteSize(*bytes), ByteSize(*bytes_max)
    )]
    TooLarge {
        /// The engine.
        engine: &'static str,
        /// What is too large.
        part: &'static str,
        /// Its size.
        bytes: u64,
        /// The largest that the device takes.
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
    /// The device is gone, or in a state that only a restart ends: reset, memory error, driver lost.
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
    /// The threads of the cpu engine can't be started.
    #[error("cannot start the threads of the cpu engine: {0}")]
    Threads(String),
}

/// Simulates device loss if this is the call that a test has chosen.
#[cfg(feature = "failpoints")]
pub(crate) fn injected_loss(engine: &'static str, call: &'static str) -> Result<(), EngineError> {
    if !crate::faults::device_call(call) {
        return Ok(());
    }
    let reason = format!("{call}: on purpose");
    Err(EngineError::Lost { engine, reason })
}
