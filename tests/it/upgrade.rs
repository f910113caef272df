//! Upgrades: the queue that an older version wrote, opened by this one. `tests/states/` has such queues as SQL.

use std::fs;

use crate::kit::{
    Folder, Molsieve,
    daemon::{Daemon, settings},
    library::{THREE_RULES, rule_file, smiles_lines},
    output::{assert_complete, part_bytes},
};
use rusqlite::Connection;
use serde_json::{Value, json};

/// Writes the queue of `tests/states/` into the folder's state directory, as if this user had submitted its jobs, with
/// paths in this folder.
fn queue_of(folder: &Folder, sql: &str) {
    let state = folder.path("state");
    fs::create_dir(&state).unwrap();
    let database = Connection::open(state.join("jobs.sqlite3")).unwrap();
    let here = folder.path("x");
    let here = here.parent().unwrap().to_str().unwrap();
    database
        .execute_batch(&sql.replace("/upgrade/", &format!("{here}/")))
        .unwrap();
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    let uid = i64::from(uid.as_raw());
    for table in ["jobs", "idempotency"] {
        database
            .execute(&format!("UPDATE {table} SET uid = ?1"), [uid])
            .unwrap();
    }
    let group = "UPDATE jobs SET given = json_set(given, '$.gid', ?1)";
    database.execute(group, [i64::from(gid.as_raw())]).unwrap();
}

fn states(daemon: &Daemon) -> Vec<(u64, String)> {
    let list = daemon.request("GET", "/v1/jobs?limit=100", "").json();
    let of = |job: &Value| {
        let state = job["state"].as_str().unwrap().to_owned();
        (job["id"].as_u64().unwrap(), state)
    };
    let mut all: Vec<_> = list["jobs"].as_array().unwrap().iter().map(of).collect();
    all.sort_unstable();
    all
}

#[test]
fn the_queue_of_commit_1636280_is_continued() {
    let folder = Folder::new();
    queue_of(&folder, include_str!("../states/1636280.sql"));
    let input = folder.write("library.smi", smiles_lines(60));
    let rules = rule_file(&folder, &THREE_RULES);
    // Ended jobs of that time must not expire.
    let flags = "--memory 400MiB --threads 2 --gpus 0 --retry-delay 0 --keep-days 36500";
    let daemon = Daemon::start(&folder, flags);
    for id in 5..=8 {
        daemon.wait_for(id, "done");
    }
    let ended: Vec<_> = ["done", "failed", "cancelled", "cancelled"]
        .into_iter()
        .chain(["done"; 4])
        .map(str::to_owned)
        .collect();
    assert_eq!(states(&daemon), (1..=8).zip(ended).collect::<Vec<_>>());

    // What ended before is as it was.
    let (done, failed) = (daemon.job(1), daemon.job(2));
    assert_eq!(done["name"], "nightly");
    assert_eq!(done["exit_code"], 4);
    assert_eq!(done["attempts"], 1);
    assert!(
        failed["error"]
            .as_str()
            .unwrap()
            .ends_with("missing.toml: no such file or directory")
    );
    assert_eq!(daemon.job(8)["priority"], 10);
    let log = daemon.request("GET", "/v1/jobs/1/log", "").body;
    assert!(
        log.starts_with("molsieve: row 7: RDKit can't read the SMILES\n"),
        "{log}"
    );
    assert!(log.contains("line 149 of a long log"), "{log}");
    let events: Vec<String> = daemon.events(1, 0).collect();
    assert!(
        events.iter().any(|line| line.contains("\"running\"")),
        "{events:?}"
    );

    // The interrupted, the orphaned and the waiting ones make what a new job makes.
    let run = Molsieve::new("run --memory 192MiB --threads 1 --engine cpu")
        .input(&input)
        .rules(&rules)
        .output(folder.path("expected"))
        .run();
    run.ends_with(0);
    let expected = part_bytes(&folder.path("expected"));
    for id in 5..=8 {
        let output = folder.path(&format!("out-{id}"));
        assert_complete(&output);
        assert!(part_bytes(&output) == expected, "job {id}");
    }

    // Keys of that time are known: the same word is no new job.
    let body = json!({ "settings": settings(&input, &rules, &folder.path("out-7")) });
    let key = "idempotency-key: waiting-7\r\n";
    let again = daemon
        .try_request_with("POST", "/v1/jobs", key, &body.to_string())
        .unwrap();
    assert_eq!(again.status, 409, "{again:?}");
    assert_eq!(
        daemon.submit(&settings(&input, &rules, &folder.path("new"))),
        9
    );
    assert_eq!(daemon.stop(), Some(0));
}
