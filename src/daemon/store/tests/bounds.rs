use std::fs;

use super::*;
use super::{
    log::{CHUNK_BYTES, HEAD_BYTES, TAIL_BYTES},
    tx::{FIRST_EVENTS, LAST_EVENTS},
};

#[test]
fn a_full_disk_is_said_and_the_store_goes_on() {
    let (dir, mut store) = fresh();
    let large = || Submission {
        settings: wide(10_000),
        ..submission(1)
    };
    let first = insert(&mut store, large());
    let pages = ask(&store, "PRAGMA page_count");
    ask(&store, &format!("PRAGMA max_page_count = {}", pages + 10));

    let mut kept = vec![first.id];
    let error = loop {
        match store.write(|tx| tx.insert(large(), 1)) {
            Ok(Inserted::New(job)) => kept.push(job.id),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(
        error,
        JobStoreError::DiskFull(dir.path().join("jobs.sqlite3"))
    );
    // One that does not look at the answer keeps nothing either.
    let careless: Result<(), JobStoreError> = store.write(|tx| {
        for _ in 0..9 {
            let _ = tx.insert(large(), 1);
        }
        Ok(())
    });
    assert_eq!(careless, Err(error));
    let ids = |dir| all(dir).iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(ids(dir.path()), kept);

    // Forgetting a job makes room.
    store.write(|tx| tx.remove(first.id)).unwrap();
    kept.remove(0);
    kept.push(insert(&mut store, large()).id);
    drop(store);
    drop(Store::open(dir.path()).unwrap());
    assert_eq!(ids(dir.path()), kept);
}

#[test]
fn the_first_and_the_last_events_are_kept() {
    let (dir, mut store) = fresh();
    let mut job = insert(&mut store, submission(1));
    let last = 300;
    while job.course.seq < last {
        change(&mut store, &mut job, |course| course.attempts += 1);
    }
    // The same event again is none.
    store.write(|tx| tx.update(&job, 3)).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let seqs = |after, limit| -> Vec<u64> {
        let history = reader.history(job.id, after, limit).unwrap();
        assert!(
            history
                .iter()
                .all(|then| u64::from(then.course.attempts) + 1 == then.course.seq)
        );
        history.iter().map(|then| then.course.seq).collect()
    };
    let kept: Vec<u64> = (1..=FIRST_EVENTS)
        .chain(last - LAST_EVENTS + 1..=last)
        .collect();
    assert_eq!(seqs(0, 1000), kept);
    assert_eq!(seqs(9, 2), [10, 101]);
    assert_eq!(seqs(last, 5), [0u64; 0]);
    assert_eq!(seqs(u64::MAX, 5), [0u64; 0]);
}

/// Byte `at` of a long log, different from the bytes around it.
fn said(at: usize) -> u8 {
    (at / 251 + at) as u8
}

#[test]
fn a_log_keeps_its_beginning_and_its_end() {
    let (dir, mut store) = fresh();
    let id = insert(&mut store, submission(1)).id;
    let other = insert(&mut store, submission(1)).id;
    store.write(|tx| tx.append_log(other, b"mine")).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let end = 3 * (HEAD_BYTES + TAIL_BYTES) + 1234;
    let mut at = 0;
    for piece in [1, 0, CHUNK_BYTES, 700, 3 * CHUNK_BYTES + 5, 65_536]
        .into_iter()
        .cycle()
    {
        let next = (at + piece).min(end);
        let bytes: Vec<u8> = (at..next).map(said).collect();
        store.write(|tx| tx.append_log(id, &bytes)).unwrap();
        at = next;
        if at == end {
            break;
        }
    }
    let read = read_all(&reader, id, 60_000);
    let head: Vec<usize> = (0..HEAD_BYTES).collect();
    assert_eq!(read[..HEAD_BYTES], head);
    let tail = &read[HEAD_BYTES..];
    assert!(tail.iter().copied().eq(tail[0]..end));
    assert!(
        (TAIL_BYTES..=TAIL_BYTES + CHUNK_BYTES).contains(&tail.len()),
        "{}",
        tail.len()
    );
    let at = end as u64;
    assert_eq!(
        reader.log(id, at - 3, 99).unwrap(),
        (at - 3, (end - 3..end).map(said).collect())
    );
    for beyond in [at, at + 1, u64::MAX] {
        assert_eq!(reader.log(id, beyond, 99).unwrap(), (beyond, vec![]));
    }
    assert_eq!(reader.log(other, 1, 2).unwrap(), (1, b"in".to_vec()));
    assert_eq!(reader.log(JobId(99), 5, 2).unwrap(), (5, vec![]));
    // The log of a job that does not exist is dropped.
    store.write(|tx| tx.append_log(JobId(99), b"?")).unwrap();
    assert_eq!(reader.log(JobId(99), 0, 2).unwrap(), (0, vec![]));
}

/// Places of all bytes that are kept, read in pieces; every byte must be the one said there.
fn read_all(reader: &Reader, id: JobId, max: usize) -> Vec<usize> {
    let (mut from, mut places) = (0, Vec::new());
    loop {
        let (begins_at, bytes) = reader.log(id, from, max).unwrap();
        if bytes.is_empty() {
            return places;
        }
        assert!(begins_at >= from && bytes.len() <= max);
        for (at, byte) in (begins_at as usize..).zip(&bytes) {
            assert_eq!(*byte, said(at), "byte {at}");
            places.push(at);
        }
        from = begins_at + bytes.len() as u64;
    }
}

#[test]
fn every_list_is_read_from_an_index_and_needs_no_sorting() {
    let (_dir, store) = fresh();
    let plan = |sql: &str| -> String {
        let mut statement = store
            .connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let count = statement.parameter_count();
        let values = rusqlite::params_from_iter(vec![1; count]);
        let steps = statement
            .query_map(values, |row| row.get::<_, String>(3))
            .unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    for (of_user, in_state, how) in [
        (
            false,
            false,
            "SEARCH jobs USING INTEGER PRIMARY KEY (rowid<?)",
        ),
        (
            true,
            false,
            "SEARCH jobs USING COVERING INDEX jobs_by_user (uid=? AND rowid<?)",
        ),
        (
            false,
            true,
            "SEARCH jobs USING COVERING INDEX jobs_by_state (state=? AND rowid<?)",
        ),
        (
            true,
            true,
            "SEARCH jobs USING COVERING INDEX jobs_by_user_and_state (uid=? AND state=? AND rowid<?)",
        ),
    ] {
        assert_eq!(plan(reader::list_sql(of_user, in_state)), how);
    }
}

#[test]
fn the_wal_stays_small_while_a_reader_is_open() {
    let (dir, mut store) = fresh();
    let reader = Reader::open(dir.path()).unwrap();
    let query = ListQuery {
        limit: 10,
        ..ListQuery::default()
    };
    let mut largest = 0;
    for group in 1..=200u64 {
        store
            .write(|tx| (0..100).try_for_each(|_| tx.insert(submission(1), 1).map(|_| ())))
            .unwrap();
        assert_eq!(list(&reader, &query, None)[0], group * 100);
        let wal = fs::metadata(dir.path().join("jobs.sqlite3-wal"))
            .unwrap()
            .len();
        largest = largest.max(wal);
    }
    assert!(largest < 3 * open::WAL_BYTES as u64, "{largest}");
}
