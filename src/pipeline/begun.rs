//! What a run was begun with, as its working files say before it is resumed.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::{
    plan::Sizes,
    store::{
        WORK_DIR,
        sealed::{self, Kind},
    },
};

/// The file of an [`Identity`](super::checkpoint::Identity). Version 2: settings are texts as in a job file.
pub const JOB: Kind = Kind {
    name: "job",
    version: 2,
};
/// The file of a [`Checkpoint`](super::checkpoint::Checkpoint). Version 6: filters.
pub const CHECKPOINT: Kind = Kind {
    name: "checkpoint",
    version: 6,
};

/// The part of an identity that the plan needs.
#[derive(Deserialize)]
struct Begun {
    sizes: BTreeMap<String, u64>,
}

/// The sizes of the run to be resumed in an output directory; `None` if no checkpoint was taken there. Files that can't be
/// read are reported when the run is resumed.
pub(super) fn begun_sizes(output: &Path) -> Option<Sizes> {
    let work = output.join(WORK_DIR);
    if !work.join(CHECKPOINT.name).exists() {
        return None;
    }
    let begun: Begun = sealed::read(&work, JOB).ok()??;
    Sizes::from_named(&begun.sizes)
}
