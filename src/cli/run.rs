//! `molsieve run` and `molsieve plan`.

use std::{
    ffi::OsString,
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    CliError, DedupArgs, Exit, JobArgs,
    attempts::{self, Attempt},
    places,
    progress::Reporter,
    report, say, say_event, standard_input,
};
use crate::{
    chem::{RdKit, Transformer, check::ON_HYDROGENS},
    config::{JobSettings, JobSpec, Task, read_path, written_path},
    machine,
    pipeline::{self, EarlierRun, Job, Outcome, Stuck},
    plan,
    report::{
        event::{Event, Planned},
        manifest::Manifest,
    },
    rules::RuleSet,
    store::{Existing, Found, OutputDir, StoreError, WORK_DIR, disk},
    table::source::{ColumnChoice, Library},
    trial,
    units::{ByteSize, counted},
};

/// `molsieve run`, called with the arguments `program`: a supervisor, or one of its attempts.
pub(super) fn run(
    args: JobArgs,
    program: &[OsString],
    attempt: Option<&Attempt>,
) -> Result<Exit, CliError> {
    match attempt {
        None => supervise(args, program),
        Some(attempt) => {
            let json = args.json;
            attempt_job(settings(args)?, json, attempt)
        }
    }
}

/// `molsieve dedup`, in the same way.
pub(super) fn dedup(
    args: DedupArgs,
    program: &[OsString],
    attempt: Option<&Attempt>,
) -> Result<Exit, CliError> {
    let Some(attempt) = attempt else {
        return supervise(args.job, program);
    };
    let json = args.job.json;
    let mut settings = settings(args.job)?;
    settings.task = Some(Task::Dedup);
    settings.canonical |= args.canonical;
    settings.check = args.check.or(settings.check);
    attempt_job(settings, json, attempt)
}

/// Has attempts do a job; what they read from standard input is kept for them.
fn supervise(args: JobArgs, program: &[OsString]) -> Result<Exit, CliError> {
    let (json, kind, output) = (args.json, args.input_format, args.settings.output.clone());
    // What is wrong with the settings, the attempt says.
    let settings = settings(args).ok();
    let kept = match &settings {
        Some(settings) if standard_input::is_wanted(settings) => {
            standard_input::keep(settings, kind)?
        }
        _ => None,
    };
    let output = output.or_else(|| settings?.output);
    let ended = attempts::supervise(program, json, output.as_ref(), kept.as_ref());
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
    let stops = Stops::FromSupervisor;
    run_job(settings, json, end_on_signals(stops)?, stops, || {
        attempt.opens_output()
    })
}

/// Who asks a job to stop, and resumes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stops {
    /// A supervisor, by its signal. SIGINT and SIGTERM are the supervisor's.
    FromSupervisor,
    /// Whoever sends SIGINT or SIGTERM.
    FromOutside,
}

/// Does a job. `go` is called when it is planned; before that nothing is written, except that what a
/// complete run has left to clear up is cleared up. `planning` is what [`end_on_signals`] gave.
pub(super) fn run_job(
    settings: JobSettings,
    json: bool,
    planning: Arc<AtomicBool>,
    stops: Stops,
    go: impl FnOnce() -> Result<(), CliError>,
) -> Result<Exit, CliError> {
    let settings = if settings.resume {
        match begun(settings, json)? {
            Begun::Complete(exit) => return Ok(exit),
            Begun::Settings(settings) => *settings,
        }
    } else {
        settings
    };
    let job_file = settings.job_file.clone();
    let spec = settings.check(default_memory())?;
    places::check(&spec, job_file.as_deref())?;
    OutputDir::check(&spec.output, spec.existing())?;
    let job = prepare(spec)?;
    check_free_space(&job)?;
    for file in job.library.files() {
        for note in &file.notes {
            tracing::warn!("{}: {note}", file.path.display());
        }
    }
    if json {
        say_event(&Event::Planned(Box::new(Planned::from(&job.plan))));
    }
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
        if let Some(stuck) = &snapshot.stuck {
            end_with_stuck_thread(&job, &reporter, stuck.clone(), json, stops);
        }
    });
    reporter.finish();
    match outcome? {
        Outcome::TimedOut { row } => end_timed_out(&job, row, json, stops),
        outcome => ended(&job, outcome, json),
    }
}

/// What the first Ctrl-C does, and the second would do.
const STOPPING: &str = "molsieve: stopping at a checkpoint; a second Ctrl-C ends the job at once, and what \
    was made after its last checkpoint is made again on --resume";

/// Ends the process because RDKit has exceeded the time limit on a row.
fn end_timed_out(job: &Job, row: u64, json: bool, stops: Stops) -> ! {
    let why = format!(
        "RDKit worked on row {row} for longer than --parent-timeout {} without giving a product",
        job.spec.parent_timeout.as_secs()
    );
    let exit = match stops {
        Stops::FromSupervisor => {
            let _ = writeln!(
                std::io::stderr(),
                "molsieve: {why}; the row is tried once more alone"
            );
            attempts::TIMED_OUT
        }
        Stops::FromOutside => {
            let output = &job.spec.output;
            let error = CliError::Stopped(format!(
                "{why}: stopped at a checkpoint; {} goes on from it and tries the row alone",
                attempts::resume(Some(output))
            ));
            super::tell(&error, json) as i32
        }
    };
    signal_hook::low_level::exit(exit)
}

