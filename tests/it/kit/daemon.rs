//! A daemon for a test: the real binary with its own socket and state directory. Requests are bytes on the socket, as
//! `curl --unix-socket` writes them.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::process::{Folder, Molsieve, Run, high_water_mark, run_command};
use super::skip::skipped;

/// Maximum time that a test waits for an event.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running daemon.
pub struct Daemon {
    child: Child,
    pub socket: PathBuf,
    log: PathBuf,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A response as it came over the connection, which is closed after it.
    pub fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let chunked = head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked");
        Some(Self {
            status: head.split(' ').nth(1)?.parse().ok()?,
            head: head.to_owned(),
            body: if chunked {
                dechunked(body)?
            } else {
                body.to_owned()
            },
        })
    }

    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut pairs = lines.filter_map(|line| line.split_once(": "));
        pairs
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl Daemon {
    /// Starts a daemon in this folder; `flags` are separated by blanks.
    pub fn start(folder: &Folder, flags: &str) -> Self {
        Self::start_with(folder, flags, &[])
    }

    /// Like `start`, with more environment variables.
    pub fn start_with(folder: &Folder, flags: &str, variables: &[(&str, String)]) -> Self {
        let daemon = Self::spawn(folder, flags, variables);
        daemon.wait_until_ready();
        daemon
    }

    /// Starts a daemon that need not accept jobs, and waits until it answers.
    pub fn start_unready(folder: &Folder, flags: &str) -> Self {
        Self::spawn(folder, flags, &[])
    }

    fn spawn(folder: &Folder, flags: &str, variables: &[(&str, String)]) -> Self {
        let (socket, log) = (folder.path("d.sock"), folder.path("daemon.log"));
        let stderr = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_molsieve"))
            .arg("serve")
            .arg("--socket")
            .arg(&socket)
            .arg("--state")
            .arg(folder.path("state"))
            .args(flags.split_whitespace())
            .env_remove("MOLSIEVE_LOG")
            // Its configuration is molsieve.toml in the folder, if the test has written one.
            .env("CONFIGURATION_DIRECTORY", folder.path(""))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let daemon = Self { child, socket, log };
        let answers = || daemon.try_request("GET", "/healthz", "").is_some();
        assert!(within(PATIENCE, answers), "{}", daemon.log());
        daemon
    }

    pub fn wait_until_ready(&self) {
        let ready = || {
            self.try_request("GET", "/readyz", "")
                .is_some_and(|a| a.status == 200)
        };
        assert!(within(PATIENCE, ready), "{}", self.log());
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn peak_memory_bytes(&self) -> u64 {
        high_water_mark(self.pid())
    }

    /// Sends SIGHUP: the daemon reads its configuration again.
    pub fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM and returns the exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < PATIENCE, "{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        let answer = self.try_request(method, path, body);
        answer.unwrap_or_else(|| panic!("{method} {path}: no answer; {}", self.log()))
    }

    pub fn try_request(&self, method: &str, path: &str, body: &str) -> Option<Answer> {
        self.try_request_with(method, path, "", body)
    }

    /// Like `try_request`, with more header lines, each with its line end.
    pub fn try_request_with(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Option<Answer> {
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let length = body.len();
        let kind = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: molsieve\r\nconnection: close\r\n{kind}{headers}content-length: {length}\r\n\r\n{body}"
        )
        .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Answer::parse(&text)
    }

    /// Submits a job with these settings and returns its id.
    pub fn submit(&self, settings: &Value) -> u64 {
        let answer = self.request(
            "POST",
            "/v1/jobs",
            &json!({ "settings": settings }).to_string(),
        );
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_u64().unwrap()
    }

    pub fn job(&self, id: u64) -> Value {
        let answer = self.request("GET", &format!("/v1/jobs/{id}"), "");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Waits until the job is in this state.
    pub fn wait_for(&self, id: u64, state: &str) -> Value {
        let started = Instant::now();
        loop {
            let job = self.job(id);
            if job["state"] == state {
                return job;
            }
            let ended = ["done", "failed", "cancelled"]
                .iter()
                .any(|end| job["state"] == *end);
            assert!(!ended, "{job:#}\n{}", self.log());
            assert!(started.elapsed() < PATIENCE, "{job:#}\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The event stream of a job, line by line.
    pub fn events(&self, id: u64, after: u64) -> impl Iterator<Item = String> + use<> {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let path = format!("/v1/jobs/{id}/events?after={after}");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        BufReader::new(stream).lines().map_while(Result::ok)
    }

    /// `molsieve VERB …` against this daemon.
    pub fn molsieve(&self, flags: &str) -> Molsieve {
        Molsieve::new(flags).env("MOLSIEVE_SOCKET", &self.socket)
    }

    /// Runs `molsieve` as another user. The tests must run as root.
    pub fn molsieve_as(&self, uid: u32, args: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_molsieve"));
        command
            .args(args)
            .env("MOLSIEVE_SOCKET", &self.socket)
            .current_dir("/");
        command.uid(uid).gid(uid);
        run_command(command)
    }

    /// Process id of the job process.
    pub fn worker_of(&self, id: u64) -> Option<u32> {
        self.job(id)["worker_pid"].as_u64().map(|pid| pid as u32)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Its job processes end with it.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Whether a condition becomes true in time.
pub fn within(time: Duration, mut reached: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if reached() {
            return true;
        }
        if started.elapsed() > time {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn dechunked(mut body: &str) -> Option<String> {
    let mut text = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(text);
        }
        text.push_str(rest.get(..size)?);
        body = rest.get(size + 2..)?;
    }
}

/// Whether the tests run as root and can become other users; reports a skip otherwise.
pub fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped("only root can become another user");
    }
    root
}

/// The settings of a job as JSON.
pub fn settings(input: &Path, rules: &Path, output: &Path) -> Value {
    json!({
        "input": [input], "rules": [rules], "output": output,
        "memory": "192MiB", "threads": 1, "engine": "cpu",
    })
}
