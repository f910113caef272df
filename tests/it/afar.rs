//! A daemon on another machine: the client connects to it by the user's own ssh. The other machine is this one, behind
//! OpenSSH's server.

use std::{fs, path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::kit::{
    Folder, Run,
    daemon::{Daemon, PATIENCE, settings, within},
    library::{THREE_RULES, rule_file, shipped_library, shipped_rules, smiles_lines},
    output::assert_complete,
    sshd::Sshd,
};

const FLAGS: &str = "--memory 400MiB --threads 2 --gpus 0 --retry-delay 0";

/// A job of some seconds.
fn long_settings(folder: &Folder, output: &str) -> Value {
    let mut long = settings(&shipped_library(), &shipped_rules(), &folder.path(output));
    long["steps"] = json!(2);
    long["max_products_per_step"] = json!(20_000);
    long
}

#[track_caller]
fn assert_done(run: &Run, code: i32) {
    assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
}

#[test]
fn jobs_are_submitted_watched_and_cancelled_over_ssh() {
    let Some(sshd) = Sshd::start("a daemon over ssh") else {
        return;
    };
    let folder = Folder::new();
    let daemon = Daemon::start(&folder, FLAGS);
    let address = sshd.address(&daemon.socket);
    let at_node = |flags: &str| sshd.molsieve(&address, flags);
    let input = folder.write("a.smi", smiles_lines(60));
    let rules = rule_file(&folder, &THREE_RULES);
    let submit = at_node("submit --wait --memory 192MiB --threads 1 --engine cpu")
        .input(&input)
        .rules(&rules)
        .output(folder.out())
        .run();
    assert_done(&submit, 0);
    assert!(submit.stderr.contains("job 1"), "{}", submit.stderr);
    assert_complete(&folder.out());
    // Submission and events went over one connection.
    assert_eq!(sshd.connections().len(), 1);

    let ls = at_node("ls").run();
    assert_done(&ls, 0);
    assert!(ls.stdout.contains("done"), "{}", ls.stdout);
    let by_flag = sshd
        .molsieve("/nowhere", "status 1 --socket")
        .arg(&address)
        .run();
    assert_done(&by_flag, 0);
    let logs = at_node("logs 1").run();
    assert!(logs.stdout.contains("unique products"), "{}", logs.stdout);

    let id = daemon.submit(&long_settings(&folder, "long"));
    let watch = at_node(&format!("watch {id}")).start();
    let mut follow = at_node(&format!("logs --follow {id}")).start();
    daemon.wait_for(id, "running");
    assert!(follow.is_running());
    assert_done(&at_node(&format!("cancel {id}")).run(), 0);
    let watch = watch.wait(PATIENCE);
    assert_eq!(watch.code, Some(1), "{}", watch.stderr);
    assert!(watch.stderr.contains("was cancelled"), "{}", watch.stderr);
    let follow = follow.wait(PATIENCE);
    assert_done(&follow, 0);
    assert!(
        follow.stdout.contains("starts the job"),
        "{}",
        follow.stdout
    );
    assert_done(&at_node(&format!("rm {id} 1")).run(), 0);
    assert_eq!(sshd.left(), 0, "sockets of clients that have ended");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn files_of_a_job_are_those_of_the_node() {
    let Some(sshd) = Sshd::start("paths over ssh") else {
        return;
    };
    let folder = Folder::new();
    let daemon = Daemon::start(&folder, FLAGS);
    let address = sshd.address(&daemon.socket);
    let run = sshd
        .molsieve(&address, "submit --input a.smi --output /out")
        .run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("a.smi: over ssh") && run.stderr.contains("absolute path"),
        "{}",
        run.stderr
    );
    // The node has no such file, and says so; nothing is looked for here.
    let run = sshd
        .molsieve(&address, "submit --wait --memory 192MiB --threads 1")
        .args("--input /nowhere/a.smi --output /nowhere/out")
        .run();
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(run.stderr.contains("/nowhere/a.smi"), "{}", run.stderr);
}

#[test]
fn what_ssh_says_is_one_line() {
    let Some(sshd) = Sshd::start("errors of ssh") else {
        return;
    };
    let folder = Folder::new();
    let daemon = Daemon::start(&folder, FLAGS);
    let good = sshd.address(&daemon.socket);
    let refused = "ssh://127.0.0.1:1/s".to_owned();
    let nothing = sshd.address(&folder.path("no.sock"));
    let file = sshd.address(&folder.write("file", ""));
    let run = |address: &str, key: &str| sshd.with_key(address, "ls", key).run();
    for (run, code, expected) in [
        (
            run(&refused, "key"),
            1,
            "ssh to 127.0.0.1: connect to host 127.0.0.1 port 1: Connection refused",
        ),
        (run(&good, "stranger"), 1, "ssh to 127.0.0.1: "),
        (run(&good, "stranger"), 1, "Permission denied (publickey)"),
        (
            run(&nothing, "key"),
            1,
            "no daemon listens at ssh://127.0.0.1:",
        ),
        (
            run(&file, "key"),
            1,
            "no daemon listens at ssh://127.0.0.1:",
        ),
        (run("ssh://no_port:x/s", "key"), 2, "the port is no number"),
        (
            run("ssh://-oProxyCommand=x/s", "key"),
            2,
            "an address is ssh://",
        ),
    ] {
        assert_eq!(run.code, Some(code), "{expected}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    assert_eq!(sshd.left(), 0);
}

#[test]
fn a_watched_job_outlives_a_broken_connection_and_a_killed_client() {
    let Some(sshd) = Sshd::start("broken connections") else {
        return;
    };
    let folder = Folder::new();
    let daemon = Daemon::start(&folder, FLAGS);
    let address = sshd.address(&daemon.socket);
    let id = daemon.submit(&long_settings(&folder, "out"));
    let mut watch = sshd
        .molsieve(&address, &format!("watch {id} --json"))
        .start();
    assert!(within(PATIENCE, || sshd.connections().len() == 1));
    daemon.wait_for(id, "running");
    let ssh = Pid::from_raw(sshd.connections()[0]).unwrap();
    let is_connected = || folder_of_socket(&sshd.runtime()).is_some();
    assert!(within(PATIENCE, is_connected));
    // The client has asked for the events.
    assert!(within(PATIENCE, || daemon
        .log()
        .contains("job 1 is running")));
    std::thread::sleep(Duration::from_millis(300));
    kill_process(ssh, Signal::KILL).unwrap();
    assert!(
        within(PATIENCE, || sshd.connections().len() == 2),
        "the client does not connect again"
    );
    assert!(watch.is_running());
    // A client that is killed takes its ssh with it, and the next one removes its folder.
    std::thread::sleep(Duration::from_millis(500));
    watch.kill();
    let second = Pid::from_raw(sshd.connections()[1]).unwrap();
    assert!(
        within(PATIENCE, || test_kill_process(second).is_err()),
        "ssh outlives its client"
    );
    assert_eq!(sshd.left(), 1);
    assert_done(&sshd.molsieve(&address, &format!("cancel {id}")).run(), 0);
    assert_eq!(sshd.left(), 0);
}

/// The folder of the client's socket, once there is a socket in it.
fn folder_of_socket(runtime: &Path) -> Option<fs::DirEntry> {
    let mut folders = fs::read_dir(runtime).ok()?.flatten();
    folders.find(|folder| folder.path().join("s").exists())
}
