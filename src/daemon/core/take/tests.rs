use std::num::NonZeroUsize;

use super::*;
use crate::{
    daemon::{core::waits::Waits, job::State, settings::ServeSettings, store::Store},
    units::ByteSize,
};

const CONTEXT: Terms = Terms {
    now: 1,
    retry: RetryPolicy {
        failures_max: 1,
        first_delay_ms: 0,
        delay_ms_max: 0,
    },
    ended_before: 0,
    draining: false,
};

/// Admits a job whose stored settings were replaced by `settings`.
fn admit_with(settings: &str) -> Admitted {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let inserted = store.write(|tx| tx.insert(Submission::plain(), 0));
    let Ok(Inserted::New(job)) = inserted else {
        panic!("{inserted:?}");
    };
    let path = folder.path().join("jobs.sqlite3");
    let other = rusqlite::Connection::open(path).unwrap();
    other
        .execute("UPDATE jobs SET settings = ?1", [settings])
        .unwrap();
    let admitted = store.write(|tx| admit(tx, job.id, &CONTEXT));
    let admitted = admitted.unwrap().unwrap();
    let stored = store.write(|tx| tx.job(job.id)).unwrap();
    assert_eq!(stored.as_ref(), Some(&admitted.job));
    admitted
}

#[test]
fn a_job_with_readable_settings_starts() {
    let admitted = admit_with(r#"{"input":["/b"],"output":"/o"}"#);
    assert_eq!(admitted.job.course.state, State::Starting);
    let settings = admitted.settings.unwrap();
    assert_eq!(settings.input, [std::path::PathBuf::from("/b")]);
}

/// Submits a job of user 1 with priority -1 and changes it to `priority` as `uid`. Returns the answer, what is
/// stored afterwards, and whether the change was an event.
fn set_as(uid: u32, admin: bool, priority: i32, end: bool) -> (Result<i32, Refusal>, i32, bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let submission = Submission {
        priority: -1,
        ..Submission::plain()
    };
    let id = JobId(1);
    let caller = Caller { uid, gid: 1, admin };
    let change = JobChange {
        priority: Some(priority),
        ..JobChange::default()
    };
    let (waits, node) = (Waits::default(), ServeSettings::plain());
    let effect = store.write(|tx| {
        tx.insert(submission, 0)?;
        if end {
            apply_event(tx, id, JobEvent::CancelAsked, &CONTEXT)?;
        }
        set(
            tx,
            caller,
            id,
            change,
            (&CONTEXT, &Room::new(&waits, &node)),
        )
    });
    let Effect {
        changed, answer, ..
    } = effect.unwrap();
    drop(store);
    // A daemon that starts again reads it.
    let mut store = Store::open(folder.path()).unwrap();
    let stored = store.write(|tx| tx.job(id)).unwrap().unwrap();
    let answer = answer.map(|reply| match reply {
        Reply::Job(job) => job.submission.priority,
        _ => panic!("the answer is a job"),
    });
    (answer, stored.submission.priority, changed.is_some())
}

#[test]
fn a_priority_is_changed_by_its_user_and_by_admins() {
    assert_eq!(set_as(1, false, -5, false), (Ok(-5), -5, true));
    assert_eq!(set_as(1, false, 0, false), (Ok(0), 0, true));
    assert_eq!(set_as(2, true, 10, false), (Ok(10), 10, true));
    // A change that changes nothing is no event.
    assert_eq!(set_as(1, false, -1, false), (Ok(-1), -1, false));
    let (answer, stored, changed) = set_as(1, false, 1, false);
    assert!(matches!(answer, Err(Refusal::Forbidden(_))), "{answer:?}");
    assert_eq!((stored, changed), (-1, false));
    let not_found = Err(Refusal::NotFound(JobId(1)));
    assert_eq!(set_as(2, false, -5, false), (not_found, -1, false));
    let ended = Err(Refusal::Ended(JobId(1), State::Cancelled));
    assert_eq!(set_as(1, false, -5, true), (ended, -1, false));
}

#[test]
fn memory_and_threads_are_stored_where_the_next_process_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let (id, owner) = (JobId(1), 1);
    let (waits, mut node) = (Waits::default(), ServeSettings::plain());
    node.budget.memory_bytes = 2 << 30;
    node.budget.threads = 4;
    let mut set_as = |uid, memory: u64, threads| {
        let caller = Caller {
            uid,
            gid: 1,
            admin: false,
        };
        let change = JobChange {
            memory: Some(ByteSize(memory)),
            threads: NonZeroUsize::new(threads),
            ..JobChange::default()
        };
        let set = store.write(|tx| {
            if tx.job(id)?.is_none() {
                tx.insert(Submission::plain(), 0)?;
            }
            set(
                tx,
                caller,
                id,
                change,
                (&CONTEXT, &Room::new(&waits, &node)),
            )
        });
        set.unwrap().answer.map(|_| ())
    };
    assert_eq!(set_as(2, 1, 1), Err(Refusal::NotFound(id)));
    let refused = set_as(owner, (2 << 30) + 1, 1);
    assert!(
        matches!(refused, Err(Refusal::TooLarge { .. })),
        "{refused:?}"
    );
    let refused = set_as(owner, 1, 5);
    assert!(
        matches!(refused, Err(Refusal::TooLarge { .. })),
        "{refused:?}"
    );
    assert_eq!(set_as(owner, 150 << 20, 4), Ok(()));
    drop(store);
    let mut store = Store::open(folder.path()).unwrap();
    let mut waiting = Vec::new();
    store.each_unfinished(|job| waiting.push(job)).unwrap();
    let waiting = waiting.remove(0);
    assert_eq!(waiting.submission.demand.memory_bytes, 150 << 20);
    let admitted = store.write(|tx| admit(tx, id, &CONTEXT)).unwrap().unwrap();
    let settings = admitted.settings.unwrap();
    assert_eq!(settings.memory, Some(ByteSize(150 << 20)));
    assert_eq!(settings.threads, NonZeroUsize::new(4));
    assert_eq!(admitted.job.submission.demand.threads, 4);
}

#[test]
fn a_job_whose_stored_settings_cannot_be_read_fails_with_the_error() {
    for (settings, error) in [
        (r#"{"inputt":["/b"],"output":"/o"}"#, "inputt"),
        (r#"{"input":["/b"],"threads":"many"}"#, "many"),
        (r#"{"input":["/b"#, "invalid type: string"),
        ("", "invalid type: string"),
    ] {
        let admitted = admit_with(settings);
        assert_eq!(admitted.job.course.state, State::Failed, "{settings}");
        assert_eq!(admitted.settings, None);
        let found = admitted.job.course.error.unwrap();
        assert!(found.contains("the stored settings"), "{found}");
        assert!(found.contains(error), "{found}");
    }
}
