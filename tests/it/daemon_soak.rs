//! The daemon over a long time: many short jobs, and then a day in which nothing happens. Memory, descriptors and the
//! state directory do not grow beyond what docs/operating.md says.
//!
//! The day is compressed: `libfaketime` (Debian's package of that name) gives the daemon a clock that runs 1,440 times as
//! fast, so timers, time limits of connections and the expiry of jobs come as they would within a day, in a minute.
//! `MOLSIEVE_SOAK=N` sets the number of jobs (`scripts/daemon-soak.sh`); the test suite uses fewer.

use std::{
    env, fs,
    io::Read,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::kit::{
    Folder, alone,
    daemon::{Daemon, PATIENCE, within},
    library::rule_file,
    output::part_bytes,
    skip::{report, skipped},
};
use serde_json::{Value, json};

/// Jobs that the daemon has room for at once.
const AT_ONCE: usize = 4;
/// Memory that the daemon may have more after the last round than after the first ones.
const MEMORY_GROWTH_MAX: u64 = 6 << 20;
/// Threads for look-ups, which come and go.
const THREADS_MORE: usize = 4;
/// Descriptors of connections that are just being closed.
const DESCRIPTORS_MORE: usize = 2;
/// Bytes of the state directory for each job: settings, events and log.
const JOB_BYTES_MAX: u64 = 16 << 10;
/// The clock of the second part runs this many times as fast: a day in a minute.
const SPEED: u32 = 1_440;
/// Processor time that the daemon may use in a day without work, in seconds. Most of it is the fast clock's own: at this
/// speed a timer of less than 1.4 s can't wait and spins.
const IDLE_SECONDS_MAX: f64 = 20.0;

/// What must not grow.
#[derive(Clone, Copy, Debug)]
struct Size {
    memory_bytes: u64,
    descriptors: usize,
    threads: usize,
    state_bytes: u64,
}

impl Size {
    fn of(daemon: &Daemon, state: &Path) -> Self {
        let process = PathBuf::from(format!("/proc/{}", daemon.pid()));
        let status = fs::read_to_string(process.join("status")).unwrap();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        let entries = |folder: &str| fs::read_dir(process.join(folder)).unwrap().count();
        let files = fs::read_dir(state).unwrap();
        Self {
            memory_bytes: kilobytes << 10,
            descriptors: entries("fd"),
            threads: entries("task"),
            state_bytes: files
                .map(|file| file.unwrap().metadata().unwrap().len())
                .sum(),
        }
    }
}

/// Fails if there is more of anything but state than before.
fn assert_not_grown(before: Size, after: Size) {
    let more = format!("{before:?}, {after:?}");
    assert!(
        after.memory_bytes <= before.memory_bytes + MEMORY_GROWTH_MAX,
        "{more}"
    );
    assert!(
        after.descriptors <= before.descriptors + DESCRIPTORS_MORE,
        "{more}"
    );
    assert!(after.threads <= before.threads + THREADS_MORE, "{more}");
}

/// Short jobs on a daemon.
struct Soak {
    folder: Folder,
    input: PathBuf,
    rules: PathBuf,
    submitted: usize,
}

impl Soak {
    fn new() -> Self {
        let folder = Folder::new();
        let input = folder.write("a.smi", "Oc1ccccc1 phenol\n");
        let rules = rule_file(&folder, &[("methylation", "[c:1][OX2H:2]>>[c:1][O:2]C")]);
        Self {
            folder,
            input,
            rules,
            submitted: 0,
        }
    }

    fn state(&self) -> PathBuf {
        self.folder.path("state")
    }

    /// Submits jobs, waits until all are done, and removes their output.
    fn round(&mut self, daemon: &Daemon, jobs: usize) -> Size {
        let first = self.submitted;
        let mut ids = Vec::new();
        for n in first..first + jobs {
            let settings = json!({
                "input": [self.input], "rules": [self.rules], "output": self.output(n),
                "memory": "128MiB", "threads": 1, "engine": "cpu",
            });
            ids.push(daemon.submit(&settings));
        }
        self.submitted += jobs;
        let counts = || -> Value { daemon.request("GET", "/v1/node", "").json()["jobs"].clone() };
        let waiting = || {
            let now = counts();
            ["queued", "starting", "running", "interrupted"]
                .iter()
                .map(|state| now[*state].as_u64().unwrap_or(0))
                .sum::<u64>()
        };
        let patience = PATIENCE + Duration::from_secs(5 * jobs as u64);
        assert!(within(patience, || waiting() == 0), "{}", daemon.log());
        for id in [ids[0], ids[ids.len() / 2], *ids.last().unwrap()] {
            assert_eq!(daemon.job(id)["state"], "done");
        }
        let expected = part_bytes(&self.output(first));
        for n in first..first + jobs {
            assert!(part_bytes(&self.output(n)) == expected, "job of output {n}");
            fs::remove_dir_all(self.output(n)).unwrap();
        }
        // The last job processes have been waited for.
        assert!(within(PATIENCE, || children(daemon.pid()) == 0));
        Size::of(daemon, &self.state())
    }

    fn output(&self, n: usize) -> PathBuf {
        self.folder.path(&format!("out-{n}"))
    }
}

fn children(pid: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |task: PathBuf| fs::read_to_string(task.join("children")).unwrap_or_default();
    tasks
        .map(|task| of(task.unwrap().path()).split_whitespace().count())
        .sum()
}

/// Processor time of a process so far, in seconds.
fn processor_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks as f64 / 100.0
}

