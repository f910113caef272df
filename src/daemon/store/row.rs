//! Jobs as rows, and back.

use rusqlite::{
    Connection, OptionalExtension, Result, Row,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Unfinished;
use crate::daemon::job::{
    Demand, Ending, Job, JobId, Millis, Mode, ProcessIdentity, State, Submission,
};

/// The columns [`whole`] reads.
pub(super) const COLUMNS: &str = "id, uid, priority, submitted_at, given, course, settings";

/// A value that a column stores as JSON.
pub(super) struct Json<T>(pub T);

/// The part of a job that never changes and that no query selects by.
#[derive(Serialize, Deserialize)]
pub(super) struct Given {
    gid: u32,
    name: Option<String>,
    mode: Mode,
    demand: Demand,
}

/// The part of a job that changes.
#[derive(Serialize, Deserialize)]
pub(super) struct Course {
    state: State,
    ending: Option<Ending>,
    started_at: Option<Millis>,
    ended_at: Option<Millis>,
    attempts: u32,
    failures: u32,
    rows_reached: u64,
    retry_at: Option<Millis>,
    begun: bool,
    opened: bool,
    exit_code: Option<i32>,
    error: Option<String>,
    /// The stored name is older than the field's.
    #[serde(rename = "worker")]
    process: Option<ProcessIdentity>,
    progress: Option<serde_json::Value>,
    seq: u64,
}

impl Given {
    pub(super) fn of(job: &Job) -> Self {
        Self {
            gid: job.gid,
            name: job.name.clone(),
            mode: job.mode,
            demand: job.demand,
        }
    }
}

impl Course {
    pub(super) fn of(job: &Job) -> Self {
        Self {
            state: job.state,
            ending: job.ending,
            started_at: job.started_at,
            ended_at: job.ended_at,
            attempts: job.attempts,
            failures: job.failures,
            rows_reached: job.rows_reached,
            retry_at: job.retry_at,
            begun: job.begun,
            opened: job.opened,
            exit_code: job.exit_code,
            error: job.error.clone(),
            process: job.process.clone(),
            progress: job.progress.clone(),
            seq: job.seq,
        }
    }

    /// Sets the job to this point of its course.
    pub(super) fn put_into(self, job: &mut Job) {
        job.state = self.state;
        job.ending = self.ending;
        job.started_at = self.started_at;
        job.ended_at = self.ended_at;
        job.attempts = self.attempts;
        job.failures = self.failures;
        job.rows_reached = self.rows_reached;
        job.retry_at = self.retry_at;
        job.begun = self.begun;
        job.opened = self.opened;
        job.exit_code = self.exit_code;
        job.error = self.error;
        job.process = self.process;
        job.progress = self.progress;
        job.seq = self.seq;
    }
}

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
    let Json(given) = row.get::<_, Json<Given>>(4)?;
    let Json(course) = row.get::<_, Json<Course>>(5)?;
    let settings: String = row.get(6)?;
    // Text that is not JSON becomes a JSON string, which fails the job when it is admitted.
    let settings = serde_json::from_str(&settings).unwrap_or(serde_json::Value::String(settings));
    let submission = Submission {
        uid: row.get(1)?,
        gid: given.gid,
        name: given.name,
        settings,
        mode: given.mode,
        priority: row.get(2)?,
        demand: given.demand,
        idempotency: None,
    };
    let mut job = Job::new(JobId(0), submission, row.get(3)?);
    job.id = JobId(number(row, 0)?);
    course.put_into(&mut job);
    Ok(job)
}

/// One job.
pub(super) fn job(connection: &Connection, id: JobId) -> Result<Option<Job>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1"))?
        .query_row([integer(id.0)], whole)
        .optional()
}

/// Calls `visit` with the jobs in a state, oldest first.
pub(super) fn visit_in(
    connection: &Connection,
    state: State,
    visit: &mut impl FnMut(Unfinished),
) -> Result<()> {
    let mut statement = connection.prepare(
        "SELECT id, uid, priority, submitted_at, given, course FROM jobs WHERE state = ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([state.name()])?;
    while let Some(row) = rows.next()? {
        let Json(given) = row.get::<_, Json<Given>>(4)?;
        let Json(course) = row.get::<_, Json<Course>>(5)?;
        visit(Unfinished {
            id: JobId(number(row, 0)?),
            uid: row.get(1)?,
            priority: row.get(2)?,
            demand: given.demand,
            state: course.state,
            ending: course.ending,
            submitted_at: row.get(3)?,
            retry_at: course.retry_at,
            process: course.process,
        });
    }
    Ok(())
}

/// Number of jobs in a state.
pub(super) fn count_in(connection: &Connection, state: State) -> Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM jobs WHERE state = ?1")?
        .query_row([state.name()], |row| number(row, 0))
}
