//! Jobs as people see them: a table of many, a screen for one, a line for how it ended.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    cli::{CliError, Exit, progress::position},
    daemon::{
        client::Client,
        core::Resources,
        job::{Demand, GpuDemand, State},
        schedule::fits_node,
    },
    report::event::Progress,
    units::{ByteSize, count, counted, duration, percent},
};

/// What of a job, as the API gives it, is shown.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Shown {
    pub id: u64,
    name: Option<String>,
    user: Owner,
    pub state: State,
    priority: i32,
    settings: Value,
    demand: Demand,
    submitted_at: Timestamp,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    attempts: u64,
    retry_at: Option<Timestamp>,
    #[serde(default)]
    cancel_asked: bool,
    exit_code: Option<i32>,
    error: Option<String>,
    progress: Option<Progress>,
    pub seq: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct Owner {
    uid: u32,
    name: Option<String>,
}

impl Shown {
    pub(super) fn read(client: &Client, job: &Value) -> Result<Self, CliError> {
        let read = Self::deserialize(job);
        Ok(read.map_err(|error| client.protocol(&format!("a job that can't be read: {error}")))?)
    }

    /// How a process ends that has waited for this job.
    pub(super) fn exit(&self) -> Exit {
        match (self.state, self.exit_code) {
            (State::Done, Some(4)) => Exit::Incomplete,
            (State::Done, _) => Exit::Done,
            (State::Failed, Some(2)) => Exit::Usage,
            (State::Failed, Some(3)) => Exit::Input,
            _ => Exit::Failed,
        }
    }

    /// Where it stands and why, after `job 17`.
    pub(super) fn stands(&self, now: Timestamp) -> String {
        let why = self
            .error
            .as_deref()
            .map_or(String::new(), |error| format!(": {}", plain(error)));
        match self.state {
            State::Queued => "waits for its turn".into(),
            State::Starting => "starts: it is being planned".into(),
            State::Running => "runs".into(),
            State::Stopping if self.cancel_asked => "is being stopped".into(),
            State::Stopping => "stops at a checkpoint; it goes on when the daemon is back".into(),
            State::Done if self.exit_code == Some(4) => {
                "is done; some rows were rejected or capped".into()
            }
            State::Done => "is done".into(),
            State::Failed => format!("has failed{why}"),
            State::Cancelled => "was cancelled".into(),
            State::Interrupted => {
                let wait = self.retry_at.map(|at| between(now, at));
                let when = match wait.filter(|wait| !wait.is_zero()) {
                    Some(wait) => format!("goes on in {}", duration(wait)),
                    None => "goes on as soon as there is room".into(),
                };
                format!("was interrupted and {when}{why}")
            }
        }
    }

    fn user(&self) -> String {
        let name = self.user.name.as_deref().map(plain);
        name.unwrap_or_else(|| self.user.uid.to_string())
    }

    /// How much of it is done.
    fn share(&self) -> String {
        match (self.state, &self.progress) {
            (State::Done, _) => "100.0 %".into(),
            (_, Some(progress)) if progress.parents > 0 => percent(
                progress.counts.parents_read.min(progress.parents),
                progress.parents,
            ),
            _ => "-".into(),
        }
    }
}

/// The name that the API has for a state.
pub(super) fn word(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Starting => "starting",
        State::Running => "running",
        State::Stopping => "stopping",
        State::Done => "done",
        State::Failed => "failed",
        State::Cancelled => "cancelled",
        State::Interrupted => "interrupted",
    }
}

