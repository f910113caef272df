//! The job process as the daemon uses it: it receives an order on standard input, whose end tells it that the daemon is
//! gone, and writes events to standard output.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{MetadataExt, PermissionsExt, chown},
            net::UnixStream,
        },
    },
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::kit::{
    Folder, assert_absent,
    daemon::is_root,
    library::{SmallJob, shipped_library, shipped_rules},
    output::{self, assert_complete},
    wait_until,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const GO: &str = "{\"go\":true}\n";
/// Time limit for a job process.
const WORKER_TIME_MAX: Duration = Duration::from_secs(120);
const NOBODY: u32 = 65_534;

/// A job process and the daemon's end of its standard input.
struct Worker {
    child: Child,
    lifeline: Option<UnixStream>,
    said: File,
}

impl Worker {
    fn start(order: &Value) -> Self {
        let mut worker = Self::without_order(|_| {});
        worker.tell(&format!("{order}\n"));
        worker
    }

    fn without_order(adjust: impl FnOnce(&mut Command)) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        // All writers share one file offset, as with a pipe.
        let said = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_molsieve"));
        command
            .arg("worker")
            .env_remove("MOLSIEVE_LOG")
            .stdin(OwnedFd::from(theirs))
            .stdout(said.reopen().unwrap())
            .stderr(Stdio::null());
        adjust(&mut command);
        Self {
            child: command.spawn().unwrap(),
            lifeline: Some(ours),
            said: said.into_file(),
        }
    }

    /// Writes to its standard input. If the process has ended, its exit code shows it.
    fn tell(&mut self, text: &str) {
        let _ = self.lifeline.as_mut().unwrap().write_all(text.as_bytes());
    }

    /// The events so far, from complete lines.
    fn events(&self) -> Vec<Value> {
        use std::os::unix::fs::FileExt;
        let mut text = vec![0; self.said.metadata().unwrap().len() as usize];
        self.said.read_exact_at(&mut text, 0).unwrap();
        let text = String::from_utf8(text).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let events: Vec<Value> = whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect();
        assert!(events.iter().all(|event| event["version"] == 1), "{text}");
        events
    }

    fn has_said(&self, name: &str) -> usize {
        let events = self.events();
        events.iter().filter(|event| event["event"] == name).count()
    }

    fn wait_for_plan(&self) {
        wait_until("the plan", || self.has_said("planned") == 1);
    }

    /// The exit code and the last event other than `alive`.
    fn wait(mut self) -> (Option<i32>, Value) {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > WORKER_TIME_MAX {
                self.child.kill().unwrap();
                panic!("it hangs; it said {:?}", self.events());
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        let mut events = self.events();
        events.retain(|event| event["event"] != "alive");
        (status.code(), events.pop().unwrap_or_default())
    }

    #[track_caller]
    fn ends_with(self, code: i32, event: &str) -> Value {
        let (exit, last) = self.wait();
        assert_eq!(exit, Some(code), "{last}");
        assert_eq!(last["event"], event, "{last}");
        last
    }

    /// Closes its standard input, as the death of the daemon does.
    fn orphan(mut self) -> Self {
        self.lifeline = None;
        self
    }

    fn first_child(&self) -> Option<String> {
        let pid = self.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        children.split_whitespace().next().map(str::to_owned)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn order(input: &Path, rules: &Path, output: &Path, mode: &str) -> Value {
    json!({
        "version": 1,
        "settings": {
            "input": [input], "rules": [rules], "output": output, "memory": "256MiB", "threads": 1,
            "part_size": "64KiB", "slot_size": "512KiB", "engine": "cpu",
        },
        "mode": mode,
        "run_as": null,
    })
}

/// A job of a third of a second; one of its rows is rejected.
fn small(job: &SmallJob, mode: &str) -> Value {
    order(&job.input, &job.rules, &job.folder.out(), mode)
}

/// A job of some seconds and many parts.
fn shipped(output: &Path, mode: &str) -> Value {
    order(&shipped_library(), &shipped_rules(), output, mode)
}

#[test]
fn a_job_process_runs_a_job() {
    let job = SmallJob::new();
    let mut worker = Worker::start(&small(&job, "refuse"));
    worker.tell(GO);
    let done = worker.ends_with(4, "done");
    assert_eq!(done["manifest"]["counts"]["parents_rejected"], 1);
    assert_complete(&job.folder.out());
}

#[test]
fn nothing_is_written_before_the_start_message() {
    let job = SmallJob::new();
    let mut worker = Worker::start(&small(&job, "refuse"));
    worker.wait_for_plan();
    worker.tell("{\"go\":false}\ngarbage\n");
    wait_until("signs of life", || worker.has_said("alive") >= 2);
    assert_absent(&job.folder.out());
    let (code, _) = worker.orphan().wait();
    assert_eq!(code, Some(75));
    assert_absent(&job.folder.out());
}

#[test]
fn the_process_ends_at_once_if_the_daemon_dies_before_the_order_or_during_planning() {
    let worker = Worker::without_order(|_| {}).orphan();
    worker.ends_with(75, "stopped");
    // An incomplete order is no order.
    let mut worker = Worker::without_order(|_| {});
    worker.tell("{\"version\":1");
    worker.orphan().ends_with(75, "stopped");

    let job = SmallJob::new();
    let worker = Worker::start(&small(&job, "refuse"));
    wait_until("the process that tries the sample", || {
        worker.first_child().is_some()
    });
    assert_eq!(worker.orphan().wait().0, Some(75));
    assert_absent(&job.folder.out());
}

/// `interrupt` ends a running job process. A second process resumes the job and writes the files of an uninterrupted
/// one.
#[track_caller]
fn goes_on_after(interrupt: impl FnOnce(Worker)) {
    let folder = Folder::new();
    let (whole, parts) = (folder.path("whole"), folder.path("parts"));
    let mut worker = Worker::start(&shipped(&whole, "refuse"));
    worker.tell(GO);
    let (code, last) = worker.wait();
    assert!(matches!(code, Some(0 | 4)), "{last}");

    let mut worker = Worker::start(&shipped(&parts, "refuse"));
    worker.tell(GO);
    wait_until("two parts", || output::parts(&parts).len() >= 2);
    interrupt(worker);
    assert_absent(&parts.join("manifest.json"));
    let mut worker = Worker::start(&shipped(&parts, "resume"));
    worker.tell(GO);
    let (resumed, last) = worker.wait();
    assert_eq!(resumed, code, "{last}");
    assert_complete(&parts);
    let same = output::part_bytes(&parts) == output::part_bytes(&whole);
    assert!(same, "the parts differ");
}

#[test]
fn a_process_whose_daemon_died_stops_at_a_checkpoint_and_another_resumes() {
    goes_on_after(|worker| {
        let stopped = worker.orphan().ends_with(75, "stopped");
        let error = stopped["error"].as_str().unwrap();
        assert!(error.starts_with("stopped at a checkpoint"), "{error}");
    });
}

#[test]
fn another_process_resumes_after_sigkill() {
    goes_on_after(|mut worker| {
        worker.child.kill().unwrap();
        assert_eq!(worker.wait().0, None);
    });
}

#[test]
fn overwriting_works_and_resuming_a_complete_run_needs_no_start_message() {
    let job = SmallJob::new();
    let run = |mode| {
        let mut worker = Worker::start(&small(&job, mode));
        worker.tell(GO);
        worker
    };
    run("refuse").ends_with(4, "done");
    let refused = run("refuse").ends_with(2, "failed");
    assert_eq!(refused["exit_code"], 2);
    run("overwrite").ends_with(4, "done");
    assert_complete(&job.folder.out());
    let complete = Worker::start(&small(&job, "resume")).ends_with(4, "done");
    assert_eq!(complete["manifest"]["counts"]["parents_rejected"], 1);
}

#[test]
fn an_unusable_order_is_refused() {
    let job = SmallJob::new();
    let mut other_version = small(&job, "refuse");
    other_version["version"] = 2.into();
    let mut other_key = small(&job, "refuse");
    other_key["settings"]["inputt"] = "x".into();
    let cases = [
        (format!("{other_version}\n"), "version 2"),
        (format!("{other_key}\n"), "inputt"),
        ("garbage\n".into(), "cannot be read"),
        ("x".repeat(2 << 20), "longer than"),
    ];
    for (line, word) in cases {
        let mut worker = Worker::without_order(|_| {});
        worker.tell(&line);
        let failed = worker.ends_with(2, "failed");
        let error = failed["error"].as_str().unwrap();
        assert!(error.contains(word), "{error}");
    }
    assert_absent(&job.folder.out());
}

#[test]
fn a_process_whose_output_nobody_reads_completes_its_job() {
    let job = SmallJob::new();
    let unread = || OwnedFd::from(UnixStream::pair().unwrap().0);
    let mut worker = Worker::without_order(|command| {
        command.stdout(unread()).stderr(unread());
        command.env("MOLSIEVE_LOG", "trace");
    });
    worker.tell(&format!("{}\n{GO}", small(&job, "refuse")));
    assert_eq!(worker.wait().0, Some(4));
    assert_complete(&job.folder.out());
}

/// The process that runs the sample dies with the job process and does not keep its standard input open.
#[test]
fn the_sample_process_dies_with_the_job_process() {
    let folder = Folder::new();
    let mut worker = Worker::start(&shipped(&folder.out(), "refuse"));
    let mut child = String::new();
    wait_until("the process that tries the sample, at work", || {
        child = worker.first_child().unwrap_or_default();
        // One thread more than at start: it has read its instructions.
        let threads = fs::read_dir(format!("/proc/{child}/task"));
        threads.is_ok_and(|threads| threads.count() > 1)
    });
    // It is stopped, so only the kernel can end it.
    let pid = Pid::from_raw(child.parse().unwrap()).unwrap();
    let stopped = kill_process(pid, Signal::STOP).is_ok();
    assert!(stopped, "too quick to be looked at");
    let lifeline = worker.lifeline.as_mut().unwrap();
    let time_max = Duration::from_secs(30);
    lifeline.set_read_timeout(Some(time_max)).unwrap();
    worker.child.kill().unwrap();
    worker.child.wait().unwrap();
    // Unread data may cause an error; a timeout means that a process still holds the socket.
    let read = worker.lifeline.as_mut().unwrap().read(&mut [0]);
    let held = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!held, "somebody holds the lifeline");
    let state = || {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let (_, rest) = stat.rsplit_once(") ").unwrap_or_default();
        rest.chars().next()
    };
    wait_until("the child's end", || matches!(state(), None | Some('Z')));
}

/// A folder that another user may write to, inside one that everybody may enter.
fn folder_of_nobody(folder: &Folder) -> std::path::PathBuf {
    let everybody = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(""), everybody).unwrap();
    let own = folder.path("nobody");
    fs::create_dir(&own).unwrap();
    chown(&own, Some(NOBODY), Some(NOBODY)).unwrap();
    own
}

fn as_nobody(mut order: Value, output: &Path) -> Value {
    order["settings"]["output"] = json!(output);
    order["run_as"] = json!({ "uid": NOBODY, "gid": NOBODY, "name": "nobody" });
    order
}

#[test]
fn a_job_runs_with_the_rights_of_its_user_only() {
    if !is_root() {
        return;
    }
    let job = SmallJob::new();
    let output = folder_of_nobody(&job.folder).join("out");
    let mut worker = Worker::start(&as_nobody(small(&job, "refuse"), &output));
    worker.wait_for_plan();
    let status = fs::read_to_string(format!("/proc/{}/status", worker.child.id())).unwrap();
    let all = "\t65534".repeat(4);
    for line in [
        &format!("Uid:{all}"),
        &format!("Gid:{all}"),
        "Groups:\t65534",
        "NoNewPrivs:\t1",
        "CapEff:\t0000000000000000",
        "CapPrm:\t0000000000000000",
    ] {
        let is_there = status.lines().any(|found| found.trim_end() == line);
        assert!(is_there, "{line} is not in {status}");
    }
    worker.tell(GO);
    worker.ends_with(4, "done");
    assert_complete(&output);
    for name in output::names(&output) {
        let file = output.join(&name).metadata().unwrap();
        assert_eq!((file.uid(), file.gid()), (NOBODY, NOBODY), "{name}");
    }
}

#[test]
fn a_job_accesses_only_files_of_its_user() {
    if !is_root() {
        return;
    }
    let job = SmallJob::new();
    let output = folder_of_nobody(&job.folder).join("out");
    let roots = job.folder.path("roots");
    fs::create_dir(&roots).unwrap();
    let mut worker = Worker::start(&as_nobody(small(&job, "refuse"), &roots.join("out")));
    worker.tell(GO);
    let failed = worker.ends_with(1, "failed");
    let error = failed["error"].as_str().unwrap();
    assert!(
        error.to_lowercase().contains("permission denied"),
        "{error}"
    );
    assert_absent(&roots.join("out"));

    fs::set_permissions(&job.input, fs::Permissions::from_mode(0o600)).unwrap();
    let mut worker = Worker::start(&as_nobody(small(&job, "refuse"), &output));
    worker.tell(GO);
    let failed = worker.ends_with(3, "failed");
    let error = failed["error"].as_str().unwrap();
    assert!(
        error.to_lowercase().contains("permission denied"),
        "{error}"
    );
    assert_absent(&output);
}
