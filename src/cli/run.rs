//! `molsieve run` and `molsieve plan`.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use super::{CliError, Exit, JobArgs, progress::Reporter, report, say};
use crate::{
    chem::RdKit,
    config::{Dedup, EngineChoice, JobSettings, JobSpec},
    machine,
    pipeline::{self, Job, Outcome},
    plan,
    rules::RuleSet,
    store::{Existing, OutputDir},
    table::source::{ColumnChoice, Library},
    units::{ByteSize, counted},
};

/// `molsieve run`.
pub(super) fn run(args: JobArgs) -> Result<Exit, CliError> {
    let json = args.json;
    let spec = settings(args)?.check(default_memory())?;
    let existing = if spec.overwrite {
        Existing::Overwrite
    } else {
        Existing::Refuse
    };
    OutputDir::check(&spec.output, existing)?;
    let job = prepare(spec)?;
    if json {
        say(&report::plan_json(&job.plan).to_string());
    }
    let stop = stop_on_signals()?;
    let mut reporter = Reporter::new(&job, json);
    let outcome = pipeline::run(&job, &stop, &mut |snapshot| reporter.show(snapshot));
    reporter.finish();
    match outcome? {
        Outcome::Done(manifest) => {
            if json {
                say(&report::done_json(&manifest).to_string());
            } else {
                say(&report::summary(&job, &manifest));
            }
            let incomplete =
                manifest.counts.parents_rejected > 0 || manifest.counts.parents_capped > 0;
            Ok(if incomplete {
                Exit::Incomplete
            } else {
                Exit::Done
            })
        }
        Outcome::Stopped { parts: 0, .. } => Err(CliError::Stopped(
            "stopped on request before anything was published".into(),
        )),
        Outcome::Stopped { parts, rows } => Err(CliError::Stopped(format!(
            "stopped on request; {} holds {} in {} and no manifest: valid, but not complete",
            job.spec.output.display(),
            counted(rows, "row"),
            counted(parts as u64, "part")
        ))),
    }
}

/// `molsieve plan`.
pub(super) fn plan(args: JobArgs) -> Result<Exit, CliError> {
    let json = args.json;
    let mut settings = settings(args)?;
    // A plan writes nothing, so it needs no place to write to.
    settings.output.get_or_insert_with(|| PathBuf::from("."));
    let job = prepare(settings.check(default_memory())?)?;
    say(&if json {
        report::plan_json(&job.plan).to_string()
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
fn default_memory() -> ByteSize {
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
    };
    let library = Library::open(&spec.input, &columns)?
        .with_page_bytes_max(plan::page_bytes_max(spec.memory));
    let rdkit = RdKit::initialise()?;
    let plan = plan::plan(&spec, &rules, &library, rdkit)?;
    let job_toml = resolved(&spec, &plan);
    Ok(Job {
        spec,
        rules,
        library,
        plan,
        rdkit,
        job_toml,
    })
}

/// Every setting as resolved, as a job file that makes the same files again.
fn resolved(spec: &JobSpec, plan: &plan::Plan) -> String {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let settings = JobSettings {
        input: spec.input.iter().map(absolute).collect(),
        rules: spec.rules.iter().map(absolute).collect(),
        output: Some(absolute(&spec.output)),
        engine: Some(EngineChoice::Cpu),
        threads: std::num::NonZeroUsize::new(plan.threads),
        memory: Some(spec.memory),
        dedup: Some(Dedup::Bloom),
        expected_products: Some(plan.filter_products),
        false_positive_rate: Some(spec.false_positive_rate),
        smiles_column: spec.smiles_column.clone(),
        id_column: spec.id_column.clone(),
        properties: spec.properties,
        overwrite: false,
        resume: false,
        max_products_per_parent: Some(spec.products_per_parent_max),
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
        "# Written by molsieve {}: every setting as resolved.\n{text}",
        env!("CARGO_PKG_VERSION")
    )
}

/// A flag that Ctrl-C and SIGTERM set. A second one ends the process at once.
fn stop_on_signals() -> Result<Arc<AtomicBool>, CliError> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| CliError::Signals(crate::store::plain(&error)))?;
    }
    Ok(stop)
}
