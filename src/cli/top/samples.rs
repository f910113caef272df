//! Jobs and a node for tests.

use serde_json::json;

use crate::{
    account::Counts,
    daemon::{
        job::{JobId, Resources, State},
        view::{JobView, NodeView},
    },
    report::event::Progress,
};

/// A job of the user `ada`.
pub(super) fn job(id: u64, state: State) -> JobView {
    let ended = state.is_final().then_some("2026-11-30T09:30:00Z");
    let started = (state != State::Queued).then_some("2026-11-30T09:00:00Z");
    let error = (state == State::Failed).then_some("the disk is full");
    let retry = (state == State::Interrupted).then_some("2026-11-30T09:30:00Z");
    serde_json::from_value(json!({
        "id": JobId(id), "name": null, "user": { "uid": 1000, "name": "ada" }, "state": state, "priority": 0,
        "mode": "refuse", "submitted_at": "2026-11-30T08:59:00Z", "started_at": started,
        "settings": { "input": ["/data/library.smi"], "rules": ["/data/rules.toml"], "output": "/data/out" },
        "demand": { "memory_bytes": 192u64 << 20, "threads": 1, "gpu": "none" }, "ended_at": ended,
        "attempts": 1, "failures": 0, "retry_at": retry, "cancel_asked": false, "exit_code": null,
        "error": error, "worker_pid": null, "progress": null, "seq": 1,
    }))
    .unwrap()
}

/// Progress with so many products, of so many rows.
pub(super) fn progress(made: u64, read: u64, rows: u64) -> Progress {
    Progress {
        parents: rows,
        parents_exact: true,
        rows_read: read,
        remaining_seconds: Some(185.0),
        step: 1,
        steps: 2,
        counts: Counts {
            parents_read: read,
            products_made: made,
            products_unique: made / 2,
            products_invalid: 3,
            ..Counts::default()
        },
        products_per_second: 45_120,
        memory_bytes: 150 << 20,
        memory_budget_bytes: 192 << 20,
        busiest: "chemistry (97 %)".into(),
        ..Progress::default()
    }
}

/// A node for two jobs.
pub(super) fn node(jobs: &[JobView]) -> NodeView {
    let mut by_state = std::collections::BTreeMap::new();
    for job in jobs {
        *by_state.entry(job.state).or_default() += 1;
    }
    NodeView {
        molsieve: "0.1.0".into(),
        budget: Resources {
            memory_bytes: 400 << 20,
            threads: 2,
            gpus: 0,
        },
        admitted: Resources {
            memory_bytes: 192 << 20,
            threads: 1,
            gpus: 0,
        },
        jobs: by_state,
        devices: Vec::new(),
        gpus: Vec::new(),
        memory_available_bytes: 12 << 30,
        load: [1.5, 0.75, 0.25],
    }
}
