//! The daemon from the user's side: jobs over the socket, from the command line and from two users at once; kills of the
//! daemon and of job processes; concurrency.
//!
//! `MOLSIEVE_DAEMON_KILLS` sets the number of kills (scripts/daemon-kill.sh asks for 100), `MOLSIEVE_KILL_SEED`
//! seeds their times.

use std::{env, path::Path, path::PathBuf, thread, time::Duration};

use crate::kit::{
    Folder,
    daemon::{Daemon, PATIENCE, is_root, settings, within},
    draw::Draw,
    library::{THREE_RULES, rule_file, smiles_lines},
    output::{assert_complete, part_bytes},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A budget for two jobs with [`settings`].
const FOR_TWO: &str = "--memory 400MiB --threads 2 --gpus 0 --retry-delay 0";

/// Inputs of small jobs and their expected output.
struct Work {
    folder: Folder,
    input: PathBuf,
    rules: PathBuf,
}

impl Work {
    /// A library of this many molecules, and three rules.
    fn new(molecules: usize) -> Self {
        let folder = Folder::new();
        let input = folder.write("a.smi", smiles_lines(molecules));
        let rules = rule_file(&folder, &THREE_RULES);
        Self {
            folder,
            input,
            rules,
        }
    }

    fn settings(&self, output: &str) -> Value {
        settings(&self.input, &self.rules, &self.folder.path(output))
    }

    fn daemon(&self) -> Daemon {
        Daemon::start(&self.folder, FOR_TWO)
    }

    /// A job that runs in a daemon, and one that has no room beside it. The daemon is stopped.
    fn submit_two(&self) -> (u64, u64) {
        let daemon = self.daemon();
        let mut large = self.settings("large");
        large["memory"] = json!("400MiB");
        let first = daemon.submit(&self.settings("first"));
        daemon.wait_for(first, "running");
        let second = daemon.submit(&large);
        assert_eq!(daemon.stop(), Some(0));
        (first, second)
    }

    /// The parts that `molsieve run` makes of the same job.
    fn expected(&self) -> Vec<(String, Vec<u8>)> {
        let output = self.folder.path("expected");
        let run = crate::kit::Molsieve::new("run --memory 192MiB --threads 1 --engine cpu")
            .input(&self.input)
            .rules(&self.rules)
            .output(&output)
            .run();
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        part_bytes(&output)
    }

    fn assert_made(&self, output: &str, expected: &[(String, Vec<u8>)]) {
        let output = self.folder.path(output);
        assert_complete(&output);
        assert!(part_bytes(&output) == expected, "{}", output.display());
    }
}

/// The job states in an event stream, in order.
fn states(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut states: Vec<String> = lines
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|job| Some(job["state"].as_str()?.to_owned()))
        .collect();
    states.dedup();
    states
}

#[test]
fn a_job_is_submitted_watched_and_completed_over_the_socket() {
    let work = Work::new(60);
    let daemon = work.daemon();
    let id = daemon.submit(&work.settings("out"));
    let seen = states(daemon.events(id, 0));
    assert_eq!(seen, ["queued", "starting", "running", "done"]);
    let job = daemon.job(id);
    assert_eq!(
        (&job["exit_code"], &job["error"]),
        (&json!(0), &Value::Null)
    );
    assert!(
        job["progress"]["counts"]["products_made"].as_u64() > Some(0),
        "{job:#}"
    );
    work.assert_made("out", &work.expected());
    // The stream can start at any event, even after the last.
    let last = job["seq"].as_u64().unwrap();
    assert_eq!(states(daemon.events(id, last - 1)), ["done"]);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_job_is_submitted_watched_and_completed_from_the_command_line() {
    let work = Work::new(60);
    let daemon = work.daemon();
    let submit = daemon
        .molsieve("submit --wait --memory 192MiB --threads 1 --engine cpu --name mine")
        .input(&work.input)
        .rules(&work.rules)
        .output(work.folder.out())
        .run();
    assert_eq!(submit.code, Some(0), "{} {}", submit.stdout, submit.stderr);
    work.assert_made("out", &work.expected());
    let ls = daemon.molsieve("ls").run();
    assert!(
        ls.stdout.contains("mine") && ls.stdout.contains("done"),
        "{}",
        ls.stdout
    );
    let status = daemon.molsieve("status 1").run();
    let out = work.folder.out();
    assert!(
        status.stdout.contains(out.to_str().unwrap()),
        "{}",
        status.stdout
    );
    let watch = daemon.molsieve("watch 1").run();
    assert_eq!(watch.code, Some(0), "{}", watch.stderr);
    assert_eq!(daemon.molsieve("logs 1").run().code, Some(0));
    assert_eq!(daemon.molsieve("rm 1").run().code, Some(0));
    let gone = daemon.molsieve("status 1").run();
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("no job 1"), "{}", gone.stderr);
    assert!(work.folder.out().join("manifest.json").exists());
}

