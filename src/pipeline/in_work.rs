//! The record of the parents that workers process, and of those that must not be processed again.
//!
//! `.molsieve/in-work` has 8 bytes per worker: the row of the parent it processes plus 1, little-endian,
//! or 0. The file is mapped, so that a parent costs no system call, and not synced: its bytes must outlive
//! the process, not a power failure. Where a file system maps no files, they are written. When a
//! run resumes after a crash or a timeout, each parent found there is tried in a separate process
//! ([`crate::trial`]). A parent that kills that process, or exceeds its time there too, is recorded in the
//! sealed file `poisoned` and rejected from then on, with the reason.
//!
//! A parent's time is the CPU time that its thread has used since it last made a product. Waiting for a
//! slot, for the disk or for a machine that stalls takes none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use memmap2::MmapRaw;
use serde::{Deserialize, Serialize};

use super::{error::PipelineError, job::Job, step_input::StepInput};
use crate::{
    machine::WorkClock,
    reject::Rejection,
    store::{
        OutputDir, StoreError,
        disk::{self, DiskFile},
        sealed::{self, Kind},
    },
    table::source::{ParentBatch, ParentRow},
    trial::{self, Assignment, Candidate, Purpose},
};

/// Name of the record in `.molsieve/`.
pub(super) const IN_WORK: &str = "in-work";
/// The file of [`Poisoned`].
pub(super) const POISONED: Kind = Kind {
    name: "poisoned",
    version: 3,
};

/// Rows of a step that must not be given to RDKit, with the reason.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Poisoned {
    pub(super) step: usize,
    pub(super) rows: BTreeMap<u64, Rejection>,
}

/// The parent that each worker processes.
pub(super) struct InWork {
    file: DiskFile,
    mapped: Option<MmapRaw>,
    workers: Vec<WorkerEntry>,
    /// Rows that passed their trial.
    cleared: BTreeSet<u64>,
}

/// Each worker has a cache line of its own, because its thread writes here for every parent.
#[derive(Default)]
#[repr(align(128))]
struct WorkerEntry {
    row: AtomicU64,
    /// Runs while the parent is in RDKit.
    clock: WorkClock,
}

/// Bytes of a worker's entry.
const WORD: usize = size_of::<u64>();
/// How many times the limit a parent may take that passed its trial within the limit.
const CLEARED_FACTOR: u32 = 4;

impl InWork {
    pub(super) fn new(
        output: &OutputDir,
        workers: usize,
        cleared: BTreeSet<u64>,
    ) -> Result<Self, StoreError> {
        let path = output.work_file(IN_WORK);
        let file = DiskFile::create(&path)?;
        file.write_at(&vec![0; WORD * workers], 0)?;
        let mapped = OpenOptions::new().read(true).write(true).open(&path);
        Ok(Self {
            file,
            mapped: mapped.and_then(|file| MmapRaw::map_raw(&file)).ok(),
            workers: (0..workers).map(|_| WorkerEntry::default()).collect(),
            cleared,
        })
    }

    /// Records that a worker gives a parent to RDKit.
    pub(super) fn begin(&self, worker: usize, row: u64) -> Result<(), StoreError> {
        self.put(worker, row + 1)?;
        self.workers[worker].row.store(row, Relaxed);
        self.workers[worker].clock.restart();
        Ok(())
    }

    /// Restarts the time of a worker's parent: it has made a product.
    pub(super) fn progress(&self, worker: usize) {
        self.workers[worker].clock.restart();
    }

    /// Records that a worker has finished its batch.
    pub(super) fn end(&self, worker: usize) -> Result<(), StoreError> {
        self.workers[worker].clock.stop();
        self.put(worker, 0)
    }

    fn put(&self, worker: usize, word: u64) -> Result<(), StoreError> {
        let Some(mapped) = &self.mapped else {
            return self
                .file
                .write_at(&word.to_le_bytes(), (WORD * worker) as u64);
        };
        assert!(worker < self.workers.len() && mapped.len() == WORD * self.workers.len());
        // SAFETY: the word lies in the mapping, as was checked just now, and is aligned in it because a mapping begins
        // at a page; nothing in this process accesses it otherwise. The file, in a folder that this process has locked,
        // gets no shorter.
        let place =
            unsafe { AtomicU64::from_ptr(mapped.as_mut_ptr().cast::<u64>().wrapping_add(worker)) };
        place.store(word.to_le(), Relaxed);
        Ok(())
    }

    /// Stops the time of a worker's parent: RDKit has returned.
    pub(super) fn leave(&self, worker: usize) {
        self.workers[worker].clock.stop();
    }

    /// The row of a parent on which a thread has used more than `time_max` since its last product.
    pub(super) fn overdue(&self, time_max: Duration) -> Option<u64> {
        self.workers.iter().find_map(|worker| {
            let used = worker.clock.used()?;
            let row = worker.row.load(Relaxed);
            let factor = match self.cleared.contains(&row) {
                true => CLEARED_FACTOR,
                false => 1,
            };
            (used > time_max * factor).then_some(row)
        })
    }
}

