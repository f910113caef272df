//! The report as a self-contained HTML page: no scripts, and no external fonts or images.

use std::fmt::Display;

use super::{
    bars,
    figures::{COLUMNS, about, engine_title, notes, rows, title},
    plot::{escaped, plots},
    scaling,
};
use crate::bench::{EngineReport, Report};

/// Colours follow the reader's choice of light or dark. Plots stand side by side where there is room; a wide table
/// scrolls by itself.
const STYLE: &str = "\
:root{color-scheme:light dark;--text:#222;--faint:#595959;--line:#ddd;--page:#fff;--words:#1b9e6b;\
--c0:#1b6ca8;--c1:#d1495b;--c2:#1b9e6b;--c3:#8d5fd3;--c4:#c77f00;--c5:#666}\
@media(prefers-color-scheme:dark){:root{--text:#e4e4e4;--faint:#a8a8a8;--line:#3c3c3c;--page:#161616;--words:#3fc48f;\
--c0:#6cb6ee;--c1:#f07f8d;--c2:#4fcf9c;--c3:#b794f0;--c4:#eeaa3c;--c5:#aaa}}\
*{box-sizing:border-box}\
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:88em;padding:0 1em;color:var(--text);\
background:var(--page);overflow-wrap:break-word}\
h2{font-size:1.1em}\
.wide{overflow-x:auto}\
table{border-collapse:collapse;margin:.5em 0 1em}\
td,th{padding:.15em .9em .15em 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24em),1fr));gap:1.5em;margin:1em 0}\
svg{width:100%;max-width:40em}\
svg text{font:12px system-ui,sans-serif;fill:var(--faint)}\
svg text.title{font-weight:600;fill:var(--text)}\
.grid{stroke:var(--line)}.linear{stroke:var(--faint);stroke-dasharray:4 3}\
.c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}\
.s0,.s1,.s2,.s3,.s4,.s5{fill:none;stroke-width:2}\
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.s4{stroke:var(--c4)}\
.s5{stroke:var(--c5)}\
.words{font-size:1.1em;max-width:60em;border-left:4px solid var(--words);padding-left:1em}\
small{color:var(--faint)}";

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
    body += "<div class=\"wide\"><table>\n";
    for (name, what) in about(report) {
        let (name, what) = (escaped(name), escaped(&what));
        body += &format!("<tr><th>{name}</th><td>{what}</td></tr>\n");
    }
    body += "</table></div>\n";
    let all = [
        report.chemistry.as_ref().map(bars::plots),
        report.scaling.as_ref().map(scaling::plot),
        Some(plots(&report.engines)),
    ];
    let all: String = all.into_iter().flatten().collect();
    if !all.is_empty() {
        body += &format!("<div class=\"plots\">\n{all}</div>\n");
    }
    body.extend(report.scaling.iter().map(scaling::tables));
    body.extend(report.engines.iter().map(table));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>molsieve bench, {}</title><style>{STYLE}</style></head>\n<body>\n{body}</body></html>\n",
        escaped(&report.date)
    )
}

fn table(engine: &EngineReport) -> String {
    let mut table = format!("<h2>{}</h2>\n", escaped(&engine_title(engine)));
    let rows = rows(engine);
    if !rows.is_empty() {
        table += &format!("<div class=\"wide\"><table>\n{}", line("th", &COLUMNS));
        table.extend(rows.iter().map(|row| line("td", row)));
        table += "</table></div>\n";
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
