//! Cancelling and forgetting many jobs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Site;
use crate::kit::{
    alone,
    daemon::{PATIENCE, is_root, within},
};

#[test]
fn jobs_are_cancelled_and_forgotten_by_state_label_and_all() {
    let site = Site::new();
    let daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({ "labels": ["x"] }));
    let labels = [json!(["x"]), json!(["x", "y"]), json!(["y"]), json!([])];
    for (at, labels) in labels.iter().enumerate() {
        site.submit(&daemon, &format!("o{at}"), &json!({ "labels": labels }));
    }
    let states = || -> Vec<Value> { (1..=5).map(|id| daemon.job(id)["state"].clone()).collect() };
    assert_eq!(daemon.molsieve("cancel").run().code, Some(2));
    let answer = daemon.request("POST", "/v1/jobs/cancel", "");
    assert_eq!(answer.status, 400, "{answer:?}");
    let run = daemon
        .molsieve("cancel --label x --label y")
        .run()
        .ends_with(0);
    assert_eq!(run.stdout, "cancelled 1 job\n");
    assert_eq!(
        states(),
        ["running", "queued", "cancelled", "queued", "queued"]
    );
    // A number beside a selection; both count.
    let run = daemon
        .molsieve("cancel 5 --label x --state queued")
        .run()
        .ends_with(0);
    assert_eq!(run.stdout, "job 5 is cancelled\ncancelled 1 job\n");
    assert_eq!(
        states(),
        ["running", "cancelled", "cancelled", "queued", "cancelled"]
    );
    let run = daemon.molsieve("cancel --all --json").run().ends_with(0);
    assert_eq!(
        run.json_lines(),
        [
            json!({ "event": "cancelled", "id": 4, "state": "cancelled" }),
            json!({ "event": "cancelled", "id": 1, "state": "stopping" }),
        ]
    );
    let again = daemon.molsieve("cancel --all").run().ends_with(0);
    assert_eq!(again.stdout, "none of these jobs is waiting or running\n");
    occupant.resume();
    daemon.wait_for(occupant.id, "cancelled");

    let run = daemon.molsieve("rm --state done").run().ends_with(0);
    assert_eq!(run.stdout, "none of these jobs has ended\n");
    let run = daemon.molsieve("rm --label y").run().ends_with(0);
    assert_eq!(run.stdout, "forgot 2 jobs; their output stays\n");
    let run = daemon.molsieve("rm --all --json").run().ends_with(0);
    let forgotten: Vec<Value> = [5, 2, 1]
        .map(|id| json!({ "event": "forgotten", "id": id }))
        .into();
    assert_eq!(run.json_lines(), forgotten);
    assert_eq!(daemon.molsieve("ls").run().stdout, "no jobs\n");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_selection_means_ones_own_jobs_unless_an_admin_says_otherwise() {
    if !is_root() {
        return;
    }
    const NOBODY: u32 = 65_534;
    let site = Site::new();
    let daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({}));
    let roots = site.submit(&daemon, "a", &json!({}));
    let submit = |label: &str| {
        let args = [
            "submit", "--json", "-i", "/a.smi", "-o", "/tmp/o", "-m", "192MiB", "-t", "1",
        ];
        let run = daemon.molsieve_as(NOBODY, &[&args[..], &["--label", label]].concat());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.json_lines()[0]["id"].as_u64().unwrap()
    };
    let theirs = ["p", "p", "q", "r"].map(submit);
    let state = |id: u64| daemon.job(id)["state"].clone();
    for flags in [
        &["--user", "root"][..],
        &["--user", "0", "--state", "queued"],
    ] {
        let run = daemon.molsieve_as(NOBODY, &[&["cancel"], flags].concat());
        assert_eq!(
            run.stdout, "none of these jobs is waiting or running\n",
            "{flags:?}"
        );
    }
    let run = daemon.molsieve_as(NOBODY, &["cancel", "--everybody", "--label", "p"]);
    assert_eq!(run.stdout, "cancelled 2 jobs\n", "{}", run.stderr);
    assert_eq!(
        (state(theirs[0]), state(roots)),
        (json!("cancelled"), json!("queued"))
    );
    // Root's own jobs only, then those of a user, then all.
    let run = daemon.molsieve("cancel --state queued").run().ends_with(0);
    assert_eq!(run.stdout, "cancelled 1 job\n");
    assert_eq!(
        (state(theirs[2]), state(roots)),
        (json!("queued"), json!("cancelled"))
    );
    let run = daemon
        .molsieve("cancel --user nobody --label q")
        .run()
        .ends_with(0);
    assert_eq!(run.stdout, "cancelled 1 job\n");
    let run = daemon
        .molsieve("cancel --everybody --state queued")
        .run()
        .ends_with(0);
    assert_eq!(run.stdout, "cancelled 1 job\n");
    assert_eq!(state(theirs[3]), "cancelled");
    drop(occupant);
}

#[test]
fn the_whole_queue_is_cancelled_and_forgotten_in_seconds_slow() {
    let _alone = alone();
    let site = Site::new();
    let daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({}));
    // Directly into the store, while the daemon is stopped: 20,000 submissions take longer than what is measured.
    let first = site.submit(&daemon, "a", &json!({ "labels": ["many"] }));
    occupant.resume();
    assert_eq!(daemon.stop(), Some(0));
    let store = rusqlite::Connection::open(site.folder.path("state/jobs.sqlite3")).unwrap();
    let copies = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 19000)
        INSERT INTO jobs (uid, priority, submitted_at, given, course, settings, state)
        SELECT uid, -5, submitted_at, given, course, settings, state FROM jobs, n WHERE id = ?1";
    assert_eq!(store.execute(copies, [first as i64]), Ok(19_000));
    store
        .execute(
            "INSERT INTO labels (label, job_id) SELECT 'many', id FROM jobs WHERE id > ?1",
            [first as i64],
        )
        .unwrap();
    drop(store);
    let daemon = site.daemon();
    let before = daemon.peak_memory_bytes() >> 20;
    let began = Instant::now();
    let run = daemon.molsieve("cancel --label many").run().ends_with(0);
    let cancelled = began.elapsed();
    // One of them may have started meanwhile.
    let count = ["cancelled 19,00", "cancelled 18,99"];
    let begins = count.iter().any(|begin| run.stdout.starts_with(begin));
    assert!(begins, "{}", run.stdout);
    let said = run.stdout;
    let all = || {
        daemon.request("GET", "/v1/node", "").json()["jobs"]["cancelled"].as_u64() >= Some(18_990)
    };
    assert!(within(PATIENCE, all));
    let began = Instant::now();
    let run = daemon
        .molsieve("rm --label many --state cancelled")
        .run()
        .ends_with(0);
    let forgotten = began.elapsed();
    println!(
        "{cancelled:?}: {said}{forgotten:?}: {}{before} MiB before, {} at most",
        run.stdout,
        daemon.peak_memory_bytes() >> 20
    );
    let most = Duration::from_secs(30);
    assert!(
        cancelled < most && forgotten < most,
        "{cancelled:?} {forgotten:?}"
    );
    assert!(daemon.peak_memory_bytes() < 64 << 20);
}
