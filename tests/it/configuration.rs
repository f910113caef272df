//! The daemon's configuration file: `--check-config`, and reloads at SIGHUP of a real process.

use std::fs;

use crate::kit::{
    Folder, Molsieve,
    daemon::{Daemon, PATIENCE, within},
};

const FLAGS: &str = "--memory 400MiB --gpus 0";

/// `molsieve serve --check-config` with the file `m.toml` of a folder.
fn check(folder: &Folder, file: &str, flags: &str) -> crate::kit::Run {
    let path = folder.write("m.toml", file);
    Molsieve::new("serve --check-config --gpus 0 --socket /s --state /d")
        .arg("--config")
        .arg(path)
        .args(flags)
        .run()
}

#[test]
fn the_settings_are_printed_with_their_origins() {
    let folder = Folder::new();
    let file = "threads = 3\nmemory = \"1GiB\"\n[quota]\nwaiting = 7\n[quota.user.root]\nthreads = \"50%\"\n";
    let run = check(&folder, file, "--threads 2");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for line in [
        "threads = 2  # flag",
        "memory = \"1GiB\"  # file, line 2",
        "keep_days = 30  # default",
        "# group is not set",
        "[quota]\nwaiting = 7  # file, line 4",
        "[quota.user.root]\nthreads = \"50%\"  # file, line 6",
    ] {
        assert!(run.stdout.contains(line), "{line}\n{}", run.stdout);
    }
    assert_eq!(run.stderr, "");
    // What is printed is itself a configuration file.
    let again = check(&folder, &run.stdout, "");
    assert_eq!(again.code, Some(0), "{}", again.stderr);
}

#[test]
fn a_wrong_file_is_an_error_with_line_and_column() {
    let folder = Folder::new();
    for (file, expected) in [
        (
            "\nthread = 1\n",
            "m.toml:2:1: unknown key \"thread\"; did you mean \"threads\"?",
        ),
        (
            "threads = 0\n",
            "m.toml:1:11: threads: 0 is not between 1 and 65536",
        ),
        (
            "[quota.user]\nno-such-user = {}\n",
            "m.toml:2:1: there is no user \"no-such-user\"",
        ),
    ] {
        let run = check(&folder, file, "");
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    let run = Molsieve::new("serve --check-config --config /nowhere/m.toml").run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("/nowhere/m.toml"), "{}", run.stderr);
}

/// The threads of the budget, as the daemon says them.
fn threads(daemon: &Daemon) -> u64 {
    let node = daemon.request("GET", "/v1/node", "").json();
    node["budget"]["threads"].as_u64().unwrap()
}

#[test]
fn a_reload_applies_what_needs_no_restart_and_a_wrong_file_changes_nothing() {
    let folder = Folder::new();
    folder.write("molsieve.toml", "threads = 2\n");
    let daemon = Daemon::start(&folder, FLAGS);
    assert_eq!(threads(&daemon), 2);
    let reload = |file: &str, logged: &str| {
        fs::write(folder.path("molsieve.toml"), file).unwrap();
        daemon.hang_up();
        assert!(
            within(PATIENCE, || daemon.log().contains(logged)),
            "{}",
            daemon.log()
        );
    };
    reload(
        "threads = 5\nlog_format = \"json\"\n[quota.user.nobody]\nwaiting = 9\n",
        "reloaded: the quotas have changed",
    );
    assert!(
        within(PATIENCE, || threads(&daemon) == 5),
        "{}",
        daemon.log()
    );
    let log = daemon.log();
    assert!(log.contains("reloaded: threads = 5"), "{log}");
    assert!(
        log.contains("not reloaded, restart the daemon: log_format = \"json\""),
        "{log}"
    );
    let user = daemon.request("GET", "/v1/users/65534", "").json();
    assert_eq!(user["quota"]["waiting"], 9, "{user:#}");
    reload(
        "threads = 0\n",
        "molsieve.toml:1:11: threads: 0 is not between 1 and 65536",
    );
    assert!(
        daemon.log().contains("the settings stay"),
        "{}",
        daemon.log()
    );
    assert_eq!(threads(&daemon), 5);
    // A flag wins at a reload too, and a file that is repaired is taken.
    reload(
        "threads = 3\nmemory = \"300MiB\"\n",
        "reloaded: threads = 3",
    );
    assert!(
        within(PATIENCE, || threads(&daemon) == 3),
        "{}",
        daemon.log()
    );
    let node = daemon.request("GET", "/v1/node", "").json();
    assert_eq!(node["budget"]["memory_bytes"], 400 << 20, "{node:#}");
    // The level of the log changes with the next line.
    reload(
        "threads = 3\nlog_level = \"debug\"\n",
        "reloaded: log_level",
    );
    let debugs = || {
        daemon.request("GET", "/healthz", "");
        daemon.log().contains("DEBUG")
    };
    assert!(within(PATIENCE, debugs), "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}
