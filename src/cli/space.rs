//! What a job needs on a full disk: said in the event of its end, so that the daemon can wait for that much space.

use std::path::Path;

use super::CliError;
use crate::{
    pipeline::{DiskFull, Job, PipelineError, PrepareError, ReagentError},
    report::{event::Shortage, manifest::ManifestError},
    settle::decide::DecideError,
    store::{StoreError, space},
    table::sink::SinkError,
};

/// A job asks for this much at least: its checkpoints and its other small files need some.
const NEEDED_BYTES_MIN: u64 = 256 << 10;

/// Adds to an error what the job needs, if a full disk caused the error.
pub(super) fn explained(error: CliError, job: &Job) -> CliError {
    let quota = match full_disk(&error) {
        None => return error,
        Some(cause) => matches!(cause, StoreError::QuotaFull(_)),
    };
    lacking(error, &job.spec.output, job.disk_bytes_to_continue(), quota)
}

/// The error of a job that stopped because the disk is full.
pub(super) fn stopped(error: CliError, job: &Job, disk: Option<DiskFull>) -> CliError {
    match disk {
        Some(disk) => lacking(error, &job.spec.output, disk.needed, false),
        None => error,
    }
}

/// Adds to an error how much space a job needs where `path` is. A need that the file system can never meet is not
/// waited for.
pub(super) fn lacking(error: CliError, path: &Path, needed: u64, quota: bool) -> CliError {
    let needed_bytes = needed.max(NEEDED_BYTES_MIN);
    match space::of(path) {
        Ok(space) if space.total_bytes >= needed_bytes => CliError::NoSpace {
            error: error.into(),
            shortage: Shortage {
                path: path.display().to_string(),
                needed_bytes,
                free_bytes: space.free_bytes,
                quota,
            },
        },
        _ => error,
    }
}

/// The full disk that caused an error of a job.
fn full_disk(error: &CliError) -> Option<&StoreError> {
    let cause = match error {
        CliError::Store(error)
        | CliError::Manifest(ManifestError::Store(error))
        | CliError::Prepare(PrepareError::Reagents(ReagentError::Store(error)))
        | CliError::Pipeline(
            PipelineError::Store(error)
            | PipelineError::Sink(SinkError::Store(error))
            | PipelineError::Settle(DecideError::Store(error))
            | PipelineError::Reagents(ReagentError::Store(error)),
        ) => error,
        _ => return None,
    };
    matches!(cause, StoreError::DiskFull(_) | StoreError::QuotaFull(_)).then_some(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_found_in_every_error_that_can_hold_it() {
        let full = || StoreError::DiskFull("x".into());
        let pipeline = |error: PipelineError| CliError::from(error);
        for error in [
            CliError::from(full()),
            pipeline(full().into()),
            pipeline(SinkError::from(full()).into()),
            pipeline(DecideError::from(full()).into()),
            pipeline(ReagentError::from(full()).into()),
            CliError::Manifest(ManifestError::Store(full())),
        ] {
            assert_eq!(full_disk(&error), Some(&full()), "{error}");
        }
        let other = CliError::from(StoreError::Busy("x".into()));
        assert_eq!(full_disk(&other), None);
    }

    #[test]
    fn what_the_disk_can_never_hold_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let error = || CliError::from(StoreError::DiskFull("x".into()));
        let waits = |needed| {
            matches!(
                lacking(error(), folder.path(), needed, false),
                CliError::NoSpace { .. }
            )
        };
        assert!(waits(0));
        assert!(!waits(u64::MAX));
    }
}
