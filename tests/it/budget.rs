//! A budget that shrank: a job that no longer fits says so everywhere, and starts once its memory and threads are lowered.

use std::{os::unix::fs::PermissionsExt, path::PathBuf};

use crate::kit::{
    Folder, Molsieve,
    daemon::{Daemon, PATIENCE, is_root, settings, within},
    library::{shipped_rules, smiles_lines},
    output::Made,
};
use serde_json::{Value, json};

const LARGE: &str = "--memory 600MiB --threads 3 --gpus 0 --retry-delay 0";
const SMALL: &str = "--memory 280MiB --threads 2 --gpus 0 --retry-delay 0";

struct Work {
    folder: Folder,
    input: PathBuf,
    rules: PathBuf,
}

impl Work {
    fn new(molecules: usize) -> Self {
        Self::with(&smiles_lines(molecules))
    }

    /// With this library.
    fn with(lines: &str) -> Self {
        let folder = Folder::new();
        Self {
            input: folder.write("a.smi", lines),
            rules: shipped_rules(),
            folder,
        }
    }

    /// The settings of a job for the large budget.
    fn settings(&self, output: &str) -> Value {
        let mut settings = settings(&self.input, &self.rules, &self.folder.path(output));
        settings["memory"] = json!("512MiB");
        settings["threads"] = json!(3);
        settings["part_size"] = json!("64KiB");
        settings["false_positive_rate"] = json!(0.3);
        settings
    }

    /// What an uninterrupted run makes of them.
    fn expected(&self) -> Made {
        let out = self.folder.path("expected");
        Molsieve::new("run --memory 512MiB --threads 3 --engine cpu --part-size 64KiB")
            .args("--false-positive-rate 0.3")
            .input(&self.input)
            .rules(&self.rules)
            .output(&out)
            .run()
            .ends_with(0);
        Made::at(&out)
    }
}

