use super::*;
use crate::{
    daemon::job::{Demand, Ending, GpuDemand, Label, Mode, ProcessIdentity, SubmitOptions},
    report::event::Progress,
};

fn labels(texts: &[&str]) -> Vec<Label> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A submission with every field set to something special.
fn special() -> Submission {
    Submission {
        uid: u32::MAX - 1,
        gid: 17,
        exempt: true,
        name: Some("Chloroform, \"2\" \u{1f9ea}\n\0".into()),
        settings: json!({"a": [1.1, 2.5e-300, u64::MAX, -3, null, true, "\u{0}\""], "b": {"c": {}}}),
        mode: Mode::Overwrite,
        priority: -10,
        demand: Demand {
            memory_bytes: (1 << 50) + 1,
            threads: 512,
            gpu: GpuDemand::One,
        },
        options: SubmitOptions {
            labels: labels(&["array=1", "x"]),
            after: vec![JobId(1), JobId(7)],
            after_any: vec![JobId(2)],
            retries: Some(0),
            notify: Some("echo 'a b'".parse().unwrap()),
            unmet: Vec::new(),
        },
        idempotency: Some(("key".into(), [7; 32])),
    }
}

#[test]
fn every_field_comes_back() {
    let (dir, mut store) = fresh();
    let mut job = insert(&mut store, special());
    assert_eq!(
        (job.course.state, job.course.seq, job.submitted_at),
        (State::Queued, 1, 1_000)
    );
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.job(job.id).unwrap().as_ref(), Some(&job));

    let first = job.clone();
    change(&mut store, &mut job, |course| {
        course.state = State::Stopping;
        course.ending = Some(Ending::Cancel);
        course.started_at = Some(-1);
        course.ended_at = Some(i64::MAX);
        course.attempts = 3;
        course.failures = 2;
        course.rows_reached = 1 << 40;
        course.retry_at = Some(5);
        course.begun = true;
        course.opened = true;
        course.exit_code = Some(-75);
        course.error = Some("the worker said \u{fffd}\0".into());
        course.process = Some(ProcessIdentity {
            pid: u32::MAX,
            started_ticks: 1 << 62,
            boot_id: "b-1".into(),
        });
        course.progress = Some(Box::new(Progress {
            elapsed_seconds: 0.1 + 0.2,
            ..Progress::default()
        }));
    });
    assert_eq!(reader.job(job.id).unwrap().as_ref(), Some(&job));
    assert_eq!(
        store.write(|tx| tx.job(job.id)).unwrap().as_ref(),
        Some(&job)
    );
    assert_eq!(reader.history(job.id, 0, 9).unwrap(), [first, job.clone()]);
    drop((store, reader));
    assert_eq!(all(dir.path()), [job]);
}

#[test]
fn every_state_is_found_by_its_name() {
    let (dir, mut store) = fresh();
    let reader = Reader::open(dir.path()).unwrap();
    for state in State::ALL {
        let mut job = insert(&mut store, submission(1));
        change(&mut store, &mut job, |course| course.state = state);
        let query = ListQuery {
            states: vec![state],
            limit: 9,
            ..ListQuery::default()
        };
        assert_eq!(reader.list(&query, None).unwrap(), [job], "{state:?}");
        if state != State::Queued {
            assert_eq!(store.counts().unwrap()[&state], 1);
        }
    }
    assert_eq!(store.counts().unwrap().values().sum::<u64>(), 8);
}

#[test]
fn a_key_gives_the_same_job_again() {
    let (dir, mut store) = fresh();
    let mut job = insert(&mut store, special());
    change(&mut store, &mut job, |course| course.state = State::Running);
    drop(store);

    let mut store = Store::open(dir.path()).unwrap();
    let again = store.write(|tx| tx.insert(special(), 9)).unwrap();
    assert_eq!(again, Inserted::Known(job.clone()));
    let mut other = special();
    other.idempotency = Some(("key".into(), [8; 32]));
    let conflict = store.write(|tx| tx.insert(other, 9)).unwrap();
    assert_eq!(conflict, Inserted::Conflict(job.id));
    // Another user's key is another key.
    let mut theirs = special();
    theirs.uid = 5;
    insert(&mut store, theirs);
    // A forgotten job's key is free, and its number is not used again.
    assert!(store.write(|tx| tx.remove(job.id)).unwrap());
    assert_eq!(insert(&mut store, special()).id, JobId(3));
}

