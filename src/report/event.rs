//! The events of a job: what `run`, `dedup` and `worker` print with `--json`.
//!
//! Each is one line, a JSON object with `"version"` and `"event"`. Times are in seconds, sizes in bytes. Fields
//! that a reader does not know are to be ignored; [`VERSION`] is raised when a field changes its meaning or
//! goes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::manifest::Manifest;
use crate::{
    account::Counts,
    plan::{MemoryItem, Plan},
};

/// Version of the events.
pub const VERSION: u64 = 1;
/// Longest line that [`Event::parse`] reads. Only `done` can be longer: its manifest names every file.
pub const EVENT_BYTES_MAX: usize = 256 << 10;

/// What a job reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// The process is alive. Only a process that works for the daemon says so.
    Alive,
    /// The job is planned; nothing is written yet.
    Planned(Box<Planned>),
    /// How far the job is; about once a second.
    Progress(Box<Progress>),
    /// An attempt ended by accident, and the next one starts.
    Restarted {
        /// How the attempt ended.
        reason: String,
        /// Whether the next one resumes from a checkpoint; else it starts from the beginning.
        resumed: bool,
    },
    /// The output is complete.
    Done {
        /// The manifest, as in `manifest.json`.
        manifest: Box<Manifest>,
    },
    /// The job failed.
    Failed(Ended),
    /// The job stopped at a checkpoint.
    Stopped(Ended),
}

/// Why a job ended without a complete output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The reason, one line.
    pub error: String,
    /// The exit code of the process.
    pub exit_code: u8,
    /// What the job lacks, if it ended because a disk is full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortage: Option<Shortage>,
}

/// What a job lacks on a full disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// A directory on the file system that is full.
    pub path: String,
    /// Free bytes with which the job can continue.
    pub needed_bytes: u64,
    /// Bytes that were free when this was last checked.
    pub free_bytes: u64,
    /// Whether a quota is used up, and not the file system.
    pub quota: bool,
}

/// The plan of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Rows of the inputs.
    pub parents: u64,
    /// Whether they were counted rather than estimated.
    pub parents_exact: bool,
    /// Rows in the sample from which the rest is estimated.
    pub sampled: u64,
    /// Rows of the sample that can't be used.
    pub sampled_rejects: u64,
    /// Distinct products per parent.
    pub products_per_parent: f64,
    /// Products expected, repeats between parents counted.
    pub products: u64,
    /// Bytes of all parts.
    pub disk_bytes: u64,
    /// Bytes that the output directory needs beside the parts until the end.
    pub disk_bytes_while_running: u64,
    /// Memory for the exact deduplication at the end.
    pub settle_bytes: u64,
    /// Chemistry workers.
    pub threads: u64,
    /// Slots in the ring.
    pub slots: u64,
    /// Bytes of a slot.
    pub slot_bytes: u64,
    /// Parents that a worker takes at once.
    pub batch_parents: u64,
    /// The engine.
    pub engine: String,
    /// The engine, and why it was chosen.
    pub engine_chosen: String,
    /// Bits of the filter.
    pub filter_bits: u64,
    /// Hashes per key.
    pub filter_hashes: u32,
    /// The memory sum.
    pub memory: PlannedMemory,
}

/// The memory sum of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMemory {
    /// `--memory`.
    pub budget_bytes: u64,
    /// Sum of the items.
    pub total_bytes: u64,
    /// What the memory is for.
    pub items: Vec<MemoryItem>,
}

impl Progress {
    /// Rows of the step's input whose products the sink has written.
    pub fn rows_done(&self) -> u64 {
        self.counts.parents_read.saturating_sub(self.earlier_rows)
    }
}

