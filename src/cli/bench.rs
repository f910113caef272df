//! `molsieve bench`.

mod page;
mod plot;

use std::{
    fs,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use super::{CliError, Exit, say};
use crate::{
    bench::{
        self, Chemistry, Effort, EngineReport, Figure, FilterReport, KeyTimes, Part, Report,
        Selection, StageTimes,
    },
    chem::RdKit,
    sieve::EngineChoice,
    store::{StoreError, disk},
    units::{ByteSize, count},
};

#[derive(clap::Args, Debug)]
pub(super) struct BenchArgs {
    /// Measure this engine; may be repeated. Without it: every engine that is there, software left out
    #[arg(long = "engine", value_name = "NAME")]
    engines: Vec<EngineChoice>,
    /// Seconds per figure
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    seconds: f64,
    /// No filter above this size [default: as large as fits]
    #[arg(long, value_name = "SIZE")]
    max_filter: Option<ByteSize>,
    /// Measure this part, and what its shares are shares of; may be repeated [default: all]
    #[arg(long, value_name = "WHAT")]
    only: Vec<Part>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Write a page with tables and plots, which needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: Result<f64, _> = text.parse();
    seconds
        .ok()
        .filter(|seconds| *seconds > 0.0 && *seconds <= 3_600.0)
        .ok_or_else(|| "write a number of seconds, above 0 and at most 3600".into())
}

/// Measures and tells.
pub(super) fn bench(args: &BenchArgs) -> Result<Exit, CliError> {
    let selection = Selection {
        engines: args.engines.clone(),
        effort: Effort {
            seconds: args.seconds,
        },
        filter_bytes_max: args.max_filter.map(|size| size.0),
        only: args.only.clone(),
    };
    let shown = std::io::stderr().is_terminal();
    let mut progress = |what: &str| {
        tracing::info!("measuring {what}");
        if shown {
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(std::io::stderr(), "measuring {what}");
        }
    };
    let report = bench::run(RdKit::initialise()?, &selection, &mut progress)?;
    if let Some(path) = &args.html {
        write_page(path, &page::page(&report))?;
    }
    if args.json {
        let told = serde_json::to_value(&report).expect("a report is strings and numbers");
        say(&told.to_string());
    } else {
        say(&text(&report));
    }
    Ok(match report.is_whole() {
        true => Exit::Done,
        false => Exit::Failed,
    })
}

/// Beside where it goes, then in its place: a page is whole or it is not there.
fn write_page(path: &Path, page: &str) -> Result<(), CliError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    fs::write(&beside, page).map_err(|error| StoreError::io(&beside, "write", &error))?;
    Ok(disk::rename(&beside, path)?)
}

fn text(report: &Report) -> String {
    let mut lines = vec![title(report), String::new()];
    for (name, what) in about(report) {
        lines.push(format!("  {name:<10} {what}"));
    }
    for engine in &report.engines {
        lines.push(String::new());
        lines.push(format!("  {}", engine_title(engine)));
        lines.extend(table(engine));
        lines.extend(notes(engine).iter().map(|note| format!("  {note}")));
    }
    if let Some(assessment) = &report.assessment {
        lines.push(String::new());
        lines.extend(assessment.words.iter().map(|words| format!("  {words}")));
        lines.push(format!("  ({})", assessment.formula));
    }
    lines.join("\n")
}

/// An engine's figures, below what each column is; nothing without figures.
fn table(engine: &EngineReport) -> Vec<String> {
    let line = |[step, filter, keys, accesses, gigabytes, share]: [&str; 6]| {
        format!("  {step:<13} {filter:<10} {keys:>15} {accesses:>11} {gigabytes:>9} {share:>9}")
    };
    let rows = rows(engine);
    let head = (!rows.is_empty()).then(|| line(COLUMNS));
    let rows = rows.iter().map(|row| line(row.cells()));
    head.into_iter().chain(rows).collect()
}

fn title(report: &Report) -> String {
    let Report {
        molsieve,
        rdkit,
        date,
        ..
    } = report;
    let trial = match report.trial {
        true => "; too short for figures to be trusted",
        false => "",
    };
    format!(
        "molsieve {molsieve}, RDKit {rdkit}, {date}, {} s per figure{trial}",
        report.seconds
    )
}

/// What was measured with, name by name.
fn about(report: &Report) -> Vec<(&'static str, String)> {
    let machine = &report.machine;
    let mut about = vec![
        (
            "machine",
            format!(
                "{}, {} processors, {}, {}",
                machine.processor,
                machine.processors,
                ByteSize(machine.memory_bytes),
                machine.kernel
            ),
        ),
        (
            "rows",
            format!("{:.0} bytes of text on average", report.row_bytes),
        ),
    ];
    about.extend(report.chemistry.iter().flat_map(about_chemistry));
    about.extend(report.keys.as_ref().map(about_keys));
    about.push((
        "ceiling",
        "share of a copy of the same bytes (hash, structure key, end to end), of random reads (absent, present), \
         of random atomics (insert)"
            .into(),
    ));
    for absent in &report.absent {
        about.push((absent.engine, format!("not there: {}", absent.missing)));
    }
    about
}

