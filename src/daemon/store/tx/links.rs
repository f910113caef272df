//! What connects jobs with labels, with jobs that they wait for, and with notifications that are due.

use rusqlite::{Connection, Result as Sql, params};

use super::Tx;
use crate::daemon::{
    action::ListQuery,
    job::{Job, JobId},
    store::{
        JobStoreError, reader,
        row::{self, integer, number},
    },
};

/// Stores the labels of a job that was just inserted, and what it waits for.
pub(super) fn add(connection: &Connection, job: &Job) -> Sql<()> {
    for label in &job.submission.options.labels {
        connection
            .prepare_cached("INSERT INTO labels (label, job_id) VALUES (?1, ?2)")?
            .execute(params![label.as_str(), integer(job.id.0)])?;
    }
    for id in &job.course.waits_for_jobs {
        connection
            .prepare_cached("INSERT INTO waits (job_id, for_id) VALUES (?1, ?2)")?
            .execute([integer(job.id.0), integer(id.0)])?;
    }
    Ok(())
}

/// The ids that a statement with one parameter gives.
fn ids(connection: &Connection, sql: &str, id: JobId) -> Sql<Vec<JobId>> {
    connection
        .prepare_cached(sql)?
        .query_map([integer(id.0)], |row| number(row, 0).map(JobId))?
        .collect()
}

impl Tx<'_> {
    /// The jobs that wait for a job, in the order of their numbers.
    pub fn waiting_for(&self, id: JobId) -> Result<Vec<JobId>, JobStoreError> {
        const SQL: &str = "SELECT job_id FROM waits WHERE for_id = ?1 ORDER BY job_id";
        self.run(|connection| ids(connection, SQL, id))
    }

    /// Records that a job has ended: it waits for none, none waits for it, and with `notify` a notification is due.
    pub fn end_waits(&self, id: JobId, notify: bool) -> Result<(), JobStoreError> {
        let id = [integer(id.0)];
        self.run(|connection| {
            connection
                .prepare_cached("DELETE FROM waits WHERE job_id = ?1 OR for_id = ?1")?
                .execute(id)?;
            if notify {
                connection
                    .prepare_cached("INSERT OR IGNORE INTO notifications (job_id) VALUES (?1)")?
                    .execute(id)?;
            }
            Ok(())
        })
    }

    /// Records that the notification of a job's end was made.
    pub fn notified(&self, id: JobId) -> Result<(), JobStoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("DELETE FROM notifications WHERE job_id = ?1")?
                .execute([integer(id.0)])
                .map(drop)
        })
    }

    /// Numbers of the jobs of a query, newest first; with `visible_to` only those of that user.
    pub fn select(
        &self,
        query: &ListQuery,
        visible_to: Option<u32>,
    ) -> Result<Vec<JobId>, JobStoreError> {
        self.run(|connection| reader::selected(connection, query, visible_to))
    }
}

/// The jobs whose notification is due, with their users, oldest first.
pub(in crate::daemon::store) fn due(connection: &Connection) -> Sql<Vec<(JobId, u32)>> {
    connection
        .prepare("SELECT job_id, uid FROM notifications JOIN jobs ON id = job_id ORDER BY job_id")?
        .query_map([], |row| Ok((JobId(row::number(row, 0)?), row.get(1)?)))?
        .collect()
}
