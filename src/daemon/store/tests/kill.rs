//! A writer that is killed at any instant: what it said it had committed is there, and whole.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::*;

/// Names the writer's directory, and makes [`the_writer`] one.
const DIR: &str = "MOLSIEVE_TEST_STORE_DIR";
/// Jobs of one transaction: enough that some kills come while it is on its way to the disk. (Without
/// a journal this finds a damaged file.)
const GROUP: u64 = 20;
const ROUNDS: u64 = 20;

/// No test: what [`what_was_committed_survives_sigkill`] starts and kills.
#[test]
fn the_writer() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let mut store = Store::open(Path::new(&dir)).unwrap();
    for group in 0u64.. {
        let ids = store.write(|tx| {
            let mut ids = Vec::new();
            for _ in 0..GROUP {
                let settings =
                    json!({"group": [std::process::id(), group], "filler": "x".repeat(3000)});
                let submission = Submission {
                    settings,
                    ..submission(7)
                };
                let Inserted::New(mut job) = tx.insert(submission, 1)? else {
                    panic!("no key, no other job");
                };
                tx.append_log(job.id, &[b'y'; 10_000])?;
                job.course.state = State::Running;
                job.course.seq += 1;
                tx.update(&job, 2)?;
                ids.push(job.id);
            }
            Ok::<_, JobStoreError>(ids)
        });
        for id in ids.unwrap() {
            println!("\ncommitted {id}");
        }
    }
}

/// Runs the writer until it has said that it committed `ids` jobs, and `then` longer; kills it;
/// gives all it said.
fn killed_writer(dir: &Path, ids: usize, then: Duration) -> Vec<u64> {
    let name = format!("{}::the_writer", module_path!().split_once("::").unwrap().1);
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut committed =
        lines.filter_map(|line| line.ok()?.strip_prefix("committed ")?.parse().ok());
    let mut said: Vec<u64> = committed.by_ref().take(ids).collect();
    sleep(then);
    writer.kill().unwrap();
    writer.wait().unwrap();
    said.extend(committed);
    said
}

#[test]
fn what_was_committed_survives_sigkill() {
    let dir = tempfile::tempdir().unwrap();
    let mut said = Vec::new();
    for round in 0..ROUNDS {
        let chance = (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        said.extend(killed_writer(
            dir.path(),
            chance as usize % 60,
            Duration::from_micros(chance % 20_011),
        ));
        // Opening checks the file.
        let store = Store::open(dir.path()).unwrap();
        let astray = "SELECT count(*) FROM pragma_foreign_key_check";
        assert_eq!(ask(&store, astray), 0);
        let jobs = all(dir.path());
        let found: Vec<u64> = jobs.iter().map(|job| job.id.0).collect();
        for id in &said {
            assert!(
                found.binary_search(id).is_ok(),
                "round {round}: job {id} is lost"
            );
        }
        let mut groups = BTreeMap::<String, u64>::new();
        let reader = Reader::open(dir.path()).unwrap();
        for job in &jobs {
            *groups
                .entry(job.submission.settings["group"].to_string())
                .or_default() += 1;
            assert_eq!((job.course.state, job.course.seq), (State::Running, 2));
            assert_eq!(reader.history(job.id, 0, 9).unwrap().len(), 2);
            assert_eq!(
                reader.log(job.id, 0, 1 << 20).unwrap(),
                (0, vec![b'y'; 10_000])
            );
        }
        assert!(
            groups.values().all(|jobs| *jobs == GROUP),
            "half a transaction"
        );
    }
    assert!(
        said.len() > ROUNDS as usize,
        "the writer hardly wrote: {}",
        said.len()
    );
}
