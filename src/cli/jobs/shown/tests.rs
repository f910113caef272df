use serde_json::{Value, json};

use super::*;
use crate::account::Counts;

fn job(changes: &Value) -> JobView {
    let mut job = json!({
        "id": 17, "name": null, "user": { "uid": 1000, "name": "ada" }, "state": "queued",
        "priority": 0, "mode": "refuse",
        "settings": { "input": ["/a/b.smi"], "rules": ["/a/r.toml"], "output": "/out" },
        "demand": { "memory_bytes": 2u64 << 30, "threads": 2, "gpu": "if_free" },
        "submitted_at": "2026-11-25T17:00:00Z", "started_at": null, "ended_at": null,
        "attempts": 0, "failures": 0, "retry_at": null, "cancel_asked": false, "exit_code": null,
        "error": null, "worker_pid": null, "progress": null, "seq": 1,
    });
    for (key, value) in changes.as_object().unwrap() {
        job[key] = value.clone();
    }
    serde_json::from_value(job).unwrap()
}

fn node(budget: Value, admitted: Value) -> NodeView {
    serde_json::from_value(json!({
        "molsieve": "0", "budget": budget, "admitted": admitted, "jobs": {}, "devices": [],
        "memory_available_bytes": 0, "load": [0.0, 0.0, 0.0],
    }))
    .unwrap()
}

fn now() -> Timestamp {
    "2026-11-25T17:10:00Z".parse().unwrap()
}

fn progress() -> Value {
    let counts = Counts {
        parents_read: 500,
        products_made: 9_000,
        products_unique: 8_500,
        ..Counts::default()
    };
    let progress = Progress {
        parents: 2_000,
        parents_exact: true,
        remaining_seconds: Some(185.0),
        counts,
        products_per_second: 450,
        ..Progress::default()
    };
    json!(progress)
}

#[test]
fn jobs_are_listed_in_columns() {
    let jobs = [
        job(
            &json!({ "id": 120, "name": "a\u{1b}[2Jb", "progress": progress(), "state": "running" }),
        ),
        job(
            &json!({ "id": 9, "user": { "uid": 7, "name": null }, "submitted_at": "2026-11-20T17:00:00Z",
                     "state": "done", "exit_code": 4 }),
        ),
    ];
    let table = table(&jobs, now());
    assert_eq!(
        table,
        " ID  NAME    USER  STATE       ROWS  PRODUCTS     AGE\n\
         120  a\u{fffd}[2Jb  ada   running   25.0 %     8,500  10 min\n\
         \x20 9  -       7     done     100.0 %         -     5 d"
    );
}

#[test]
fn a_waiting_job_says_what_it_waits_for() {
    let node = node(
        json!({ "memory_bytes": 4u64 << 30, "threads": 4, "gpus": 1 }),
        json!({ "memory_bytes": 3u64 << 30, "threads": 4, "gpus": 0 }),
    );
    assert_eq!(
        status(&job(&json!({})), Some(&node), now()),
        "Job 17  of ada\n\
         \x20 state      queued: it waits for free resources\n\
         \x20 node       jobs occupy 3 GiB of 4 GiB, 4 of 4 threads and 0 of 1 GPU\n\
         \x20 submitted  2026-11-25T17:00:00Z, 10 min ago\n\
         \x20 needs      2 GiB, 2 threads and a GPU if one is free\n\
         \x20 input      /a/b.smi\n\
         \x20 rules      /a/r.toml\n\
         \x20 output     /out"
    );
}

#[test]
fn a_job_that_the_node_is_too_small_for_says_so() {
    let says = "needs more than the node has for jobs, and waits until it has more, or until molsieve set 17 --memory";
    for state in ["queued", "interrupted"] {
        let fits = job(&json!({ "state": state, "waits_for": "resources" }));
        assert!(!status(&fits, None, now()).contains(says), "{state}");
        let too_large = job(&json!({ "state": state, "waits_for": "larger_budget" }));
        assert!(status(&too_large, None, now()).contains(says), "{state}");
        assert!(stands(&too_large, now()).contains(says), "{state}");
        let listed = table(&[fits, too_large], now());
        let marked = format!("ada   {state}, too large  ");
        assert_eq!(listed.matches(&marked).count(), 1, "{listed}");
    }
}

#[test]
fn a_change_is_reported_with_what_it_changed() {
    let job = job(&json!({ "priority": 3, "waits_for": "resources" }));
    let memory = ChangeBody {
        memory: Some(ByteSize(2 << 30)),
        ..ChangeBody::default()
    };
    assert_eq!(
        changed(&job, &memory, now()),
        "job 17 has 2 GiB; it waits for free resources"
    );
    let all = ChangeBody {
        priority: Some(3),
        threads: std::num::NonZeroUsize::new(2),
        ..memory
    };
    assert_eq!(
        changed(&job, &all, now()),
        "job 17 has priority 3, 2 GiB, 2 threads; it waits for free resources"
    );
}

