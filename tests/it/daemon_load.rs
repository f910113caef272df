//! The daemon under load: many, slow, oversized, malformed or disconnected clients. Memory stays bounded, responses come
//! in time, and jobs complete.
//!
//! `MOLSIEVE_LOAD=full` has 1,000 connections, 10,000 submissions and bodies of 1 GiB
//! (`scripts/daemon-load.sh`); the test suite uses fewer.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use crate::kit::{
    Folder, alone,
    daemon::{Daemon, PATIENCE, settings},
    library::{THREE_RULES, rule_file, smiles_lines},
    output::assert_complete,
    skip::skipped,
};
use serde_json::json;

/// The size of the load.
struct Load {
    connections: usize,
    submissions: u64,
    body_bytes: u64,
}

impl Load {
    fn asked_for() -> Self {
        if env::var("MOLSIEVE_LOAD").is_ok_and(|load| load == "full") {
            return Self {
                connections: 1_000,
                submissions: 10_000,
                body_bytes: 1 << 30,
            };
        }
        Self {
            connections: 100,
            submissions: 300,
            body_bytes: 32 << 20,
        }
    }
}

/// Limit for the memory of the daemon, in bytes.
const MEMORY_MAX: u64 = 64 << 20;
/// 99th percentile of the time to list jobs.
const LIST_TIME: Duration = Duration::from_millis(50);

/// A keep-alive connection.
struct Kept(BufReader<UnixStream>);

impl Kept {
    fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// Returns the status and the length of the response body.
    fn request(&mut self, method: &str, path: &str, body: &str) -> (u16, usize) {
        let kind = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        let length = body.len();
        let stream = self.0.get_mut();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: m\r\n{kind}content-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
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
        self.0.read_exact(&mut body).unwrap();
        (status, length)
    }
}

/// Connections that are idle, send half a request or garbage, or request events and never read them.
fn nuisances(socket: &Path, count: usize, job: u64) -> Vec<UnixStream> {
    let events = format!("GET /v1/jobs/{job}/events HTTP/1.1\r\nhost: m\r\n\r\n");
    let heads = [
        "",
        "GET /v1/jobs HT",
        "POST /v1/jobs HTTP/1.1\r\nhost: m\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{",
        "\u{0}\u{1}\u{2} garbage \r\n\r\n",
        &events,
    ];
    (0..count)
        .filter_map(|n| {
            let mut stream = UnixStream::connect(socket).ok()?;
            // The daemon may have closed it already.
            let _ = stream.write_all(heads[n % heads.len()].as_bytes());
            Some(stream)
        })
        .collect()
}

/// Sends a body until the daemon stops reading, and returns the status of the response.
fn huge_body(socket: &Path, bytes: u64, chunked: bool) -> Option<u16> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = match chunked {
        true => "transfer-encoding: chunked".into(),
        false => format!("content-length: {bytes}"),
    };
    let head = "POST /v1/jobs HTTP/1.1\r\nhost: m\r\ncontent-type: application/json";
    write!(stream, "{head}\r\n{length}\r\n\r\n").unwrap();
    let piece = vec![b' '; 1 << 20];
    for _ in 0..bytes >> 20 {
        let sent = match chunked {
            true => write!(stream, "100000\r\n").and_then(|()| stream.write_all(&piece)),
            false => stream.write_all(&piece),
        };
        if sent.is_err() || (chunked && stream.write_all(b"\r\n").is_err()) {
            break;
        }
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    std::str::from_utf8(&answer[9..]).ok()?.parse().ok()
}

#[test]
fn the_daemon_stays_small_and_responsive_whatever_clients_do_slow() {
    let _alone = alone();
    let load = Load::asked_for();
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(621));
    let rules = rule_file(&folder, &THREE_RULES);
    // Room for one job, so that submitted jobs wait.
    let daemon = Daemon::start(&folder, "--memory 200MiB --threads 1 --gpus 0");
    let running = daemon.submit(&settings(&input, &rules, &folder.path("out")));
    // Connect these first, because the number of connections per user is limited.
    let submitting: Vec<Kept> = (0..4).map(|_| Kept::connect(&daemon.socket)).collect();
    let mut listing = Kept::connect(&daemon.socket);
    let held = nuisances(&daemon.socket, load.connections, running);
    let submitted = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let mut times = Vec::new();
    thread::scope(|scope| {
        let submitters: Vec<_> = submitting
            .into_iter()
            .enumerate()
            .map(|(who, mut kept)| {
                let (load, folder, submitted) = (&load, &folder, &submitted);
                scope.spawn(move || {
                    for n in 0..load.submissions / 4 {
                        let output = folder.path(&format!("waits/{who}-{n}"));
                        let settings =
                            settings(&folder.path("a.smi"), &folder.path("rules.toml"), &output);
                        let body = json!({ "settings": settings }).to_string();
                        let (status, _) = kept.request("POST", "/v1/jobs", &body);
                        assert_eq!(status, 201);
                        submitted.fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        for chunked in [false, true] {
            let (daemon, bytes) = (&daemon, load.body_bytes);
            scope.spawn(move || {
                let status = huge_body(&daemon.socket, bytes, chunked);
                assert!(matches!(status, None | Some(413 | 503)), "{status:?}");
            });
        }
        let lister = scope.spawn(|| {
            let mut times = Vec::new();
            while !over.load(Relaxed) {
                let began = Instant::now();
                let (status, length) = listing.request("GET", "/v1/jobs", "");
                times.push(began.elapsed());
                assert!(status == 200 && length > 0);
                thread::sleep(Duration::from_millis(5));
            }
            times
        });
        submitters
            .into_iter()
            .for_each(|submitter| submitter.join().unwrap());
        over.store(true, Relaxed);
        times = lister.join().unwrap();
    });
    drop(held);
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    let memory = daemon.peak_memory_bytes();
    println!(
        "{} submissions, {} lists: median {:?}, 99th percentile {p99:?}, longest {:?}; {} MiB at most",
        submitted.load(Relaxed),
        times.len(),
        times[times.len() / 2],
        times.last().unwrap(),
        memory >> 20,
    );
    assert!(memory < MEMORY_MAX, "{memory}");
    // Only on an idle machine: scripts/daemon-load.sh sets MOLSIEVE_LOAD.
    if env::var_os("MOLSIEVE_LOAD").is_some() {
        assert!(p99 < LIST_TIME, "{p99:?}");
    }
    daemon.wait_for(running, "done");
    assert_complete(&folder.path("out"));
}

#[test]
fn a_daemon_has_no_huge_pages_and_its_jobs_do() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(621).repeat(40));
    let rules = rule_file(&folder, &THREE_RULES);
    let daemon = Daemon::start(&folder, "--memory 200MiB --threads 1 --gpus 0");
    let has_them = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("THP_enabled:"));
        line.map(|line| line.ends_with('1'))
    };
    let here = has_them(std::process::id());
    if here != Some(true) {
        skipped("a daemon without huge pages: this kernel has none, or they are off");
        return;
    }
    assert_eq!(has_them(daemon.pid()), Some(false));
    let job = daemon.submit(&settings(&input, &rules, &folder.path("out")));
    daemon.wait_for(job, "running");
    let worker = daemon.worker_of(job).unwrap();
    assert_eq!(has_them(worker), Some(true));
    daemon.wait_for(job, "done");
}
