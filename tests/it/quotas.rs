//! Several users of one daemon: quotas, a full queue, and shares by recent use.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream, process::CommandExt},
    path::Path,
    process::Command,
    thread,
};

use crate::kit::{
    Folder,
    daemon::{Answer, Daemon, is_root, settings},
    library::{THREE_RULES, rule_file, smiles_lines},
    only_test,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const NOBODY: u32 = 65_534;
const SECOND: u32 = 1;
const THIRD: u32 = 2;

/// What the child process of a test is to send: the socket, the number of requests and the body.
const FLOOD: &str = "MOLSIEVE_TEST_FLOOD";
/// Connections of the child process.
const CONNECTIONS: u64 = 8;

/// Not a test itself: the tests below run it in a process of another user. Submits jobs as fast as it can, and prints
/// how many answers had each status, and the last body that was not a job.
#[test]
fn in_a_process_of_another_user() {
    let Ok(flood) = env::var(FLOOD) else {
        return;
    };
    let flood: Value = serde_json::from_str(&flood).unwrap();
    let socket = flood["socket"].as_str().unwrap();
    let (count, body) = (flood["count"].as_u64().unwrap(), flood["body"].to_string());
    let work = || {
        let mut stream = BufReader::new(UnixStream::connect(socket).unwrap());
        let answers = (0..count / CONNECTIONS).map(|_| post(&mut stream, &body));
        answers.collect::<Vec<_>>()
    };
    let answers: Vec<(u16, String)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        let answers = workers.into_iter().map(|worker| worker.join().unwrap());
        answers.flatten().collect()
    });
    let accepted = answers.iter().filter(|answer| answer.0 == 201).count();
    let refused = answers.iter().rfind(|answer| answer.0 != 201);
    let refused =
        refused.map(|(status, body)| (status, serde_json::from_str::<Value>(body).unwrap()));
    println!(
        "\nanswer: {}",
        json!({ "accepted": accepted, "refused": refused })
    );
}

fn post(stream: &mut BufReader<UnixStream>, body: &str) -> (u16, String) {
    let length = body.len();
    let head = "POST /v1/jobs HTTP/1.1\r\nhost: m\r\ncontent-type: application/json";
    write!(
        stream.get_mut(),
        "{head}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(code) = line.strip_prefix("http/1.1 ") {
            status = code[..3].parse().unwrap();
        } else if let Some(bytes) = line.strip_prefix("content-length: ") {
            length = bytes.parse().unwrap();
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}

/// Submits `count` jobs as another user. Returns the number of accepted ones, and status and body of a refusal.
fn flood(daemon: &Daemon, uid: u32, count: u64, body: &Value) -> (u64, Value) {
    let flood = json!({ "socket": daemon.socket, "count": count, "body": body });
    let mut child = Command::new(env::current_exe().unwrap());
    child
        .args(only_test(module_path!(), "in_a_process_of_another_user"))
        .env(FLOOD, flood.to_string())
        .current_dir("/")
        .uid(uid)
        .gid(uid);
    let output = child.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answer = text.lines().find_map(|line| line.strip_prefix("answer: "));
    let answer: Value = serde_json::from_str(answer.unwrap_or_else(|| panic!("{text}"))).unwrap();
    (
        answer["accepted"].as_u64().unwrap(),
        answer["refused"].clone(),
    )
}

/// A daemon for jobs of all users, with a library, rules and an output folder for each user.
struct Shared {
    folder: Folder,
    daemon: Daemon,
}

impl Shared {
    /// A budget for this many jobs at a time.
    fn new(jobs: u32, file: &str) -> Self {
        let folder = Folder::new();
        folder.write("molsieve.toml", file);
        folder.write("a.smi", smiles_lines(40));
        folder.write("long.smi", smiles_lines(100_000));
        rule_file(&folder, &THREE_RULES);
        for uid in [NOBODY, SECOND, THIRD] {
            let own = folder.path(&uid.to_string());
            std::fs::create_dir(&own).unwrap();
            std::os::unix::fs::chown(&own, Some(uid), Some(uid)).unwrap();
        }
        open(&folder.path(""), 0o755);
        let memory = 200 * jobs;
        let flags = format!("--memory {memory}MiB --threads {jobs} --gpus 0 --retry-delay 0");
        let daemon = Daemon::start(&folder, &flags);
        Self { folder, daemon }
    }

    fn settings(&self, uid: u32, input: &str, output: &str) -> Value {
        let output = self.folder.path(&format!("{uid}/{output}"));
        let rules = self.folder.path("rules.toml");
        settings(&self.folder.path(input), &rules, &output)
    }

    /// A job of root that keeps the node busy. Its output is in the folder itself.
    fn keep_busy(&self) -> Paused<'_> {
        let rules = self.folder.path("rules.toml");
        let long = settings(
            &self.folder.path("long.smi"),
            &rules,
            &self.folder.path("busy"),
        );
        Paused::new(&self.daemon, self.daemon.submit(&long))
    }

    fn submit_as(&self, uid: u32, input: &str, output: &str) -> (Option<i32>, String) {
        let output = self.folder.path(&format!("{uid}/{output}"));
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let (input, output) = (path(&self.folder.path(input)), path(&output));
        let rules = path(&self.folder.path("rules.toml"));
        let words = format!(
            "submit --json --memory 192MiB --threads 1 --engine cpu --input {input} --rules {rules} --output {output}"
        );
        let run = self
            .daemon
            .molsieve_as(uid, &words.split(' ').collect::<Vec<_>>());
        (run.code, run.stdout + &run.stderr)
    }

    fn accepted_as(&self, uid: u32, output: &str) -> u64 {
        let (code, said) = self.submit_as(uid, "a.smi", output);
        assert_eq!(code, Some(0), "{said}");
        let job: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        job["id"].as_u64().unwrap()
    }
}

