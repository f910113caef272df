//! `molsieve top` in a terminal, against a daemon with jobs.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::kit::{
    Folder, Molsieve,
    daemon::{Daemon, PATIENCE, settings, within},
    library::{shipped_library, shipped_rules},
    tmux::{Tmux, is_there},
};

/// A budget for one job with [`settings`].
const FOR_ONE: &str = "--memory 200MiB --threads 1 --gpus 0 --retry-delay 0";

/// A daemon with a job that works for long, and two that wait for it.
struct Busy {
    folder: Folder,
    daemon: Option<Daemon>,
}

impl Busy {
    fn new() -> Self {
        let folder = Folder::new();
        let daemon = Daemon::start(&folder, FOR_ONE);
        for output in ["first", "second", "third"] {
            let mut settings = settings(&shipped_library(), &shipped_rules(), &folder.path(output));
            settings["steps"] = json!(3);
            let body = json!({ "settings": settings, "name": format!("the-{output}") });
            let answer = daemon.request("POST", "/v1/jobs", &body.to_string());
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        daemon.wait_for(1, "running");
        let daemon = Some(daemon);
        Self { folder, daemon }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// A terminal in which a shell runs `top` and then prints how it ended. The shell stores the settings of the
    /// terminal before and after.
    fn top(&self, columns: u16, rows: u16) -> Tmux {
        let program = env!("CARGO_BIN_EXE_molsieve");
        let script = format!(
            "cd {}; stty -g >before; {program} top --socket d.sock --interval 0.2; echo \"it ended with $?\"; \
             stty -g >after; exec cat",
            self.folder.path("").display()
        );
        Tmux::start(&self.folder, columns, rows, &script)
    }

    fn assert_restored(&self, terminal: &Tmux, code: i32) {
        let screen = terminal.wait_for(&[&format!("it ended with {code}")]);
        assert!(!screen.contains("the-first"), "{screen}");
        let stored = |name: &str| fs::read_to_string(self.folder.path(name)).unwrap();
        assert!(within(PATIENCE, || self.folder.path("after").exists()
            && !stored("after").is_empty()));
        assert_eq!(stored("before"), stored("after"));
    }

    fn wait_for(&self, id: u64, what: &str, is: impl Fn(&Value) -> bool) {
        let reached = within(PATIENCE, || is(&self.daemon().job(id)));
        assert!(reached, "{what}: {:#}", self.daemon().job(id));
    }
}

#[test]
fn jobs_are_seen_chosen_raised_watched_and_cancelled() {
    if !is_there("top") {
        return;
    }
    let busy = Busy::new();
    let terminal = busy.top(120, 30);
    terminal.wait_for(&[
        "1 running",
        "2 queued",
        "the-first",
        "the-third",
        "192 MiB of 200 MiB",
        "Job 1",
    ]);
    terminal.press(&["j", "j"]);
    terminal.wait_for(&["Job 3  the-third"]);
    terminal.press(&["+", "+"]);
    busy.wait_for(3, "its priority is raised", |job| job["priority"] == 2);
    terminal.wait_for(&["job 3 has priority 2"]);
    terminal.wait_until("job 3 before job 2", |screen| {
        screen.find("the-third") < screen.find("the-second")
    });
    terminal.press(&["-"]);
    busy.wait_for(3, "its priority is lowered", |job| job["priority"] == 1);
    // No is no.
    terminal.press(&["c"]);
    terminal.wait_for(&["Cancel job 3?"]);
    terminal.press(&["n"]);
    terminal.wait_until("no question", |screen| !screen.contains("Cancel job 3?"));
    assert_eq!(busy.daemon().job(3)["state"], "queued");
    terminal.press(&["c"]);
    terminal.wait_for(&["Cancel job 3?"]);
    terminal.press(&["y"]);
    busy.wait_for(3, "it is cancelled", |job| job["state"] == "cancelled");
    terminal.wait_for(&["1 cancelled"]);
    terminal.press(&["r"]);
    terminal.wait_for(&["Remove job 3"]);
    terminal.press(&["y"]);
    terminal.wait_until("two jobs", |screen| !screen.contains("the-third"));
    // The job that works, on the whole screen, and its log.
    terminal.press(&["g", "Enter"]);
    terminal.wait_for(&["Job 1  the-first", "products/s", "busiest", "memory"]);
    terminal.press(&["l"]);
    terminal.wait_for(&["Log of job 1"]);
    terminal.press(&["q"]);
    terminal.wait_for(&["the-second"]);
    terminal.press(&["?"]);
    terminal.wait_for(&["Keys", "raise or lower the priority"]);
    terminal.press(&["?"]);
    terminal.press(&["/", "second", "Enter"]);
    terminal.wait_for(&["1 job with \"second\""]);
    terminal.press(&["q"]);
    busy.assert_restored(&terminal, 0);
    assert_eq!(busy.daemon().job(1)["state"], "running");
}

#[test]
fn a_daemon_may_restart_and_a_terminal_change_its_size_meanwhile() {
    if !is_there("top") {
        return;
    }
    let mut busy = Busy::new();
    let terminal = busy.top(120, 30);
    terminal.wait_for(&["the-first", "1 running"]);
    assert_eq!(busy.daemon.take().unwrap().stop(), Some(0));
    terminal.wait_for(&[
        "no answer for",
        "no daemon listens at d.sock; trying again",
        "the-first",
    ]);
    // Keys are not held up.
    terminal.press(&["?"]);
    terminal.wait_for(&["Keys"]);
    terminal.press(&["Escape"]);
    busy.daemon = Some(Daemon::start(&busy.folder, FOR_ONE));
    terminal.wait_for(&["the daemon answers again", "1 running"]);
    for (columns, rows) in [(40, 10), (12, 3), (200, 60), (80, 24)] {
        terminal.resize(columns, rows);
        let fits = |screen: &str| {
            let lines: Vec<&str> = screen.trim_end().lines().collect();
            lines.len() == usize::from(rows)
                && lines.last().is_some_and(|keys| keys.starts_with("q quit"))
        };
        terminal.wait_until("screen of this size", fits);
    }
    terminal.press(&["C-c"]);
    busy.assert_restored(&terminal, 0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    if !is_there("top") {
        return;
    }
    let busy = Busy::new();
    let terminal = busy.top(100, 25);
    terminal.wait_for(&["the-first"]);
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_molsieve")).unwrap();
    let pids = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let folder = entry.path();
            let its = fs::read_link(folder.join("exe")).ok()? == program;
            let arguments = fs::read_to_string(folder.join("cmdline")).ok()?;
            let here = fs::read_link(folder.join("cwd")).ok()?
                == fs::canonicalize(busy.folder.path("")).ok()?;
            let is_top = its && here && arguments.split('\0').nth(1) == Some("top");
            is_top
                .then(|| entry.file_name().to_str()?.parse().ok())
                .flatten()
        });
    let pids: Vec<i32> = pids.collect();
    assert_eq!(pids.len(), 1, "{pids:?}");
    kill_process(Pid::from_raw(pids[0]).unwrap(), Signal::TERM).unwrap();
    busy.assert_restored(&terminal, 0);
}

#[test]
fn without_a_terminal_the_other_verbs_are_named() {
    let run = Molsieve::new("top").run();
    run.refuses(
        2,
        &["top needs a terminal", "molsieve ls", "molsieve watch"],
    );
    let run = Molsieve::new("top --interval 0.1").run();
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("0.2 to 60"), "{}", run.stderr);
    if !is_there("top on a terminal that cannot move its cursor") {
        return;
    }
    let folder = Folder::new();
    let program = env!("CARGO_BIN_EXE_molsieve");
    let script = format!("TERM=dumb {program} top; echo \"it ended with $?\"; exec cat");
    let terminal = Tmux::start(&folder, 100, 20, &script);
    terminal.wait_for(&["top needs a terminal", "it ended with 2"]);
}