fn about_chemistry(chemistry: &Chemistry) -> [(&'static str, String); 4] {
    [
        (
            "chemistry",
            format!(
                "{} products/s per core ({} products of {} molecules by {})",
                count(chemistry.products_per_second_per_core as u64),
                chemistry.products,
                chemistry.molecules,
                chemistry.rule
            ),
        ),
        (
            "",
            format!(
                "{:.2} times as fast as the reference; µs per product:",
                chemistry.times_as_fast_as_reference
            ),
        ),
        ("", stages("fast", &chemistry.fast)),
        ("", stages("reference", &chemistry.reference)),
    ]
}

fn about_keys(keys: &KeyTimes) -> (&'static str, String) {
    let KeyTimes {
        structure,
        rdkit,
        times_as_fast,
        ..
    } = keys;
    let times = format!(
        "structure key {structure:.2} µs, RDKit's canonical SMILES {rdkit:.0} µs per molecule: {times_as_fast:.0} times as fast"
    );
    ("keys", times)
}

/// What each stage of the chemistry takes, in one line.
fn stages(way: &str, times: &StageTimes) -> String {
    let stages = times.named().map(|(name, microseconds)| {
        let name = if name == "whole" { "together" } else { name };
        format!("{name} {microseconds:.1}")
    });
    format!("  {way:9} {}", stages.join(", "))
}

fn engine_title(engine: &EngineReport) -> String {
    let driver = match &engine.driver {
        Some(driver) => format!(", driver {driver}"),
        None => String::new(),
    };
    let software = if engine.software { ", SOFTWARE" } else { "" };
    let copies = match (
        engine.copy_bytes_per_second,
        engine.copy_back_bytes_per_second,
    ) {
        (Some(there), Some(back)) => {
            let (there, back) = (gigabytes(there), gigabytes(back));
            format!("; copies {there} GB/s, back {back} GB/s")
        }
        _ => String::new(),
    };
    format!(
        "engine {}: {}{software}{driver}{copies}",
        engine.engine, engine.device
    )
}

/// What the columns of the table are.
const COLUMNS: [&str; 6] = ["step", "filter", "keys/s", "accesses/s", "GB/s", "ceiling"];

/// A row of the table, as it is shown.
struct Row {
    step: &'static str,
    filter: String,
    keys: String,
    accesses: String,
    gigabytes: String,
    share: String,
}

impl Row {
    fn new(step: &'static str, filter: &str, figure: &Figure) -> Self {
        Self {
            step,
            filter: filter.into(),
            keys: count(figure.keys_per_second as u64),
            accesses: figure.accesses_per_second.map_or("-".into(), millions),
            gigabytes: gigabytes(figure.bytes_per_second),
            share: format!("{:.1} %", 100.0 * figure.share_of_ceiling),
        }
    }

    fn cells(&self) -> [&str; 6] {
        let Self {
            step,
            filter,
            keys,
            accesses,
            gigabytes,
            share,
        } = self;
        [step, filter, keys, accesses, gigabytes, share]
    }
}

/// All figures of an engine, step by step, each from the smallest filter to the largest.
fn rows(engine: &EngineReport) -> Vec<Row> {
    let hash = engine
        .hash
        .iter()
        .map(|figure| Row::new("hash", "-", figure));
    let keys = engine.structure_keys.iter();
    let keys = keys.map(|figure| Row::new("structure key", "-", figure));
    let mut rows: Vec<_> = hash.chain(keys).collect();
    for (step, figures) in series(engine) {
        let of_step = figures.iter();
        rows.extend(
            of_step.map(|(bytes, figure)| Row::new(step, &ByteSize(*bytes).to_string(), figure)),
        );
    }
    rows
}

/// Steps that depend on the filter, with a figure for each size.
fn series(engine: &EngineReport) -> [(&'static str, Vec<(u64, Figure)>); 4] {
    let figures = |of: fn(&FilterReport) -> Option<Figure>| {
        let filters = engine.filters.iter();
        filters
            .filter_map(|filter| Some((filter.bytes, of(filter)?)))
            .collect()
    };
    [
        ("absent", figures(|filter| filter.absent)),
        ("present", figures(|filter| filter.present)),
        ("insert", figures(|filter| filter.insert)),
        ("end to end", figures(|filter| filter.end_to_end)),
    ]
}

/// What is to be said below an engine's figures.
fn notes(engine: &EngineReport) -> Vec<String> {
    let mut notes = Vec::new();
    if !engine.filters.is_empty() {
        notes.push(rates("reads", engine, |filter| filter.reads_per_second));
        notes.push(rates("atomics", engine, |filter| filter.atomics_per_second));
    }
    if let Some(reason) = &engine.structure_keys_skipped {
        notes.push(format!("not measured, structure keys: {reason}"));
    }
    for skipped in &engine.skipped {
        let size = ByteSize(skipped.bytes);
        notes.push(format!("not measured, {size}: {}", skipped.reason));
    }
    let failed = engine.failed.iter();
    notes.extend(failed.map(|reason| format!("GIVEN UP: {reason}")));
    notes
}

/// A ceiling, from the smallest filter to the largest.
fn rates(name: &str, engine: &EngineReport, rate: fn(&FilterReport) -> f64) -> String {
    let filters = engine.filters.iter();
    let rates: Vec<_> = filters
        .map(|filter| format!("{} in {}", millions(rate(filter)), ByteSize(filter.bytes)))
        .collect();
    format!("random {name} a second: {}", rates.join(", "))
}

/// A rate of accesses.
fn millions(accesses_per_second: f64) -> String {
    let millions = accesses_per_second / 1e6;
    format!("{millions:.0} M")
}

fn gigabytes(bytes_per_second: f64) -> String {
    format!("{:.2}", bytes_per_second / 1e9)
}
