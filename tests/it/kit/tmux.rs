//! A terminal for a test: a session of tmux, whose screen is read and whose keys are pressed.

use std::{
    env,
    ffi::OsStr,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use super::{Folder, run_command, skip::skipped};

/// Maximum time that a test waits for something on the screen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Without tmux, reports that `what` is skipped, or fails if `MOLSIEVE_REQUIRE_TMUX` is set.
pub fn is_there(what: &str) -> bool {
    let there = Command::new("tmux").arg("-V").output().is_ok();
    if !there {
        let required = env::var_os("MOLSIEVE_REQUIRE_TMUX").is_some();
        assert!(!required, "tmux is not installed");
        skipped(&format!("{what}: tmux is not installed"));
    }
    there
}

/// A terminal. Its programs end with it.
pub struct Tmux {
    socket: PathBuf,
}

impl Tmux {
    /// A terminal of so many columns and rows, in which a shell runs `script`.
    pub fn start(folder: &Folder, columns: u16, rows: u16, script: &str) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Relaxed);
        let socket = folder.path(&format!("tmux-{number}"));
        let tmux = Self { socket };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let size = ["-x", columns.as_str(), "-y", rows.as_str()];
        let start = ["-u", "-f", "/dev/null", "new-session", "-d"];
        tmux.tmux(start.into_iter().chain(size).chain([script]));
        tmux
    }

    fn tmux<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(args);
        command.env("LC_ALL", "C.UTF-8").env_remove("TMUX");
        let run = run_command(command);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout
    }

    /// Presses keys, with tmux's names for them.
    pub fn press(&self, keys: &[&str]) {
        self.tmux(["send-keys"].into_iter().chain(keys.iter().copied()));
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.tmux(["capture-pane", "-p"])
    }

    /// Waits until all these texts are on the screen.
    #[track_caller]
    pub fn wait_for(&self, texts: &[&str]) -> String {
        let shown = |screen: &str| texts.iter().all(|text| screen.contains(text));
        self.wait_until(&format!("{texts:?}"), shown)
    }

    /// Waits until the screen is as wanted.
    #[track_caller]
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "no {what} on the screen:\n{screen}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(["resize-window", "-x", &columns, "-y", &rows]);
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        command.args([
            OsStr::new("-S"),
            self.socket.as_os_str(),
            OsStr::new("kill-server"),
        ]);
        command.output().ok();
    }
}
