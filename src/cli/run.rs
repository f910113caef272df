//! `molsieve run` and `molsieve plan`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    CliError, Exit, JobArgs, THIS_PROGRAM,
    attempts::{self, Attempt},
    job_log::JobLog,
    places, plan,
    progress::Reporter,
    report, say, say_aside, say_event, say_json, space, standard_input,
    stream::{self, Stream},
};
use crate::{
    chem::RdKit,
    config::{DeriveFlags, JobSettings, Task, read_path},
    pipeline::{self, DiskFull, Job, Kept, Outcome, PipelineError, Stuck},
    report::{
        event::{Event, Planned},
        manifest::Manifest,
    },
    rules::RuleSet,
    store::{Existing, Found, OutputDir, StoreError, WORK_DIR, disk},
    trial,
    units::ByteSize,
};

/// `molsieve run` and `molsieve dedup`, called with the arguments `program`: a supervisor, or one of its
/// attempts. `task` is the task of the subcommand; without it the job file decides.
pub(super) fn run<F: clap::Args + Into<JobSettings>>(
    args: JobArgs<F>,
    task: Option<Task>,
    program: &[OsString],
    attempt: Option<&Attempt>,
) -> Result<Exit, CliError> {
    let (json, kind) = (args.json, args.input_format);
    let flags = JobSettings {
        task,
        ..args.settings.into()
    };
    let output = flags.output.clone();
    let settings = over_file(flags, args.job.as_deref());
    match (attempt, settings) {
        (Some(attempt), settings) => attempt_job(settings?, json, attempt),
        (None, Ok(settings)) if stream::is_wanted(&settings) => {
            supervise_stream(settings, json, kind, program)
        }
        (None, settings) => supervise(settings.ok(), output, json, kind, program),
    }
}

/// Runs a job in attempts and prints its rows.
fn supervise_stream(
    mut settings: JobSettings,
    json: bool,
    kind: standard_input::Kind,
    program: &[OsString],
) -> Result<Exit, CliError> {
    stream::check(&settings, json)?;
    let mut stream = Stream::begin()?;
    let output = stream.output();
    settings.output = Some(output.clone());
    let kept = match standard_input::is_wanted(&settings) {
        true => stream.guard(|| standard_input::keep(&settings, kind))?,
        false => None,
    };
    let ended = attempts::supervise(
        program,
        json,
        Some(&output),
        kept.as_ref(),
        Some(&mut stream),
    );
    match ended {
        Err(CliError::Crashed { how, attempts, .. }) => {
            Err(CliError::StreamCrashed { how, attempts })
        }
        ended => ended,
    }
}

/// Starts attempts to run a job, and stores standard input for them. `settings` is `None` if they are wrong; the
/// attempt then reports the error.
fn supervise(
    settings: Option<JobSettings>,
    output: Option<PathBuf>,
    json: bool,
    kind: standard_input::Kind,
    program: &[OsString],
) -> Result<Exit, CliError> {
    let kept = match &settings {
        Some(settings) if standard_input::is_wanted(settings) => {
            standard_input::keep(settings, kind)?
        }
        _ => None,
    };
    let output = output.or_else(|| settings?.output);
    let ended = attempts::supervise(program, json, output.as_ref(), kept.as_ref(), None);
    match (kept, &ended) {
        (Some(kept), Ok(Exit::Done | Exit::Incomplete)) => kept.remove()?,
        (Some(kept), _) => kept.say(),
        (None, Ok(Exit::Done | Exit::Incomplete)) => {
            output.as_deref().map(standard_input::say_left);
        }
        (None, _) => {}
    }
    ended
}

fn attempt_job(settings: JobSettings, json: bool, attempt: &Attempt) -> Result<Exit, CliError> {
    let mut settings = JobSettings {
        overwrite: settings.overwrite && !attempt.again,
        resume: settings.resume || attempt.again,
        ..settings
    };
    standard_input::replace(&mut settings);
    let is_stream = stream::replace(&mut settings);
    let stops = Stops::FromSupervisor;
    let planning = end_on_signals(stops)?;
    let reports = Reports {
        json,
        is_stream,
        log: None,
    };
    run_job(settings, reports, planning, stops, || {
        attempt.opens_output()
    })
}

