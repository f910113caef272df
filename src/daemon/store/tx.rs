//! Changes within a transaction.

pub(super) mod links;

use std::{cell::RefCell, path::Path};

use rusqlite::{Connection, OptionalExtension, Result as Sql, Transaction, params};

use super::{
    JobStoreError, log,
    row::{self, Json, integer},
};
use crate::daemon::job::{Job, JobId, Millis, State, Submission};

/// Number of first events of a job that are kept.
pub(super) const FIRST_EVENTS: u64 = 10;
/// Number of last events of a job that are kept.
pub(super) const LAST_EVENTS: u64 = 200;

/// A transaction. It cannot be committed after one of its calls has failed.
#[derive(Debug)]
pub struct Tx<'a> {
    transaction: Transaction<'a>,
    path: &'a Path,
    failed: RefCell<Option<JobStoreError>>,
}

/// The result of a submission.
#[derive(Clone, Debug, PartialEq)]
pub enum Inserted {
    /// A new job.
    New(Job),
    /// The job that was submitted before with the same key and the same content.
    Known(Job),
    /// The key belongs to this job, whose content differs.
    Conflict(JobId),
}

impl<'a> Tx<'a> {
    pub(super) fn new(transaction: Transaction<'a>, path: &'a Path) -> Self {
        Self {
            transaction,
            path,
            failed: RefCell::new(None),
        }
    }

    pub(super) fn commit(self) -> Result<(), JobStoreError> {
        match self.failed.into_inner() {
            // SQLite may have rolled back already; later calls would then be committed alone.
            Some(error) => Err(error),
            None => self
                .transaction
                .commit()
                .map_err(|error| JobStoreError::sql(self.path, error)),
        }
    }

    /// Stores a job, unless its key was used before.
    pub fn insert(
        &self,
        mut submission: Submission,
        now: Millis,
    ) -> Result<Inserted, JobStoreError> {
        self.run(|connection| {
            let key = submission.idempotency.take();
            if let Some((key, digest)) = &key
                && let Some(earlier) = submitted_before(connection, submission.uid, key, digest)?
            {
                return Ok(earlier);
            }
            let job = insert_job(connection, submission, now)?;
            if let Some((key, digest)) = key {
                connection
                    .prepare_cached(
                        "INSERT INTO idempotency (uid, key, digest, job_id) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![job.submission.uid, key, digest, integer(job.id.0)])?;
            }
            Ok(Inserted::New(job))
        })
    }

    /// The result of a submission whose key was used before.
    pub fn submitted_before(
        &self,
        submission: &Submission,
    ) -> Result<Option<Inserted>, JobStoreError> {
        let Some((key, digest)) = &submission.idempotency else {
            return Ok(None);
        };
        self.run(|connection| submitted_before(connection, submission.uid, key, digest))
    }

    /// One job.
    pub fn job(&self, id: JobId) -> Result<Option<Job>, JobStoreError> {
        self.run(|connection| row::job(connection, id))
    }

    /// Writes the course and the priority of a job, at time `now`, and stores the course as an event if `seq` is new.
    pub fn update(&self, job: &Job, now: Millis) -> Result<(), JobStoreError> {
        let found = self.run(|connection| {
            let found = connection
                .prepare_cached(
                    "UPDATE jobs SET course = ?2, state = ?3, ended_at = ?4, priority = ?5 WHERE id = ?1",
                )?
                .execute(params![
                    integer(job.id.0),
                    Json(&job.course),
                    job.course.state.name(),
                    job.course.ended_at,
                    job.submission.priority,
                ])?;
            if found > 0 {
                add_event(connection, job, now)?;
            }
            Ok(found > 0)
        })?;
        if found {
            return Ok(());
        }
        Err(self.fail(JobStoreError::NoJob(job.id)))
    }

    /// Writes the settings of a job, and what was submitted beside them.
    pub fn update_submission(&self, job: &Job) -> Result<(), JobStoreError> {
        let found = self.run(|connection| {
            connection
                .prepare_cached("UPDATE jobs SET given = ?2, settings = ?3 WHERE id = ?1")?
                .execute(params![
                    integer(job.id.0),
                    Json(&job.submission),
                    Json(&job.submission.settings),
                ])
        })?;
        match found {
            0 => Err(self.fail(JobStoreError::NoJob(job.id))),
            _ => Ok(()),
        }
    }

    /// Deletes a job, its events, log and key. Returns whether it existed.
    pub fn remove(&self, id: JobId) -> Result<bool, JobStoreError> {
        self.run(|connection| {
            connection
                .prepare_cached("DELETE FROM jobs WHERE id = ?1")?
                .execute([integer(id.0)])
                .map(|removed| removed > 0)
        })
    }

    /// Appends to the log of a job. Does nothing if the job does not exist.
    pub fn append_log(&self, id: JobId, bytes: &[u8]) -> Result<(), JobStoreError> {
        self.run(|connection| {
            let there = connection
                .prepare_cached("SELECT 1 FROM jobs WHERE id = ?1")?
                .exists([integer(id.0)])?;
            if there {
                log::append(connection, id, bytes)?;
            }
            Ok(())
        })
    }

    /// Deletes jobs that ended before a time, at most `limit` of them, the oldest first. Returns how many.
    pub fn prune(&self, ended_before: Millis, limit: u32) -> Result<usize, JobStoreError> {
        let [done, failed, cancelled] =
            [State::Done, State::Failed, State::Cancelled].map(State::name);
        self.run(|connection| {
            connection
                .prepare_cached(
                    "DELETE FROM jobs WHERE id IN (
                         SELECT id FROM jobs WHERE ended_at < ?1 AND +state IN (?3, ?4, ?5)
                         ORDER BY ended_at LIMIT ?2)",
                )?
                .execute(params![ended_before, limit, done, failed, cancelled])
        })
    }