#[test]
fn twice_the_same_key_in_one_transaction_is_one_job() {
    let (_dir, mut store) = fresh();
    let pair = store
        .write(|tx| Ok::<_, JobStoreError>((tx.insert(special(), 1)?, tx.insert(special(), 2)?)));
    let (Inserted::New(new), Inserted::Known(known)) = pair.unwrap() else {
        panic!("not one job");
    };
    assert_eq!(new, known);
}

#[test]
fn a_failed_transaction_leaves_nothing() {
    let (dir, mut store) = fresh();
    let mut gone = insert(&mut store, submission(1));
    store.write(|tx| tx.remove(gone.id)).unwrap();
    gone.course.seq += 1;
    // Even if the caller does not look at the answer.
    let answer: Result<(), JobStoreError> = store.write(|tx| {
        tx.insert(submission(1), 1)?;
        let _ = tx.update(&gone, 1);
        let _ = tx.insert(submission(1), 1);
        Ok(())
    });
    assert_eq!(answer, Err(JobStoreError::NoJob(gone.id)));
    assert_eq!(all(dir.path()), []);
}

#[test]
fn what_is_unfinished_is_shown_after_a_restart() {
    let (dir, mut store) = fresh();
    let mut jobs: Vec<Job> = (0..4)
        .map(|_| insert(&mut store, special_without_key()))
        .collect();
    let worker = ProcessIdentity {
        pid: 9,
        started_ticks: 8,
        boot_id: "b".into(),
    };
    change(&mut store, &mut jobs[1], |course| {
        course.state = State::Interrupted;
        course.retry_at = Some(77);
    });
    change(&mut store, &mut jobs[2], |course| {
        course.state = State::Done
    });
    change(&mut store, &mut jobs[3], |course| {
        course.state = State::Stopping;
        course.ending = Some(Ending::Drain);
        course.process = Some(worker.clone());
    });
    drop(store);

    let mut seen = Vec::new();
    let store = Store::open(dir.path()).unwrap();
    store.each_unfinished(|job| seen.push(job)).unwrap();
    let expected = [0, 3, 1].map(|at: usize| {
        let mut job = jobs[at].clone();
        job.submission.settings = Value::Null;
        job
    });
    assert_eq!(seen, expected);
}

fn special_without_key() -> Submission {
    Submission {
        idempotency: None,
        ..special()
    }
}

#[test]
fn only_ended_jobs_are_pruned_the_oldest_first() {
    let (dir, mut store) = fresh();
    let mut jobs: Vec<Job> = (0..5).map(|_| insert(&mut store, submission(1))).collect();
    for (at, job) in [30, 10, 20, 99].into_iter().zip(&mut jobs) {
        change(&mut store, job, |course| {
            course.state = State::Failed;
            course.ended_at = Some(at);
        });
        store.write(|tx| tx.append_log(job.id, b"said")).unwrap();
    }
    change(&mut store, &mut jobs[4], |course| course.ended_at = Some(1));
    assert_eq!(store.write(|tx| tx.prune(99, 2)).unwrap(), 2);
    let left: Vec<u64> = all(dir.path()).iter().map(|job| job.id.0).collect();
    assert_eq!(left, [1, 4, 5]);
    assert_eq!(store.write(|tx| tx.prune(99, 2)).unwrap(), 1);
    // Their events and logs went with them.
    assert_eq!(ask(&store, "SELECT count(*) FROM events"), 4);
    assert_eq!(ask(&store, "SELECT count(*) FROM logs"), 1);
}