fn gauge(daemon: &Daemon, name: &str) -> u64 {
    let text = daemon.request("GET", "/metrics", "").body;
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{name} ")));
    let line = line.unwrap_or_else(|| panic!("{name}: {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn set(daemon: &Daemon, id: u64, body: &str) -> (u16, Value) {
    let answer = daemon.request("PATCH", &format!("/v1/jobs/{id}"), body);
    (answer.status, answer.json())
}

#[test]
fn a_job_that_no_longer_fits_says_so_everywhere_and_starts_with_less_memory() {
    // Long enough to be stopped on the way.
    let work = Work::with(&smiles_lines(600).repeat(10));
    let daemon = Daemon::start(&work.folder, LARGE);
    let first = daemon.submit(&work.settings("first"));
    let second = daemon.submit(&work.settings("second"));
    let works = || daemon.job(first)["progress"]["counts"]["products_made"].as_u64() > Some(500);
    assert!(within(PATIENCE, works), "{}", daemon.log());
    assert_eq!(daemon.job(second)["waits_for"], "resources");
    assert_eq!(daemon.job(first)["waits_for"], Value::Null);
    assert_eq!(gauge(&daemon, "molsieve_jobs_too_large"), 0);
    assert_eq!(daemon.stop(), Some(0));

    let daemon = Daemon::start(&work.folder, SMALL);
    for (id, state) in [(first, "interrupted"), (second, "queued")] {
        let job = daemon.job(id);
        assert_eq!(
            (&job["state"], &job["waits_for"]),
            (&json!(state), &json!("larger_budget"))
        );
        let said =
            format!("job {id} needs 512 MiB, 3 threads, and the node has 280 MiB, 2 threads");
        assert_eq!(daemon.log().matches(&said).count(), 1, "{}", daemon.log());
        let status = daemon.molsieve(&format!("status {id}")).run().ends_with(0);
        let says = format!("or until molsieve set {id} --memory SIZE --threads N lowers");
        assert!(status.stdout.contains(&says), "{}", status.stdout);
    }
    assert_eq!(gauge(&daemon, "molsieve_jobs_too_large"), 2);
    let ls = daemon.molsieve("ls").run().ends_with(0).stdout;
    assert!(
        ls.contains("interrupted, too large") && ls.contains("queued, too large"),
        "{ls}"
    );

    // What does not fit either is refused as a submission would be.
    let (status, answer) = set(&daemon, first, r#"{"memory": "300MiB", "threads": 1}"#);
    assert_eq!(
        (status, &answer["error"]["code"]),
        (422, &json!("too_large"))
    );
    let run = daemon.molsieve(&format!("set {first} {second} --memory 256MiB --threads 1"));
    let said = run.run().ends_with(0).stdout;
    assert!(
        said.starts_with("job 1 has 256 MiB, 1 thread; it "),
        "{said}"
    );
    let expected = work.expected();
    for (id, output) in [(first, "first"), (second, "second")] {
        let job = daemon.wait_for(id, "done");
        assert_eq!(job["settings"]["memory"], "256MiB", "{job:#}");
        assert_eq!(job["settings"]["threads"], 1, "{job:#}");
        assert_eq!(job["demand"]["memory_bytes"], 256 << 20, "{job:#}");
        assert_complete_with(&work, output, id == first, &expected);
    }
    assert_eq!(gauge(&daemon, "molsieve_jobs_too_large"), 0);
    let log = daemon.log();
    assert!(
        log.contains("set job 1 of user") && log.contains("memory 256 MiB, threads 1"),
        "{log}"
    );
}

/// The run that was begun with more memory has the bytes of such a run; the other one was begun with less.
fn assert_complete_with(work: &Work, output: &str, begun_before: bool, expected: &Made) {
    let made = Made::at(&work.folder.path(output));
    match begun_before {
        true => made.assert_is(expected),
        false => assert_eq!(
            made.counts["products_unique"],
            expected.counts["products_unique"]
        ),
    }
}

#[test]
fn memory_and_threads_of_a_running_job_stay_and_changes_survive_a_restart() {
    // Long enough to be stopped on the way.
    let work = Work::with(&smiles_lines(600).repeat(10));
    let daemon = Daemon::start(&work.folder, LARGE);
    let first = daemon.submit(&work.settings("first"));
    let second = daemon.submit(&work.settings("second"));
    daemon.wait_for(first, "running");
    let (status, answer) = set(&daemon, first, r#"{"memory": "256MiB"}"#);
    assert_eq!(
        (status, &answer["error"]["code"]),
        (409, &json!("not_waiting"))
    );
    let run = daemon.molsieve(&format!("set {first} --threads 1")).run();
    assert_eq!(run.code, Some(1));
    let says = "job 1 is running: its memory and threads can be changed only while it waits";
    assert!(run.stderr.contains(says), "{}", run.stderr);
    // What it has already is no change.
    assert_eq!(
        set(&daemon, first, r#"{"memory": "512MiB", "threads": 3}"#).0,
        200
    );
    for (body, field) in [
        (r#"{"memory": "apples"}"#, "memory"),
        (r#"{"memory": "9EiB"}"#, "memory"),
        (r#"{"threads": 0}"#, "threads"),
        (r#"{"threads": 9999}"#, "threads"),
    ] {
        let (status, answer) = set(&daemon, second, body);
        assert_eq!(
            (status, &answer["error"]["field"]),
            (400, &json!(field)),
            "{answer}"
        );
    }
    let (status, job) = set(&daemon, second, r#"{"memory": 201326592, "priority": -2}"#);
    assert_eq!(
        (status, &job["settings"]["memory"]),
        (200, &json!("192MiB"))
    );
    assert_eq!(
        (&job["seq"], &job["demand"]["threads"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(daemon.stop(), Some(0));
    let daemon = Daemon::start(&work.folder, "--memory 150MiB --threads 3 --gpus 0");
    let job = daemon.job(second);
    assert_eq!(job["settings"]["memory"], "192MiB");
    assert_eq!(job["demand"]["memory_bytes"], 192 << 20);
    assert_eq!(
        (&job["priority"], &job["mode"]),
        (&json!(-2), &json!("refuse"))
    );
}

#[test]
fn another_users_job_is_not_changed_and_the_log_has_both_names() {
    if !is_root() {
        return;
    }
    let work = Work::new(600);
    std::fs::set_permissions(work.folder.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    let daemon = Daemon::start(&work.folder, LARGE);
    // It fills the node, so that the others wait.
    let filling = work.settings("filling");
    let first = daemon.submit(&filling).to_string();
    let body = [
        "--input",
        "/nowhere/a.smi",
        "--output",
        "/nowhere/out",
        "--memory",
        "600MiB",
    ];
    let submit = [["submit"].as_slice(), &body, &["--threads", "1"]].concat();
    let submitted = daemon.molsieve_as(4_711, &submit);
    assert_eq!(submitted.code, Some(0), "{submitted:?}");
    let set = daemon.molsieve_as(4_711, &["set", &first, "--memory", "1MiB"]);
    assert_eq!(set.code, Some(1), "{set:?}");
    assert!(set.stderr.contains("there is no job 1"), "{set:?}");
    let by_user = r#"action="set" job=2 actor=4711"#;
    assert!(!daemon.log().contains(by_user), "{}", daemon.log());
    let set = daemon.molsieve("set 2 --memory 590MiB").run();
    assert_eq!(set.code, Some(0), "{set:?}");
    let log = daemon.log();
    let line = log
        .lines()
        .find(|line| line.contains("set job 2 of user 4711: memory 590 MiB"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(
        line.contains("owner=4711") && line.contains("actor=0"),
        "{line}"
    );
    let set = daemon.molsieve_as(4_711, &["set", "2", "--threads", "2"]);
    assert_eq!(set.code, Some(0), "{set:?}");
    assert!(daemon.log().contains(by_user), "{}", daemon.log());
}
