//! How far a run is, as its output directory shows.

use std::path::Path;

use super::{
    checkpoint::{CHECKPOINT, Checkpoint, Phase},
    in_work::{POISONED, Poisoned},
};
use crate::store::{WORK_DIR, sealed};

/// How far a run is, as its output directory shows: equal values mean that the run made no progress.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    phase: Option<Phase>,
    poisoned: usize,
}

impl Standing {
    /// That of the run in an output directory.
    pub fn of(output: &Path) -> Self {
        let work = output.join(WORK_DIR);
        // The next attempt reports a file that can't be read.
        let checkpoint: Option<Checkpoint> = sealed::read(&work, CHECKPOINT).ok().flatten();
        let poisoned: Option<Poisoned> = sealed::read(&work, POISONED).ok().flatten();
        Self {
            phase: checkpoint.map(|checkpoint| checkpoint.phase),
            poisoned: poisoned.map_or(0, |poisoned| poisoned.len()),
        }
    }
}
