//! Jobs as text for people: a table, the status of one job, a line at its end.

mod space;

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    cli::{Exit, progress::position},
    daemon::{
        api::ChangeBody,
        job::{Demand, GpuDemand, JobId, Label, State, WaitsFor},
        view::{JobView, NodeView},
    },
    report::event::Progress,
    units::{ByteSize, count, counted, duration, percent},
};

/// The settings that are shown. They may be those of an earlier version, so all of them are optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ShownSettings {
    input: Vec<String>,
    rules: Vec<String>,
    output: Option<String>,
}

impl ShownSettings {
    fn of(job: &JobView) -> Result<Self, String> {
        Self::deserialize(&job.settings).map_err(|error| format!("cannot be read: {error}"))
    }
}

/// The exit code of a command that waited for this job.
pub(super) fn exit(job: &JobView) -> Exit {
    match (job.state, job.exit_code) {
        (State::Done, Some(4)) => Exit::Incomplete,
        (State::Done, _) => Exit::Done,
        (State::Failed, Some(2)) => Exit::Usage,
        (State::Failed, Some(3)) => Exit::Input,
        _ => Exit::Failed,
    }
}

/// The state of a job and the reason, as a sentence that begins with `job 17`. A reason of several lines keeps them; the
/// later ones are indented.
pub(in crate::cli) fn stands(job: &JobView, now: Timestamp) -> String {
    let why = job.error.as_deref();
    let why = why.map_or(String::new(), |error| format!(": {}", plain_lines(error)));
    match job.state {
        _ if job.waits_for == Some(WaitsFor::LargerBudget) => format!(
            "needs more than the node has for jobs, and waits until it has more, or until molsieve set {} --memory SIZE \
             --threads N lowers what it needs",
            job.id
        ),
        _ if job.waits_for == Some(WaitsFor::Gpu) => {
            "waits for a GPU that is fit; /v1/node says why each is left out".into()
        }
        State::Queued if !job.waits_for_jobs.is_empty() => {
            format!("waits for {}", numbers(&job.waits_for_jobs))
        }
        State::Queued => "waits for free resources".into(),
        State::Starting => "is starting".into(),
        State::Running => "is running".into(),
        State::Stopping if job.cancel_asked => "is being stopped".into(),
        State::Stopping => "stops at a checkpoint; it resumes when the daemon is back".into(),
        State::Done if job.exit_code == Some(4) => {
            "is done; some rows were rejected or capped".into()
        }
        State::Done => "is done".into(),
        State::Failed => format!("has failed{why}"),
        // The error of a job that its user has cancelled is older.
        State::Cancelled if !job.cancel_asked => format!("was cancelled{why}"),
        State::Cancelled => "was cancelled".into(),
        State::Interrupted if let Some(space) = &job.waits_for_space => {
            space::waits(space, job.retry_at, now)
        }
        State::Interrupted => {
            let wait = job.retry_at.map(|at| between(now, at));
            let when = match wait.filter(|wait| !wait.is_zero()) {
                Some(wait) => format!("resumes in {}", duration(wait)),
                None => "resumes as soon as resources are free".into(),
            };
            format!("was interrupted and {when}{why}")
        }
    }
}

/// The first few of several jobs.
fn numbers(ids: &[JobId]) -> String {
    const SHOWN: usize = 5;
    let first: Vec<String> = ids.iter().take(SHOWN).map(JobId::to_string).collect();
    let more = match ids.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let jobs = if ids.len() == 1 { "job" } else { "jobs" };
    format!("{jobs} {}{more}", first.join(", "))
}

/// The state of a job in a table. A job that freed resources will not start is marked.
pub(in crate::cli) fn state(job: &JobView) -> String {
    match (job.waits_for, job.waits_for_jobs.as_slice()) {
        (Some(WaitsFor::LargerBudget), _) => format!("{}, too large", job.state),
        (_, []) => space::state(job),
        (_, [one]) => format!("{} after {one}", job.state),
        (_, [first, more @ ..]) => format!("{} after {first} +{}", job.state, more.len()),
    }
}

pub(in crate::cli) fn user(job: &JobView) -> String {
    let name = job.user.name.as_deref().map(plain);
    name.unwrap_or_else(|| job.user.uid.to_string())
}

/// The files of a job.
pub(in crate::cli) fn paths(job: &JobView) -> Vec<String> {
    let settings = ShownSettings::of(job).unwrap_or_default();
    let paths = settings.input.into_iter().chain(settings.rules);
    paths.chain(settings.output).collect()
}