/// Several jobs, a line each.
pub(super) fn table(jobs: &[Shown], now: Timestamp) -> String {
    const HEAD: [&str; 7] = ["ID", "NAME", "USER", "STATE", "ROWS", "PRODUCTS", "AGE"];
    /// Columns of figures, which end at the same place.
    const RIGHT: [bool; 7] = [true, false, false, false, true, true, true];
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(jobs.iter().map(|job| {
        let products = job.progress.as_ref();
        let products = products.map(|progress| count(progress.counts.products_unique));
        [
            job.id.to_string(),
            job.name.as_deref().map_or_else(|| "-".into(), plain),
            job.user(),
            word(job.state).into(),
            job.share(),
            products.unwrap_or_else(|| "-".into()),
            age(between(job.submitted_at, now)),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let line = |row: &[String; 7]| {
        let cells = row
            .iter()
            .zip(&widths)
            .zip(RIGHT)
            .map(|((cell, width), right)| {
                if right {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Everything of one job. `node` says what the node has, if that explains why it waits.
pub(super) fn status(job: &Shown, node: &Value, now: Timestamp) -> String {
    let name = job
        .name
        .as_deref()
        .map_or(String::new(), |name| format!("  {}", plain(name)));
    let mut lines = vec![format!("Job {}{name}  of {}", job.id, job.user())];
    let mut line = |label: &str, text: String| lines.push(format!("  {label:<10} {text}"));
    // Only of one that waits is the node given.
    let stands = if !fits(&job.demand, node) {
        "takes more than the node gives to jobs, and waits until it gives more".into()
    } else {
        job.stands(now)
    };
    line("state", format!("{}: it {stands}", word(job.state)));
    if node.is_object() {
        line("node", room(node));
    }
    line("submitted", moment(job.submitted_at, now));
    if let Some(started) = job.started_at {
        let attempts = match job.attempts {
            0 | 1 => String::new(),
            n => format!("; {n} workers so far"),
        };
        line("started", moment(started, now) + &attempts);
    }
    if let Some(ended) = job.ended_at {
        let after = job
            .started_at
            .map(|started| duration(between(started, ended)));
        let after = after.map_or(String::new(), |time| format!(", {time} after its start"));
        line("ended", moment(ended, now) + &after);
    }
    if let Some(code) = job.exit_code {
        line("exit code", code.to_string());
    }
    line("takes", demand(&job.demand));
    if job.priority != 0 {
        line("priority", job.priority.to_string());
    }
    if let Some(progress) = &job.progress {
        // What it said last it said before its end.
        match job.state {
            State::Done => line("rows", count(progress.counts.parents_read)),
            _ => line("rows", position(progress)),
        };
        line("products", products(progress));
    }
    for (label, key) in [("input", "input"), ("rules", "rules"), ("output", "output")] {
        if let Some(text) = listed(&job.settings[key]) {
            line(label, text);
        }
    }
    lines.join("\n")
}

/// How it ended.
pub(super) fn ended(job: &Shown, last: &Progress) -> String {
    let text = format!("job {} {}", job.id, job.stands(Timestamp::UNIX_EPOCH));
    if job.state != State::Done {
        return text;
    }
    let seconds = job
        .started_at
        .zip(job.ended_at)
        .map(|(from, to)| between(from, to));
    let after = seconds.map_or(String::new(), |time| format!(" after {}", duration(time)));
    let output = job.settings["output"].as_str().map_or(String::new(), plain);
    let made = match last.counts.products_made {
        0 => String::new(),
        _ => format!("\n  last told  {}", products(last)),
    };
    format!("{text}{after}\n  output     {output}; manifest.json in it tells everything{made}")
}

/// What a job takes while it runs.
pub(super) fn demand(demand: &Demand) -> String {
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

/// Whether a job fits the node, which may have given more when it was taken; also if the node does not tell.
fn fits(demand: &Demand, node: &Value) -> bool {
    Resources::deserialize(&node["budget"]).map_or(true, |budget| fits_node(demand, &budget))
}

/// What the node gives to jobs, and what of it is taken.
fn room(node: &Value) -> String {
    let number = |of: &str, what: &str| node[of][what].as_u64().unwrap_or_default();
    let memory = |of: &str| ByteSize(number(of, "memory_bytes"));
    format!(
        "{} of {}, {} of {} and {} of {} are taken",
        memory("admitted"),
        memory("budget"),
        number("admitted", "threads"),
        counted(number("budget", "threads"), "thread"),
        number("admitted", "gpus"),
        counted(number("budget", "gpus"), "GPU"),
    )
}

fn products(progress: &Progress) -> String {
    format!(
        "{} made, {} unique, {}/s",
        count(progress.counts.products_made),
        count(progress.counts.products_unique),
        count(progress.products_per_second),
    )
}

/// A path, or the first few of several.
fn listed(paths: &Value) -> Option<String> {
    let paths: Vec<&str> = match paths {
        Value::String(path) => vec![path],
        Value::Array(paths) => paths.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let first: Vec<String> = paths.iter().take(3).map(|path| plain(path)).collect();
    match paths.len() {
        0 => None,
        n @ 1..=3 => Some(first[..n].join(", ")),
        n => Some(format!("{} and {} more", first.join(", "), n - 3)),
    }
}

/// Time from one moment to a later one; none if it is earlier.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

fn moment(at: Timestamp, now: Timestamp) -> String {
    let seconds = Duration::from_secs(at.as_second().try_into().unwrap_or(0));
    let at_text = crate::units::utc(std::time::SystemTime::UNIX_EPOCH + seconds);
    format!("{at_text}, {} ago", age(between(at, now)))
}

/// A duration in its largest unit.
fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A text of another user, which must not move the terminal's cursor.
fn plain(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(printable).collect()
}

#[cfg(test)]
mod tests;