/// How a job reports.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reports {
    /// By events on standard output, in place of progress and summary.
    pub(super) json: bool,
    /// See [`Job::is_stream`].
    pub(super) is_stream: bool,
    /// In a job process of the daemon: also in the job's log.
    pub(super) log: Option<JobLog>,
}

/// Who stops a job and resumes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stops {
    /// A supervisor, with its own signal. The supervisor handles SIGINT and SIGTERM.
    FromSupervisor,
    /// A user or another program, with SIGINT or SIGTERM.
    FromOutside,
}

/// Runs a job. Calls `go` when the job is planned. Before that it writes nothing, except that it finishes the
/// clean-up of a complete run. `planning` is the flag of [`end_on_signals`].
pub(super) fn run_job(
    settings: JobSettings,
    reports: Reports,
    planning: Arc<AtomicBool>,
    stops: Stops,
    go: impl FnOnce() -> Result<(), CliError>,
) -> Result<Exit, CliError> {
    let Reports {
        json,
        is_stream,
        mut log,
    } = reports;
    let settings = if settings.resume {
        match begun(settings, reports)? {
            Begun::Complete(exit) => return Ok(exit),
            Begun::Settings(settings) => *settings,
        }
    } else {
        settings
    };
    let job_file = settings.job_file.clone();
    let spec = settings.check()?;
    places::check(&spec, job_file.as_deref())?;
    OutputDir::check(&spec.output, spec.existing())?;
    let mut job = Job::prepare(spec, Some(Path::new(THIS_PROGRAM)))?;
    job.is_stream = is_stream;
    places::check_reagents(&job)?;
    check_free_space(&job)?;
    for file in job.library.files() {
        for note in &file.notes {
            tracing::warn!("{}: {note}", file.path.display());
        }
    }
    if json {
        say_event(&Event::Planned(Box::new(Planned::from(&job.plan))));
    }
    log.iter().for_each(|log| log.planned(&job));
    go()?;
    let stop = stop_on_signals(stops)?;
    planning.store(false, Relaxed);
    let mut reporter = Reporter::new(&job, json);
    let mut stopping = false;
    let outcome = pipeline::run(&job, &stop, &mut |snapshot| {
        if stop.load(Relaxed) && !std::mem::replace(&mut stopping, true) {
            reporter.say_live(STOPPING);
        }
        reporter.show(snapshot);
        log.iter_mut().for_each(|log| log.show(&job, snapshot));
        if let Some(stuck) = &snapshot.stuck {
            end_with_stuck_thread(&job, &reporter, stuck.clone(), json, stops);
        }
    });
    reporter.finish();
    match outcome.map_err(|error| space::explained(error.into(), &job))? {
        Outcome::TimedOut { row } => end_timed_out(&job, row, json, stops),
        Outcome::Done(manifest) => Ok(done(manifest, reports, |manifest| {
            report::summary(&job, manifest)
        })),
        Outcome::Stopped { kept, disk_full } => Err(stopped(&job, &kept, disk_full)),
    }
}

/// What the first Ctrl-C does, and what a second one would do.
const STOPPING: &str = "stopping at a checkpoint; a second Ctrl-C ends the job at once, and \
    --resume then repeats the work since the last checkpoint";

/// Ends the process because RDKit has exceeded the time limit on a row.
fn end_timed_out(job: &Job, row: u64, json: bool, stops: Stops) -> ! {
    let why = format!(
        "RDKit spent more than --parent-timeout {} seconds on row {row} without giving a product",
        job.spec.parent_timeout
    );
    let exit = match stops {
        Stops::FromSupervisor => {
            say_aside(&format!("{why}; trying the row once more, alone"));
            attempts::TIMED_OUT
        }
        Stops::FromOutside => {
            let output = &job.spec.output;
            let error = CliError::Stopped(format!(
                "{why}: stopped at a checkpoint; {} continues from it and tries the row alone",
                attempts::resume(Some(output))
            ));
            super::report_error(&error, json) as i32
        }
    };
    signal_hook::low_level::exit(exit)
}

