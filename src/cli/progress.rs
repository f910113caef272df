//! What a user sees while a job runs: a live display on a terminal, else a line every few seconds;
//! with `--json` one object a second.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{report, say_event};
use crate::{
    machine,
    pipeline::{Job, Snapshot},
    units::{ByteSize, count, duration, percent},
};

/// Time between two lines where nobody watches live.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Time between two objects with `--json`.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// Shows where a job stands.
pub(super) struct Reporter<'a> {
    job: &'a Job,
    view: View,
    shown: Instant,
    last: Snapshot,
}

enum View {
    Live(ProgressBar),
    Lines,
    Json,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(job: &'a Job, json: bool) -> Self {
        let view = if json {
            View::Json
        } else if std::io::stderr().is_terminal() {
            let target = ProgressDrawTarget::stderr_with_hz(5);
            let bar = ProgressBar::with_draw_target(Some(job.plan.estimate.parents), target);
            let style = ProgressStyle::with_template("{bar:40.cyan/dim} {msg}")
                .expect("the template is a constant that parses");
            bar.set_style(style.progress_chars("━╸─"));
            View::Live(bar)
        } else {
            View::Lines
        };
        Self {
            job,
            view,
            shown: Instant::now(),
            last: Snapshot::default(),
        }
    }

    /// Takes note of where the job stands, and shows it when it is time.
    pub(super) fn show(&mut self, snapshot: &Snapshot) {
        let since = self.shown.elapsed();
        match &self.view {
            View::Live(bar) => {
                bar.set_position(snapshot.counts.parents_read);
                bar.set_message(self.live(snapshot));
            }
            View::Lines if since >= LINE_EVERY => {
                let _ = writeln!(std::io::stderr(), "{}", self.line(snapshot));
            }
            View::Json if since >= JSON_EVERY => {
                say_event(report::progress_json(self.job, snapshot));
            }
            View::Lines | View::Json => return,
        }
        if since >= JSON_EVERY {
            (self.shown, self.last) = (Instant::now(), snapshot.clone());
        }
    }

    /// Clears the live display.
    pub(super) fn finish(&self) {
        if let View::Live(bar) = &self.view {
            bar.finish_and_clear();
        }
    }

    fn live(&self, now: &Snapshot) -> String {
        let counts = &now.counts;
        let rejected = match counts.parents_rejected + counts.parents_capped {
            0 => String::new(),
            n => format!(" · {} rows rejected or capped", count(n)),
        };
        format!(
            "{}\nproducts  {} made · {} unique · {}/s{rejected}\n\
             memory    {} of {} · ring {} of {} slots busy\n\
             busiest   {} · {} written in {} parts",
            self.position(now),
            count(counts.products_made),
            count(counts.products_unique),
            count(rate(now)),
            ByteSize(machine::memory_bytes()),
            self.job.spec.memory,
            now.ring.slots - now.ring.free,
            now.ring.slots,
            bottleneck(self.job, &self.last, now),
            ByteSize(now.bytes_written),
            now.parts,
        )
    }

    fn line(&self, now: &Snapshot) -> String {
        format!(
            "molsieve: {}; {} products, {} unique, {}/s; {} of {}, ring {}/{}; busiest {}",
            self.position(now),
            count(now.counts.products_made),
            count(now.counts.products_unique),
            count(rate(now)),
            ByteSize(machine::memory_bytes()),
            self.job.spec.memory,
            now.ring.slots - now.ring.free,
            now.ring.slots,
            bottleneck(self.job, &self.last, now),
        )
    }

    fn position(&self, now: &Snapshot) -> String {
        if let Some((done, of)) = now.settled {
            return format!(
                "settling what the filter took for seen, {} done",
                percent(done, of)
            );
        }
        let estimate = &self.job.plan.estimate;
        let about = if estimate.parents_exact { "" } else { "about " };
        let left = match remaining(self.job, now) {
            Some(left) => format!(", {} left", duration(left)),
            None => String::new(),
        };
        format!(
            "{} of {about}{} rows{left}",
            count(now.counts.parents_read),
            count(estimate.parents)
        )
    }
}

/// Products made per second since the start.
pub(super) fn rate(now: &Snapshot) -> u64 {
    (now.counts.products_worked_out() as f64 / now.elapsed.as_secs_f64().max(1e-3)) as u64
}

/// Time until the last row, at the mean rate so far; unknown in the first seconds.
pub(super) fn remaining(job: &Job, now: &Snapshot) -> Option<Duration> {
    let done = now.counts.parents_read;
    let left = job.plan.estimate.parents.checked_sub(done)?;
    if done == 0 || left == 0 || now.elapsed < Duration::from_secs(2) {
        return None;
    }
    Some(now.elapsed.mul_f64(left as f64 / done as f64))
}

/// The stage that was busiest between two snapshots, with its share of the time it could have used.
pub(super) fn bottleneck(job: &Job, before: &Snapshot, now: &Snapshot) -> String {
    let wall = (now.elapsed - before.elapsed).as_secs_f64().max(1e-3);
    let share = |stage: fn(&crate::pipeline::Stages) -> f64, threads: usize| {
        (stage(&now.stages) - stage(&before.stages)) / wall / threads as f64
    };
    let shares = [
        ("chemistry", share(|s| s.chemistry, job.plan.threads)),
        ("source", share(|s| s.source, 1)),
        ("sieve", share(|s| s.sieve, 1)),
        ("sink", share(|s| s.sink, 1)),
        ("settle", share(|s| s.settle, 1)),
    ];
    let busiest = shares.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    busiest.map_or_else(String::new, |(name, share)| {
        format!("{name} ({:.0} %)", 100.0 * share.min(1.0))
    })
}
