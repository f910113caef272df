mod backup;
mod bounds;
mod files;
mod jobs;
mod kill;
mod reserve;

use serde_json::{Value, json};

use super::*;
use crate::daemon::{
    action::ListQuery,
    job::{Course, Job, JobId, Submission},
};

/// A new store, and its directory.
fn fresh() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// A submission of user `uid` with nothing special.
fn submission(uid: u32) -> Submission {
    Submission {
        uid,
        gid: uid,
        ..Submission::plain()
    }
}

/// The job that `submission` becomes.
fn insert(store: &mut Store, submission: Submission) -> Job {
    let inserted = store.write(|tx| tx.insert(submission, 1_000)).unwrap();
    let Inserted::New(job) = inserted else {
        panic!("{inserted:?}");
    };
    job
}

/// Writes `job` after `change` of its course, as its next event.
fn change(store: &mut Store, job: &mut Job, change: impl FnOnce(&mut Course)) {
    change(&mut job.course);
    job.course.seq += 1;
    store.write(|tx| tx.update(job, 2_000)).unwrap();
}

fn list(reader: &Reader, query: &ListQuery, visible_to: Option<u32>) -> Vec<u64> {
    let jobs = reader.list(query, visible_to).unwrap();
    jobs.iter().map(|job| job.id.0).collect()
}

/// Every job of a directory, oldest first.
fn all(dir: &Path) -> Vec<Job> {
    let query = ListQuery {
        limit: u32::MAX,
        ..ListQuery::default()
    };
    let mut jobs = Reader::open(dir).unwrap().list(&query, None).unwrap();
    jobs.reverse();
    jobs
}

/// The one value of a query on the store's connection.
fn ask(store: &Store, sql: &str) -> i64 {
    store
        .connection
        .query_row(sql, [], |row| row.get(0))
        .unwrap()
}

/// Settings that fill some space.
fn wide(bytes: usize) -> Value {
    json!({"output": "/data/out", "rules": "r".repeat(bytes)})
}