/// How much of a job is done.
pub(in crate::cli) fn share(job: &JobView) -> String {
    match (job.state, &job.progress) {
        (State::Done, _) => "100.0 %".into(),
        (_, Some(progress)) if progress.parents > 0 => {
            percent(progress.rows_done().min(progress.parents), progress.parents)
        }
        _ => "-".into(),
    }
}

/// Several jobs, one line each.
pub(super) fn table(jobs: &[JobView], now: Timestamp) -> String {
    const HEAD: [&str; 7] = ["ID", "NAME", "USER", "STATE", "ROWS", "PRODUCTS", "AGE"];
    /// Whether a column is aligned to the right.
    const RIGHT: [bool; 7] = [true, false, false, false, true, true, true];
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(jobs.iter().map(|job| {
        let progress = job.progress.as_ref();
        let products = progress.map(|progress| count(progress.counts.products_unique));
        [
            job.id.to_string(),
            job.name.as_deref().map_or_else(|| "-".into(), plain),
            user(job),
            state(job),
            share(job),
            products.unwrap_or_else(|| "-".into()),
            age(between(job.submitted_at, now)),
        ]
    }));
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    });
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(widths).zip(RIGHT);
        let cells = cells.map(|((cell, width), right)| match right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What a list leaves out of `total` jobs, and how to see it.
pub(super) fn left_out(listed: u64, total: u64) -> Option<String> {
    let more = total.checked_sub(listed).filter(|more| *more > 0)?;
    Some(format!(
        "{} not shown; --limit {total} lists all of them, --state and --user fewer",
        counted(more, "older job")
    ))
}

/// All of one job. `node` explains why the job waits.
pub(super) fn status(job: &JobView, node: Option<&NodeView>, now: Timestamp) -> String {
    let mut lines = vec![title(job)];
    let facts = facts(job, node, now).into_iter();
    lines.extend(facts.map(|(label, text)| fact(label, &text)));
    lines.join("\n")
}

/// The quota that holds a job back, as a line of its status.
pub(super) fn held_back(held: &str) -> String {
    fact("quota", &format!("holds the job back: {held}"))
}

fn fact(label: &str, text: &str) -> String {
    format!("  {label:<10} {text}")
}

/// Number, name and user of a job.
pub(in crate::cli) fn title(job: &JobView) -> String {
    let name = job.name.as_deref();
    let name = name.map_or(String::new(), |name| format!("  {}", plain(name)));
    format!("Job {}{name}  of {}", job.id, user(job))
}

/// All of one job, each fact with its label.
pub(in crate::cli) fn facts(
    job: &JobView,
    node: Option<&NodeView>,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut line = |label: &'static str, text: String| facts.push((label, text));
    // The reason may have several lines.
    let stands = stands(job, now);
    let mut lines = stands.lines();
    let first = lines.next().unwrap_or_default();
    line("state", format!("{}: it {first}", job.state));
    lines.for_each(|more| line("", more.strip_prefix("  ").unwrap_or(more).into()));
    if let Some(node) = node {
        line("node", occupied(node));
    }
    line("submitted", moment(job.submitted_at, now));
    if let Some(started) = job.started_at {
        let attempts = match job.attempts {
            0 | 1 => String::new(),
            n => format!("; {n} attempts so far"),
        };
        line("started", moment(started, now) + &attempts);
    }
    if let Some(ended) = job.ended_at {
        let after = job.started_at.map_or(String::new(), |started| {
            format!(", {} after its start", duration(between(started, ended)))
        });
        line("ended", moment(ended, now) + &after);
    }
    if let Some(code) = job.exit_code {
        line("exit code", code.to_string());
    }
    line("needs", demand(&job.demand));
    if job.priority != 0 {
        line("priority", job.priority.to_string());
    }
    for (label, text) in options(job) {
        line(label, text);
    }
    if let Some(progress) = &job.progress {
        // The last progress event is older than the end.
        match job.state {
            State::Done => line("rows", count(progress.counts.parents_read)),
            _ => line("rows", position(progress)),
        };
        line("products", products(progress));
    }
    match ShownSettings::of(job) {
        Ok(settings) => {
            let output = Vec::from_iter(settings.output);
            let labels = ["input", "rules", "output"];
            for (label, paths) in labels
                .into_iter()
                .zip([settings.input, settings.rules, output])
            {
                if let Some(text) = listed(&paths) {
                    line(label, text);
                }
            }
        }
        Err(error) => line("settings", error),
    }
    facts
}

/// What was asked of the job besides the settings of its run.
fn options(job: &JobView) -> Vec<(&'static str, String)> {
    let labels: Vec<_> = job.labels.iter().map(Label::as_str).collect();
    let after = |ids: &[JobId]| (!ids.is_empty()).then(|| numbers(ids));
    let facts = [
        ("labels", (!labels.is_empty()).then(|| labels.join(" "))),
        ("after", after(&job.after)),
        ("after end", after(&job.after_any)),
        ("retries", job.retries.map(|retries| retries.to_string())),
        ("notify", job.notify.as_deref().map(plain)),
    ];
    let facts = facts.into_iter();
    facts
        .filter_map(|(label, text)| Some((label, text?)))
        .collect()
}

/// How it ended.
pub(in crate::cli) fn ended(job: &JobView, last: &Progress) -> String {
    let stands = stands(job, Timestamp::UNIX_EPOCH);
    let text = format!("job {} {stands}", job.id);
    if job.state != State::Done {
        return text;
    }
    let times = job.started_at.zip(job.ended_at);
    let after = times.map_or(String::new(), |(from, to)| {
        format!(" after {}", duration(between(from, to)))
    });
    let output =
        ShownSettings::of(job).map_or_else(|error| Some(format!("settings {error}")), |s| s.output);
    let output = output.as_deref().map_or(String::new(), plain);
    let made = match last.counts.products_made {
        0 => String::new(),
        _ => format!("\n  last seen  {}", products(last)),
    };
    format!("{text}{after}\n  output     {output}; its manifest.json has all counts{made}")
}

/// A job after it was cancelled.
pub(in crate::cli) fn cancelled(job: &JobView) -> String {
    let (id, state) = (job.id, job.state);
    match state {
        State::Cancelled => format!("job {id} is cancelled"),
        State::Done | State::Failed => format!("job {id} had already ended: it is {state}"),
        _ => format!("job {id} is being stopped"),
    }
}

/// A job after it was changed.
pub(super) fn changed(job: &JobView, change: &ChangeBody, now: Timestamp) -> String {
    let has = [
        change
            .priority
            .map(|_| format!("priority {}", job.priority)),
        change
            .memory
            .map(|_| ByteSize(job.demand.memory_bytes).to_string()),
        change
            .threads
            .map(|_| counted(job.demand.threads.into(), "thread")),
    ];
    let has = has.into_iter().flatten().collect::<Vec<_>>().join(", ");
    format!("job {} has {has}; it {}", job.id, stands(job, now))
}

/// A job that was removed from the list.
pub(in crate::cli) fn forgotten(id: u64) -> String {
    format!("job {id} is forgotten; its output stays")
}

/// The resources of a job, as text.
pub(in crate::cli) fn demand(demand: &Demand) -> String {
    let (memory, threads) = (
        ByteSize(demand.memory_bytes),
        counted(demand.threads.into(), "thread"),
    );
    match demand.gpu {
        GpuDemand::None => format!("{memory} and {threads}"),
        GpuDemand::IfFree => format!("{memory}, {threads} and a GPU if one is free"),
        GpuDemand::One => format!("{memory}, {threads} and a GPU"),
    }
}

/// What jobs occupy of the node's budget.
fn occupied(node: &NodeView) -> String {
    let (admitted, budget) = (&node.admitted, &node.budget);
    format!(
        "jobs occupy {} of {}, {} of {} and {} of {}",
        ByteSize(admitted.memory_bytes),
        ByteSize(budget.memory_bytes),
        admitted.threads,
        counted(budget.threads.into(), "thread"),
        admitted.gpus,
        counted(budget.gpus.into(), "GPU"),
    )
}

pub(in crate::cli) fn products(progress: &Progress) -> String {
    format!(
        "{} made, {} unique, {}/s",
        count(progress.counts.products_made),
        count(progress.counts.products_unique),
        count(progress.products_per_second),
    )
}

/// The first few of several paths.
fn listed(paths: &[String]) -> Option<String> {
    let first: Vec<String> = paths.iter().take(3).map(|path| plain(path)).collect();
    match paths.len() {
        0 => None,
        n @ 1..=3 => Some(first[..n].join(", ")),
        n => Some(format!("{} and {} more", first.join(", "), n - 3)),
    }
}

/// Time from one moment to a later one; zero if it is earlier.
pub(in crate::cli) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

fn moment(at: Timestamp, now: Timestamp) -> String {
    format!("{at:.0}, {} ago", age(between(at, now)))
}

/// A duration in its largest unit.
pub(in crate::cli) fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A text of another user without control characters, so that it cannot move the terminal's cursor.
pub(in crate::cli) fn plain(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(printable).collect()
}

/// A text of several lines of another user, as [`plain`]; every line but the first is indented.
fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n  ")
}

#[cfg(test)]
mod tests;
