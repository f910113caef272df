//! The report as text for a terminal.

use std::fmt::Display;

use super::{
    figures::{COLUMNS, about, engine_title, notes, rows, title},
    scaling,
};
use crate::bench::{EngineReport, Report};

/// The whole text.
pub(super) fn text(report: &Report) -> String {
    let mut lines = vec![title(report), String::new()];
    for (name, what) in about(report) {
        lines.push(format!("  {name:<10} {what}"));
    }
    lines.extend(report.scaling.iter().flat_map(scaling::text));
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

/// An engine's table, with its head; empty without figures.
fn table(engine: &EngineReport) -> Vec<String> {
    fn line([step, filter, keys, accesses, gigabytes, share]: &[impl Display; 6]) -> String {
        format!("  {step:<13} {filter:<10} {keys:>15} {accesses:>11} {gigabytes:>9} {share:>9}")
    }
    let rows = rows(engine);
    let head = (!rows.is_empty()).then(|| line(&COLUMNS));
    let rows = rows.iter().map(line);
    head.into_iter().chain(rows).collect()
}