/// A running job whose process is stopped by a signal, so that it stays until it is cancelled.
struct Paused<'a> {
    daemon: &'a Daemon,
    id: u64,
    process: Pid,
}

impl<'a> Paused<'a> {
    fn new(daemon: &'a Daemon, id: u64) -> Self {
        daemon.wait_for(id, "running");
        let process = daemon.worker_of(id).unwrap();
        let process = Pid::from_raw(process as i32).unwrap();
        kill_process(process, Signal::STOP).unwrap();
        Self {
            daemon,
            id,
            process,
        }
    }

    fn cancel(&self) {
        kill_process(self.process, Signal::CONT).unwrap();
        let cancel = self.daemon.molsieve(&format!("cancel {}", self.id)).run();
        assert_eq!(cancel.code, Some(0), "{}", cancel.stderr);
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        // It ends with its daemon.
        kill_process(self.process, Signal::CONT).ok();
    }
}

fn open(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_user_who_submits_20000_jobs_keeps_nobody_out_slow() {
    if !is_root() {
        return;
    }
    let shared = Shared::new(1, "");
    let daemon = &shared.daemon;
    let busy = shared.keep_busy();
    let job = shared.settings(NOBODY, "a.smi", "out");
    let (accepted, refused) = flood(daemon, NOBODY, 20_000, &json!({ "settings": job }));
    assert_eq!(accepted, 5_000, "{refused}");
    assert_eq!(refused[0], 429, "{refused}");
    assert_eq!(refused[1]["error"]["code"], "quota");
    let message = refused[1]["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("your quota is 5,000 waiting jobs, and 5,000 wait"),
        "{message}"
    );
    // Root and another user get in, and the daemon says that it is ready.
    daemon.submit(&shared.settings(NOBODY, "a.smi", "roots"));
    shared.accepted_as(SECOND, "out");
    assert_eq!(daemon.request("GET", "/readyz", "").status, 200);
    let standing = daemon
        .request("GET", &format!("/v1/users/{NOBODY}"), "")
        .json();
    assert_eq!(standing["used"]["waiting"], 5_000, "{standing:#}");
    assert_eq!(
        (&standing["exempt"], &standing["user"]["name"]),
        (&json!(false), &json!("nobody"))
    );
    let memory = daemon.peak_memory_bytes();
    assert!(memory < 64 << 20, "{memory}");
    assert_eq!(daemon.job(busy.id)["state"], "running");
}

#[test]
fn a_running_quota_holds_jobs_back_and_status_says_why() {
    if !is_root() {
        return;
    }
    let file = "[quota.user.nobody]\nthreads = 1\n[quota.group.bin]\nwaiting = 0\n";
    let shared = Shared::new(2, file);
    let daemon = &shared.daemon;
    let (code, said) = shared.submit_as(NOBODY, "long.smi", "first");
    assert_eq!(code, Some(0), "{said}");
    let first = Paused::new(daemon, 1);
    let second = shared.accepted_as(NOBODY, "second");
    let status = daemon.molsieve_as(NOBODY, &["status", &second.to_string()]);
    let expected = "holds the job back: 1 thread, of which 1 are in use; the job needs 1";
    assert!(
        status.stdout.contains(expected),
        "{}{}",
        status.stdout,
        status.stderr
    );
    // A job above the quota alone is refused at once, and so is one of a group that may have none waiting.
    let mut large = shared.settings(NOBODY, "a.smi", "large");
    large["threads"] = json!(2);
    let (accepted, refused) = flood(daemon, NOBODY, CONNECTIONS, &json!({ "settings": large }));
    assert_eq!((accepted, &refused[0]), (0, &json!(429)), "{refused}");
    let message = refused[1]["error"]["message"].as_str().unwrap();
    assert!(message.contains("your quota is 1 thread"), "{message}");
    let (code, said) = shared.submit_as(THIRD, "a.smi", "out");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("your quota is 0 waiting jobs"), "{said}");
    let own = daemon.molsieve_as(NOBODY, &["status", "1"]);
    assert!(!own.stdout.contains("holds the job back"), "{}", own.stdout);
    first.cancel();
    daemon.wait_for(second, "done");
}

