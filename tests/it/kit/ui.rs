//! `molsieve ui` for a test: the real program before a daemon. Requests are bytes on the connection.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::daemon::{Answer, Daemon, PATIENCE};

/// A running `molsieve ui`, killed at the end of the test.
pub struct Ui {
    child: Child,
    pub port: u16,
    pub token: String,
}

impl Ui {
    /// Starts it as this user, or as `uid`.
    pub fn start(daemon: &Daemon, uid: Option<u32>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_molsieve"));
        command
            .args(["ui", "--json", "--no-browser", "--socket"])
            .arg(&daemon.socket)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(uid) = uid {
            command.uid(uid).gid(uid);
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["event"], "listening", "{line}");
        let address = event["address"].as_str().unwrap();
        let rest = address.strip_prefix("http://127.0.0.1:").unwrap();
        let (port, token) = rest.split_once("/?token=").unwrap();
        Self {
            child,
            port: port.parse().unwrap(),
            token: token.to_owned(),
        }
    }

    /// Sends a request with these header lines, each with its line end.
    pub fn raw(&self, method: &str, target: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        // The server may answer before it has read a body that is too large.
        stream.write_all(request.as_bytes()).ok();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok();
        let text = String::from_utf8(bytes).unwrap();
        Answer::parse(&text).unwrap_or_else(|| panic!("{method} {target}: {text}"))
    }

    /// The line with the name of this server.
    pub fn host(&self) -> String {
        format!("host: 127.0.0.1:{}\r\n", self.port)
    }

    /// The lines that the page sends with each change.
    pub fn own(&self) -> String {
        format!(
            "x-molsieve: 1\r\norigin: http://127.0.0.1:{}\r\n",
            self.port
        )
    }

    /// Exchanges the token for the cookie, and returns its header line.
    pub fn sign_in(&self) -> String {
        let answer = self.raw("GET", &format!("/?token={}", self.token), &self.host(), "");
        assert_eq!(answer.status, 303, "{answer:?}");
        let cookie = answer.header("set-cookie").expect("a cookie");
        format!("cookie: {}\r\n", cookie.split(';').next().unwrap())
    }

    /// Sends SIGTERM and returns the exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Ui {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
