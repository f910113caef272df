//! Runs the stages of a job: reading, settling, publishing.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
};

use super::{
    canonical::Canonical,
    checkpoint::Checkpoint,
    control::{Control, Outcome},
    duplicates,
    error::PipelineError,
    judge::judge,
    meters::{Meters, SerialClocks},
    resources::{Input, Resources, WorkerPorts},
    run_files::RunFiles,
    settling, sinking,
    watcher::{Watched, Watcher},
    workers,
};
use crate::{
    report::manifest::{MANIFEST, Manifest},
    table::sink::Rewrite,
};

/// How the stages of a step ended.
pub(super) enum Ended {
    /// The step is done, and another one follows.
    Step,
    /// The job is done, or stopped.
    Job(Outcome),
}

/// Runs the stages of a step from where the checkpoint `begun` says. `input`: `None` once all of it is read.
pub(super) fn run(
    resources: &Resources<'_>,
    meters: &Meters,
    begun: Option<&Checkpoint>,
    mut input: Option<Input>,
    watcher: &mut Watcher<'_>,
) -> Result<Ended, PipelineError> {
    let Resources {
        job,
        output,
        ref cores,
        ..
    } = *resources;
    let control = &Control::new(Arc::clone(&resources.ring), job.spec.parent_time_max());
    let watched = Watched {
        control,
        meters,
        in_work: &resources.in_work,
    };
    let files = watcher.during(|| {
        let engine = input.as_mut().map(|input| &mut input.engine);
        let rewrite = rewrite(resources, meters)?;
        RunFiles::begin(
            (job, output, cores),
            (&resources.reagents, resources.drops.as_ref()),
            (control, meters),
            begun,
            rewrite,
            engine,
        )
    })?;
    let files = match input {
        Some(input) => read(resources, files, input, watched, watcher)?,
        None => Some(files),
    };
    resources.ring.release();
    let settled = files.map(|files| settle(files, watched, watcher));
    let settled = settled.transpose()?.flatten();
    (watcher.watch)(&watched.snapshot());
    let reasons = control.reasons();
    if let Some(error) = reasons.failure {
        return Err(error);
    }
    if let Some(row) = reasons.timed_out {
        return Ok(Ended::Job(Outcome::TimedOut { row }));
    }
    if control.is_stopping() {
        let (kept, disk_full) = (meters.kept(), reasons.disk_full);
        return Ok(Ended::Job(Outcome::Stopped { kept, disk_full }));
    }
    let files = settled.ok_or_else(|| PipelineError::Panicked("sink".into()))?;
    if resources.step.step < job.spec.steps() {
        files.end_step()?;
        return Ok(Ended::Step);
    }
    let (state, beside) = files.finish()?;
    let manifest = Manifest::new(resources, meters, state, beside);
    output.write(MANIFEST, manifest.to_json().as_bytes())?;
    Ok(Ended::Job(Outcome::Done(Box::new(manifest))))
}

/// With `--canonical`: how rows are written.
fn rewrite<'a>(
    resources: &'a Resources<'_>,
    meters: &'a Meters,
) -> Result<Option<Box<Rewrite<'a>>>, PipelineError> {
    let job = resources.job;
    if !job.spec.canonical() {
        return Ok(None);
    }
    let canonical = Canonical::new(job.rdkit, &resources.cores, &meters.left_as_written)?;
    // After the workers' entries.
    let first = job.plan.threads;
    Ok(Some(Box::new(move |slot, rows| {
        canonical.write(slot, rows, &resources.in_work, first)
    })))
}

/// Reads the input: workers, sieve and sink until the last slot is written. Returns the files if that was reached.
fn read<'a>(
    resources: &Resources<'_>,
    files: RunFiles<'a>,
    input: Input,
    watched: Watched<'_>,
    watcher: &mut Watcher<'_>,
) -> Result<Option<RunFiles<'a>>, PipelineError> {
    let Input { dispenser, engine } = input;
    let dispenser = Mutex::new(dispenser);
    let (job, ring) = (resources.job, &resources.ring);
    let (control, meters) = (watched.control, watched.meters);
    let ports = &WorkerPorts {
        job,
        step: resources.step.step,
        reagents: &resources.reagents,
        batch_parents: (job.plan).batch_parents_of(resources.step.step, resources.step.rows(job).0),
        cores: &resources.cores,
        dispenser: &dispenser,
        ring,
        control,
        times: &meters.times,
        rows_read: &meters.rows_read,
        in_work: &resources.in_work,
        poisoned: &resources.poisoned,
        key_devices: resources.key_devices.as_ref(),
        checks: resources.checks.as_ref(),
        drops: resources.drops.as_ref(),
        marks_slots: engine.wants_marked_slots(),
    };
    // Every slot and the end fit, so that the sieve never waits to report the end.
    let (judged, to_sink) = mpsc::sync_channel(job.plan.slots + 1);
    thread::scope(|scope| {
        let mut stages = Vec::new();
        for i in 0..job.plan.threads {
            let work = move || workers::work(ports, i);
            stages.push(control.spawn(scope, format!("chem-{i}"), work)?);
        }
        let serial = &meters.times.serial;
        let sieve = move || {
            SerialClocks::measure(&serial.sieve, || judge(ring, &meters.times, engine, judged))
        };
        stages.push(control.spawn(scope, "sieve".into(), sieve)?);
        let sink = control.spawn(scope, "sink".into(), move || {
            SerialClocks::measure(&serial.sink, || sinking::sink(files, &to_sink))
        })?;
        watcher.until(&|| sink.is_finished(), watched);
        // When a job stops, the part is saved before anything waits for the workers.
        let files = sink.join().ok().flatten().flatten();
        watcher.until(&|| stages.iter().all(|stage| stage.is_finished()), watched);
        stages.into_iter().for_each(|stage| drop(stage.join()));
        Ok(files.filter(|_| !control.is_stopping()))
    })
}

/// Settles on a thread of its own, and then finds the duplicates. Returns the files unless that failed.
fn settle<'a>(
    files: RunFiles<'a>,
    watched: Watched<'_>,
    watcher: &mut Watcher<'_>,
) -> Result<Option<RunFiles<'a>>, PipelineError> {
    let control = watched.control;
    thread::scope(|scope| {
        let settled = control.spawn(scope, "settle".into(), move || {
            if control.is_stopping() {
                return Ok(files);
            }
            let settle = &watched.meters.times.serial.settle;
            SerialClocks::measure(settle, || duplicates::publish(settling::settle(files)?))
        })?;
        watcher.until(&|| settled.is_finished(), watched);
        Ok(settled.join().ok().flatten())
    })
}
