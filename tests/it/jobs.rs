//! What is asked of jobs besides their runs: labels, waiting for others, cancelling and forgetting many, arrays, retries
//! and notifications. With the real daemon, real job processes and real signals.

mod array;
mod bulk;
mod dependencies;
mod notify;
mod wait;

use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::kit::{
    Folder,
    daemon::{Daemon, PATIENCE, settings, within},
    library::{THREE_RULES, rule_file, smiles_lines},
};

/// A budget for one job with [`settings`].
const FOR_ONE: &str = "--memory 200MiB --threads 1 --gpus 0 --retry-delay 0";

/// Inputs of small jobs, and a daemon that runs one of them at a time.
struct Site {
    folder: Folder,
    input: PathBuf,
    rules: PathBuf,
}

impl Site {
    fn new() -> Self {
        let folder = Folder::new();
        let input = folder.write("a.smi", smiles_lines(10));
        let rules = rule_file(&folder, &THREE_RULES);
        Self {
            folder,
            input,
            rules,
        }
    }

    fn daemon(&self) -> Daemon {
        Daemon::start(&self.folder, FOR_ONE)
    }

    fn settings(&self, output: &str) -> Value {
        settings(&self.input, &self.rules, &self.folder.path(output))
    }

    /// A body with these options.
    fn body(&self, output: &str, options: &Value) -> String {
        let mut body = json!({ "settings": self.settings(output) });
        for (key, value) in options.as_object().unwrap() {
            body[key] = value.clone();
        }
        body.to_string()
    }

    fn submit(&self, daemon: &Daemon, output: &str, options: &Value) -> u64 {
        let answer = daemon.request("POST", "/v1/jobs", &self.body(output, options));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_u64().unwrap()
    }

    /// Submits a job and stops its process as soon as it runs, so that it occupies the node.
    fn occupy(&self, daemon: &Daemon, options: &Value) -> Occupant {
        let input = self.folder.write("large.smi", smiles_lines(621));
        let large = settings(&input, &self.rules, &self.folder.path("occupied"));
        let mut body = json!({ "settings": large });
        for (key, value) in options.as_object().unwrap() {
            body[key] = value.clone();
        }
        let answer = daemon.request("POST", "/v1/jobs", &body.to_string());
        assert_eq!(answer.status, 201, "{answer:?}");
        let id = answer.json()["id"].as_u64().unwrap();
        daemon.wait_for(id, "running");
        let worker = worker(daemon, id);
        kill_process(worker, Signal::STOP).unwrap();
        Occupant { id, worker }
    }

    /// A job that fails at once: its input does not exist.
    fn submit_failing(&self, daemon: &Daemon, options: &Value) -> u64 {
        let nowhere = PathBuf::from("/nowhere/at/all.smi");
        let mut body =
            json!({ "settings": settings(&nowhere, &self.rules, &self.folder.path("never")) });
        for (key, value) in options.as_object().unwrap() {
            body[key] = value.clone();
        }
        let answer = daemon.request("POST", "/v1/jobs", &body.to_string());
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_u64().unwrap()
    }
}

/// A job whose process is stopped.
struct Occupant {
    id: u64,
    worker: Pid,
}

impl Occupant {
    /// Lets it continue.
    fn resume(&self) {
        kill_process(self.worker, Signal::CONT).unwrap();
    }
}

impl Drop for Occupant {
    fn drop(&mut self) {
        // It may have ended.
        kill_process(self.worker, Signal::CONT).ok();
    }
}

fn worker(daemon: &Daemon, id: u64) -> Pid {
    let mut pid = None;
    let there = || {
        pid = daemon.worker_of(id);
        pid.is_some()
    };
    assert!(within(PATIENCE, there), "{}", daemon.log());
    Pid::from_raw(pid.unwrap() as i32).unwrap()
}

#[test]
fn jobs_are_labelled_listed_by_label_and_shown_with_them() {
    let site = Site::new();
    let daemon = site.daemon();
    let submit = |flags: &str, output: &str| {
        let run = daemon
            .molsieve(&format!(
                "submit --memory 192MiB --threads 1 --engine cpu {flags}"
            ))
            .input(&site.input)
            .rules(&site.rules)
            .output(site.folder.path(output))
            .run();
        run.ends_with(0)
    };
    submit("--label campaign=phenols --label urgent", "a");
    submit("--label campaign=phenols,plate-7", "b");
    submit("", "c");
    let listed = |flags: &str| -> Vec<u64> {
        let run = daemon
            .molsieve(&format!("ls --json {flags}"))
            .run()
            .ends_with(0);
        run.json_lines()
            .iter()
            .map(|job| job["id"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(listed(""), [3, 2, 1]);
    assert_eq!(listed("--label campaign=phenols"), [2, 1]);
    assert_eq!(listed("--label campaign=phenols --label urgent"), [1]);
    assert_eq!(listed("--label campaign"), [0u64; 0]);
    assert_eq!(
        daemon.job(2)["labels"],
        json!(["campaign=phenols", "plate-7"])
    );
    let status = daemon.molsieve("status 1").run().ends_with(0).stdout;
    assert!(
        status.contains("labels     campaign=phenols urgent"),
        "{status}"
    );
    let page = daemon
        .request("GET", "/v1/jobs?label=urgent&limit=5", "")
        .json();
    assert_eq!(page["jobs"][0]["id"], 1);
    assert_eq!(page["jobs"].as_array().unwrap().len(), 1);
    let run = daemon.molsieve("submit --label a,b! -i x.smi -o out").run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
}

#[test]
fn a_job_without_retries_fails_when_its_process_is_killed() {
    let site = Site::new();
    let daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({ "retries": 0 }));
    assert_eq!(daemon.job(occupant.id)["retries"], 0);
    kill_process(occupant.worker, Signal::KILL).unwrap();
    let job = daemon.wait_for(occupant.id, "failed");
    assert_eq!(job["attempts"], 1, "{job:#}");
    let error = job["error"].as_str().unwrap();
    assert!(error.contains("SIGKILL"), "{error}");
    // Without the flag the daemon's own number counts: the job is resumed.
    let mut other = site.settings("other");
    other["input"] = json!([site.folder.path("large.smi")]);
    let id = daemon.submit(&other);
    daemon.wait_for(id, "running");
    kill_process(worker(&daemon, id), Signal::KILL).unwrap();
    let job = daemon.wait_for(id, "done");
    assert!(job["attempts"].as_u64() > Some(1), "{job:#}");
}
