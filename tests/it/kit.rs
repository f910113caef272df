//! What the integration tests share: they run the real binary on real files in a temporary folder and
//! look at what a user would see: exit code, terminal, output directory.

pub mod adapters;
pub mod daemon;
pub mod draw;
pub mod library;
pub mod output;
pub mod shim;
pub mod structure_key;

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// A run that takes longer hangs: the slowest one here takes under half a minute.
const RUN_TIME_MAX: Duration = Duration::from_secs(180);

/// A temporary folder for the files of a test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and gives back its path. Folders in `name` are made.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Where a job of this test writes, unless it has several.
    pub fn out(&self) -> PathBuf {
        self.path("out")
    }
}

/// How a run of the binary ended and what it said.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// Largest VmHWM seen from outside, looked at every few milliseconds.
    pub peak_memory_bytes: u64,
}

/// A command line of molsieve. `flags` are separated by blanks; paths go in one by one.
pub struct Molsieve(Command);

impl Molsieve {
    /// `molsieve FLAGS`, for example `run --threads 2`.
    pub fn new(flags: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_molsieve"));
        // A backtrace must not show even where the user's shell asks Rust for one.
        command
            .env("RUST_BACKTRACE", "1")
            .env_remove("MOLSIEVE_LOG")
            // As on a node without a session: a library that Mesa loads then writes a line, which must not show.
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(std::process::Stdio::null());
        command.args(flags.split_whitespace());
        Self(command)
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    /// More flags, separated by blanks.
    pub fn args(mut self, flags: &str) -> Self {
        self.0.args(flags.split_whitespace());
        self
    }

    pub fn input(self, path: impl AsRef<OsStr>) -> Self {
        self.arg("--input").arg(path)
    }

    pub fn rules(self, path: impl AsRef<OsStr>) -> Self {
        self.arg("--rules").arg(path)
    }

    pub fn output(self, path: impl AsRef<OsStr>) -> Self {
        self.arg("--output").arg(path)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Has it read the file as its standard input.
    pub fn standard_input(mut self, file: impl AsRef<Path>) -> Self {
        self.0.stdin(File::open(file).unwrap());
        self
    }

    /// Starts it and leaves it running.
    pub fn start(self) -> Running {
        Running::new(self.0)
    }

    /// Runs it to its end.
    pub fn run(self) -> Run {
        self.start().wait(RUN_TIME_MAX)
    }
}

/// Runs a command other than molsieve to its end, under the same watch.
pub fn run_command(command: Command) -> Run {
    run_command_within(command, RUN_TIME_MAX)
}

/// The same with a limit of its own.
pub fn run_command_within(mut command: Command, limit: Duration) -> Run {
    command.stdin(std::process::Stdio::null());
    Running::new(command).wait(limit)
}

/// A process under way. What it says goes to files, so that it never waits for a reader.
pub struct Running {
    child: Child,
    stdout: File,
    stderr: File,
    shown: String,
}

impl Running {
    fn new(mut command: Command) -> Self {
        let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        command
            .stdout(stdout.try_clone().unwrap())
            .stderr(stderr.try_clone().unwrap());
        let shown = format!("{command:?}");
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        Self {
            child,
            stdout,
            stderr,
            shown,
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Sends SIGKILL and waits for the end, that of the job's process included; false if it had ended by
    /// itself.
    pub fn kill(&mut self) -> bool {
        let worker = self.worker();
        self.child.kill().unwrap();
        let killed = self.child.wait().unwrap().code().is_none();
        if let Some(worker) = worker {
            // Nobody may be there to wait for it, but it holds nothing any more.
            wait_until("the end of the job's process", || {
                !Path::new(&format!("/proc/{worker}/exe")).exists()
            });
        }
        killed
    }

    /// The process that does the job: of `run` and `dedup`, a child.
    pub fn worker(&self) -> Option<u32> {
        children(self.child.id()).into_iter().next()
    }

    /// The process that was started and the job's.
    pub fn processes(&self) -> Vec<u32> {
        [self.child.id()].into_iter().chain(self.worker()).collect()
    }

    /// Whether the job is past its plan.
    pub fn works(&self) -> bool {
        let worker = self.worker();
        worker.is_some_and(|worker| {
            let threads = fs::read_dir(format!("/proc/{worker}/task"));
            threads.is_ok_and(|threads| {
                threads.flatten().any(|thread| {
                    fs::read_to_string(thread.path().join("comm"))
                        .is_ok_and(|name| name.trim() == "chem-0")
                })
            })
        })
    }

    /// Sends the job's process a signal; false if there is none.
    pub fn signal_worker(&self, signal: rustix::process::Signal) -> bool {
        let pid = self
            .worker()
            .and_then(|pid| rustix::process::Pid::from_raw(pid as i32));
        pid.is_some_and(|pid| rustix::process::kill_process(pid, signal).is_ok())
    }

    /// Sends a signal to the process that was started and to the job's.
    pub fn signal_all(&self, signal: rustix::process::Signal) {
        self.signal(signal);
        self.signal_worker(signal);
    }

    /// Largest memory so far of the process that was started.
    pub fn supervisor_peak_bytes(&self) -> u64 {
        high_water_mark(&format!("/proc/{}/status", self.child.id()))
    }

    /// Whether the job's process has started another one.
    pub fn has_child(&self) -> bool {
        self.worker()
            .is_some_and(|worker| !children(worker).is_empty())
    }

    /// Whether the job's process holds the file at `path` open.
    pub fn has_open(&self, path: &Path) -> bool {
        let worker = self.worker().unwrap_or_else(|| self.child.id());
        let descriptors = fs::read_dir(format!("/proc/{worker}/fd"));
        descriptors.is_ok_and(|descriptors| {
            descriptors
                .flatten()
                .any(|fd| fs::read_link(fd.path()).is_ok_and(|file| file == path))
        })
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end; one that takes longer than `limit` is killed and fails the test.
    pub fn wait(mut self, limit: Duration) -> Run {
        let started = Instant::now();
        let status_file = format!("/proc/{}/status", self.child.id());
        let mut peak_memory_bytes = 0;
        let status = loop {
            peak_memory_bytes = peak_memory_bytes.max(high_water_mark(&status_file));
            if let Some(worker) = self.worker() {
                let worker = high_water_mark(&format!("/proc/{worker}/status"));
                peak_memory_bytes = peak_memory_bytes.max(worker);
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > limit {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                let stderr = text_of(&mut self.stderr);
                panic!("{} hangs: over {limit:?}; {stderr}", self.shown);
            }
            thread::sleep(Duration::from_millis(3));
        };
        Run {
            code: status.code(),
            stdout: text_of(&mut self.stdout),
            stderr: text_of(&mut self.stderr),
            peak_memory_bytes,
        }
    }
}

/// The processes that a process has started.
fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let pids = children.split_whitespace();
    pids.filter_map(|pid| pid.parse().ok()).collect()
}

fn text_of(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).expect("molsieve says UTF-8 only")
}

pub fn high_water_mark(status_file: &str) -> u64 {
    let text = fs::read_to_string(status_file).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes << 10)
}

impl Run {
    /// Fails unless the exit code is `code`.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit code; stderr: {}\nstdout: {}",
            self.stderr,
            self.stdout
        );
        self.says_nothing_internal();
        self
    }

    /// Fails unless it ended with `code` and exactly one clear line that holds each of `words`.
    #[track_caller]
    pub fn refuses(self, code: i32, words: &[&str]) -> Self {
        let run = self.ends_with(code);
        let line = run.one_line();
        assert!(line.starts_with("molsieve: "), "{line}");
        assert!(line.len() < 1_000, "a wall of text: {line}");
        for word in words {
            assert!(line.contains(word), "`{word}` is not in: {line}");
        }
        assert_eq!(run.stdout, "", "nothing but the line");
        run
    }

    /// The line on standard error; fails if there are more.
    #[track_caller]
    pub fn one_line(&self) -> &str {
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "one line, not: {}", self.stderr);
        assert!(self.stderr.ends_with('\n'), "{}", self.stderr);
        lines[0]
    }