#[test]
fn lists_are_what_was_asked_for() {
    let (dir, mut store) = fresh();
    for number in 0..12 {
        let mut job = insert(&mut store, submission(1 + number % 2));
        let state = [State::Queued, State::Running, State::Done][number as usize / 4];
        change(&mut store, &mut job, |course| course.state = state);
    }
    let reader = Reader::open(dir.path()).unwrap();
    let query = |states: &[State], uid, before: Option<u64>, limit| ListQuery {
        states: states.into(),
        uid,
        before: before.map(JobId),
        limit,
        ..ListQuery::default()
    };
    let both = [State::Done, State::Queued, State::Done];
    assert_eq!(
        list(&reader, &query(&[], None, None, 3), None),
        [12, 11, 10]
    );
    assert_eq!(list(&reader, &query(&[], None, Some(3), 3), None), [2, 1]);
    assert_eq!(
        list(&reader, &query(&[], None, Some(u64::MAX), 1), None),
        [12]
    );
    assert_eq!(
        list(&reader, &query(&both, None, Some(12), 4), None),
        [11, 10, 9, 4]
    );
    assert_eq!(
        list(&reader, &query(&both, Some(2), None, 3), None),
        [12, 10, 4]
    );
    assert_eq!(
        list(&reader, &query(&[], Some(1), None, 2), Some(1)),
        [11, 9]
    );
    assert_eq!(list(&reader, &query(&[], None, None, 2), Some(1)), [11, 9]);
    assert_eq!(
        list(&reader, &query(&[], Some(2), None, 2), Some(1)),
        [0u64; 0]
    );
    assert_eq!(
        list(&reader, &query(&[State::Failed], None, None, 2), None),
        [0u64; 0]
    );
}

#[test]
fn jobs_are_found_by_their_labels() {
    let (dir, mut store) = fresh();
    for number in 0..6u32 {
        let all = [["a", "n=1"], ["a", "n=2"], ["b", "n=1"]];
        let options = SubmitOptions {
            labels: labels(&all[number as usize % 3]),
            ..SubmitOptions::default()
        };
        let mut job = insert(
            &mut store,
            Submission {
                options,
                ..submission(1 + number % 2)
            },
        );
        if number == 3 {
            change(&mut store, &mut job, |course| course.state = State::Done);
        }
    }
    let reader = Reader::open(dir.path()).unwrap();
    let query = |of: &[&str], states: &[State], uid, before: Option<u64>, limit| ListQuery {
        labels: labels(of),
        states: states.into(),
        uid,
        before: before.map(JobId),
        limit,
    };
    let found = |query: &ListQuery, visible_to| list(&reader, query, visible_to);
    assert_eq!(
        found(&query(&["a"], &[], None, None, 9), None),
        [5, 4, 2, 1]
    );
    assert_eq!(
        found(&query(&["a", "n=1"], &[], None, None, 9), None),
        [4, 1]
    );
    assert_eq!(found(&query(&["a"], &[], None, Some(5), 2), None), [4, 2]);
    assert_eq!(found(&query(&["a"], &[], Some(1), None, 9), None), [5, 1]);
    assert_eq!(found(&query(&["a"], &[], None, None, 9), Some(2)), [4, 2]);
    let queued = [State::Queued, State::Running];
    assert_eq!(
        found(&query(&["n=1"], &queued, None, None, 9), None),
        [6, 3, 1]
    );
    assert_eq!(found(&query(&["c"], &[], None, None, 9), None), [0u64; 0]);
    // Labels go with their jobs.
    store.write(|tx| tx.remove(JobId(5))).unwrap();
    assert_eq!(found(&query(&["a"], &[], None, None, 9), None), [4, 2, 1]);
    assert_eq!(ask(&store, "SELECT count(*) FROM labels"), 10);
}

#[test]
fn a_list_by_label_reads_the_jobs_of_that_label_only() {
    let (_dir, store) = fresh();
    let plan = format!("EXPLAIN QUERY PLAN {}", reader::LABELLED);
    let mut statement = store.connection.prepare(&plan).unwrap();
    let steps: Vec<String> = statement
        .query_map(
            rusqlite::params![1, 1, None::<u32>, None::<u32>, "a", "[]"],
            |row| row.get(3),
        )
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(
        steps[0], "SEARCH l USING PRIMARY KEY (label=? AND job_id<?)",
        "{steps:?}"
    );
    assert!(
        !steps.iter().any(|step| step.contains("B-TREE")),
        "{steps:?}"
    );
}
