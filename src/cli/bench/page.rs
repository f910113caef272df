//! The report as a self-contained HTML page: no scripts, and no external fonts or images.

use std::fmt::Display;

use super::{
    figures::{COLUMNS, about, engine_title, notes, rows, title},
    plot::{escaped, plots},
    scaling,
};
use crate::bench::{EngineReport, Report};

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:62em;padding:0 1em;color:#222}\
table{border-collapse:collapse;margin:.5em 0 1em}\
td,th{padding:.15em .9em .15em 0;text-align:left;border-bottom:1px solid #ddd}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
svg{max-width:30em;width:100%;margin:0 1em 1em 0}\
svg text{font:11px system-ui,sans-serif;fill:#444}\
.words{font-size:1.1em;border-left:4px solid #1b7;padding-left:1em}\
small{color:#666}";

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let mut body = format!(
        "<h1>molsieve bench</h1>\n<p>{}</p>\n",
        escaped(&title(report))
    );
    if let Some(assessment) = &report.assessment {
        let words = escaped(&assessment.words.join(" "));
        body += &format!(
            "<p class=\"words\">{words}</p>\n<p><small>{}</small></p>\n",
            escaped(assessment.formula)
        );
    }
    body += "<table>\n";
    for (name, what) in about(report) {
        let (name, what) = (escaped(name), escaped(&what));
        body += &format!("<tr><th>{name}</th><td>{what}</td></tr>\n");
    }
    body += "</table>\n";
    body.extend(report.scaling.iter().map(scaling::section));
    body += &plots(&report.engines);
    body.extend(report.engines.iter().map(table));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>molsieve bench, {}</title><style>{STYLE}</style></head>\n<body>\n{body}</body></html>\n",
        escaped(&report.date)
    )
}

fn table(engine: &EngineReport) -> String {
    let mut table = format!("<h2>{}</h2>\n", escaped(&engine_title(engine)));
    let rows = rows(engine);
    if !rows.is_empty() {
        table += &format!("<table>\n{}", line("th", &COLUMNS));
        table.extend(rows.iter().map(|row| line("td", row)));
        table += "</table>\n";
    }
    let notes = notes(engine);
    let notes = notes
        .iter()
        .map(|note| format!("<p><small>{}</small></p>\n", escaped(note)));
    table.extend(notes);
    table
}

/// A row of the table; the first two cells are words, the others numbers.
fn line(cell: &str, texts: &[impl Display]) -> String {
    let cells = texts.iter().enumerate().map(|(place, text)| {
        let class = if place < 2 { "" } else { " class=\"n\"" };
        format!("<{cell}{class}>{text}</{cell}>")
    });
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}
