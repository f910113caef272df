//! The figures of a report as words and cells, which the text and the page share.

use crate::{
    bench::{Chemistry, EngineReport, Figure, FilterReport, KeyTimes, Report, Scaling, StageTimes},
    units::{ByteSize, count, counted},
};

pub(super) fn title(report: &Report) -> String {
    let Report {
        molsieve,
        rdkit,
        date,
        ..
    } = report;
    let trial = match report.trial {
        true => "; too short for reliable figures",
        false => "",
    };
    let each = match &report.scaling {
        Some(_) => "for a job with all threads",
        None => "per figure",
    };
    format!(
        "molsieve {molsieve}, RDKit {rdkit}, {date}, {} s {each}{trial}",
        report.seconds
    )
}

/// The conditions of the measurement, by name.
pub(super) fn about(report: &Report) -> Vec<(&'static str, String)> {
    let machine = &report.machine;
    let memory = ByteSize(machine.memory_bytes);
    let (processor, processors) = (&machine.processor, machine.processors);
    let kernel = &machine.kernel;
    let mut about = vec![(
        "machine",
        format!("{processor}, {processors} processors, {memory}, {kernel}"),
    )];
    if let Some(scaling) = &report.scaling {
        about.extend(about_scaling(scaling));
        return about;
    }
    let rows = format!("{:.0} bytes of text on average", report.row_bytes);
    about.push(("rows", rows));
    about.extend(report.chemistry.iter().flat_map(about_chemistry));
    about.extend(report.keys.as_ref().map(about_keys));
    about.push((
        "ceiling",
        "share of a copy of the same bytes (hash, structure key, end to end), of random reads (absent, present), \
         of random atomics (insert)"
            .into(),
    ));
    for absent in &report.absent {
        about.push((absent.engine, format!("not available: {}", absent.missing)));
    }
    about
}

/// The conditions of a scaling run, by name.
fn about_scaling(scaling: &Scaling) -> [(&'static str, String); 5] {
    let rounds = counted(scaling.rounds as u64, "round");
    [
        ("molecules", scaling.input.clone()),
        ("rules", scaling.rules.clone()),
        ("files", format!("on {}", scaling.file_system)),
        ("runs", format!("{rounds} in turns, medians")),
        (
            "columns",
            "CPU: µs of all threads per row; source, sieve, sink, log, settle: µs of the one thread that does this part; \
             limit: what is busy for the largest share of the time"
                .into(),
        ),
    ]
}

fn about_chemistry(chemistry: &Chemistry) -> [(&'static str, String); 5] {
    let speed = format!(
        "{} products/s per core, {} with direct SMILES ({} products of {} molecules by {})",
        count(chemistry.products_per_second_per_core as u64),
        count(chemistry.direct_products_per_second_per_core as u64),
        chemistry.products,
        chemistry.molecules,
        chemistry.rule
    );
    let times = format!(
        "{:.2} times as fast as the reference; µs per product:",
        chemistry.times_as_fast_as_reference
    );
    [
        ("chemistry", speed),
        ("", times),
        ("", stages("fast", &chemistry.fast)),
        ("", stages("direct", &chemistry.direct)),
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

/// The time of each stage of the chemistry, in one line.
fn stages(way: &str, times: &StageTimes) -> String {
    let stages = times.named();
    let stages = stages.map(|(name, microseconds)| format!("{name} {microseconds:.1}"));
    format!("  {way:9} {}", stages.join(", "))
}

pub(super) fn engine_title(engine: &EngineReport) -> String {
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

/// The heads of the table's columns.
pub(super) const COLUMNS: [&str; 6] = ["step", "filter", "keys/s", "accesses/s", "GB/s", "ceiling"];

/// A row of the table, as text.
pub(super) type Row = [String; 6];

fn row(step: &str, filter: &str, figure: &Figure) -> Row {
    [
        step.into(),
        filter.into(),
        count(figure.keys_per_second as u64),
        figure.accesses_per_second.map_or("-".into(), millions),
        gigabytes(figure.bytes_per_second),
        format!("{:.1} %", 100.0 * figure.share_of_ceiling),
    ]
}

/// All figures of an engine: by step, then by size of filter.
pub(super) fn rows(engine: &EngineReport) -> Vec<Row> {
    let hash = engine.hash.iter().map(|figure| row("hash", "-", figure));
    let keys = engine.structure_keys.iter();
    let keys = keys.map(|figure| row("structure key", "-", figure));
    let mut rows: Vec<_> = hash.chain(keys).collect();
    for (step, figures) in series(engine) {
        let of_size =
            |(bytes, figure): &(u64, Figure)| row(step, &ByteSize(*bytes).to_string(), figure);
        rows.extend(figures.iter().map(of_size));
    }
    rows
}

/// The steps that depend on the filter, with a figure for each size.
pub(super) fn series(engine: &EngineReport) -> [(&'static str, Vec<(u64, Figure)>); 4] {
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

/// The lines below an engine's table.
pub(super) fn notes(engine: &EngineReport) -> Vec<String> {
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
    notes.extend(failed.map(|reason| format!("FAILED: {reason}")));
    notes
}

/// A ceiling, by size of filter.
fn rates(name: &str, engine: &EngineReport, rate: fn(&FilterReport) -> f64) -> String {
    let filters = engine.filters.iter();
    let rates: Vec<_> = filters
        .map(|filter| format!("{} in {}", millions(rate(filter)), ByteSize(filter.bytes)))
        .collect();
    format!("random {name} a second: {}", rates.join(", "))
}

/// A rate of accesses.
pub(super) fn millions(accesses_per_second: f64) -> String {
    let millions = accesses_per_second / 1e6;
    format!("{millions:.0} M")
}

fn gigabytes(bytes_per_second: f64) -> String {
    format!("{:.2}", bytes_per_second / 1e9)
}