#[test]
fn a_failed_job_shows_the_error_of_its_process() {
    let work = Work::new(5);
    let daemon = work.daemon();
    let mut settings = work.settings("out");
    settings["input"] = json!(["/nowhere/at/all.smi"]);
    let id = daemon.submit(&settings);
    let job = daemon.wait_for(id, "failed");
    assert_eq!(job["exit_code"], 3);
    assert!(
        job["error"]
            .as_str()
            .unwrap()
            .contains("/nowhere/at/all.smi"),
        "{job:#}"
    );
    let watch = daemon.molsieve(&format!("watch {id}")).run();
    assert_eq!(watch.code, Some(3), "{}", watch.stderr);
}

#[test]
fn an_existing_output_directory_is_refused_overwritten_or_resumed_as_set() {
    let work = Work::new(30);
    let daemon = work.daemon();
    let submit = |mode: &str| {
        let body = json!({ "settings": work.settings("out"), "mode": mode });
        let answer = daemon.request("POST", "/v1/jobs", &body.to_string());
        answer.json()["id"].as_u64().unwrap()
    };
    daemon.wait_for(submit("refuse"), "done");
    let refused = daemon.wait_for(submit("refuse"), "failed");
    assert_eq!(refused["exit_code"], 2, "{refused:#}");
    let manifest = work.folder.out().join("manifest.json");
    let made = || std::fs::metadata(&manifest).unwrap().modified().unwrap();
    let before = made();
    daemon.wait_for(submit("resume"), "done");
    assert_eq!(made(), before);
    daemon.wait_for(submit("overwrite"), "done");
    assert!(made() > before);
    work.assert_made("out", &work.expected());
}

#[test]
fn submissions_with_the_same_key_are_one_job() {
    let work = Work::new(5);
    let daemon = work.daemon();
    let submit = |output: &str| {
        let body = json!({ "settings": work.settings(output) }).to_string();
        let key = "idempotency-key: monday\r\n";
        daemon
            .try_request_with("POST", "/v1/jobs", key, &body)
            .unwrap()
    };
    let (first, again, other) = (submit("out"), submit("out"), submit("else"));
    assert_eq!((first.status, again.status, other.status), (201, 200, 409));
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(other.json()["error"]["code"], "idempotency_conflict");
}

#[test]
fn a_job_too_large_for_the_node_is_refused_with_its_need() {
    let work = Work::new(5);
    let daemon = work.daemon();
    let mut settings = work.settings("out");
    settings["memory"] = json!("1GiB");
    let body = json!({ "settings": settings }).to_string();
    let answer = daemon.request("POST", "/v1/jobs", &body);
    assert_eq!(answer.status, 422, "{answer:?}");
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "too_large");
    assert_eq!(error["needs"]["memory_bytes"], 1u64 << 30, "{error:#}");
    assert_eq!(error["node"]["memory_bytes"], 400u64 << 20, "{error:#}");
}

