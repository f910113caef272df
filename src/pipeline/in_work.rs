//! The account of parents in work, and of those that must not be tried again.
//!
//! `.molsieve/in-work` has 8 bytes per worker: the row of the parent it works on plus 1, little-endian,
//! or 0. The bytes are written, not synced: they are to outlive the process, not a power failure. When a
//! run goes on after a crash, each parent found there is tried in a process of its own
//! ([`crate::trial`]); one that kills it, or never returns, is put down in the sealed file `poisoned` and
//! rejected from then on, with the reason.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::{Job, PipelineError, workers::cut};
use crate::{
    store::{
        OutputDir, StoreError,
        disk::{self, DiskFile},
        sealed::{self, Kind},
    },
    table::source::{LibraryReader, ParentBatch},
    trial::{self, Candidate},
};

/// Name of the account in `.molsieve/`.
pub(super) const IN_WORK: &str = "in-work";
/// The file of [`Poisoned`].
pub(super) const POISONED: Kind = Kind {
    name: "poisoned",
    version: 1,
};

/// Rows that must not be given to RDKit, with the reason.
pub(super) type Poisoned = BTreeMap<u64, String>;

/// What each worker works on.
pub(super) struct InWork {
    file: DiskFile,
    workers: Vec<Worker>,
    began: Instant,
}

#[derive(Default)]
struct Worker {
    row: AtomicU64,
    /// Milliseconds after `began` at which the parent would have begun had the worker never waited
    /// for a slot; 0 while it is not in RDKit.
    since: AtomicU64,
}

impl InWork {
    pub(super) fn new(output: &OutputDir, workers: usize) -> Result<Self, StoreError> {
        let file = DiskFile::create(&output.work_file(IN_WORK))?;
        Ok(Self {
            file,
            workers: (0..workers).map(|_| Worker::default()).collect(),
            began: Instant::now(),
        })
    }

    /// A worker begins with a parent.
    pub(super) fn begin(&self, worker: usize, row: u64) -> Result<(), StoreError> {
        self.file
            .write_at(&(row + 1).to_le_bytes(), 8 * worker as u64)?;
        self.workers[worker].row.store(row, Relaxed);
        self.workers[worker].since.store(self.now(), Relaxed);
        Ok(())
    }

    /// A worker is done with its batch.
    pub(super) fn end(&self, worker: usize) -> Result<(), StoreError> {
        self.workers[worker].since.store(0, Relaxed);
        self.file.write_at(&[0; 8], 8 * worker as u64)
    }

    /// A worker's parent is out of RDKit again.
    pub(super) fn leave(&self, worker: usize) {
        self.workers[worker].since.store(0, Relaxed);
    }

    /// Runs something that is not the parent's doing, such as waiting for a slot.
    pub(super) fn pause<T>(&self, worker: usize, wait: impl FnOnce() -> T) -> T {
        let worker = &self.workers[worker];
        let since = worker.since.swap(0, Relaxed);
        let began = self.now();
        let value = wait();
        // It may not have been in RDKit at all.
        if since > 0 {
            worker.since.store(since + (self.now() - began), Relaxed);
        }
        value
    }

    /// The row of a parent that RDKit has had for longer than `time_max`.
    pub(super) fn overdue(&self, time_max: Duration) -> Option<u64> {
        let late = |worker: &&Worker| {
            let since = worker.since.load(Relaxed);
            since > 0 && self.now() - since.min(self.now()) > time_max.as_millis() as u64
        };
        self.workers
            .iter()
            .find(late)
            .map(|worker| worker.row.load(Relaxed))
    }

    /// Milliseconds since the start, and one more.
    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64 + 1
    }
}

/// The rows that must not be tried again.
pub(super) fn poisoned(output: &OutputDir) -> Result<Poisoned, StoreError> {
    let poisoned = sealed::read(&output.work_dir(), POISONED)?;
    Ok(poisoned.unwrap_or_default())
}

/// Puts a row down among them.
pub(super) fn poison(output: &OutputDir, row: u64, reason: String) -> Result<(), StoreError> {
    let mut poisoned = poisoned(output)?;
    poisoned.insert(row, cut(reason));
    sealed::write(&output.work_dir(), POISONED, &poisoned)
}

/// Tries the parents that were in work when the run was interrupted, from `next_row` on, and gives all
/// rows that must not be given to RDKit.
pub(super) fn after_interruption(
    job: &Job,
    output: &OutputDir,
    next_row: u64,
) -> Result<Poisoned, PipelineError> {
    let poisoned = poisoned(output)?;
    let account = disk::read(&output.work_file(IN_WORK), 1 << 20)?.unwrap_or_default();
    let (workers, _) = account.as_chunks::<8>();
    let rows = workers.iter().map(|row| u64::from_le_bytes(*row));
    let suspects = rows.filter_map(|row| row.checked_sub(1));
    let mut suspects: Vec<u64> = suspects
        .filter(|row| *row >= next_row && !poisoned.contains_key(row))
        .collect();
    suspects.sort_unstable();
    let candidates = find(job, next_row, &suspects)?;
    let assignment = job.spec.assignment(job.spec.transform_settings());
    let answers = trial::try_parents(&assignment, &candidates)?;
    for (candidate, answer) in candidates.iter().zip(answers) {
        if let Err(reason) = answer {
            poison(output, candidate.row, reason)?;
        }
    }
    Ok(self::poisoned(output)?)
}

/// Reads the rows of these numbers, which are sorted.
fn find(job: &Job, next_row: u64, rows: &[u64]) -> Result<Vec<Candidate>, PipelineError> {
    let mut found = Vec::new();
    let Some(last) = rows.last() else {
        return Ok(found);
    };
    let mut reader: LibraryReader = job.library.reader()?;
    reader.skip_rows(next_row)?;
    let mut batch = ParentBatch::new();
    while reader.rows_read() <= *last && reader.next_batch(&mut batch, job.plan.batch_parents)? {
        let wanted = batch
            .iter()
            .filter(|row| rows.binary_search(&row.row).is_ok());
        found.extend(wanted.filter_map(Candidate::of));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;
    use crate::store::Existing;

    #[test]
    fn only_time_in_rdkit_is_a_parents_time() {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputDir::open(&folder.path().join("out"), Existing::Refuse).unwrap();
        let in_work = InWork::new(&output, 1).unwrap();
        let (most, longer) = (Duration::from_millis(40), Duration::from_millis(80));
        sleep(longer);
        // Waiting for a slot, with nothing in RDKit, leaves nothing there.
        in_work.pause(0, || ());
        assert_eq!(in_work.overdue(most), None);
        in_work.begin(0, 7).unwrap();
        in_work.pause(0, || sleep(longer));
        assert_eq!(in_work.overdue(most), None);
        sleep(longer);
        assert_eq!(in_work.overdue(most), Some(7));
        in_work.leave(0);
        assert_eq!(in_work.overdue(most), None);
    }
}
