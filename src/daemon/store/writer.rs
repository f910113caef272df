//! Which version of molsieve brought the database to which schema, so that an older one can say what it needs.
//!
//! The table is no part of a schema: versions that do not know it ignore it, and a file that lacks it gets it with the
//! next migration.

use rusqlite::{Connection, OptionalExtension};

/// Records within a migration that this version brings the file to `schema`.
pub(super) fn record(step: &Connection, schema: u32) -> rusqlite::Result<()> {
    step.execute_batch(
        "CREATE TABLE IF NOT EXISTS writers (schema INTEGER PRIMARY KEY, version TEXT NOT NULL) STRICT",
    )?;
    step.execute(
        "INSERT OR REPLACE INTO writers VALUES (?1, ?2)",
        (schema, env!("CARGO_PKG_VERSION")),
    )?;
    Ok(())
}

/// The version that brought the file to `schema`; `None` if the file does not say so.
pub(super) fn of_schema(connection: &Connection, schema: u32) -> Option<String> {
    let found = connection
        .query_row(
            "SELECT version FROM writers WHERE schema = ?1",
            [schema],
            |row| row.get(0),
        )
        .optional();
    // A file without the table, or with another one of this name, is no error here.
    found.ok().flatten()
}