#[test]
fn users_see_and_stop_their_own_jobs_only() {
    if !is_root() {
        return;
    }
    const NOBODY: u32 = 65_534;
    const OTHER: u32 = 1;
    let work = Work::new(200);
    let daemon = work.daemon();
    open_to_all(&work);
    let input = work.input.to_str().unwrap();
    let rules = work.rules.to_str().unwrap();
    let submit = |uid: u32, input: &str, output: &str| {
        let output = work.folder.path(output);
        let args = [
            "submit",
            "--json",
            "--memory",
            "192MiB",
            "--threads",
            "1",
            "--engine",
            "cpu",
            "--input",
            input,
            "--rules",
            rules,
            "--output",
            output.to_str().unwrap(),
        ];
        let run = daemon.molsieve_as(uid, &args);
        assert_eq!(run.code, Some(0), "{} {}", run.stdout, run.stderr);
        let job: Value = serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
        job["id"].as_u64().unwrap()
    };
    let theirs = submit(NOBODY, input, "nobody/out");
    let id = theirs.to_string();
    let raised = ["set", "--priority", "-1", &id];
    let others = ["status", "watch", "logs", "cancel", "rm"].map(|verb| vec![verb, &id]);
    for args in [&others[..], &[raised.to_vec()]].concat() {
        let verb = args[0];
        let run = daemon.molsieve_as(OTHER, &args);
        assert_eq!(run.code, Some(1), "{verb}: {} {}", run.stdout, run.stderr);
        assert!(
            run.stderr.contains("there is no job"),
            "{verb}: {}",
            run.stderr
        );
    }
    // A user may stand back, and only an admin push forward.
    let set = |priority: &str| daemon.molsieve_as(NOBODY, &["set", &id, "--priority", priority]);
    let run = set("1");
    assert_eq!(run.code, Some(1), "{} {}", run.stdout, run.stderr);
    assert!(run.stderr.contains("only an admin"), "{}", run.stderr);
    assert_eq!(set("-2").code, Some(0));
    assert_eq!(daemon.job(theirs)["priority"], -2);
    let seen = |uid: u32| daemon.molsieve_as(uid, &["ls", "--json"]).stdout;
    assert!(!seen(OTHER).contains("nobody/out") && seen(NOBODY).contains("nobody/out"));
    // A job process has the rights of its user, not those of the daemon.
    let secret = work.folder.write("secret/a.smi", "CO a\n");
    allow(&secret, 0o600);
    allow(secret.parent().unwrap(), 0o755);
    for (input, output) in [(secret.to_str().unwrap(), "nobody/b"), (input, "other/b")] {
        let refused = daemon.wait_for(submit(NOBODY, input, output), "failed");
        let error = refused["error"].as_str().unwrap();
        assert!(
            error.to_lowercase().contains("permission denied"),
            "{error}"
        );
    }
    daemon.wait_for(theirs, "done");
    let made = std::fs::metadata(work.folder.path("nobody/out/manifest.json")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), NOBODY);
    // Root sees and stops all jobs.
    assert_eq!(daemon.molsieve(&format!("rm {id}")).run().code, Some(0));
}

/// Lets other users reach a test's files, and gives two of them a directory each.
fn open_to_all(work: &Work) {
    allow(work.input.parent().unwrap(), 0o755);
    for (name, uid) in [("nobody", 65_534), ("other", 1)] {
        let path = work.folder.path(name);
        std::fs::create_dir(&path).unwrap();
        allow(&path, 0o700);
        std::os::unix::fs::chown(&path, Some(uid), Some(uid)).unwrap();
    }
}