/// Reports a complete output, without `--json` by `text`. Returns the exit code of the run that made it.
fn done(manifest: Box<Manifest>, reports: Reports, text: impl Fn(&Manifest) -> String) -> Exit {
    let exit = match manifest.rows_at_fault() + manifest.counts.parents_capped {
        0 => Exit::Done,
        _ => Exit::Incomplete,
    };
    reports.log.iter().for_each(|log| log.say(&text(&manifest)));
    match reports.json {
        true => say_event(&Event::Done { manifest }),
        false => say(&text(&manifest)),
    }
    exit
}

fn stopped(job: &Job, kept: &Kept, disk: Option<DiskFull>) -> CliError {
    if let Some(disk) = disk.filter(|_| job.is_stream) {
        let (folder, free) = (std::env::temp_dir(), ByteSize(disk.free));
        return CliError::StreamDisk { folder, free };
    }
    let full = disk.map_or_else(String::new, |disk| {
        format!("the disk is nearly full ({} free); ", ByteSize(disk.free))
    });
    let error = CliError::Stopped(format!(
        "{full}stopped at a checkpoint with {}; {} continues from it",
        report::kept(kept),
        attempts::resume(Some(&job.spec.output)),
    ));
    space::stopped(error, job, disk)
}

/// Ends the process while a thread still works, most likely inside RDKit, and can't be stopped. The last
/// checkpoint stays valid. Skips the exit handlers of C++: they would free RDKit's tables while the thread
/// uses them.
fn end_with_stuck_thread(
    job: &Job,
    reporter: &Reporter<'_>,
    stuck: Stuck,
    json: bool,
    stops: Stops,
) -> ! {
    reporter.finish();
    if let (Some(row), None) = (stuck.timed_out, &stuck.error) {
        end_timed_out(job, row, json, stops);
    }
    let stopped = || {
        let error = CliError::Stopped(format!(
            "stopped at a checkpoint; {} continues from it",
            attempts::resume(Some(&job.spec.output))
        ));
        space::stopped(error, job, stuck.disk_full)
    };
    let failed = |error: PipelineError| space::explained(error.into(), job);
    let error = stuck.error.map_or_else(stopped, failed);
    let exit = super::report_error(&error, json);
    signal_hook::low_level::exit(exit as i32)
}

/// `molsieve try-parents`.
pub(super) fn try_parents() -> Result<Exit, CliError> {
    let assignment = trial::assignment()?;
    let rules: Vec<_> = assignment.rules.iter().cloned().map(read_path).collect();
    let rules = RuleSet::load(&rules)?;
    let rdkit = RdKit::initialise()?;
    trial::serve(rdkit, &rules, &assignment)?;
    Ok(Exit::Done)
}

/// What to do about a run that was begun earlier.
pub(super) enum Begun {
    /// Nothing: it is complete, and ended with this exit code.
    Complete(Exit),
    /// Run it with the settings given now, and otherwise those it was begun with.
    Settings(Box<JobSettings>),
}

pub(super) fn begun(given: JobSettings, reports: Reports) -> Result<Begun, CliError> {
    let Some(output) = given.output.clone() else {
        return Ok(Begun::Settings(given.into()));
    };
    if OutputDir::check(&output, Existing::Resume)? == Found::Complete {
        // The process may have ended after it wrote the manifest and before it had cleaned up.
        if output.join(WORK_DIR).exists() {
            OutputDir::open(&output, Existing::Resume)?.finish()?;
        }
        let manifest = Manifest::read(&output)?.ok_or(StoreError::NoRun(output.clone()))?;
        let exit = done(manifest.into(), reports, |_| {
            let complete = "this run is complete; there is nothing to resume";
            format!("{}: {complete}", output.display())
        });
        return Ok(Begun::Complete(exit));
    }
    let job_file = output.join("job.toml");
    if job_file.exists() {
        let begun = JobSettings::from_file(&job_file)?;
        return Ok(Begun::Settings(given.over(begun).into()));
    }
    if given.input.is_empty() {
        return Err(CliError::NothingToResume(output));
    }
    Ok(Begun::Settings(given.into()))
}