/// Says how a job ended.
fn ended(job: &Job, outcome: Outcome, json: bool) -> Result<Exit, CliError> {
    match outcome {
        Outcome::Done(manifest) => {
            let exit = exit_of(&manifest);
            if json {
                say_event(&Event::Done { manifest });
            } else {
                say(&report::summary(job, &manifest));
            }
            Ok(exit)
        }
        Outcome::TimedOut { .. } => unreachable!("run_job ends the process then"),
        Outcome::Stopped { kept, free } => Err(CliError::Stopped(format!(
            "{}stopped at a checkpoint with {}; molsieve run --resume --output {} goes on from it",
            free.map_or_else(String::new, |free| format!(
                "the disk is nearly full ({} free); ",
                ByteSize(free)
            )),
            report::kept(&kept),
            job.spec.output.display(),
        ))),
    }
}

/// Ends the process although a thread is still at work, most likely inside RDKit, and can't be ended.
/// What the last checkpoint says stands. The exit handlers of C++ are passed over: they would take
/// RDKit's tables from under it.
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
        CliError::Stopped(format!(
            "stopped at a checkpoint; {} goes on from it",
            attempts::resume(Some(&job.spec.output))
        ))
    };
    let error = stuck.error.map_or_else(stopped, CliError::from);
    let exit = super::tell(&error, json);
    signal_hook::low_level::exit(exit as i32)
}

/// `molsieve try-parents`.
pub(super) fn try_parents() -> Result<Exit, CliError> {
    let assignment = trial::assignment()?;
    let rules: Vec<_> = assignment.rules.into_iter().map(read_path).collect();
    let rules = RuleSet::load(&rules)?;
    let rdkit = RdKit::initialise()?;
    trial::serve(rdkit, &rules, assignment.settings, assignment.time_max)?;
    Ok(Exit::Done)
}

/// What is to be done about a run that was begun before.
pub(super) enum Begun {
    /// Nothing: it is complete, and ended so.
    Complete(Exit),
    /// To run with the settings given, and then those it was begun with.
    Settings(Box<JobSettings>),
}