    /// Fails if a user would see what only we can use.
    #[track_caller]
    fn says_nothing_internal(&self) {
        for text in [&self.stderr, &self.stdout] {
            let small = text.to_lowercase();
            for word in [
                "panicked",
                "backtrace",
                "internal error",
                "report it",
                "terminate called",
                "[error]",
                "rdkit error",
                "smiles parse error",
                "os error",
            ] {
                assert!(!small.contains(word), "`{word}` in: {text}");
            }
            // RDKit's log lines begin with the time of day, as in "[12:34:56] ".
            let dated = |line: &str| line.starts_with('[') && line.get(9..10) == Some("]");
            assert!(!text.lines().any(dated), "a line of RDKit's log: {text}");
        }
    }

    /// Standard output as JSON objects, one a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }
}

/// Waits until no other test holds this guard. Tests that measure time, load every core or take most of a GPU's
/// memory hold it while they run.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed while it held the guard changes nothing for the others.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Arguments with which this binary runs one of its own tests, and no other, in a process of its own.
/// `module` is the `module_path!()` of the test.
pub fn only_test(module: &str, test: &str) -> [String; 3] {
    let (_, module) = module.split_once("::").expect("a module of this crate");
    [
        "--exact".into(),
        format!("{module}::{test}"),
        "--nocapture".into(),
    ]
}

/// Says in the test's output that it did not run, and why.
pub fn skipped(why: &str) {
    // Past the test harness, which keeps what passing tests print to itself.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// Waits until `reached`, looking every few milliseconds; fails after half a minute.
#[track_caller]
pub fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "waited in vain for {what}"
        );
        thread::sleep(Duration::from_millis(3));
    }
}

/// Fails unless there is nothing at `path`.
#[track_caller]
pub fn assert_absent(path: &Path) {
    assert!(!path.exists(), "{} was left behind", path.display());
}