impl From<&Plan> for Planned {
    fn from(plan: &Plan) -> Self {
        let (estimate, memory) = (&plan.estimate, &plan.memory);
        Self {
            parents: estimate.parents,
            parents_exact: estimate.parents_exact,
            sampled: estimate.sampled,
            sampled_rejects: estimate.sampled_rejects,
            products_per_parent: estimate.products_per_parent,
            products: estimate.products(),
            disk_bytes: estimate.disk_bytes(),
            disk_bytes_while_running: estimate.disk_bytes_while_running(),
            settle_bytes: plan.settle_bytes as u64,
            threads: plan.threads as u64,
            slots: plan.slots as u64,
            slot_bytes: plan.slot.bytes as u64,
            batch_parents: plan.batch_parents as u64,
            engine: plan.engine.name().into(),
            engine_chosen: plan.engine.description(),
            filter_bits: plan.filter.bits as u64,
            filter_hashes: plan.filter.hashes,
            memory: PlannedMemory {
                budget_bytes: memory.budget.0,
                total_bytes: memory.total(),
                items: memory.items.clone(),
            },
        }
    }
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Progress {
    /// Time since the start of the run, that of earlier attempts included.
    pub elapsed_seconds: f64,
    /// Time until the last row of the step is read, at the mean rate so far.
    pub remaining_seconds: Option<f64>,
    /// The step in work, of which the first is 1; 0 reads what the library itself holds (`--new-only`).
    #[serde(default)]
    pub step: u64,
    /// Steps of the job.
    #[serde(default)]
    pub steps: u64,
    /// Rows of its input.
    pub parents: u64,
    /// Whether they were counted rather than estimated.
    pub parents_exact: bool,
    /// Rows read from its input.
    pub rows_read: u64,
    /// Rows that earlier steps have read, which `counts` has too.
    #[serde(default)]
    pub earlier_rows: u64,
    /// What became of the rows and products of all steps that the sink has written.
    pub counts: Counts,
    /// Mean rate in this step.
    pub products_per_second: u64,
    /// Resident memory of the process.
    pub memory_bytes: u64,
    /// `--memory`.
    pub memory_budget_bytes: u64,
    /// The ring.
    pub ring: RingProgress,
    /// The busiest stage, with its share of the time it could have used.
    pub busiest: String,
    /// Bytes written.
    pub bytes_written: u64,
    /// Parts published.
    pub parts: u64,
    /// The exact deduplication at the end, once it has begun.
    pub settling: Option<Settling>,
}

/// The slots of the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RingProgress {
    /// All.
    pub slots: u64,
    /// Free ones.
    pub free: u64,
    /// Workers that wait for a free one.
    pub workers_waiting: u64,
}

/// How far the exact deduplication is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Settling {
    /// Keys and rows that were compared.
    pub done: u64,
    /// Keys and rows to compare.
    pub of: u64,
}

/// Why a line is no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The line is not JSON, or lacks a field that its event has.
    #[error("cannot read the event: {0}")]
    Unreadable(String),
    /// The line has another version.
    #[error("the event has version {0}, not {VERSION}")]
    Version(u64),
    /// The line is longer than [`EVENT_BYTES_MAX`].
    #[error("the event is longer than {EVENT_BYTES_MAX} bytes")]
    TooLong,
    /// No event has this name.
    #[error("there is no event `{0}`")]
    Unknown(String),
}

/// The names of the events, to distinguish an unknown event from a damaged one.
const NAMES: [&str; 7] = [
    "alive",
    "planned",
    "progress",
    "restarted",
    "done",
    "failed",
    "stopped",
];

impl Event {
    /// The event as a line, without the line end.
    pub fn line(&self) -> String {
        self.value().to_string()
    }

    /// The event as the object that [`Event::line`] writes.
    pub fn value(&self) -> Value {
        #[derive(Serialize)]
        struct Line<'a> {
            version: u64,
            #[serde(flatten)]
            event: &'a Event,
        }
        let line = Line {
            version: VERSION,
            event: self,
        };
        serde_json::to_value(line).expect("an event has string keys")
    }

    /// Reads a line. The version comes first, so that an event of another version is reported as such
    /// whatever else differs in it.
    pub fn parse(line: &[u8]) -> Result<Self, EventError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        #[derive(Deserialize)]
        struct Name {
            event: String,
        }
        if line.len() > EVENT_BYTES_MAX {
            return Err(EventError::TooLong);
        }
        let unreadable = |error: serde_json::Error| EventError::Unreadable(error.to_string());
        let Version { version } = serde_json::from_slice(line).map_err(unreadable)?;
        if version != VERSION {
            return Err(EventError::Version(version));
        }
        let Name { event } = serde_json::from_slice(line).map_err(unreadable)?;
        if !NAMES.contains(&event.as_str()) {
            return Err(EventError::Unknown(event));
        }
        serde_json::from_slice(line).map_err(unreadable)
    }
}