    /// Marks the transaction as failed.
    fn fail(&self, error: JobStoreError) -> JobStoreError {
        self.failed.borrow_mut().get_or_insert(error.clone());
        error
    }

    pub(super) fn run<T>(
        &self,
        work: impl FnOnce(&Connection) -> Sql<T>,
    ) -> Result<T, JobStoreError> {
        if let Some(error) = &*self.failed.borrow() {
            return Err(error.clone());
        }
        work(&self.transaction).map_err(|error| {
            let error = JobStoreError::sql(self.path, error);
            *self.failed.borrow_mut() = Some(error.clone());
            error
        })
    }
}

fn submitted_before(
    connection: &Connection,
    uid: u32,
    key: &str,
    digest: &[u8; 32],
) -> Sql<Option<Inserted>> {
    let earlier = connection
        .prepare_cached("SELECT job_id, digest FROM idempotency WHERE uid = ?1 AND key = ?2")?
        .query_row(params![uid, key], |row| {
            Ok((JobId(row::number(row, 0)?), row.get::<_, [u8; 32]>(1)?))
        })
        .optional()?;
    let Some((id, earlier)) = earlier else {
        return Ok(None);
    };
    if earlier != *digest {
        return Ok(Some(Inserted::Conflict(id)));
    }
    Ok(row::job(connection, id)?.map(Inserted::Known))
}

fn insert_job(connection: &Connection, submission: Submission, now: Millis) -> Sql<Job> {
    let mut job = Job::new(JobId(0), submission, now);
    connection
        .prepare_cached(
            "INSERT INTO jobs (uid, priority, submitted_at, given, course, settings, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            job.submission.uid,
            job.submission.priority,
            job.submitted_at,
            Json(&job.submission),
            Json(&job.course),
            Json(&job.submission.settings),
            job.course.state.name(),
        ])?;
    job.id = JobId(connection.last_insert_rowid().unsigned_abs());
    links::add(connection, &job)?;
    add_event(connection, &job, now)?;
    Ok(job)
}

/// Stores the job as event `seq` unless that event exists, and deletes events beyond the limits.
fn add_event(connection: &Connection, job: &Job, now: Millis) -> Sql<()> {
    let id = integer(job.id.0);
    let new = connection
        .prepare_cached(
            "INSERT INTO events (job_id, seq, at, course) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (job_id, seq) DO NOTHING",
        )?
        .execute(params![id, integer(job.course.seq), now, Json(&job.course)])?;
    let last_gone = job.course.seq.saturating_sub(LAST_EVENTS);
    if new > 0 && last_gone > FIRST_EVENTS {
        connection
            .prepare_cached("DELETE FROM events WHERE job_id = ?1 AND seq > ?2 AND seq <= ?3")?
            .execute([id, integer(FIRST_EVENTS), integer(last_gone)])?;
    }
    Ok(())
}
