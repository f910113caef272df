//! Reads beside the core: lists, single jobs, histories and logs.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Result as Sql, params};

use super::{
    JobStoreError, log, open,
    row::{self, Json, integer, number},
};
use crate::daemon::{
    action::ListQuery,
    job::{Course, Job, JobId, Label, State},
};

/// A second, read-only connection, which never waits for the writer. Each call sees one state of the store.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

impl Reader {
    /// Opens the store in `dir`, which [`super::Store::open`] has created.
    pub fn open(dir: &Path) -> Result<Self, JobStoreError> {
        let (connection, path) = open::read_only(dir)?;
        Ok(Self { connection, path })
    }

    /// The jobs of a query, newest first; with `visible_to` only those of that user.
    pub fn list(
        &self,
        query: &ListQuery,
        visible_to: Option<u32>,
    ) -> Result<Vec<Job>, JobStoreError> {
        self.run(|connection| {
            selected(connection, query, visible_to)?
                .into_iter()
                .filter_map(|id| row::job(connection, id).transpose())
                .collect()
        })
    }

    /// Number of the jobs of a query on all pages: its `before` and `limit` do not count.
    pub fn count(&self, query: &ListQuery, visible_to: Option<u32>) -> Result<u64, JobStoreError> {
        let whole = ListQuery {
            before: None,
            limit: u32::MAX,
            ..query.clone()
        };
        if visible_to.is_some_and(|own| query.uid.is_some_and(|asked| asked != own)) {
            return Ok(0);
        }
        let uid = visible_to.or(query.uid);
        self.run(|connection| newest(connection, &whole, uid).map(|ids| ids.len() as u64))
    }

    /// One job.
    pub fn job(&self, id: JobId) -> Result<Option<Job>, JobStoreError> {
        self.run(|connection| row::job(connection, id))
    }

    /// The job after each of its events with a number above `after`, oldest first, at most `limit`. Empty if the
    /// job does not exist.
    pub fn history(&self, id: JobId, after: u64, limit: u32) -> Result<Vec<Job>, JobStoreError> {
        self.run(|connection| {
            let Some(job) = row::job(connection, id)? else {
                return Ok(Vec::new());
            };
            connection
                .prepare_cached(
                    "SELECT course FROM events WHERE job_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
                )?
                .query_map(params![integer(id.0), integer(after), limit], |row| {
                    let Json(course) = row.get::<_, Json<Course>>(0)?;
                    Ok(Job {
                        course,
                        ..job.clone()
                    })
                })?
                .collect()
        })
    }

    /// The log of a job from byte `from` on, at most `max` bytes, and where it begins: later than `from` where
    /// the middle of a long log was dropped.
    pub fn log(&self, id: JobId, from: u64, max: usize) -> Result<(u64, Vec<u8>), JobStoreError> {
        self.run(|connection| log::read(connection, id, from, max))
    }

    /// State and exit code of each of these jobs that exists; with `visible_to` only those of that user.
    pub fn ends(
        &self,
        ids: &[JobId],
        visible_to: Option<u32>,
    ) -> Result<Vec<(JobId, State, Option<i32>)>, JobStoreError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, state, course ->> 'exit_code' FROM jobs
                     WHERE id IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR uid = ?2)",
                )?
                .query_map(params![Json(ids), visible_to], |row| {
                    let name: String = row.get(1)?;
                    let state = State::from_name(&name).unwrap_or_default();
                    Ok((JobId(number(row, 0)?), state, row.get(2)?))
                })?
                .collect()
        })
    }

    fn run<T>(&self, work: impl FnOnce(&Connection) -> Sql<T>) -> Result<T, JobStoreError> {
        self.connection
            .unchecked_transaction()
            .and_then(|seen| work(&seen))
            .map_err(|error| JobStoreError::sql(&self.path, error))
    }
}

/// Numbers of the jobs of a query, newest first; with `visible_to` only those of that user.
pub(super) fn selected(
    connection: &Connection,
    query: &ListQuery,
    visible_to: Option<u32>,
) -> Sql<Vec<JobId>> {
    if let (Some(asked), Some(own)) = (query.uid, visible_to)
        && asked != own
    {
        return Ok(Vec::new());
    }
    newest(connection, query, visible_to.or(query.uid))
}

/// Numbers of the newest jobs. Each state is looked up separately, so that an index gives the newest first.
fn newest(connection: &Connection, query: &ListQuery, uid: Option<u32>) -> Sql<Vec<JobId>> {
    let before = query.before.map_or(i64::MAX, |id| integer(id.0));
    let first = query.labels.first();
    let mut statement = connection.prepare_cached(match first {
        Some(_) => LABELLED,
        None => list_sql(uid.is_some(), !query.states.is_empty()),
    })?;
    let first = first.map(Label::as_str);
    let others = Json(query.labels.get(1..).unwrap_or_default());
    let mut ids: Vec<JobId> = Vec::new();
    let mut look_up = |state| -> Sql<()> {
        let values = params![before, query.limit, uid, state, first, others];
        // Bind only the parameters of the statement.
        let count = statement.parameter_count();
        for found in statement.query_map(&values[..count], |row| number(row, 0))? {
            ids.push(JobId(found?));
        }
        Ok(())
    };
    if query.states.is_empty() {
        look_up(None)?;
    }
    for state in &query.states {
        look_up(Some(state.name()))?;
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.dedup();
    ids.truncate(query.limit as usize);
    Ok(ids)
}

/// Numbers of jobs with the label ?5 and those in the JSON array ?6, before ?1, at most ?2, perhaps of user ?3, perhaps
/// in state ?4.
pub(super) const LABELLED: &str = "
    SELECT l.job_id FROM labels AS l JOIN jobs AS j ON j.id = l.job_id
    WHERE l.label = ?5 AND l.job_id < ?1 AND (?3 IS NULL OR j.uid = ?3) AND (?4 IS NULL OR j.state = ?4)
    AND NOT EXISTS (
        SELECT 1 FROM json_each(?6) AS other WHERE NOT EXISTS (
            SELECT 1 FROM labels WHERE label = other.value AND job_id = l.job_id))
    ORDER BY l.job_id DESC LIMIT ?2";

/// Numbers of jobs before ?1, at most ?2, perhaps of user ?3, perhaps in state ?4.
pub(super) fn list_sql(of_user: bool, in_state: bool) -> &'static str {
    match (of_user, in_state) {
        (false, false) => "SELECT id FROM jobs WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        (true, false) => "SELECT id FROM jobs WHERE uid = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2",
        (false, true) => {
            "SELECT id FROM jobs WHERE state = ?4 AND id < ?1 ORDER BY id DESC LIMIT ?2"
        }
        (true, true) => {
            "SELECT id FROM jobs WHERE uid = ?3 AND state = ?4 AND id < ?1 ORDER BY id DESC LIMIT ?2"
        }
    }
}