/// The bound of docs/operating.md for users who are new: they wait for the end of a job that runs, not for those of the
/// user who floods.
#[test]
fn three_users_of_whom_one_floods_start_within_the_bound() {
    if !is_root() {
        return;
    }
    let shared = Shared::new(1, "");
    let daemon = &shared.daemon;
    let busy = shared.keep_busy();
    let job = shared.settings(NOBODY, "a.smi", "out");
    // Each replaces what the one before has written.
    let body = json!({ "settings": job, "mode": "overwrite" });
    let (accepted, _) = flood(daemon, NOBODY, 200, &body);
    assert_eq!(accepted, 200);
    let others: Vec<u64> = (0..3)
        .flat_map(|n| [SECOND, THIRD].map(|uid| shared.accepted_as(uid, &format!("out{n}"))))
        .collect();
    busy.cancel();
    for id in &others {
        daemon.wait_for(*id, "done");
    }
    let started = |id: u64| daemon.job(id)["started_at"].as_str().map(str::to_owned);
    let last = others.iter().filter_map(|id| started(*id)).max().unwrap();
    let flooded = (busy.id + 1..=busy.id + 200).filter_map(started);
    let before = flooded.filter(|at| *at < last).count();
    // The three users have used about as much by then, so no more jobs of the flood than of both others.
    assert!(
        before <= 6,
        "{before} jobs of the flood started before the last of the others"
    );
    let log = daemon.request("GET", "/v1/users/1", "").json();
    assert!(log["recent_use"].as_f64().unwrap() > 0.0, "{log:#}");
}

#[test]
fn recent_use_survives_a_restart() {
    if !is_root() {
        return;
    }
    let shared = Shared::new(1, "");
    let id = shared.accepted_as(SECOND, "out");
    shared.daemon.wait_for(id, "done");
    let used = |daemon: &Daemon| {
        let user = daemon.request("GET", "/v1/users/1", "").json();
        user["recent_use"].as_f64().unwrap()
    };
    let before = used(&shared.daemon);
    assert!(before > 0.0);
    let Shared { folder, daemon } = shared;
    assert_eq!(daemon.stop(), Some(0));
    let daemon = Daemon::start(&folder, "--memory 200MiB --threads 1 --gpus 0");
    let after = used(&daemon);
    assert!(
        after > before * 0.9 && after <= before,
        "{before} and then {after}"
    );
}

#[test]
fn users_see_their_own_quota_and_admins_every_ones() {
    if !is_root() {
        return;
    }
    let shared = Shared::new(2, "[quota]\nthreads = \"50%\"\n");
    let get = |path: &str| shared.daemon.request("GET", path, "");
    let me = get("/v1/users/me").json();
    assert_eq!(
        (&me["exempt"], &me["quota"]["threads"]),
        (&json!(true), &Value::Null)
    );
    let nobody = get(&format!("/v1/users/{NOBODY}")).json();
    assert_eq!(nobody["quota"]["threads"], 1, "{nobody:#}");
    for path in [
        "/v1/users/",
        "/v1/users/01",
        "/v1/users/nobody",
        "/v1/users/4294967296",
    ] {
        let Answer { status, .. } = get(path);
        assert_eq!(status, 404, "{path}");
    }
}
