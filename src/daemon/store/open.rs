//! Opening the store: the lock, the file's mode, the check, the migrations.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{JobStoreError, Store, reserve::Reserve, writer};
use crate::store::disk::try_lock_patiently;

/// Name of the database.
pub(super) const DATABASE: &str = "jobs.sqlite3";
/// Name of the lock.
const LOCK: &str = "lock";
/// "mols", as the first migration writes it.
const APPLICATION_ID: i64 = 0x6d6f_6c73;
/// Schema n is reached by the first n of these.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
];
/// A file up to this size is checked as a whole.
const WHOLE_CHECK_BYTES_MAX: u64 = 1 << 30;
/// SQLite's page cache of a connection.
const CACHE_KIB: i64 = 1024;
/// The WAL is checkpointed after this many pages of 4 KiB.
const WAL_PAGES: i64 = 1024;
/// Size to which its file is truncated.
pub(super) const WAL_BYTES: i64 = WAL_PAGES * 4096;
/// Wait for another program that locks the database, for example an operator's `sqlite3`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements that a connection caches.
const STATEMENTS_MAX: usize = 32;

/// Opens or creates the store in `dir`.
pub(super) fn store(dir: &Path) -> Result<Store, JobStoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| JobStoreError::io(dir, "create", &error))?;
    let lock = take_lock(dir)?;
    let path = dir.join(DATABASE);
    let mut reserve = Reserve::of(dir);
    let connection = loop {
        match database(dir, &path) {
            // A daemon that starts on a full disk must be able to end and to delete jobs.
            Err(error) if reserve.is_needed(&error) && reserve.release() => {}
            opened => break opened?,
        }
    };
    reserve.make();
    Ok(Store {
        connection,
        path,
        reserve,
        _lock: lock,
    })
}

/// The connection that writes.
fn database(dir: &Path, path: &Path) -> Result<Connection, JobStoreError> {
    make_private(dir, path)?;
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    check(&connection, path)?;
    let sql = |error| JobStoreError::sql(path, error);
    keep_durable(&connection).map_err(sql)?;
    migrate(&mut connection, MIGRATIONS).map_err(sql)?;
    Ok(connection)
}

/// A second connection that only reads.
pub(super) fn read_only(dir: &Path) -> Result<(Connection, PathBuf), JobStoreError> {
    let path = dir.join(DATABASE);
    let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    refuse_newer(&connection, &path)?;
    Ok((connection, path))
}

/// Takes the kernel's lock, which ends with this process in any case, and writes the process id into it.
fn take_lock(dir: &Path) -> Result<File, JobStoreError> {
    let path = dir.join(LOCK);
    let io = |action| {
        let path = path.clone();
        move |error: io::Error| JobStoreError::io(&path, action, &error)
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io("open"))?;
    match try_lock_patiently(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Best effort: the process id is only for the message.
            let _ = (&mut file).take(32).read_to_string(&mut text);
            return Err(JobStoreError::Busy {
                path: dir.into(),
                holder: text.trim().parse().ok(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(io("lock")(error)),
    }
    let written = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    match written.map_err(io("write")) {
        // The process id is only for a message.
        Ok(()) | Err(JobStoreError::DiskFull(_)) => Ok(file),
        Err(error) => Err(error),
    }
}

/// Creates the database file before SQLite would, with a stricter mode. Does not open an existing file:
/// closing it would release the locks that this process holds on it.
fn make_private(dir: &Path, path: &Path) -> Result<(), JobStoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(file) => file
            .sync_all()
            .and_then(|()| File::open(dir)?.sync_all())
            .map_err(|error| JobStoreError::io(path, "create", &error)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::set_permissions(path, Permissions::from_mode(0o600))
                .map_err(|error| JobStoreError::io(path, "change the mode of", &error))
        }
        Err(error) => Err(JobStoreError::io(path, "create", &error)),
    }
}

/// A connection that takes little memory.
fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, JobStoreError> {
    let open = || {
        let connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // Do not run SQL that the schema of a foreign file may contain.
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    };
    open().map_err(|error| JobStoreError::sql(path, error))
}

/// Refuses a damaged, foreign or newer file before anything is written to it.
fn check(connection: &Connection, path: &Path) -> Result<(), JobStoreError> {
    let sql = |error| JobStoreError::sql(path, error);
    let version = schema(connection).map_err(sql)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sql)?;
    let application: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(sql)?;
    if (tables > 0 || version > 0) && application != APPLICATION_ID {
        return Err(JobStoreError::Foreign(path.into()));
    }
    refuse_newer(connection, path)?;
    let length = fs::metadata(path)
        .map_err(|error| JobStoreError::io(path, "read", &error))?
        .len();
    let checks: &[&str] = if length <= WHOLE_CHECK_BYTES_MAX || tables == 0 {
        &["PRAGMA quick_check(1)"]
    } else {
        &[
            "PRAGMA quick_check(jobs)",
            "PRAGMA quick_check(events)",
            "PRAGMA quick_check(idempotency)",
        ]
    };
    for check in checks {
        let answer: String = connection
            .query_row(check, [], |row| row.get(0))
            .map_err(sql)?;
        if answer != "ok" {
            return Err(JobStoreError::Damaged {
                path: path.into(),
                reason: answer.replace('\n', " "),
            });
        }
    }
    Ok(())
}

fn refuse_newer(connection: &Connection, path: &Path) -> Result<(), JobStoreError> {
    let found = schema(connection).map_err(|error| JobStoreError::sql(path, error))?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(JobStoreError::Newer {
            path: path.into(),
            found,
            known,
            needs: writer::of_schema(connection, found),
        });
    }
    Ok(())
}

/// Number of the file's schema; 0 for an empty file.
fn schema(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// What is committed is on the disk, and the WAL stays small.
fn keep_durable(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(mode, "the file system of the job store does not do WAL");
    }
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", WAL_PAGES, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES, |_| Ok(()))
}

/// Brings the schema to the last of `migrations`, each step whole or not at all.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let from = schema(connection)?;
    for (version, migration) in (1u32..).zip(migrations).skip(from as usize) {
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step.execute_batch(migration)?;
        writer::record(&step, version)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(())
}
