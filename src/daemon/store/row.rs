//! Jobs as rows, and back.

use rusqlite::{
    Connection, OptionalExtension, Result, Row,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::daemon::job::{Course, Job, JobId, State, Submission};

/// The columns [`whole`] reads.
pub(super) const COLUMNS: &str = "id, uid, priority, submitted_at, given, course, settings";

/// A value that a column stores as JSON.
pub(super) struct Json<T>(pub T);

impl<T: Serialize> rusqlite::ToSql for Json<T> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        serde_json::to_string(&self.0)
            .map(ToSqlOutput::from)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// A number as SQLite stores it. Saturates at 2^63 - 1, which no number here reaches.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that SQLite has stored.
pub(super) fn number(row: &Row<'_>, column: usize) -> Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// The job of a row of [`COLUMNS`].
pub(super) fn whole(row: &Row<'_>) -> Result<Job> {
    let Json(given) = row.get::<_, Json<Submission>>(4)?;
    let Json(course) = row.get::<_, Json<Course>>(5)?;
    let settings: String = row.get(6)?;
    Ok(Job {
        id: JobId(number(row, 0)?),
        submission: Submission {
            uid: row.get(1)?,
            priority: row.get(2)?,
            // Text that is not JSON becomes a JSON string, which fails the job when it is admitted.
            settings: serde_json::from_str(&settings).unwrap_or(Value::String(settings)),
            ..given
        },
        submitted_at: row.get(3)?,
        course,
    })
}

/// One job.
pub(super) fn job(connection: &Connection, id: JobId) -> Result<Option<Job>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1"))?
        .query_row([integer(id.0)], whole)
        .optional()
}

/// Passes on the jobs in a state, oldest first and without their settings.
pub(super) fn each_in(
    connection: &Connection,
    state: State,
    on: &mut impl FnMut(Job),
) -> Result<()> {
    let mut statement = connection.prepare(
        "SELECT id, uid, priority, submitted_at, given, course, 'null' FROM jobs WHERE state = ?1 ORDER BY id",
    )?;
    for job in statement.query_map([state.name()], whole)? {
        on(job?);
    }
    Ok(())
}

/// Number of jobs in a state.
pub(super) fn count_in(connection: &Connection, state: State) -> Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM jobs WHERE state = ?1")?
        .query_row([state.name()], |row| number(row, 0))
}
