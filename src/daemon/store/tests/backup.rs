use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use super::*;

/// Opens a copy as the store of a new state directory, and returns its jobs.
fn restored(copy: &Path) -> Vec<Job> {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(copy, dir.path().join("jobs.sqlite3")).unwrap();
    drop(Store::open(dir.path()).unwrap());
    all(dir.path())
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_copy_is_the_store_again_and_only_its_owner_reads_it() {
    let (dir, mut store) = fresh();
    let mut job = insert(&mut store, submission(1));
    insert(&mut store, submission(2));
    change(&mut store, &mut job, |course| course.attempts = 3);
    let target = tempfile::tempdir().unwrap();
    let copy = target.path().join("copy");
    let copied = backup(dir.path(), &copy).unwrap();
    assert_eq!(copied.jobs, 2);
    let file = fs::metadata(&copy).unwrap();
    assert_eq!(file.len(), copied.bytes);
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(names(target.path()), ["copy"]);
    assert_eq!(restored(&copy), all(dir.path()));

    // After the daemon has stopped it is the same.
    drop(store);
    let later = target.path().join("later");
    assert_eq!(backup(dir.path(), &later).unwrap().jobs, 2);
    assert_eq!(restored(&later), restored(&copy));
}

#[test]
fn nothing_is_replaced_and_nothing_is_left_of_a_copy_that_failed() {
    let (dir, store) = fresh();
    let target = tempfile::tempdir().unwrap();
    let taken = target.path().join("taken");
    fs::write(&taken, "mine").unwrap();
    let link = target.path().join("link");
    symlink("nowhere", &link).unwrap();
    for path in [&taken, &link] {
        assert_eq!(
            backup(dir.path(), path),
            Err(JobStoreError::Exists(path.clone()))
        );
    }
    assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
    assert_eq!(
        backup(target.path(), &target.path().join("copy")),
        Err(JobStoreError::NoStore(target.path().into()))
    );
    store
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let refused = backup(dir.path(), &target.path().join("copy"));
    assert!(matches!(refused, Err(JobStoreError::Newer { .. })));
    store
        .connection
        .pragma_update(None, "user_version", open::MIGRATIONS.len() as i64)
        .unwrap();
    let nowhere = backup(dir.path(), &target.path().join("no/copy"));
    assert!(
        matches!(nowhere, Err(JobStoreError::Io { .. })),
        "{nowhere:?}"
    );
    assert_eq!(names(target.path()), ["link", "taken"]);
}

/// Each transaction inserts two jobs, so a copy with an odd number of jobs would not be of one instant.
#[test]
fn a_copy_is_of_one_instant_while_the_store_is_written() {
    let (dir, mut store) = fresh();
    let target = tempfile::tempdir().unwrap();
    let over = AtomicBool::new(false);
    let mut counts = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Relaxed) {
                let pair: Result<(), JobStoreError> = store.write(|tx| {
                    for uid in 1..=2 {
                        let wide = Submission {
                            settings: wide(20_000),
                            ..submission(uid)
                        };
                        tx.insert(wide, 1)?;
                    }
                    Ok(())
                });
                pair.unwrap();
            }
        });
        for n in 0..10 {
            let copied = backup(dir.path(), &target.path().join(n.to_string()));
            counts.push(copied.unwrap().jobs);
        }
        over.store(true, Relaxed);
    });
    assert!(counts.iter().all(|jobs| jobs % 2 == 0), "{counts:?}");
    assert!(counts[0] < counts[9], "{counts:?}");
    assert_eq!(restored(&target.path().join("9")).len() as u64, counts[9]);
}
