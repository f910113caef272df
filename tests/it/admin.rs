//! `molsieve admin`: a backup of a running daemon's queue, and the daemon that starts from it.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::kit::{
    Folder, Molsieve,
    daemon::{Daemon, is_root, settings},
    library::{THREE_RULES, rule_file, smiles_lines},
    output::{assert_complete, part_bytes},
};

const FOR_ONE: &str = "--memory 200MiB --threads 1 --gpus 0 --retry-delay 0";

#[test]
fn a_daemon_starts_from_a_backup_that_was_made_while_jobs_ran() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(300));
    let rules = rule_file(&folder, &THREE_RULES);
    let of = |output: &str| settings(&input, &rules, &folder.path(output));
    let mut daemon = Daemon::start(&folder, FOR_ONE);
    let done = daemon.submit(&of("done"));
    daemon.wait_for(done, "done");
    let running = daemon.submit(&of("running"));
    let waiting = daemon.submit(&of("waiting"));
    daemon.wait_for(running, "running");
    let copy = folder.path("copy");
    let backup = |flags: &str| {
        Molsieve::new(&format!("admin backup {flags}"))
            .arg(&copy)
            .arg("--state")
            .arg(folder.path("state"))
            .run()
    };
    let run = backup("--json").ends_with(0);
    let said: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&said["event"], &said["jobs"]),
        (&"backup".into(), &3.into())
    );
    let file = fs::metadata(&copy).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(said["bytes"], file.len());
    backup("").refuses(2, &["copy: exists already"]);

    // Whatever comes after the backup is lost, also the end of a job.
    daemon.wait_for(running, "done");
    let bytes = part_bytes(&folder.path("running"));
    let lost = daemon.submit(&of("lost"));
    daemon.kill();
    drop(daemon);
    fs::rename(folder.path("state"), folder.path("before")).unwrap();
    fs::create_dir(folder.path("state")).unwrap();
    fs::copy(&copy, folder.path("state").join("jobs.sqlite3")).unwrap();
    let daemon = Daemon::start(&folder, FOR_ONE);
    assert_eq!(daemon.job(done)["state"], "done");
    assert_eq!(
        daemon
            .request("GET", &format!("/v1/jobs/{lost}"), "")
            .status,
        404
    );
    daemon.wait_for(running, "done");
    daemon.wait_for(waiting, "done");
    assert!(part_bytes(&folder.path("running")) == bytes);
    for output in ["running", "waiting"] {
        assert_complete(&folder.path(output));
    }
    // Numbers that the backup does not know are given again.
    assert_eq!(daemon.submit(&of("next")), lost);
}

#[test]
fn only_who_may_read_the_state_makes_a_backup() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    let daemon = Daemon::start(&folder, FOR_ONE);
    let state = folder.path("state");
    let refused = daemon.molsieve_as(
        65_534,
        &[
            "admin",
            "backup",
            "/tmp/never",
            "--state",
            state.to_str().unwrap(),
        ],
    );
    refused.refuses(1, &["permission denied"]);
    assert!(fs::symlink_metadata("/tmp/never").is_err());
    daemon
        .molsieve("admin backup")
        .arg(folder.path("copy"))
        .arg("--state")
        .arg(folder.path("nowhere"))
        .run()
        .refuses(2, &["has no job store"]);
}
