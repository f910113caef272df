//! Runs the binary and other commands, and checks how they ended.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{Read, Seek},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Limit for a run; the slowest one takes under half a minute on an idle machine.
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

    /// Writes a file and returns its path. Creates the folders in `name`.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The output directory of the test's job, if it has only one.
    pub fn out(&self) -> PathBuf {
        self.path("out")
    }
}

/// The exit code, output and peak memory of a finished run.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// Largest VmHWM, polled every few milliseconds.
    pub peak_memory_bytes: u64,
}

/// A command line of molsieve. `flags` are separated by blanks; add paths one by one.
pub struct Molsieve(Command);

impl Molsieve {
    /// `molsieve FLAGS`, for example `run --threads 2`.
    pub fn new(flags: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_molsieve"));
        // No backtrace may appear, even if the user's shell requests one from Rust.
        command
            .env("RUST_BACKTRACE", "1")
            .env_remove("MOLSIEVE_LOG")
            // As on a node without a session: a library loaded by Mesa then writes a line, which must not appear.
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

    /// Connects the file to standard input.
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

/// Runs another command to its end, with the same time limit.
pub fn run_command(command: Command) -> Run {
    run_command_within(command, RUN_TIME_MAX)
}

/// Runs another command to its end, with the given time limit.
pub fn run_command_within(mut command: Command, limit: Duration) -> Run {
    command.stdin(std::process::Stdio::null());
    Running::new(command).wait(limit)
}

/// A running process. Its output goes to files, so that it never waits for a reader.
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

    /// Sends SIGKILL and waits until the process and its job process have ended; false if the process had already
    /// ended.
    pub fn kill(&mut self) -> bool {
        let worker = self.worker();
        self.child.kill().unwrap();
        let killed = self.child.wait().unwrap().code().is_none();
        if let Some(worker) = worker {
            // A zombie counts as ended: it holds no files.
            wait_until("the end of the job's process", || {
                !Path::new(&format!("/proc/{worker}/exe")).exists()
            });
        }
        killed
    }

    /// The job process, which is a child of `run` and `dedup`.
    pub fn worker(&self) -> Option<u32> {
        children(self.child.id()).into_iter().next()
    }

    /// The started process and its job process.
    pub fn processes(&self) -> Vec<u32> {
        [self.child.id()].into_iter().chain(self.worker()).collect()
    }

    /// Whether the job has finished planning.
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

    /// Sends a signal to the job process; false if there is none.
    pub fn signal_worker(&self, signal: rustix::process::Signal) -> bool {
        let pid = self
            .worker()
            .and_then(|pid| rustix::process::Pid::from_raw(pid as i32));
        pid.is_some_and(|pid| rustix::process::kill_process(pid, signal).is_ok())
    }

    /// Sends a signal to the started process and to its job process.
    pub fn signal_all(&self, signal: rustix::process::Signal) {
        self.signal(signal);
        self.signal_worker(signal);
    }

    /// Peak memory so far of the started process, in bytes.
    pub fn supervisor_peak_bytes(&self) -> u64 {
        high_water_mark(self.child.id())
    }

    /// Whether the job process has a child process.
    pub fn has_child(&self) -> bool {
        self.worker()
            .is_some_and(|worker| !children(worker).is_empty())
    }

    /// Whether the job process has the file at `path` open.
    #[cfg(feature = "failpoints")]
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

    /// Waits for its end. After `limit`, kills it and fails the test.
    pub fn wait(mut self, limit: Duration) -> Run {
        let started = Instant::now();
        let mut peak_memory_bytes = 0;
        let status = loop {
            let processes = [Some(self.child.id()), self.worker()];
            let peaks = processes.into_iter().flatten().map(high_water_mark);
            peak_memory_bytes = peaks.fold(peak_memory_bytes, u64::max);
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > limit {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                let stderr = text_of(&mut self.stderr);
                panic!("{} exceeded {limit:?}; {stderr}", self.shown);
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

/// The child processes of a process.
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

/// Peak memory of a process, in bytes; 0 if it has ended.
pub fn high_water_mark(pid: u32) -> u64 {
    let program = |pid: &str| fs::read_link(format!("/proc/{pid}/exe")).ok();
    // A process that was started just now may still have the memory of the process that started it, this one.
    if program(&pid.to_string()) == program("self") {
        return 0;
    }
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
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
        self.shows_no_internals();
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

    /// The line on standard error; fails unless there is exactly one.
    #[track_caller]
    pub fn one_line(&self) -> &str {
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "one line, not: {}", self.stderr);
        assert!(self.stderr.ends_with('\n'), "{}", self.stderr);
        lines[0]
    }

    /// Fails if the output shows internals such as a backtrace.
    #[track_caller]
    fn shows_no_internals(&self) {
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

/// Arguments that make this test binary run a single one of its tests. `module` is the `module_path!()` of the test.
pub fn only_test(module: &str, test: &str) -> [String; 3] {
    let (_, module) = module.split_once("::").expect("a module of this crate");
    [
        "--exact".into(),
        format!("{module}::{test}"),
        "--nocapture".into(),
    ]
}

/// Polls `reached` every few milliseconds until it is true; fails after half a minute.
#[track_caller]
pub fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "timeout waiting for {what}"
        );
        thread::sleep(Duration::from_millis(3));
    }
}

/// Fails unless there is nothing at `path`.
#[track_caller]
pub fn assert_absent(path: &Path) {
    assert!(!path.exists(), "{} was left behind", path.display());
}