#[test]
fn a_running_and_an_ended_job_are_told_whole() {
    let running = job(&json!({
        "state": "running", "name": "screen", "priority": -2, "started_at": "2026-11-25T17:01:00Z",
        "attempts": 2, "progress": progress(),
        "settings": { "input": ["/1", "/2", "/3", "/4", "/5"], "output": "/out" },
    }));
    let text = status(&running, None, now());
    for expected in [
        "Job 17  screen  of ada",
        "state      running: it is running",
        "started    2026-11-25T17:01:00Z, 9 min ago; 2 attempts so far",
        "priority   -2",
        "rows       500 of 2,000 rows, 3 min 05 s left",
        "products   9,000 made, 8,500 unique, 450/s",
        "input      /1, /2, /3 and 2 more",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let failed = job(&json!({
        "state": "failed", "started_at": "2026-11-25T17:01:00Z", "ended_at": "2026-11-25T17:01:12Z",
        "exit_code": 3, "error": "/a/b.smi: no such file or directory",
    }));
    let text = status(&failed, None, now());
    for expected in [
        "failed: it has failed: /a/b.smi: no such file or directory",
        "ended      2026-11-25T17:01:12Z, 8 min ago, 12 s after its start",
        "exit code  3",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn an_error_of_several_lines_is_shown_line_by_line() {
    let failed = job(&json!({
        "state": "failed", "exit_code": 3,
        "error": "/a/r.toml:3:10: rule \"a\": bad\u{1b}[2J\n/a/r.toml:7:10: rule \"b\": worse",
    }));
    let text = status(&failed, None, now());
    let expected = "\x20 state      failed: it has failed: /a/r.toml:3:10: rule \"a\": bad\u{fffd}[2J\n\
         \x20            /a/r.toml:7:10: rule \"b\": worse\n";
    assert!(text.contains(expected), "{text}");
    assert_eq!(
        ended(&failed, &Progress::default()),
        "job 17 has failed: /a/r.toml:3:10: rule \"a\": bad\u{fffd}[2J\n\
         \x20 /a/r.toml:7:10: rule \"b\": worse"
    );
}

#[test]
fn an_interrupted_job_says_when_it_goes_on() {
    let interrupted = json!({
        "state": "interrupted", "error": "killed by signal 9", "retry_at": "2026-11-25T17:10:04Z",
    });
    assert_eq!(
        stands(&job(&interrupted), now()),
        "was interrupted and resumes in 4.0 s: killed by signal 9"
    );
    let due = json!({ "state": "interrupted", "retry_at": "2026-11-25T17:00:04Z" });
    assert_eq!(
        stands(&job(&due), now()),
        "was interrupted and resumes as soon as resources are free"
    );
}

#[test]
fn a_job_that_waits_for_disk_space_says_how_much() {
    let waits = |quota| {
        job(&json!({
            "state": "interrupted", "error": "no space left", "retry_at": "2026-11-25T17:11:04Z",
            "waits_for_space": {
                "path": "/out", "needed_bytes": 256 << 20, "free_bytes": 3 << 20, "quota": quota,
                "since": "2026-11-25T17:03:00Z",
            },
        }))
    };
    assert_eq!(
        stands(&waits(false), now()),
        "waits for disk space since 7 min: /out has 3 MiB free, and the job needs 256 MiB; \
         the next check is in 1 min 04 s"
    );
    assert_eq!(
        stands(&waits(true), now()),
        "waits for disk space since 7 min: the disk quota at /out is used up, and the job needs 256 MiB; \
         the next check is in 1 min 04 s"
    );
    let table = table(&[waits(false), waits(true)], now());
    assert!(table.contains("  interrupted (disk full)     "), "{table}");
    assert!(table.contains("  interrupted (quota used up)"), "{table}");
}

#[test]
fn who_waits_for_a_job_ends_as_it_did() {
    for (state, code, exit) in [
        ("done", Some(0), Exit::Done),
        ("done", Some(4), Exit::Incomplete),
        ("failed", Some(1), Exit::Failed),
        ("failed", Some(2), Exit::Usage),
        ("failed", Some(3), Exit::Input),
        ("failed", None, Exit::Failed),
        ("cancelled", Some(75), Exit::Failed),
        ("cancelled", None, Exit::Failed),
    ] {
        let job = job(&json!({ "state": state, "exit_code": code }));
        assert_eq!(super::exit(&job), exit, "{state} {code:?}");
    }
}

#[test]
fn the_end_says_where_the_output_is() {
    let done = job(&json!({
        "state": "done", "exit_code": 0, "started_at": "2026-11-25T17:01:00Z",
        "ended_at": "2026-11-25T17:01:12Z",
    }));
    assert_eq!(
        ended(&done, &Progress::deserialize(progress()).unwrap()),
        "job 17 is done after 12 s\n\
         \x20 output     /out; its manifest.json has all counts\n\
         \x20 last seen  9,000 made, 8,500 unique, 450/s"
    );
}
