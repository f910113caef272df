//! The page: a skeleton, with style, script and the report put in.

use std::io;

use super::Report;

/// Most bytes of a page, as far as its pictures make it large.
pub const HTML_BYTES_MAX: usize = 10 << 20;

const SKELETON: &str = include_str!("report.html");
const STYLE: [&str; 5] = [
    include_str!("palette.css"),
    include_str!("report.css"),
    include_str!("report_tables.css"),
    include_str!("report_charts.css"),
    include_str!("report_gallery.css"),
];
/// In the order in which they need each other.
const SCRIPT: [&str; 7] = [
    include_str!("elements.js"),
    include_str!("report_base.js"),
    include_str!("report_charts.js"),
    include_str!("report_gallery.js"),
    include_str!("report_run.js"),
    include_str!("report_pair.js"),
    include_str!("report_main.js"),
];

/// Writes the page.
pub(super) fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let mut rest = SKELETON;
    // Each stands in the skeleton once, and in this order.
    for (place, text) in [
        ("{{title}}", escaped(&title(report))),
        ("{{style}}", STYLE.concat()),
        ("{{report}}", embedded(report)?),
        ("{{script}}", SCRIPT.concat()),
    ] {
        let (before, behind) = rest.split_once(place).unwrap_or((rest, ""));
        out.write_all(before.as_bytes())?;
        out.write_all(text.as_bytes())?;
        rest = behind;
    }
    out.write_all(rest.as_bytes())
}

/// What the tab of the browser says.
fn title(report: &Report) -> String {
    let names = report.runs.iter().map(|run| {
        let name = run.directory.file_name();
        let name = name.unwrap_or(run.directory.as_os_str());
        name.to_string_lossy().into_owned()
    });
    let names: Vec<_> = names.collect();
    format!("{} · molsieve", names.join(" and "))
}

/// The report as JSON that can stand in an element `script`: no text in it ends the element or begins a comment.
fn embedded(report: &Report) -> io::Result<String> {
    let json = serde_json::to_string(report)?;
    Ok(json.replace('<', "\\u003c"))
}

fn escaped(text: &str) -> String {
    let pairs = [
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
    ];
    let mut escaped = text.to_owned();
    for (from, to) in pairs {
        escaped = escaped.replace(from, to);
    }
    escaped
}