/// Refuses a new job if the disk has less space than the job is expected to write.
fn check_free_space(job: &Job) -> Result<(), CliError> {
    let (spec, estimate) = (&job.spec, &job.plan.estimate);
    // The parts of a stream are taken away as they come.
    let parts = if job.is_stream {
        0
    } else {
        estimate.disk_bytes()
    };
    let needed = parts + estimate.disk_bytes_while_running();
    let free = disk::free_bytes(&spec.output)?;
    if spec.resume || spec.expected_products.is_some() || needed <= free {
        return Ok(());
    }
    let error = CliError::DiskTooSmall {
        output: spec.output.clone(),
        needed: ByteSize(needed),
        free: ByteSize(free),
    };
    Err(space::lacking(error, &spec.output, needed, false))
}

/// `molsieve plan`.
pub(super) fn plan(args: JobArgs<DeriveFlags>) -> Result<Exit, CliError> {
    let json = args.json;
    let mut settings = over_file(args.settings.into(), args.job.as_deref())?;
    // A plan writes nothing, so it needs no output directory.
    let has_place = settings.output.is_some() && !stream::is_wanted(&settings);
    if !has_place {
        settings.output = Some(PathBuf::from("."));
    }
    let job_file = settings.job_file.clone();
    let spec = settings.check()?;
    if has_place {
        places::check(&spec, job_file.as_deref())?;
    }
    let job = Job::prepare(spec, Some(Path::new(THIS_PROGRAM)))?;
    places::check_reagents(&job)?;
    match json {
        true => say_json(&Event::Planned(Box::new(Planned::from(&job.plan)))),
        false => say(&plan::plan(&job)),
    }
    Ok(Exit::Done)
}

/// The flags, and for settings without a flag those of the job file, if there is one.
pub(super) fn over_file(
    flags: JobSettings,
    job_file: Option<&Path>,
) -> Result<JobSettings, CliError> {
    Ok(match job_file {
        Some(file) => flags.over(JobSettings::from_file(file)?),
        None => flags,
    })
}

/// While the returned flag is set, Ctrl-C and SIGTERM end the process at once: it has changed nothing yet, and
/// the files of an earlier run stay valid.
pub(super) fn end_on_signals(stops: Stops) -> Result<Arc<AtomicBool>, CliError> {
    if stops == Stops::FromSupervisor {
        // A terminal sends these signals to the supervisor too, which handles them.
        let ignored = Arc::new(AtomicBool::new(false));
        on_signals(Stops::FromOutside, |signal| {
            signal_hook::flag::register(signal, Arc::clone(&ignored))
        })?;
    }
    let planning = Arc::new(AtomicBool::new(true));
    on_signals(stops, |signal| {
        let exit = Exit::Stopped as i32;
        signal_hook::flag::register_conditional_shutdown(signal, exit, Arc::clone(&planning))
    })?;
    Ok(planning)
}

/// A flag that Ctrl-C and SIGTERM set. A second signal ends the process at once; the last checkpoint stays
/// valid.
pub(super) fn stop_on_signals(stops: Stops) -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    on_signals(stops, |signal| {
        let exit = Exit::Stopped as i32;
        signal_hook::flag::register_conditional_shutdown(signal, exit, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))
    })?;
    Ok(stop)
}

fn on_signals(
    stops: Stops,
    register: impl Fn(i32) -> std::io::Result<signal_hook::SigId>,
) -> Result<(), CliError> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let signals: &[i32] = match stops {
        Stops::FromSupervisor => &[attempts::STOP],
        Stops::FromOutside => &[SIGINT, SIGTERM],
    };
    signals.iter().try_for_each(|&signal| {
        let registered = register(signal);
        registered.map_err(|error| CliError::Signals(crate::store::plain(&error)))?;
        Ok(())
    })
}
