//! `molsieve wait`.

use std::{thread, time::Duration};

use rustix::process::Signal;
use serde_json::json;

use super::Site;
use crate::kit::{
    Running,
    daemon::{Daemon, PATIENCE},
};

/// Waits until a client has had the time to connect. Nothing breaks if it has not.
fn settle() {
    thread::sleep(Duration::from_millis(500));
}

fn start(daemon: &Daemon, flags: &str) -> Running {
    daemon.molsieve(&format!("wait {flags}")).start()
}

#[test]
fn wait_ends_when_all_jobs_have_with_the_code_of_the_worst() {
    let site = Site::new();
    let daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({}));
    let done = site.submit(&daemon, "a", &json!({ "labels": ["plate"] }));
    let failing = site.submit_failing(&daemon, &json!({}));
    let all = start(&daemon, &format!("{done} {failing} {done}"));
    let labelled = start(&daemon, "--label plate");
    let mine = start(&daemon, "--all --json");
    settle();
    occupant.resume();
    let all = all.wait(PATIENCE);
    assert_eq!(all.code, Some(3), "{} {}", all.stdout, all.stderr);
    let lines: Vec<&str> = all.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with(&format!("job {done} is done after ")),
        "{lines:?}"
    );
    let failed = format!("job {failing} has failed: ");
    assert!(
        lines[1].starts_with(&failed) && lines[1].contains("/nowhere"),
        "{lines:?}"
    );
    let labelled = labelled.wait(PATIENCE).ends_with(0);
    assert_eq!(labelled.stdout.lines().count(), 1, "{}", labelled.stdout);
    let mine = mine.wait(PATIENCE).ends_with(3);
    let ended = mine.json_lines();
    assert_eq!(ended.len(), 3, "{ended:?}");
    assert!(
        ended.iter().all(|line| line["event"] == "state"),
        "{ended:?}"
    );
    // Jobs that have ended before are no wait; a label finds them, --all does not.
    daemon.molsieve("wait --label plate").run().ends_with(0);
    let none = daemon.molsieve("wait --all").run().ends_with(0);
    assert_eq!(none.stdout, "");
    daemon
        .molsieve(&format!("wait {done} 99"))
        .run()
        .refuses(1, &["there is no job 99"]);
    assert_eq!(daemon.molsieve("wait").run().code, Some(2));
}

#[test]
fn wait_any_ends_with_the_first_and_a_timeout_leaves_the_jobs() {
    let site = Site::new();
    let daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({}));
    let first = site.submit(&daemon, "a", &json!({ "priority": 1 }));
    let second = site.submit(&daemon, "b", &json!({}));
    let run = daemon
        .molsieve(&format!("wait {first} {second} --timeout 1"))
        .run();
    let run = run.ends_with(75);
    assert!(
        run.stderr.contains("2 jobs will continue"),
        "{}",
        run.stderr
    );
    let run = daemon
        .molsieve(&format!("wait {first} --timeout 1 --json"))
        .run()
        .ends_with(75);
    assert_eq!(run.json_lines(), [json!({ "event": "left", "id": first })]);
    let any = start(&daemon, &format!("--any {first} {second}"));
    let interrupted = start(&daemon, &format!("{second}"));
    settle();
    interrupted.signal(Signal::INT);
    interrupted.wait(PATIENCE).ends_with(75);
    daemon
        .molsieve(&format!("cancel {first}"))
        .run()
        .ends_with(0);
    let any = any.wait(PATIENCE).ends_with(1);
    assert_eq!(any.stdout, format!("job {first} was cancelled\n"));
    assert_eq!(daemon.job(second)["state"], "queued");
    drop(occupant);
}

#[test]
fn wait_survives_a_restart_of_the_daemon() {
    let site = Site::new();
    let mut daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({}));
    let id = site.submit(&daemon, "a", &json!({}));
    let wait = start(&daemon, &format!("{id}"));
    settle();
    daemon.kill();
    settle();
    drop(occupant);
    let daemon = site.daemon();
    let wait = wait.wait(PATIENCE).ends_with(0);
    assert!(
        wait.stdout.starts_with(&format!("job {id} is done")),
        "{}",
        wait.stdout
    );
    assert!(
        wait.stderr.contains("the daemon answers again"),
        "{}",
        wait.stderr
    );
    // A daemon that stops in order ends the request, and the client comes back.
    let occupied = site.folder.path("occupied");
    std::fs::remove_dir_all(occupied).unwrap();
    let occupant = site.occupy(&daemon, &json!({}));
    let id = site.submit(&daemon, "b", &json!({}));
    let wait = start(&daemon, &format!("{id}"));
    settle();
    occupant.resume();
    assert_eq!(daemon.stop(), Some(0));
    let daemon = site.daemon();
    wait.wait(PATIENCE).ends_with(0);
    assert_eq!(daemon.job(id)["state"], "done");
}
