use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    time::Duration,
};

use rusqlite::Connection;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn nobody_else_can_read_the_files() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("state");
    let mut store = Store::open(&dir).unwrap();
    insert(&mut store, submission(1));
    assert_eq!(mode(&dir), 0o700);
    let mut names: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "jobs.sqlite3",
            "jobs.sqlite3-shm",
            "jobs.sqlite3-wal",
            "lock",
            "reserve"
        ]
    );
    for name in names {
        assert_eq!(mode(&dir.join(&name)), 0o600, "{name}");
    }
}

#[test]
fn a_second_daemon_is_told_who_holds_the_store() {
    let (dir, store) = fresh();
    let refused = Store::open(dir.path()).unwrap_err();
    assert_eq!(
        refused,
        JobStoreError::Busy {
            path: dir.path().into(),
            holder: Some(std::process::id()),
        }
    );
    assert!(
        refused
            .to_string()
            .contains("in use by another daemon (process ")
    );
    drop(store);
    Store::open(dir.path()).unwrap();
}

#[test]
fn a_lock_that_is_about_to_go_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let left_over = fs::File::open(dir.path().join("lock")).unwrap();
    left_over.lock().unwrap();
    let child = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        drop(left_over);
    });
    Store::open(dir.path()).unwrap();
    child.join().unwrap();
}

#[test]
fn an_empty_file_gets_the_schema_and_a_failing_step_leaves_the_last_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("jobs.sqlite3"), b"").unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let known = open::MIGRATIONS.len() as i64;
    assert_eq!(ask(&store, "PRAGMA user_version"), known);
    let job = insert(&mut store, submission(1));

    let mut migrations = open::MIGRATIONS.to_vec();
    migrations.push("ALTER TABLE jobs ADD COLUMN colour TEXT; INSERT INTO nowhere VALUES (1);");
    assert!(open::migrate(&mut store.connection, &migrations).is_err());
    assert_eq!(ask(&store, "PRAGMA user_version"), known);
    let colours = "SELECT count(*) FROM pragma_table_info('jobs') WHERE name = 'colour'";
    assert_eq!(ask(&store, colours), 0);

    *migrations.last_mut().unwrap() = "ALTER TABLE jobs ADD COLUMN colour TEXT;";
    open::migrate(&mut store.connection, &migrations).unwrap();
    assert_eq!(ask(&store, "PRAGMA user_version"), known + 1);
    assert_eq!(ask(&store, colours), 1);
    assert_eq!(store.write(|tx| tx.job(job.id)).unwrap(), Some(job));
}

#[test]
fn a_newer_schema_is_refused() {
    let (dir, store) = fresh();
    store
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(store);
    let path = dir.path().join("jobs.sqlite3");
    let before = fs::read(&path).unwrap();
    let refused = JobStoreError::Newer {
        path: path.clone(),
        found: 99,
        known: open::MIGRATIONS.len() as u32,
        needs: None,
    };
    assert_eq!(Store::open(dir.path()).unwrap_err(), refused);
    assert_eq!(Reader::open(dir.path()).unwrap_err(), refused);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_newer_schema_is_refused_with_the_version_that_it_needs() {
    let (dir, store) = fresh();
    let later =
        "INSERT INTO writers VALUES (98, '0.8.0'), (99, '0.9.0'); PRAGMA user_version = 99;";
    store.connection.execute_batch(later).unwrap();
    drop(store);
    let expected = format!(
        "{}: has schema 99 and needs molsieve 0.9.0 or later; this is molsieve {}, which knows up to schema {}",
        dir.path().join("jobs.sqlite3").display(),
        env!("CARGO_PKG_VERSION"),
        open::MIGRATIONS.len()
    );
    assert_eq!(Store::open(dir.path()).unwrap_err().to_string(), expected);
    assert_eq!(Reader::open(dir.path()).unwrap_err().to_string(), expected);
}

#[test]
fn a_file_of_before_gets_the_version_with_its_next_migration() {
    let (dir, store) = fresh();
    store
        .connection
        .execute_batch("DROP TABLE writers")
        .unwrap();
    drop(store);
    let mut store = Store::open(dir.path()).unwrap();
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'writers'";
    assert_eq!(ask(&store, tables), 0);
    let mut migrations = open::MIGRATIONS.to_vec();
    migrations.push("ALTER TABLE jobs ADD COLUMN colour TEXT;");
    open::migrate(&mut store.connection, &migrations).unwrap();
    assert_eq!(
        writer::of_schema(&store.connection, migrations.len() as u32).as_deref(),
        Some(env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn another_programs_database_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.sqlite3");
    let theirs = Connection::open(&path).unwrap();
    theirs
        .execute_batch("CREATE TABLE recipes (cake TEXT)")
        .unwrap();
    drop(theirs);
    let before = fs::read(&path).unwrap();
    assert_eq!(
        Store::open(dir.path()).unwrap_err(),
        JobStoreError::Foreign(path.clone())
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_damaged_file_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.sqlite3");
    let mut store = Store::open(dir.path()).unwrap();
    for _ in 0..200 {
        insert(
            &mut store,
            Submission {
                settings: wide(1000),
                ..submission(1)
            },
        );
    }
    drop(store);
    let whole = fs::read(&path).unwrap();
    let damages: [(&str, &dyn Fn()); 4] = [
        ("no SQLite file", &|| {
            fs::write(&path, b"something else".repeat(400)).unwrap()
        }),
        ("header", &|| write_at(&path, 0, &[0; 16])),
        ("cut", &|| {
            fs::write(&path, &whole[..whole.len() / 2]).unwrap()
        }),
        ("pages of zeros", &|| {
            write_at(&path, 8192, &vec![0; whole.len() - 8192])
        }),
    ];
    for (name, damage) in damages {
        fs::write(&path, &whole).unwrap();
        damage();
        let before = fs::read(&path).unwrap();
        let refused = Store::open(dir.path()).unwrap_err();
        assert!(
            matches!(refused, JobStoreError::Damaged { .. }),
            "{name}: {refused}"
        );
        assert_eq!(fs::read(&path).unwrap(), before, "{name}");
    }
    fs::write(&path, &whole).unwrap();
    drop(Store::open(dir.path()).unwrap());
    assert_eq!(all(dir.path()).len(), 200);
}

fn write_at(path: &Path, at: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

#[test]
fn a_row_that_is_not_what_was_written_is_damage() {
    let (_dir, mut store) = fresh();
    let job = insert(&mut store, submission(1));
    store
        .connection
        .execute("UPDATE jobs SET given = '{'", [])
        .unwrap();
    let error = store.write(|tx| tx.job(job.id)).unwrap_err();
    assert!(matches!(error, JobStoreError::Damaged { .. }), "{error}");
}
