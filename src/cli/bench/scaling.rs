//! The figures of a scaling run as text, and as tables and a plot of the page.

use super::plot::{self, escaped};
use crate::{
    bench::{JobScaling, Limit, Scaling, ScalingPoint},
    units::{ByteSize, count},
};

/// The title of a job's table.
pub(super) fn job_title(job: &JobScaling) -> String {
    format!(
        "{}, engine {}: {} rows read, {} made, {} written, {}",
        job.job.name(),
        job.engine,
        count(job.rows_read),
        count(job.rows),
        count(job.rows_written),
        ByteSize(job.bytes_written)
    )
}

/// The heads of the table's columns.
pub(super) const COLUMNS: [&str; 12] = [
    "threads",
    "rows/s",
    "speed-up",
    "of linear",
    "CPU",
    "processors",
    "source",
    "sieve",
    "sink",
    "log",
    "settle",
    "limit",
];

/// The figures at one number of threads, as text.
pub(super) fn row(point: &ScalingPoint) -> [String; COLUMNS.len()] {
    let part = |part: Limit| {
        let found = point.serial.iter().find(|serial| serial.part == part);
        found.map_or("-".into(), |serial| format!("{:.2}", serial.us_per_row))
    };
    [
        point.threads.to_string(),
        count(point.rows_per_second as u64),
        format!("{:.2}", point.speed_up),
        format!("{:.0} %", 100.0 * point.share_of_linear),
        format!("{:.2}", point.cpu_us_per_row),
        format!("{:.1}", point.processors_busy),
        part(Limit::Source),
        part(Limit::Sieve),
        part(Limit::Sink),
        part(Limit::Log),
        part(Limit::Settle),
        format!("{} {:.0} %", point.limit.name(), 100.0 * point.limit_share),
    ]
}

/// The lines of all jobs.
pub(super) fn text(scaling: &Scaling) -> Vec<String> {
    let mut lines = Vec::new();
    for job in &scaling.jobs {
        lines.push(String::new());
        lines.push(format!("  {}", job_title(job)));
        lines.push(line(&COLUMNS.map(str::to_owned)));
        lines.extend(job.points.iter().map(|point| line(&row(point))));
        lines.push(format!("  {}", job.words));
    }
    lines
}

fn line(cells: &[String; COLUMNS.len()]) -> String {
    const WIDTHS: [usize; COLUMNS.len()] = [7, 11, 9, 10, 7, 11, 7, 6, 6, 5, 7, 14];
    let cells = cells.iter().zip(WIDTHS);
    let cells = cells.map(|(cell, width)| format!("{cell:>width$}"));
    format!("  {}", cells.collect::<String>())
}

/// The plot of all jobs.
pub(super) fn plot(scaling: &Scaling) -> String {
    let lines: Vec<_> = scaling.jobs.iter().map(plot_line).collect();
    plot::speed_ups(&lines)
}

/// A table for each job.
pub(super) fn tables(scaling: &Scaling) -> String {
    let mut section = String::new();
    for job in &scaling.jobs {
        let title = escaped(&job_title(job));
        section += &format!("<h2>{title}</h2>\n<div class=\"wide\"><table>\n");
        section += &html_row("th", &COLUMNS.map(str::to_owned));
        section.extend(job.points.iter().map(|point| html_row("td", &row(point))));
        let words = escaped(&job.words);
        section += &format!("</table></div>\n<p>{words}</p>\n");
    }
    section
}

fn plot_line(job: &JobScaling) -> plot::Line {
    let points = job.points.iter();
    let points = points.map(|point| (point.threads as f64, point.speed_up));
    let name = format!("{}, engine {}", job.job.name(), job.engine);
    (name, points.collect())
}

fn html_row(cell: &str, texts: &[String]) -> String {
    let cells = texts
        .iter()
        .map(|text| format!("<{cell} class=\"n\">{}</{cell}>", escaped(text)));
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}