fn allow(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn three_jobs_on_a_budget_for_two_run_two_at_a_time() {
    let work = Work::new(200);
    let daemon = work.daemon();
    let ids = ["a", "b", "c"].map(|output| daemon.submit(&work.settings(output)));
    let mut most = 0;
    let all_done = || {
        let node = daemon.request("GET", "/v1/node", "").json();
        most = most.max(node["admitted"]["threads"].as_u64().unwrap());
        assert!(
            node["admitted"]["memory_bytes"].as_u64() <= node["budget"]["memory_bytes"].as_u64()
        );
        ids.iter().all(|id| daemon.job(*id)["state"] == "done")
    };
    assert!(within(PATIENCE, all_done), "{}", daemon.log());
    assert_eq!(most, 2);
    let expected = work.expected();
    ["a", "b", "c"]
        .iter()
        .for_each(|output| work.assert_made(output, &expected));
}

#[test]
fn a_cancelled_job_stops_and_frees_its_resources() {
    let work = Work::new(600);
    let daemon = work.daemon();
    let ids = ["a", "b", "c"].map(|output| daemon.submit(&work.settings(output)));
    // A queued job ends at once, a running job when its process has stopped.
    for (id, status) in [(ids[2], 200), (ids[0], 202)] {
        let answer = daemon.request("POST", &format!("/v1/jobs/{id}/cancel"), "");
        assert_eq!(answer.status, status, "{answer:?}");
        daemon.wait_for(id, "cancelled");
    }
    daemon.wait_for(ids[0], "cancelled");
    let again = daemon.request("POST", &format!("/v1/jobs/{}/cancel", ids[0]), "");
    assert_eq!(again.status, 200, "{again:?}");
    daemon.wait_for(ids[1], "done");
    assert!(!work.folder.path("a/manifest.json").exists());
}

#[test]
fn the_priority_of_waiting_jobs_can_be_changed_and_survives_a_restart() {
    let work = Work::new(600);
    let one = "--memory 200MiB --threads 1 --gpus 0 --retry-delay 0";
    let daemon = Daemon::start(&work.folder, one);
    let ids = ["a", "b", "c", "d"].map(|output| daemon.submit(&work.settings(output)));
    daemon.wait_for(ids[0], "running");
    let run = daemon
        .molsieve(&format!("set {} {} --priority -4", ids[1], ids[2]))
        .run();
    assert_eq!(run.code, Some(0), "{} {}", run.stdout, run.stderr);
    assert_eq!(
        run.stdout,
        "job 2 has priority -4; it waits for free resources\n\
         job 3 has priority -4; it waits for free resources\n"
    );
    let set = |id: u64, body: &str| daemon.request("PATCH", &format!("/v1/jobs/{id}"), body);
    let answer = set(ids[2], r#"{"priority": 7}"#);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["priority"], 7);
    // Each change is an event of the job.
    assert_eq!(answer.json()["seq"], 3);
    let event = daemon
        .events(ids[2], 2)
        .find(|line| line.starts_with("data: "))
        .unwrap();
    assert!(event.contains(r#""priority":7"#), "{event}");
    assert_eq!(set(ids[2], r#"{"priority": 11}"#).status, 400);
    assert_eq!(set(99, r#"{"priority": 1}"#).status, 404);
    assert!(
        daemon.log().contains("set job 3 of user") && daemon.log().contains("priority 7"),
        "{}",
        daemon.log()
    );
    assert_eq!(daemon.stop(), Some(0));
    let daemon = Daemon::start(&work.folder, one);
    let priorities = ids.map(|id| daemon.job(id)["priority"].as_i64().unwrap());
    assert_eq!(priorities, [0, -4, 7, 0]);
    let started = ids.map(|id| daemon.wait_for(id, "done")["started_at"].to_string());
    assert!(
        started[2] < started[3] && started[3] < started[1],
        "{started:?}"
    );
    let answer = daemon.request("PATCH", "/v1/jobs/3", r#"{"priority": 1}"#);
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (409, &json!("ended"))
    );
    let run = daemon.molsieve("set 3 --priority 1").run();
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("job 3 has ended: it is done"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_stopped_daemon_leaves_jobs_at_a_checkpoint_and_resumes_them() {
    let work = Work::new(600);
    let daemon = work.daemon();
    let ids = ["a", "b", "c"].map(|output| daemon.submit(&work.settings(output)));
    daemon.wait_for(ids[1], "running");
    let running = || daemon.job(ids[0])["progress"]["rows_read"].as_u64() > Some(0);
    assert!(within(PATIENCE, running), "{}", daemon.log());
    let worker = daemon.worker_of(ids[0]).unwrap();
    assert_eq!(daemon.stop(), Some(0));
    assert!(!Path::new(&format!("/proc/{worker}")).exists());
    let daemon = work.daemon();
    let expected = work.expected();
    for (id, output) in ids.into_iter().zip(["a", "b", "c"]) {
        let job = daemon.wait_for(id, "done");
        assert_eq!(job["failures"], 0, "{job:#}");
        work.assert_made(output, &expected);
    }
}

#[test]
fn a_job_too_large_for_a_smaller_node_waits_and_reports_why() {
    let work = Work::new(600);
    let (first, id) = work.submit_two();
    let small = "--memory 200MiB --threads 2 --gpus 0 --retry-delay 0";
    let daemon = Daemon::start(&work.folder, small);
    // It does not delay other jobs.
    daemon.wait_for(first, "done");
    let other = daemon.submit(&work.settings("other"));
    daemon.wait_for(other, "done");
    let status = daemon.molsieve(&format!("status {id}"));
    let said = status.run().ends_with(0);
    assert!(
        said.stdout.contains("needs more than the node has"),
        "{}",
        said.stdout
    );
    assert_eq!(daemon.stop(), Some(0));
    let daemon = work.daemon();
    daemon.wait_for(id, "done");
    assert_complete(&work.folder.path("large"));
}

#[test]
fn a_job_whose_stored_settings_cannot_be_read_fails_and_others_run() {
    let work = Work::new(600);
    let (first, id) = work.submit_two();
    let store = rusqlite::Connection::open(work.folder.path("state/jobs.sqlite3")).unwrap();
    let damage = "UPDATE jobs SET settings = '{\"inputt\": 1}' WHERE id = ?1";
    assert_eq!(store.execute(damage, [id as i64]), Ok(1));
    drop(store);
    let daemon = work.daemon();
    let job = daemon.wait_for(id, "failed");
    let error = job["error"].as_str().unwrap();
    assert!(
        error.contains("stored settings") && error.contains("inputt"),
        "{error}"
    );
    daemon.wait_for(first, "done");
    let other = daemon.submit(&work.settings("other"));
    daemon.wait_for(other, "done");
}

#[test]
fn a_job_process_ends_at_its_next_checkpoint_when_the_daemon_is_killed() {
    let work = Work::new(600);
    let mut daemon = work.daemon();
    let id = daemon.submit(&work.settings("out"));
    daemon.wait_for(id, "running");
    let worker = daemon.worker_of(id).unwrap();
    daemon.kill();
    let gone = || !Path::new(&format!("/proc/{worker}")).exists();
    assert!(within(Duration::from_secs(60), gone));
    let daemon = work.daemon();
    daemon.wait_for(id, "done");
    work.assert_made("out", &work.expected());
}

#[test]
fn a_silent_job_process_is_killed_and_its_job_resumes() {
    let work = Work::new(400);
    let daemon = Daemon::start(&work.folder, &format!("{FOR_TWO} --silence 15"));
    let id = daemon.submit(&work.settings("out"));
    daemon.wait_for(id, "running");
    let worker = Pid::from_raw(daemon.worker_of(id).unwrap() as i32).unwrap();
    kill_process(worker, Signal::STOP).unwrap();
    let ended = || daemon.job(id)["attempts"].as_u64() > Some(1);
    assert!(within(PATIENCE, ended), "{}", daemon.log());
    daemon.wait_for(id, "done");
    work.assert_made("out", &work.expected());
}

#[test]
fn a_job_whose_attempts_make_no_progress_fails() {
    // Large enough that each process is killed before its first row is complete.
    let work = Work::new(621);
    let daemon = Daemon::start(&work.folder, &format!("{FOR_TWO} --retries 3"));
    let id = daemon.submit(&work.settings("out"));
    let failed = || {
        let job = daemon.job(id);
        if let Some(pid) = job["worker_pid"].as_u64() {
            // The process may just have ended.
            kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).ok();
        }
        job["state"] == "failed"
    };
    assert!(within(PATIENCE, failed), "{}", daemon.log());
    let job = daemon.job(id);
    assert_eq!(
        (&job["failures"], &job["attempts"]),
        (&json!(3), &json!(3)),
        "{job:#}"
    );
    let error = job["error"].as_str().unwrap();
    assert!(
        error.contains("3 attempts") && error.contains("SIGKILL"),
        "{error}"
    );
}

#[test]
fn every_job_completes_once_whatever_is_killed_slow() {
    let number = |name: &str, or| {
        env::var(name)
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(or)
    };
    let (kills, seed) = (
        number("MOLSIEVE_DAEMON_KILLS", 8),
        number("MOLSIEVE_KILL_SEED", 2_511),
    );
    let jobs = if kills > 20 { 20 } else { 4 };
    let work = Work::new(if kills > 20 { 600 } else { 200 });
    let flags = format!("{FOR_TWO} --retries 1000");
    let mut draw = Draw(seed);
    let mut daemon = Daemon::start(&work.folder, &flags);
    let mut outputs: Vec<String> = Vec::new();
    let mut ids: Vec<u64> = Vec::new();
    let mut done = [0, 0, 0];
    while done.iter().sum::<u64>() < kills {
        // So many jobs are under way at any time.
        let is_done = |id: &&u64| daemon.job(**id)["state"] == "done";
        let under_way = ids.len() - ids.iter().filter(is_done).count();
        for _ in under_way..jobs {
            let output = format!("out-{}", outputs.len());
            ids.push(daemon.submit(&work.settings(&output)));
            outputs.push(output);
        }
        thread::sleep(Duration::from_millis(draw.below(900) as u64));
        let running = ids.iter().find_map(|id| daemon.worker_of(*id));
        let aim = draw.below(3);
        if aim != 1 {
            daemon.kill();
        }
        if aim != 0
            && let Some(pid) = running
        {
            // The process may just have ended.
            kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).ok();
        }
        if aim != 1 {
            daemon = Daemon::start(&work.folder, &flags);
        }
        done[aim] += 1;
    }
    println!(
        "{} jobs: {} kills of the daemon, {} of a worker, {} of both",
        ids.len(),
        done[0],
        done[1],
        done[2]
    );
    let expected = work.expected();
    for (id, output) in ids.iter().zip(&outputs) {
        daemon.wait_for(*id, "done");
        work.assert_made(output, &expected);
        let ends = states(daemon.events(*id, 0));
        assert_eq!(
            ends.iter().filter(|state| *state == "done").count(),
            1,
            "{ends:?}"
        );
    }
    let listed = daemon.request("GET", "/v1/jobs?limit=1000", "").json();
    assert_eq!(listed["jobs"].as_array().unwrap().len(), ids.len());
}