pub(super) fn begun(given: JobSettings, json: bool) -> Result<Begun, CliError> {
    let Some(output) = given.output.clone() else {
        return Ok(Begun::Settings(given.into()));
    };
    if OutputDir::check(&output, Existing::Resume)? == Found::Complete {
        // The process may have ended between the manifest and the end of its clearing up.
        if output.join(WORK_DIR).exists() {
            OutputDir::open(&output, Existing::Resume)?.finish()?;
        }
        let manifest = Manifest::read(&output)?.ok_or(StoreError::NoRun(output.clone()))?;
        let exit = exit_of(&manifest);
        if json {
            let manifest = Box::new(manifest);
            say_event(&Event::Done { manifest });
        } else {
            let complete = "this run is complete, there is nothing to resume";
            say(&format!("{}: {complete}", output.display()));
        }
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

/// The exit code of the run that wrote this manifest.
fn exit_of(manifest: &Manifest) -> Exit {
    match manifest.rows_at_fault() + manifest.counts.parents_capped {
        0 => Exit::Done,
        _ => Exit::Incomplete,
    }
}

/// Whether the disk has room for what a job that is begun is expected to write.
fn check_free_space(job: &Job) -> Result<(), CliError> {
    let (spec, estimate) = (&job.spec, &job.plan.estimate);
    let needed = estimate.disk_bytes() + estimate.disk_bytes_while_running();
    let free = disk::free_bytes(&spec.output)?;
    if spec.resume || spec.expected_products.is_some() || needed <= free {
        return Ok(());
    }
    Err(CliError::DiskTooSmall {
        output: spec.output.clone(),
        needed: ByteSize(needed),
        free: ByteSize(free),
    })
}

/// `molsieve plan`.
pub(super) fn plan(args: JobArgs) -> Result<Exit, CliError> {
    let json = args.json;
    let mut settings = settings(args)?;
    // A plan writes nothing, so it needs no place to write to.
    let has_place = settings.output.is_some();
    settings.output.get_or_insert_with(|| PathBuf::from("."));
    let job_file = settings.job_file.clone();
    let spec = settings.check(default_memory())?;
    if has_place {
        places::check(&spec, job_file.as_deref())?;
    }
    let job = prepare(spec)?;
    say(&if json {
        Event::Planned(Box::new(Planned::from(&job.plan))).object()
    } else {
        report::plan(&job)
    });
    Ok(Exit::Done)
}

fn settings(args: JobArgs) -> Result<JobSettings, CliError> {
    Ok(match args.job {
        Some(file) => args.settings.over(JobSettings::from_file(&file)?),
        None => args.settings,
    })
}

/// Half of the memory there is: RDKit jobs share nodes with others.
pub(super) fn default_memory() -> ByteSize {
    ByteSize(machine::memory_limit().0 / 2)
}

/// Opens and plans everything a job needs, in the order in which faults are cheapest to find.
fn prepare(spec: JobSpec) -> Result<Job, CliError> {
    let rules = if spec.rules.is_empty() {
        RuleSet::empty()
    } else {
        RuleSet::load(&spec.rules)?
    };
    let columns = ColumnChoice {
        smiles: spec.smiles_column.clone(),
        id: spec.id_column.clone(),
        no_header: spec.no_header,
    };
    let library = Library::open(&spec.input, &columns)?
        .with_page_bytes_max(plan::page_bytes_max(spec.memory));
    let earlier = spec
        .exclude
        .iter()
        .map(|directory| EarlierRun::open(directory, spec.key));
    let earlier = earlier.collect::<Result<Vec<_>, _>>()?;
    let excluded = earlier.iter().map(EarlierRun::rows).sum();
    let rdkit = RdKit::initialise()?;
    // What RDKit makes of the rules is found out here, where it can be told with its place.
    let transformer = Transformer::new(rdkit, &rules, spec.transform_settings())?;
    warn_of_hydrogens(&rules, transformer.rules_without_hydrogens());
    drop(transformer);
    let plan = plan::plan(&spec, &rules, &library, excluded, &|settings, parents| {
        trial::try_parents(&spec.assignment(settings), parents)
    })?;
    let job_toml = resolved(&spec, &plan);
    Ok(Job {
        spec,
        rules,
        library,
        earlier,
        plan,
        rdkit,
        job_toml,
    })
}

/// Names the rules that match nothing because they ask for hydrogens as atoms.
fn warn_of_hydrogens(rules: &RuleSet, without: &[usize]) {
    const NAMED_MAX: usize = 3;
    let names = without.iter().filter_map(|rule| rules.rules().get(*rule));
    let named: Vec<_> = names
        .take(NAMED_MAX)
        .map(|rule| format!("\"{}\"", rule.name))
        .collect();
    let more = match without.len().saturating_sub(named.len()) {
        0 => String::new(),
        n => format!(" and {}", counted(n as u64, "more rule")),
    };
    if !named.is_empty() {
        tracing::warn!("rule {}{more}: {ON_HYDROGENS}", named.join(", "));
    }
}

/// Every setting as resolved, as a job file that makes the same files again.
fn resolved(spec: &JobSpec, plan: &plan::Plan) -> String {
    let absolute = |path: &PathBuf| {
        let absolute = std::path::absolute(path);
        written_path(absolute.as_deref().unwrap_or(path))
    };
    let settings = JobSettings {
        input: spec.input.iter().map(absolute).collect(),
        rules: spec.rules.iter().map(absolute).collect(),
        output: Some(absolute(&spec.output)),
        engine: Some(plan.engine.choice()),
        threads: std::num::NonZeroUsize::new(plan.threads),
        memory: Some(spec.memory),
        dedup: Some(spec.dedup),
        key: Some(spec.key),
        task: Some(spec.task),
        canonical: spec.canonical,
        check: (spec.check > 0).then_some(spec.check),
        exclude: spec.exclude.iter().map(absolute).collect(),
        expected_products: Some(plan.filter_products),
        false_positive_rate: Some(spec.false_positive_rate),
        smiles_column: spec.smiles_column.clone(),
        id_column: spec.id_column.clone(),
        no_header: spec.no_header,
        properties: spec.properties,
        overwrite: false,
        resume: false,
        job_file: None,
        max_products_per_parent: Some(spec.products_per_parent_max),
        parent_timeout: Some(spec.parent_timeout.as_secs()),
        part_size: Some(ByteSize(spec.part_bytes)),
        slot_size: Some(ByteSize(plan.slot.bytes as u64)),
        slots: Some(plan.slots),
        chemistry: Some(match spec.method {
            crate::chem::Method::Fast => crate::config::Chemistry::Fast,
            crate::chem::Method::Reference => crate::config::Chemistry::Reference,
        }),
    };
    let text = toml::to_string(&settings).expect("settings are strings, numbers and lists");
    format!(
        "{}{}: every setting as resolved.\n{text}",
        places::WRITTEN_BY,
        env!("CARGO_PKG_VERSION")
    )
}

/// While the flag is set, Ctrl-C and SIGTERM end the process at once: so far it has changed nothing, and
/// what an earlier one has left stands.
pub(super) fn end_on_signals(stops: Stops) -> Result<Arc<AtomicBool>, CliError> {
    if stops == Stops::FromSupervisor {
        // They are the supervisor's, which a terminal sends them too.
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

/// A flag that Ctrl-C and SIGTERM set. A second one ends the process at once; what the last checkpoint
/// says stands then too.
fn stop_on_signals(stops: Stops) -> Result<Arc<AtomicBool>, CliError> {
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