fn soak_jobs() -> usize {
    let asked = env::var("MOLSIEVE_SOAK").ok();
    asked.map_or(120, |jobs| jobs.parse().expect("MOLSIEVE_SOAK is a number"))
}

/// The library that gives a program another clock.
fn faketime() -> Option<PathBuf> {
    let path = PathBuf::from("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1");
    path.exists().then_some(path)
}

#[test]
fn many_short_jobs_and_an_idle_day_leave_the_daemon_as_it_was_slow() {
    let _alone = alone();
    let jobs = soak_jobs();
    let mut soak = Soak::new();
    let flags = format!("--memory {}MiB --threads {AT_ONCE} --gpus 0", 128 * AT_ONCE);
    let daemon = Daemon::start(&soak.folder, &flags);
    let began = Instant::now();
    let rounds = 6;
    let sizes: Vec<Size> = (0..rounds)
        .map(|_| soak.round(&daemon, jobs.div_ceil(rounds)))
        .collect();
    for size in &sizes {
        report(&format!("soak: {size:?}"));
    }
    let took = began.elapsed().as_secs_f64();
    report(&format!(
        "soak: {} jobs in {took:.0} s, {:.2} s each",
        soak.submitted,
        took / soak.submitted as f64
    ));
    // Caches fill in the first rounds.
    let (early, late) = (sizes[1], sizes[rounds - 1]);
    assert_not_grown(early, late);
    let between = (soak.submitted * (rounds - 2) / rounds) as u64;
    // The WAL is cut back to 4 MiB, whenever that is.
    let grown = late
        .state_bytes
        .saturating_sub(early.state_bytes + (8 << 20));
    assert!(
        grown <= between * JOB_BYTES_MAX,
        "{grown} for {between} jobs"
    );
    assert_eq!(daemon.stop(), Some(0));
    match faketime() {
        Some(library) => an_idle_day(&mut soak, &flags, &library),
        None => {
            let demanded = env::var_os("MOLSIEVE_SOAK").is_some();
            assert!(
                !demanded,
                "libfaketime is missing; apt-get install libfaketime"
            );
            skipped("the idle day: libfaketime is missing");
        }
    }
}

/// The answer to a request, as JSON if it is that. The daemon's time limit for a request is 20 ms on its fast clock, so a busy
/// machine may need several.
fn get(daemon: &Daemon, path: &str) -> Value {
    let mut body = None;
    let answered = || {
        body = daemon
            .try_request("GET", path, "")
            .filter(|answer| answer.status == 200)
            .map(|answer| answer.body);
        body.is_some()
    };
    assert!(within(PATIENCE, answered), "{path}: {}", daemon.log());
    serde_json::from_str(&body.unwrap_or_default()).unwrap_or(Value::Null)
}

/// A day without jobs on a fast clock: all ended jobs expire, and nothing else changes.
fn an_idle_day(soak: &mut Soak, flags: &str, library: &Path) {
    let fast = [
        ("LD_PRELOAD", library.to_str().unwrap().to_owned()),
        ("FAKETIME", format!("+0 x{SPEED}")),
        ("FAKETIME_DONT_RESET", "1".into()),
    ];
    let daemon = Daemon::start_with(&soak.folder, &format!("{flags} --keep-days 1"), &fast);
    let listed = |daemon: &Daemon| -> usize {
        let list = get(daemon, "/v1/jobs?limit=1000");
        list["jobs"].as_array().unwrap().len()
    };
    assert!(listed(&daemon) > 0, "{}", daemon.log());
    let idle: Vec<UnixStream> = (0..20)
        .map(|_| UnixStream::connect(&daemon.socket).unwrap())
        .collect();
    // Connections without a request are closed after their time.
    for mut stream in idle {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read(&mut [0; 64]).unwrap(), 0);
    }
    let before = Size::of(&daemon, &soak.state());
    let used = processor_seconds(daemon.pid());
    let day = Duration::from_secs(24 * 3_600) / SPEED;
    let began = Instant::now();
    // A monitor looks in once an hour.
    while began.elapsed() < day + day / 8 {
        thread::sleep(day / 24);
        for path in ["/readyz", "/metrics"] {
            get(&daemon, path);
        }
    }
    let after = Size::of(&daemon, &soak.state());
    let used = processor_seconds(daemon.pid()) - used;
    report(&format!(
        "soak: after a day: {after:?}, {used:.1} s of processor time"
    ));
    assert_eq!(listed(&daemon), 0, "expired jobs are listed");
    assert_not_grown(before, after);
    assert!(used < IDLE_SECONDS_MAX, "{used} s of processor time");
    assert_eq!(daemon.stop(), Some(0));

    // The database does not shrink: later jobs use the space of the expired ones.
    let database = soak.state().join("jobs.sqlite3");
    let length = pages(&database);
    let daemon = Daemon::start(&soak.folder, flags);
    soak.round(&daemon, AT_ONCE * 4);
    assert_eq!(daemon.stop(), Some(0));
    let later = pages(&database);
    assert!(later <= length, "{later} pages after {length}");
}

/// Pages of a database, those that SQLite's log has alone included.
fn pages(database: &Path) -> u64 {
    let database = rusqlite::Connection::open(database).unwrap();
    let pages: i64 = database
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    pages.unsigned_abs()
}
