//! Jobs that wait for others.

use std::time::Duration;

use serde_json::json;

use super::Site;
use crate::kit::daemon::{PATIENCE, is_root, within};

#[test]
fn a_job_starts_after_those_that_it_names_are_done_also_when_the_daemon_was_killed_meanwhile() {
    let site = Site::new();
    let mut daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({}));
    let first = occupant.id;
    let second = site.submit(&daemon, "b", &json!({ "after": [first] }));
    let third = site.submit(
        &daemon,
        "c",
        &json!({ "after": [second], "after_any": [first] }),
    );
    let free = site.submit(&daemon, "d", &json!({}));
    let job = daemon.job(third);
    assert_eq!(job["waits_for_jobs"], json!([first, second]));
    assert_eq!(
        (&job["after"], &job["after_any"]),
        (&json!([second]), &json!([first]))
    );
    let status = daemon
        .molsieve(&format!("status {third}"))
        .run()
        .ends_with(0)
        .stdout;
    assert!(
        status.contains("queued: it waits for jobs 1, 2"),
        "{status}"
    );
    let list = daemon.molsieve("ls").run().ends_with(0).stdout;
    assert!(
        list.contains("queued after 1 +1") && list.contains("queued after 1 "),
        "{list}"
    );
    let figures = daemon.request("GET", "/metrics", "").body;
    assert!(figures.contains("molsieve_jobs_waiting 3"), "{figures}");
    daemon.kill();
    drop(occupant);
    let daemon = site.daemon();
    for id in [first, second, third, free] {
        daemon.wait_for(id, "done");
    }
    let times = |id: u64| {
        let job = daemon.job(id);
        let time = |key: &str| {
            job[key]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .unwrap()
        };
        (time("started_at"), time("ended_at"))
    };
    assert!(times(first).1 <= times(second).0);
    assert!(times(second).1 <= times(third).0);
    assert_eq!(daemon.job(third)["waits_for_jobs"], json!([]));
}

#[test]
fn what_waits_for_a_job_that_fails_is_cancelled_and_what_waits_for_that_too() {
    let site = Site::new();
    let daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({}));
    let failing = site.submit_failing(&daemon, &json!({}));
    let second = site.submit(&daemon, "b", &json!({ "after": [failing] }));
    let third = site.submit(&daemon, "c", &json!({ "after": [second] }));
    let whatever = site.submit(&daemon, "d", &json!({ "after_any": [failing, third] }));
    occupant.resume();
    daemon.wait_for(failing, "failed");
    let job = daemon.wait_for(second, "cancelled");
    let error = job["error"].as_str().unwrap();
    assert_eq!(
        error,
        format!("job {failing}, which it was to wait for, has failed")
    );
    assert_eq!(
        (&job["cancel_asked"], &job["started_at"]),
        (&json!(false), &json!(null))
    );
    let job = daemon.wait_for(third, "cancelled");
    let error = job["error"].as_str().unwrap();
    assert_eq!(
        error,
        format!("job {second}, which it was to wait for, was cancelled")
    );
    let watch = daemon.molsieve(&format!("watch {third}")).run();
    assert_eq!(watch.code, Some(1));
    assert!(
        watch.stderr.contains("which it was to wait for"),
        "{}",
        watch.stderr
    );
    daemon.wait_for(whatever, "done");
    // One that is submitted later has the same end.
    let late = site.submit(&daemon, "e", &json!({ "after": [failing] }));
    let job = daemon.job(late);
    assert_eq!(job["state"], "cancelled", "{job:#}");
    let late = site.submit(
        &daemon,
        "e",
        &json!({ "after_any": [failing], "after": [whatever] }),
    );
    daemon.wait_for(late, "done");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_cancelled_job_takes_along_those_that_wait_for_it_and_ended_ones_may_be_forgotten() {
    let site = Site::new();
    let daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({}));
    let first = site.submit(&daemon, "a", &json!({}));
    let second = site.submit(&daemon, "b", &json!({ "after": [first] }));
    daemon
        .molsieve(&format!("cancel {first}"))
        .run()
        .ends_with(0);
    daemon.wait_for(second, "cancelled");
    daemon
        .molsieve(&format!("rm {first} {second}"))
        .run()
        .ends_with(0);
    let gone = site.body("c", &json!({ "after": [first] }));
    let answer = daemon.request("POST", "/v1/jobs", &gone);
    assert_eq!(answer.status, 404, "{answer:?}");
    // A job cannot name itself or a later one.
    let later = site.body("c", &json!({ "after": [occupant.id, 99] }));
    let answer = daemon.request("POST", "/v1/jobs", &later);
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(answer.body.contains("there is no job 99"), "{answer:?}");
    // The same submission again is the same job, also when its dependency is forgotten.
    let key = "idempotency-key: monday\r\n";
    let done = site.submit(&daemon, "d", &json!({}));
    let once = site.body("e", &json!({ "after": [done] }));
    let submit = || {
        daemon
            .try_request_with("POST", "/v1/jobs", key, &once)
            .unwrap()
    };
    let before = submit();
    assert_eq!(before.status, 201, "{before:?}");
    occupant.resume();
    let id = before.json()["id"].as_u64().unwrap();
    daemon.wait_for(id, "done");
    daemon.molsieve(&format!("rm {done}")).run().ends_with(0);
    let again = submit();
    assert_eq!((again.status, &again.json()["id"]), (200, &json!(id)));
}

#[test]
fn a_chain_from_the_command_line_runs_in_its_order() {
    let site = Site::new();
    let daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({}));
    let submit = |flags: &str, output: &str| {
        let run = daemon
            .molsieve(&format!(
                "submit --json --memory 192MiB --threads 1 --engine cpu {flags}"
            ))
            .input(&site.input)
            .rules(&site.rules)
            .output(site.folder.path(output))
            .run();
        run.ends_with(0).json_lines()[0]["id"].as_u64().unwrap()
    };
    let last = submit(&format!("--after {} --retries 2", occupant.id), "a");
    let merge = submit(
        &format!("--after {last},{} --after-any {last}", occupant.id),
        "b",
    );
    let job = daemon.job(merge);
    assert_eq!(
        (&job["after"], &job["after_any"]),
        (&json!([1, last]), &json!([]))
    );
    let set = daemon.molsieve(&format!("set {merge} --priority -1")).run();
    assert!(set.ends_with(0).stdout.contains("waits for jobs"));
    let watch = daemon.molsieve(&format!("watch {merge}")).start();
    std::thread::sleep(Duration::from_millis(300));
    occupant.resume();
    let watch = watch.wait(PATIENCE);
    assert_eq!(watch.code, Some(0), "{}", watch.stderr);
    assert!(
        watch.stderr.contains(&format!("waits for jobs 1, {last}")),
        "{}",
        watch.stderr
    );
    assert!(
        watch.stderr.contains(&format!("waits for job {last}\n")),
        "{}",
        watch.stderr
    );
}

#[test]
fn another_users_job_cannot_be_waited_for() {
    if !is_root() {
        return;
    }
    let site = Site::new();
    let daemon = site.daemon();
    let id = site.submit(&daemon, "a", &json!({})).to_string();
    assert!(within(PATIENCE, || daemon.job(1)["state"] == "done"));
    for flag in ["--after", "--after-any"] {
        let args = ["submit", "-i", "/nowhere.smi", "-o", "/tmp/none", flag, &id];
        let run = daemon.molsieve_as(65_534, &args);
        assert_eq!(run.code, Some(1), "{} {}", run.stdout, run.stderr);
        assert!(run.stderr.contains("there is no job 1"), "{}", run.stderr);
    }
}