/// The rows of a step that must not be processed again.
pub(super) fn poisoned(output: &OutputDir, step: usize) -> Result<Poisoned, StoreError> {
    let poisoned: Option<Poisoned> = sealed::read(&output.work_dir(), POISONED)?;
    let poisoned = poisoned.filter(|poisoned| poisoned.step == step);
    let none = || Poisoned {
        step,
        ..Poisoned::default()
    };
    Ok(poisoned.unwrap_or_else(none))
}

/// Tries the parents that workers were processing when the run was interrupted, from `next_row` on. Returns all rows
/// that must not be given to RDKit, and those that passed their trial.
pub(super) fn after_interruption(
    job: &Job,
    output: &OutputDir,
    input: &StepInput,
    next_row: u64,
) -> Result<(Poisoned, BTreeSet<u64>), PipelineError> {
    let mut poisoned = poisoned(output, input.step)?;
    let account = disk::read(&output.work_file(IN_WORK), 1 << 20)?.unwrap_or_default();
    let (workers, _) = account.as_chunks::<8>();
    let rows = workers.iter().map(|row| u64::from_le_bytes(*row));
    let mut suspects: Vec<u64> = rows.filter_map(|row| row.checked_sub(1)).collect();
    suspects.retain(|row| *row >= next_row && !poisoned.rows.contains_key(row));
    suspects.sort_unstable();
    let candidates = find(job, input, next_row, &suspects)?;
    let Some(program) = &job.program else {
        return Ok((poisoned, BTreeSet::new()));
    };
    let mut settings = job.spec.transform_settings();
    settings.clean = job.spec.clean_steps_of(input.step);
    let purpose = Purpose {
        step: input.step,
        settings,
        products_kept: 0,
        share: 1.0,
    };
    let assignment = Assignment {
        reagents: job.tried_reagents(input.step)?,
        filters: job.filters.of(input.step).clone(),
        ..job.spec.assignment(purpose)
    };
    let answers = trial::try_parents(program, &assignment, &candidates)?;
    let mut cleared = BTreeSet::new();
    for (candidate, answer) in candidates.iter().zip(answers) {
        match answer {
            Ok(_) => drop(cleared.insert(candidate.ordinal)),
            Err(rejection) => {
                poisoned
                    .rows
                    .insert(candidate.ordinal, rejection.shortened());
                sealed::write(&output.work_dir(), POISONED, &poisoned)?;
            }
        }
    }
    Ok((poisoned, cleared))
}

/// Reads the rows of these numbers, which are sorted.
fn find(
    job: &Job,
    input: &StepInput,
    next_row: u64,
    rows: &[u64],
) -> Result<Vec<Candidate>, PipelineError> {
    let mut found = Vec::new();
    let Some(last) = rows.last() else {
        return Ok(found);
    };
    let mut reader = input.reader(job)?;
    reader.skip_rows(next_row)?;
    let mut batch = ParentBatch::new();
    while reader.rows_read() <= *last && reader.next_batch(&mut batch, job.plan.batch_parents)? {
        let wanted = |row: &ParentRow<'_>| rows.binary_search(&row.ordinal).is_ok();
        found.extend(batch.iter().filter(wanted).filter_map(Candidate::of));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::{thread::sleep, time::Instant};

    use super::*;
    use crate::store::Existing;

    fn in_work(cleared: &[u64]) -> (tempfile::TempDir, InWork) {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputDir::open(&folder.path().join("out"), Existing::Refuse).unwrap();
        let in_work = InWork::new(&output, 1, cleared.iter().copied().collect()).unwrap();
        (folder, in_work)
    }

    /// Works until the worker's clock says so; false if it never does.
    fn work_until(in_work: &InWork, used: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            match in_work.workers[0].clock.used() {
                Some(now) if now <= used => std::hint::spin_loop(),
                Some(_) => return true,
                None => return false,
            }
        }
        false
    }

    #[test]
    fn only_cpu_time_since_the_last_product_is_a_parents_time() {
        let (_folder, in_work) = in_work(&[]);
        let (most, longer) = (Duration::from_millis(40), Duration::from_millis(80));
        in_work.begin(0, 7).unwrap();
        // Waiting, or a machine that stalls.
        sleep(longer);
        assert_eq!(in_work.overdue(most), None);
        assert!(work_until(&in_work, most));
        assert_eq!(in_work.overdue(most), Some(7));
        in_work.progress(0);
        assert_eq!(in_work.overdue(most), None);
        assert!(work_until(&in_work, most));
        in_work.leave(0);
        assert_eq!(in_work.overdue(most), None);
    }

    #[test]
    fn a_parent_that_passed_its_trial_has_more_time() {
        let (_folder, in_work) = in_work(&[7]);
        let most = Duration::from_millis(20);
        in_work.begin(0, 7).unwrap();
        assert!(work_until(&in_work, most * 2));
        assert_eq!(in_work.overdue(most), None);
        assert!(work_until(&in_work, most * CLEARED_FACTOR));
        assert_eq!(in_work.overdue(most), Some(7));
    }
}
